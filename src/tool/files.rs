//! What the tools do with files again and again.

use std::fs;
use std::io;
use std::path::Path;

/// Deletes a file or a whole directory; one that is not there is fine.
///
/// # Errors
/// Those of the operating system, a missing file aside.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let result = match path.symlink_metadata() {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
