//! The files that a plan carries to its slave: a standalone configuration, and the directory that goes with it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::PlanFile;

/// A plan is a file that people read and send around: it carries a configuration and a few sources, no archive.
const MOST_BYTES: u64 = 4 << 20;

/// What tools leave in source directories, and no build wants.
const LEFTOVERS: [&str; 4] = ["__pycache__", ".git", ".hg", ".bzr"];

/// Reads a configuration and the directory beside it. Paths are relative to the configuration's directory; the order
/// is that of the names.
pub(super) fn carry(file: &Utf8Path, with: Option<&Utf8Path>) -> Result<Vec<PlanFile>, String> {
    let base = file.parent().unwrap_or(Utf8Path::new(""));
    let mut paths = vec![file.to_owned()];
    if let Some(directory) = with {
        walk(directory, &mut paths)?;
    }
    let mut total = 0;
    paths
        .into_iter()
        .map(|path| {
            let unreadable = |error: std::io::Error| format!("cannot read {path}: {error}");
            let metadata = fs::metadata(&path).map_err(unreadable)?;
            total += metadata.len();
            if total > MOST_BYTES {
                return Err(format!("{} is more than {} MiB", with.unwrap_or(&path), MOST_BYTES >> 20));
            }
            let bytes = fs::read(&path).map_err(unreadable)?;
            let content = String::from_utf8(bytes).map_err(|_| format!("{path} is no text in UTF-8"))?;
            let executable = metadata.permissions().mode() & 0o111 != 0;
            let relative = path.strip_prefix(base).unwrap_or(&path).to_owned();
            Ok(PlanFile { path: relative, executable, content })
        })
        .collect()
}

fn walk(directory: &Utf8Path, paths: &mut Vec<Utf8PathBuf>) -> Result<(), String> {
    let unreadable = |error: std::io::Error| format!("cannot read {directory}: {error}");
    let mut entries =
        directory.read_dir_utf8().map_err(unreadable)?.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    entries.sort_by(|one, two| one.file_name().cmp(two.file_name()));
    for entry in entries {
        let name = entry.file_name();
        if LEFTOVERS.contains(&name) || name.ends_with(".egg-info") || name.ends_with(".pyc") {
            continue;
        }
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() {
            walk(entry.path(), paths)?;
        } else if kind.is_file() {
            paths.push(entry.path().to_owned());
        } else {
            return Err(format!("{} is neither a file nor a directory", entry.path()));
        }
    }
    Ok(())
}
