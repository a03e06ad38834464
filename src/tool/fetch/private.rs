//! A client's configuration for one fetch: a directory that only we can read, gone when the fetch has ended. No configuration of
//! the user or the machine counts, and nothing secret stands on a command line.

use std::fs;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::Error;
use super::directory::file;
use crate::tool::process::is_litter;

/// The directory.
pub(crate) struct Private(TempDir);

impl Private {
    /// An empty one, in the temporary directory.
    pub(super) fn new() -> Result<Self, Error> {
        let private = Self::below(&std::env::temp_dir(), "farmout-fetch-")?;
        is_litter(private.path());
        Ok(private)
    }

    /// An empty one in this directory, with a name that begins so.
    pub(crate) fn below(directory: &Path, prefix: &str) -> Result<Self, Error> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(prefix).permissions(fs::Permissions::from_mode(0o700));
        builder.tempdir_in(directory).map(Self).map_err(file("make a directory in", directory))
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file in it and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str, mode: u32) -> Result<PathBuf, Error> {
        use std::io::Write as _;
        let path = self.path().join(name);
        let parent = path.parent().unwrap_or(self.path());
        fs::create_dir_all(parent).map_err(file("make", parent))?;
        let mut options = fs::OpenOptions::new();
        let written = options.write(true).create_new(true).mode(mode).open(&path);
        written.and_then(|mut open| open.write_all(text.as_bytes())).map_err(file("write", &path))?;
        Ok(path)
    }
}
