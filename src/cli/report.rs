//! `farmout report`: a run told again, from its journal.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use super::Exit;
use super::farm::last;
use super::file;
use super::state::StateArguments;
use crate::diagnostic::Failure;
use crate::report::{Format, Manner, Style};
use crate::runner::Recorded;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The run, by its id
    #[arg(value_name = "RUN", default_value = "latest")]
    run: String,
    #[command(flatten)]
    state: StateArguments,
    /// The form
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// The file to write, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<Utf8PathBuf>,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let run = arguments.state.open(&arguments.run)?;
    match &arguments.output {
        Some(path) => write(&run, arguments.format, path)?,
        None => {
            let manner = Manner { verbose: false, colour: coloured(), style: Style::of_output(false) };
            let written = arguments.format.write(&run, manner, &mut io::stdout().lock());
            written
                .or_else(ignore_closed)
                .map_err(|error| Failure::misuse(format!("cannot write on standard output: {error}")))?;
        }
    }
    Ok(Exit::Fine)
}

/// Whether standard output is to have colours.
pub(super) fn coloured() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// A reader that has seen enough is no mistake.
pub(super) fn ignore_closed(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
}

/// Writes a report into a file.
///
/// # Errors
/// It cannot be written.
pub(super) fn write(run: &Recorded, format: Format, path: &Utf8Path) -> Result<(), Failure> {
    let manner = Manner::default();
    write_with(path, &|out| format.write(run, manner, out))
}

/// Writes a report with what `content` writes.
///
/// # Errors
/// It cannot be written.
pub(super) fn write_with(
    path: &Utf8Path,
    content: &dyn Fn(&mut dyn io::Write) -> io::Result<()>,
) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::misuse(format!("cannot write the report {path}: {error}"));
    file::write(path, 0o644, &mut |out| content(out)).map_err(failed)
}

/// A report that is to be written after a run: `junit=report.xml`.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    format: Format,
    path: Utf8PathBuf,
}

impl std::str::FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, path) = text.split_once('=').ok_or("write FORMAT=FILE, such as `junit=report.xml`")?;
        let format = clap::ValueEnum::from_str(format, false).map_err(|_| {
            let formats = <Format as clap::ValueEnum>::value_variants().iter();
            let names: Vec<_> = formats.filter_map(clap::ValueEnum::to_possible_value).collect();
            let names = crate::diagnostic::suggest::list(names.iter().map(clap::builder::PossibleValue::get_name));
            format!("there is no format `{format}`; there are {names}")
        })?;
        if path.is_empty() {
            return Err("the name of the file is missing behind the `=`".to_owned());
        }
        Ok(Self { format, path: path.into() })
    }
}

impl Wanted {
    /// Fails where the report could not be written, which is better known before a night's work than after it.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let (path, folder) = (&self.path, file::folder(&self.path));
        if path.is_dir() {
            return Err(Failure::misuse(format!("the report {path} cannot be written: it is a directory")));
        }
        if !folder.is_dir() {
            let message = format!("the report {path} cannot be written: there is no directory {folder}");
            return Err(Failure::misuse(message).help("make it first"));
        }
        Ok(())
    }

    /// Writes the report.
    fn write(&self, run: &Recorded) -> Result<(), Failure> {
        write(run, self.format, &self.path)
    }
}

/// Writes the reports that are wanted of the run in a folder. Of several that cannot be written, all are told.
pub(super) fn write_all(wanted: &[Wanted], folder: &Utf8Path) -> Result<(), Failure> {
    if wanted.is_empty() {
        return Ok(());
    }
    let run = Recorded::read(folder)?;
    let failures = wanted.iter().filter_map(|wanted| wanted.write(&run).err()).collect::<Vec<_>>();
    if failures.is_empty() { Ok(()) } else { Err(last(failures)) }
}
