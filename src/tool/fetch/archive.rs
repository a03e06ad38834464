//! An archive: a `.tar.bz2` with a checksum beside it in, its files in a directory out. Nothing of it gets out of that directory,
//! whatever it claims to hold.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read as _, Seek as _};
use std::path::{Component, Path, PathBuf};

use bzip2::read::MultiBzDecoder;
use md5::{Digest as _, Md5};
use tar::{Entry, EntryType};

use super::client::near;
use super::directory::{Directory, file, plain};
use super::{Error, Expected};
use crate::tool::say;

/// How archives' names end.
const SUFFIX: &str = ".tar.bz2";

/// Which archive to fetch, and where to put what is in it.
#[derive(Debug, Clone)]
pub struct Archive {
    /// Where all archives are.
    pub root: PathBuf,
    /// The archive's directory below that; may be empty.
    pub directory: String,
    /// Its name, with or without the suffix.
    pub name: String,
    /// The MD5 sum of the only one that will do.
    pub md5: Option<String>,
    /// Where its files go.
    pub into: PathBuf,
    /// Paths in there that are not cleaned away.
    pub keep: Vec<String>,
    /// Files that must be there afterwards.
    pub expected: Expected,
}

/// Checks the archive, puts what is in its one directory in the place of what a former build left, and returns its MD5 sum.
///
/// # Errors
/// See [`Error`].
pub fn fetch(archive: &Archive) -> Result<String, Error> {
    if archive.md5.as_ref().is_some_and(|sum| !is_sum(sum)) {
        return Err(Error::Misuse("the MD5 sum is none: it has 32 hexadecimal digits"));
    }
    let path = path(archive)?;
    let shown = path.display().to_string();
    let mut open = match fs::File::open(&path) {
        Ok(open) => open,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(Error::NoArchive { near: alike(&path), path: shown });
        }
        Err(error) => return Err(file("read", &path)(error)),
    };
    let expected = expected(&path)?;
    let found = sum(&mut open).map_err(file("read", &path))?;
    if found != expected {
        return Err(Error::Checksum { archive: shown, expected, found });
    }
    if let Some(wanted) = archive.md5.as_ref().filter(|wanted| !wanted.eq_ignore_ascii_case(&found)) {
        return Err(Error::Replaced { archive: shown, wanted: wanted.clone(), found });
    }
    // The same open file: nobody exchanges it between the two readings.
    open.rewind().map_err(file("read", &path))?;
    let directory = Directory::open(&archive.into, &archive.keep)?;
    say(format_args!("Unpacking {shown} into {}", directory.path().display()));
    let aside = directory.aside()?;
    fs::create_dir(&aside).map_err(file("make", &aside))?;
    let whole = format!("the archive {shown}");
    let top = unpack(open, &aside).map_err(|what| Error::Unpack { archive: shown, what })?;
    directory.clear()?;
    directory.settle(&aside.join(top), "")?;
    archive.expected.demand(&directory, &whole)?;
    Ok(found)
}

fn path(archive: &Archive) -> Result<PathBuf, Error> {
    if !archive.root.is_absolute() {
        return Err(Error::Misuse("the directory of the archives must be a path from the root on"));
    }
    let below = match archive.directory.trim_matches('/') {
        "" | "." => PathBuf::new(),
        directory => plain(Path::new(directory))
            .ok_or(Error::Misuse("the archive's directory must be a path below that of all archives, without `..`"))?,
    };
    let name = archive.name.strip_suffix(SUFFIX).unwrap_or(&archive.name);
    if name.is_empty() || name.contains(['/', '\0']) || name.starts_with('.') {
        return Err(Error::Misuse("the archive's name must be that of a file, without a directory"));
    }
    Ok(archive.root.join(below).join(format!("{name}{SUFFIX}")))
}

/// Archives in the same directory that are called alike.
fn alike(path: &Path) -> Option<Vec<String>> {
    let entries = fs::read_dir(path.parent()?).ok()?;
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(SUFFIX)).collect();
    names.sort();
    Some(near(&path.file_name()?.to_string_lossy(), names.iter().map(String::as_str)))
}

/// The sum that the file beside the archive says: `md5sum`'s lines, BSD's, or the sum alone.
fn expected(archive: &Path) -> Result<String, Error> {
    let shown = archive.display().to_string();
    let text = fs::read(format!("{shown}.md5")).map_err(|error| {
        let missing = error.kind() == io::ErrorKind::NotFound;
        let what = if missing { "is missing".to_owned() } else { format!("cannot be read: {error}") };
        Error::NoChecksum { archive: shown.clone(), what }
    })?;
    let text = String::from_utf8_lossy(&text);
    let name = archive.file_name().unwrap_or_default().to_string_lossy();
    let mut lines = text.lines().filter_map(|line| {
        let sum = line.split([' ', '\t']).find(|word| is_sum(word))?;
        let mut others = line.split([' ', '\t']).filter(|word| *word != sum && !["", "MD5", "="].contains(word));
        let is_named =
            |word: &str| word.trim_start_matches('*').trim_matches(['(', ')']).rsplit('/').next() == Some(&*name);
        // A name with blanks in it is several words; it counts as ours if any fits.
        let fits = others.clone().any(is_named) || others.next().is_none();
        fits.then(|| sum.to_ascii_lowercase())
    });
    lines.next().ok_or_else(|| Error::NoChecksum { archive: shown, what: "holds no MD5 sum of it".to_owned() })
}

fn is_sum(word: &str) -> bool {
    word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn sum(open: &mut fs::File) -> io::Result<String> {
    use std::fmt::Write as _;
    let mut sum = Md5::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match open.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => sum.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sum.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// Unpacks into an empty directory, and returns the name of the one directory that everything is in.
fn unpack(archive: impl io::Read, into: &Path) -> Result<PathBuf, String> {
    let mut archive = tar::Archive::new(MultiBzDecoder::new(archive));
    let mut links = HashSet::new();
    let broken = |error: io::Error| error.to_string();
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        // What is about the next entry only, or about all of them.
        if matches!(entry.header().entry_type(), EntryType::XGlobalHeader) {
            continue;
        }
        let written = entry.path().map_err(broken)?.into_owned();
        let unsafe_because = |why: &str| format!("its entry `{}` {why}", written.display());
        let Some(path) = plain(&written) else {
            if written.components().all(|part| part == Component::CurDir) {
                continue;
            }
            return Err(unsafe_because("leads out of the directory"));
        };
        if path.ancestors().skip(1).any(|above| links.contains(above)) {
            return Err(unsafe_because("goes through a link"));
        }
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse | EntryType::Directory => {}
            EntryType::Symlink if stays_inside(&path, &link(&entry)?) => {
                links.insert(path.clone());
            }
            EntryType::Link if plain(&link(&entry)?).is_some_and(|target| !through(&target, &links)) => {}
            EntryType::Symlink | EntryType::Link => {
                return Err(unsafe_because("is a link that leads out of the directory"));
            }
            _ => return Err(unsafe_because("is neither a file nor a directory nor a link")),
        }
        if !entry.unpack_in(into).map_err(|error| unsafe_because(&format!("cannot be written: {error}")))? {
            return Err(unsafe_because("leads out of the directory"));
        }
    }
    let entries = fs::read_dir(into).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(broken)?;
    match entries.as_slice() {
        [only] if only.file_type().is_ok_and(|kind| kind.is_dir()) => Ok(only.file_name().into()),
        [] => Err("it is empty".to_owned()),
        _ => Err("it should hold one directory with everything in it".to_owned()),
    }
}

fn link(entry: &Entry<'_, impl io::Read>) -> Result<PathBuf, String> {
    let target = entry.link_name().map_err(|error| error.to_string())?;
    Ok(target.map(|target| target.into_owned()).unwrap_or_default())
}

/// Whether the target is a link or behind one.
fn through(target: &Path, links: &HashSet<PathBuf>) -> bool {
    target.ancestors().any(|part| links.contains(part))
}

/// Whether a symbolic link at `path` leads to a place below the directory that everything is in. Behind a name, `..` could lead
/// anywhere, as the name may be that of another link: it counts at the beginning only.
fn stays_inside(path: &Path, target: &Path) -> bool {
    let up = target.components().take_while(|part| matches!(part, Component::ParentDir | Component::CurDir));
    let (up, all) = (up.filter(|part| *part == Component::ParentDir).count(), target.components());
    let only_down = all
        .skip_while(|part| matches!(part, Component::ParentDir | Component::CurDir))
        .all(|part| matches!(part, Component::Normal(_)));
    // The first part is the directory that everything is in; it is stripped.
    let depth = path.components().count().saturating_sub(2);
    !target.as_os_str().is_empty() && only_down && up <= depth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_inside() {
        let cases = [
            ("top/a", "b", true),
            ("top/a", "b/c", true),
            ("top/d/a", "../b", true),
            ("top/d/a", "./../b", true),
            ("top/a", "../b", false),
            ("top/d/a", "../../b", false),
            ("top/d/a", "b/../..", false),
            ("top/a", "/etc/passwd", false),
            ("top/a", "", false),
            ("a", "b", true),
            ("a", "../b", false),
        ];
        for (path, target, inside) in cases {
            assert_eq!(stays_inside(Path::new(path), Path::new(target)), inside, "{path} -> {target}");
        }
    }
}
