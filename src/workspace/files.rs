//! A plan's text files to the slave, and away again those that an earlier plan wrote and this one has not.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use camino::{Utf8Component, Utf8Path};

use super::builder::Workspace;
use super::folder::Folder;
use crate::plan::PlanFile;

/// Where it is noted, in the builder's folder, which files were written where.
const MANIFEST: &str = ".farmout-files.json";
/// More than this is no manifest of ours.
const MANIFEST_LIMIT: u64 = 4 << 20;

/// By folder, relative to the base directory: the files in it, relative to the folder.
type Manifest = BTreeMap<String, BTreeSet<String>>;

/// Puts the files below `directory`, each one whole or not at all. Returns a line for each file written or removed.
///
/// # Errors
/// The directory is not below the slave's base directory, a path leaves it, a symbolic link is in the way, or the file
/// system refuses.
pub(crate) fn write(workspace: &Workspace, directory: &Utf8Path, files: &[PlanFile]) -> io::Result<Vec<String>> {
    let below = directory.strip_prefix(&workspace.basedir).ok().filter(|below| is_plain(below));
    let below = below.ok_or_else(|| {
        io::Error::other(format!("files are only written below the base directory, and {directory} is not"))
    })?;
    let owner = workspace.owner();
    let folder = workspace.base().make_all(below, owner)?;
    let builder = workspace.builder_folder()?;
    let mut manifest = read(&builder);
    let before = manifest.remove(below.as_str()).unwrap_or_default();
    let now: BTreeSet<String> = files.iter().map(|file| file.path.to_string()).collect();

    // Noted before and after, so that a run killed in between leaves nothing that the next one does not know of.
    let mut note = |paths: BTreeSet<String>| {
        manifest.insert(below.to_string(), paths);
        builder.write_file(MANIFEST, &serde_json::to_vec_pretty(&manifest)?, 0o644, owner)
    };
    note(before.union(&now).cloned().collect())?;
    let mut told = Vec::new();
    for path in before.difference(&now) {
        if remove(&folder, Utf8Path::new(path)) {
            told.push(format!("removed {path}"));
        }
    }
    for file in files {
        let name = file.path.file_name().filter(|_| is_plain(&file.path));
        let name = name.ok_or_else(|| io::Error::other(format!("`{}` is not a path below a folder", file.path)))?;
        let parent = folder.make_all(file.path.parent().unwrap_or(Utf8Path::new("")), owner)?;
        parent.write_file(name, file.content.as_bytes(), if file.executable { 0o755 } else { 0o644 }, owner)?;
        told.push(format!("wrote {} ({} bytes)", file.path, file.content.len()));
    }
    note(now)?;
    Ok(told)
}

/// Whether the path only goes down.
pub(crate) fn is_plain(path: &Utf8Path) -> bool {
    path.components().all(|part| matches!(part, Utf8Component::Normal(_)))
}

/// The manifest belongs to the account, who may have changed it. It can only name what the account could remove itself:
/// paths are followed name by name, without links.
fn read(builder: &Folder) -> Manifest {
    let bytes = builder.read_file(MANIFEST, MANIFEST_LIMIT).ok().flatten();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Removes a file and the folders that are empty without it; whether there was one.
fn remove(folder: &Folder, path: &Utf8Path) -> bool {
    let Some(name) = path.file_name().filter(|_| is_plain(path)) else { return false };
    let parent = path.parent().unwrap_or(Utf8Path::new(""));
    let removed = folder.enter_all(parent).and_then(|parent| parent.remove_file(name)).unwrap_or(false);
    let mut empty = Some(parent);
    while removed && let Some(path) = empty {
        let (Some(name), Some(above)) = (path.file_name(), path.parent()) else { break };
        if !folder.enter_all(above).is_ok_and(|above| above.remove_if_empty(name)) {
            break;
        }
        empty = Some(above);
    }
    removed
}
