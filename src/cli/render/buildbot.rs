//! `farmout render buildbot`.

use std::fs::{DirBuilder, Permissions};
use std::io::{self, BufWriter, Write as _};
use std::num::NonZeroUsize;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::NamedTempFile;

use super::super::farm::{FarmArguments, read, right};
use crate::Compilation;
use crate::cli::Exit;
use crate::diagnostic::{Failure, plain};
use crate::host::secret::{self, Found, Missing};
use crate::render::buildbot::{Document, LOADER, MASTER, ONE_OF_MASTERS, known_secrets, make, overloaded, split};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    farm: FarmArguments,
    /// The master's directory; made if it is missing
    #[arg(short, long, value_name = "MASTERDIR")]
    output: Utf8PathBuf,
    /// Split the farm among so many masters, which share a database: into MASTERDIR/master-1, master-2 and so on
    ///
    /// All builders of a build are on one master. The same farm is always split in the same way, and a build that is added or
    /// removed moves few others.
    #[arg(long, value_name = "N")]
    masters: Option<NonZeroUsize>,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let compilation = right(read(&arguments.farm.layout())?)?;
    let document = make(&compilation)?;
    let Some(masters) = arguments.masters else {
        render(&arguments.output, &compilation, &document, MASTER)?;
        tell_names(&document);
        return Ok(Exit::Fine);
    };
    if masters.get() > document.builds.len() {
        return Err(Failure::misuse(format!(
            "--masters {masters}: all builders of a build are on one master, and the farm has {}",
            count(document.builds.len(), "build")
        )));
    }
    let parts = split(&document, masters);
    for (part, number) in parts.iter().zip(1..) {
        render(&arguments.output.join(format!("master-{number}")), &compilation, part, ONE_OF_MASTERS)?;
    }
    tell_names(&document);
    for worker in overloaded(&document, &parts) {
        note!(
            "the worker `{worker}` may have more builds at a time than its `max_builds`: each master that uses it has one"
        );
    }
    let left_over = (masters.get() + 1..).map(|number| arguments.output.join(format!("master-{number}")));
    for directory in left_over.take_while(|directory| directory.join("farm.json").is_file()) {
        note!("{directory}: of a farm for more masters; stop that one, or its builders have two");
    }
    Ok(Exit::Fine)
}

fn count(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

fn tell_names(document: &Document) {
    for (name, worker) in &document.workers {
        if let Some(slave) = &worker.slave {
            note!("the slave `{slave}` is the worker `{name}` there: Buildbot takes letters, digits, `-` and `_`");
        }
    }
}

/// Writes one master's directory, and says what came of it.
fn render(
    directory: &Utf8Path,
    compilation: &Compilation,
    document: &Document,
    configuration: &str,
) -> Result<(), Failure> {
    let failed =
        |error: io::Error| Failure::misuse(format!("cannot write into {directory}: {}", plain(&error.to_string())));
    let new_loader = write(directory, document, configuration).map_err(failed)?;
    let known = known_secrets(compilation);
    let stubs = secrets(directory, document, &|name| known.get(name).map(secret::read)).map_err(failed)?;
    note!(
        "{}: {} of {} on {}",
        directory.join("farm.json"),
        count(document.builders.len(), "builder"),
        count(document.builds.len(), "build"),
        count(document.workers.len(), "worker"),
    );
    if new_loader {
        note!(
            "{}: changed; a running master takes it when it is restarted, not by reconfig",
            directory.join("farm.py")
        );
    }
    for (name, why) in stubs {
        note!("{}: {why}; write the secret into it, on one line", directory.join("secrets").join(name));
    }
    Ok(())
}

/// Writes the files that are farmout's, all of them aside before the first one is in its place, and a configuration where there
/// is none; whether the loader was there and is another now.
pub(in crate::cli) fn write(directory: &Utf8Path, document: &Document, configuration: &str) -> io::Result<bool> {
    std::fs::create_dir_all(directory)?;
    let mut farm = NamedTempFile::new_in(directory)?;
    let mut buffer = BufWriter::new(&mut farm);
    document.write(&mut buffer)?;
    buffer.flush()?;
    drop(buffer);
    let path = directory.join("farm.py");
    let before = std::fs::read(&path).ok();
    let loader = match &before {
        Some(before) if before == LOADER.as_bytes() => None,
        _ => Some(text(directory, LOADER)?),
    };
    let master = text(directory, configuration)?;
    put(farm, &directory.join("farm.json"))?;
    let new_loader = loader.is_some() && before.is_some();
    loader.map_or(Ok(()), |loader| put(loader, &path))?;
    // What is there is its admin's.
    master.as_file().set_permissions(Permissions::from_mode(0o644))?;
    match master.persist_noclobber(directory.join("master.cfg")) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
        _ => Ok(new_loader),
    }
}

fn text(directory: &Utf8Path, text: &str) -> io::Result<NamedTempFile> {
    let mut file = NamedTempFile::new_in(directory)?;
    file.write_all(text.as_bytes())?;
    Ok(file)
}

fn put(file: NamedTempFile, path: &Utf8Path) -> io::Result<()> {
    file.as_file().set_permissions(Permissions::from_mode(0o644))?;
    file.persist(path).map(drop).map_err(|error| error.error)
}

/// Makes a file for each secret that has none, with the secret in it where it is known here. Goes out: those that have none in
/// them, and why.
pub(in crate::cli) fn secrets(
    directory: &Utf8Path,
    document: &Document,
    find: &dyn Fn(&str) -> Option<Result<Found, Missing>>,
) -> io::Result<Vec<(String, String)>> {
    let folder = directory.join("secrets");
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let mut empty = Vec::new();
    for name in &document.secrets {
        let path = folder.join(name);
        if let Ok(metadata) = path.metadata() {
            if metadata.len() == 0 {
                empty.push((name.clone(), "is empty".to_owned()));
            }
            continue;
        }
        let found = find(name);
        // Such a file has the mode 0600 from its beginning.
        let mut file = NamedTempFile::new_in(&folder)?;
        match found {
            Some(Ok(found)) => file.write_all(found.secret.expose().as_bytes())?,
            Some(Err(missing)) => empty.push((name.clone(), format!("made empty, as {}", missing.message))),
            None => empty.push((name.clone(), "made empty".to_owned())),
        }
        file.persist_noclobber(&path).map_err(|error| error.error)?;
    }
    Ok(empty)
}
