//! The files of a buildout as they were tagged.

use std::fs;
use std::path::{Component, Path, PathBuf, absolute};

use super::Error;
use super::client::Clone;
use super::error::{file, plain_name};
use crate::tool::{files, say};

/// What to take out of a clone, and where to put it.
#[derive(Debug, Clone)]
pub struct Source {
    /// The clone.
    pub clone: PathBuf,
    /// The tag.
    pub tag: String,
    /// Where the buildout is in it.
    pub subdir: PathBuf,
    /// The directory to make; one that is there is replaced.
    pub into: PathBuf,
}

impl Source {
    /// Puts the files into their directory; returns the time of the commit, in seconds since 1970.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn export(&self) -> Result<i64, Error> {
        plain_name(&self.tag, "a tag of a package")?;
        let clone = Clone::open(&self.clone)?;
        let commit = clone.commit(&self.tag)?;
        // The clients work in the clone.
        let into = absolute(&self.into).map_err(file("find", &self.into))?;
        let above = into.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(above).map_err(file("make", above))?;
        let aside = tempfile::Builder::new().prefix(".farmout-").tempdir_in(above).map_err(file("make", above))?;
        let whole = aside.path().join("files");
        clone.export(&commit, &whole)?;
        let inside = self.subdir.components().filter(|part| *part != Component::CurDir);
        let wanted = whole.join(inside.collect::<PathBuf>());
        let real = wanted.canonicalize().ok().filter(|real| real.is_dir());
        if !real.is_some_and(|real| whole.canonicalize().is_ok_and(|whole| real.starts_with(whole))) {
            return Err(Error::NoDirectory { subdir: self.subdir.display().to_string(), tag: self.tag.clone() });
        }
        files::remove(&self.into).map_err(file("remove", &self.into))?;
        fs::rename(&wanted, &self.into).map_err(file("write", &self.into))?;
        say(format_args!("The files of {} at {} are in {}", self.clone.display(), self.tag, self.into.display()));
        Ok(commit.time)
    }
}
