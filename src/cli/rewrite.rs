//! A file of the user's, changed. In: its path and the new text. Out: the file, which nobody ever sees half written.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use camino::Utf8Path;

use crate::diagnostic::Failure;

/// Replaces a file, aside first: nobody ever reads half of it. It keeps its permissions and, where that can be, its
/// owner; a link stays a link.
pub(super) fn rewrite(path: &Utf8Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::misuse(format!("cannot write {path}: {error}"));
    let path = path.canonicalize_utf8().map_err(failed)?;
    let parent = path.parent().unwrap_or(Utf8Path::new("/"));
    let metadata = std::fs::metadata(&path).map_err(failed)?;
    let mut file = tempfile::NamedTempFile::new_in(parent).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    let made = file.as_file().metadata().map_err(failed)?;
    if (made.uid(), made.gid()) != (metadata.uid(), metadata.gid()) {
        std::os::unix::fs::chown(file.path(), Some(metadata.uid()), Some(metadata.gid())).map_err(failed)?;
    }
    let mode = std::fs::Permissions::from_mode(metadata.permissions().mode() & 0o7777);
    file.as_file().set_permissions(mode).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    Ok(())
}
