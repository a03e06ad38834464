//! A copy of a master's directory in which its configuration can be run, so that nothing in the directory itself changes. In: the
//! directory. Out: another one that is gone when it is dropped: files that a configuration is made of are copied, the rest is linked.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;

use camino::{Utf8DirEntry, Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

/// More neighbours than these are not linked: such a directory is no project.
const NEIGHBOURS: usize = 500;

/// The copy.
pub(super) struct Copy {
    /// The directory that it is in, and what else is needed.
    folder: TempDir,
    /// The copy of the master's directory.
    pub(super) directory: Utf8PathBuf,
    /// The master's directory.
    real: Utf8PathBuf,
}

impl Copy {
    /// Makes a copy.
    pub(super) fn new(master: &Utf8Path) -> io::Result<Self> {
        let real = master.canonicalize_utf8()?;
        let folder = tempfile::Builder::new().prefix("farmout-check-").tempdir()?;
        let top = Utf8Path::from_path(folder.path()).map(Utf8Path::canonicalize_utf8);
        let top = top.ok_or_else(|| io::Error::other("the temporary directory's name is not UTF-8"))??;
        // What the configuration finds beside the directory, it finds beside the copy.
        let beside = top.join("beside");
        fs::create_dir(&beside)?;
        let directory = beside.join(real.file_name().unwrap_or("master"));
        fs::create_dir(&directory)?;
        if let Some(parent) = real.parent() {
            let neighbours: Vec<_> = parent.read_dir_utf8().into_iter().flatten().flatten().take(NEIGHBOURS).collect();
            for neighbour in neighbours.iter().filter(|entry| entry.path() != real) {
                symlink(neighbour.path(), beside.join(neighbour.file_name()))?;
            }
        }
        for entry in real.read_dir_utf8()? {
            take(&entry?, &directory)?;
        }
        Ok(Self { folder, directory, real })
    }

    /// The path of a file beside the copy.
    pub(super) fn other(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// A text with the master's directory in it instead of the copy.
    pub(super) fn real(&self, text: &str) -> String {
        text.replace(self.directory.as_str(), self.real.as_str())
    }
}

/// Copies a file, and links anything else; but for what only a running master needs.
fn take(entry: &Utf8DirEntry, into: &Utf8Path) -> io::Result<()> {
    let name = entry.file_name();
    let running = ["twistd.", "http.log"].iter().any(|start| name.starts_with(start)) || name.contains(".sqlite");
    if running || name == "__pycache__" {
        return Ok(());
    }
    if entry.file_type()?.is_file() {
        fs::copy(entry.path(), into.join(name)).map(drop)
    } else if entry.file_type()?.is_symlink() {
        let target = entry.path().read_link_utf8()?;
        symlink(entry.path().parent().unwrap_or(into).join(target), into.join(name))
    } else {
        symlink(entry.path(), into.join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_can_be_changed_and_sees_its_neighbours() {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(directory.path()).unwrap();
        let master = root.join("master");
        fs::create_dir_all(master.join("lib")).unwrap();
        fs::write(root.join("common.py"), "x = 1").unwrap();
        fs::write(master.join("master.cfg"), "c = {}").unwrap();
        fs::write(master.join("state.sqlite"), "data").unwrap();
        symlink("../common.py", master.join("linked.py")).unwrap();
        let copy = Copy::new(&master).unwrap();
        let read = |name: &str| fs::read_to_string(copy.directory.join(name)).unwrap();
        assert_eq!((read("../common.py"), read("linked.py")), ("x = 1".to_owned(), "x = 1".to_owned()));
        assert!(copy.directory.join("lib").is_dir() && !copy.directory.join("state.sqlite").exists());
        fs::write(copy.directory.join("master.cfg"), "").unwrap();
        assert_eq!(fs::read_to_string(master.join("master.cfg")).unwrap(), "c = {}");
        assert_eq!(copy.real(&format!("{}/x", copy.directory)), format!("{}/x", master.canonicalize_utf8().unwrap()));
    }
}
