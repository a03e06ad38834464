//! What a fetch must have brought: a directory and paths that a build goes on with in, an error that names what is missing out.
//! Reads names only.

use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};

use super::Error;
use super::client::near;
use super::directory::Directory;
use crate::model::leads_out;

/// Files that must be there once something is fetched; relative to its directory.
#[derive(Debug, Clone, Default)]
pub struct Expected(Vec<Utf8PathBuf>);

impl Expected {
    /// The files, as a command line has them.
    ///
    /// # Errors
    /// A path that leads out of the directory.
    pub fn new(paths: &[Utf8PathBuf]) -> Result<Self, Error> {
        if paths.iter().any(|path| leads_out(path)) {
            return Err(Error::Misuse("--expect takes paths in the directory"));
        }
        Ok(Self(paths.iter().map(|path| crate::model::normal(path)).collect()))
    }

    /// Demands the files; `whole` is what they should be part of.
    pub(super) fn demand(&self, directory: &Directory, whole: &str) -> Result<(), Error> {
        self.0.iter().try_for_each(|path| demand(directory, path, whole))
    }
}

fn demand(directory: &Directory, path: &Utf8Path, whole: &str) -> Result<(), Error> {
    let root = directory.path();
    let mut above: Vec<&Utf8Path> = path.ancestors().skip(1).filter(|above| !above.as_str().is_empty()).collect();
    above.reverse();
    let missing = above.into_iter().find(|above| !root.join(above).is_dir());
    let (kind, missing) = match missing {
        Some(missing) => ("directory", missing),
        None if root.join(path).is_file() => return Ok(()),
        None => ("file", path),
    };
    let names = beside(directory, missing, kind == "directory");
    let near = near(missing.file_name().unwrap_or_default(), names.iter().map(String::as_str));
    Err(Error::NoPath { whole: whole.to_owned(), kind, path: missing.to_string(), near })
}

/// What could be meant: the directories, or the files of the same kind, where the path should be. Not what only builds make.
fn beside(directory: &Directory, path: &Utf8Path, directories: bool) -> Vec<String> {
    let above = path.parent().unwrap_or(Utf8Path::new(""));
    let Ok(entries) = directory.path().join(above).read_dir() else { return Vec::new() };
    let fits = |name: &str, at: &Path| match directories {
        true => at.is_dir() && !name.starts_with('.'),
        false => at.is_file() && Utf8Path::new(name).extension() == path.extension(),
    };
    let own = |name: &str| !directory.keep().contains(&above.join(name).into_std_path_buf());
    let names =
        entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(|name| fits(name, &entry.path())));
    let mut names: Vec<String> = names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| own(name));
    names.sort();
    names
}
