//! What the tools do with files again and again.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// How much of a file's end is looked at for its last lines.
const END: u64 = 64 * 1024;

/// Deletes a file or a whole directory; one that is not there is fine.
///
/// # Errors
/// Those of the operating system, a missing file aside.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
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

/// Replaces a file: written aside and renamed, so that it is there whole or not at all.
///
/// # Errors
/// Those of the operating system.
pub(crate) fn save(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut making = tempfile::Builder::new();
    let mut aside = making.prefix(".new-").permissions(fs::Permissions::from_mode(0o644)).tempfile_in(directory)?;
    aside.write_all(bytes)?;
    aside.persist(path).map(drop).map_err(|error| error.error)
}

/// The last lines of a text; nothing of a file that cannot be read, since the failure that asks for it is told anyway.
pub(super) fn tail(path: &Path, lines: usize) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(END)))?;
        file.take(END).read_to_end(&mut bytes)
    });
    if read.is_err() {
        return String::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
