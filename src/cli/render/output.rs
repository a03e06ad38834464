//! Where rendered text goes: a file that is there whole or not at all, or standard output.

use std::fs::Permissions;
use std::io::{self, Write};

use camino::Utf8Path;

use crate::diagnostic::Failure;

/// A file, or standard output where none is named.
pub(super) struct Output<'a> {
    pub(super) path: Option<&'a Utf8Path>,
    /// Of a file that is made.
    pub(super) permissions: Permissions,
}

impl Output<'_> {
    /// Has the text written. A file is written aside and renamed; a device or a pipe is written to as it is.
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
        let failed = |error: io::Error| Failure::misuse(format!("cannot write {path}: {error}"));
        if std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            let mut file = std::fs::OpenOptions::new().write(true).open(path).map_err(failed)?;
            return write(&mut file).map_err(failed);
        }
        let folder = path.parent().filter(|folder| !folder.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
        let mut aside = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        write(aside.as_file_mut()).map_err(failed)?;
        aside.as_file().set_permissions(self.permissions).map_err(failed)?;
        aside.persist(path).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

/// Makes a directory, if it is missing.
///
/// # Errors
/// It cannot be made.
pub(super) fn directory(path: &Utf8Path) -> Result<(), Failure> {
    std::fs::create_dir_all(path).map_err(|error| Failure::misuse(format!("cannot make {path}: {error}")))
}
