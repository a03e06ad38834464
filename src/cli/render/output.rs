//! Where rendered text goes: a file that is there whole or not at all, or standard output.

use std::io::{self, Write};

use camino::Utf8Path;

use crate::cli::file;
use crate::diagnostic::Failure;

/// A file, or standard output where none is named.
pub(super) struct Output<'a> {
    pub(super) path: Option<&'a Utf8Path>,
    /// The permissions of a file that is made.
    pub(super) mode: u32,
}

impl Output<'_> {
    /// Has the text written. The directory of a file is made if it is missing.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn write(self, write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        let Some(path) = self.path else {
            let mut text = Vec::new();
            // Nothing goes wrong in memory.
            write(&mut text).map_err(|error| Failure::error(error.to_string()))?;
            return match String::from_utf8(text) {
                Ok(text) => crate::cli::compile::print(&text),
                Err(error) => Err(Failure::error(format!("what was rendered is no text: {error}"))),
            };
        };
        directory(file::folder(path))?;
        let written = file::write(path, self.mode, write);
        written.map_err(|error| Failure::misuse(format!("cannot write {path}: {error}")))
    }
}

/// Makes a directory, if it is missing.
///
/// # Errors
/// It cannot be made.
pub(super) fn directory(path: &Utf8Path) -> Result<(), Failure> {
    std::fs::create_dir_all(path).map_err(|error| Failure::misuse(format!("cannot make {path}: {error}")))
}
