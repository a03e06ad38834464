//! Bytes to a file that is there whole or not at all, whatever happens meanwhile.

use std::fs::File;
use std::io::{self, Write as _};

use camino::Utf8Path;
use serde::Serialize;

/// Replaces the file at `path`: written aside, brought to the disk, renamed. Readable by everybody.
pub(super) fn save(path: &Utf8Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
    let mut aside = tempfile::Builder::new();
    let mut aside =
        aside.prefix(".new-").permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644)).tempfile_in(folder)?;
    aside.write_all(bytes)?;
    aside.as_file().sync_all()?;
    aside.persist(path).map_err(|error| error.error)?;
    // The new name itself must reach the disk too.
    File::open(folder)?.sync_all()
}

/// Replaces the file by a value as JSON.
pub(super) fn save_json(path: &Utf8Path, value: &impl Serialize) -> io::Result<()> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    save(path, &bytes)
}
