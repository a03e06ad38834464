//! A copy of a master's directory in which its configuration can be run. In: the directory. Out: another one that is gone when it is
//! dropped. Files and small directories are copied; what is large, what is secret, and what lies beside the directory is linked.

use std::env;
use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use camino::{Utf8Component, Utf8DirEntry, Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

use crate::diagnostic::{Failure, plain};

/// More neighbours than these are not linked: such a directory is no project.
const NEIGHBOURS: usize = 500;
/// A larger file is linked, unless configurations are made of such; so is a directory that holds more.
const LARGE: u64 = 16 << 20;
/// A directory with more files in it is linked.
const MANY: usize = 2_000;
/// What configurations are made of.
const NEEDED: [&str; 4] = ["cfg", "py", "tac", "json"];

/// What Buildbot starts a master by. It makes logs in the directory that it names, whoever runs it.
pub(super) const TAC: &str = "buildbot.tac";
/// Where passwords are.
pub(super) const SECRETS: &str = "secrets";

/// The copy.
pub(super) struct Copy {
    /// The directory that it is in, and what else is needed.
    folder: TempDir,
    /// The copy of the master's directory.
    pub(super) directory: Utf8PathBuf,
    /// The master's directory.
    pub(super) real: Utf8PathBuf,
}

impl Copy {
    /// Makes a copy, without the program that starts a master; its secrets are there, or are left out.
    ///
    /// # Errors
    /// What cannot be read or written, by its name.
    pub(super) fn new(master: &Utf8Path, secrets: bool) -> Result<Self, Failure> {
        Self::below(&env::temp_dir(), master, secrets)
    }

    fn below(above: &Path, master: &Utf8Path, secrets: bool) -> Result<Self, Failure> {
        let real = master.canonicalize_utf8().map_err(|error| failed(master, &error))?;
        let folder = tempfile::Builder::new()
            .prefix("farmout-check-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir_in(above)
            .map_err(|error| nowhere(above, &error))?;
        let top = Utf8Path::from_path(folder.path()).map(Utf8Path::canonicalize_utf8);
        let top = top.ok_or_else(|| io::Error::other("its name is not UTF-8")).and_then(|top| top);
        let top = top.map_err(|error| nowhere(above, &error))?;
        // What the configuration finds beside the directory, it finds beside the copy.
        let beside = top.join("beside");
        let directory = beside.join(real.file_name().unwrap_or("master"));
        fs::create_dir_all(&directory).map_err(|error| failed(&directory, &error))?;
        if let Some(parent) = real.parent() {
            let neighbours: Vec<_> = parent.read_dir_utf8().into_iter().flatten().flatten().take(NEIGHBOURS).collect();
            for neighbour in neighbours.iter().filter(|entry| entry.path() != real) {
                let link = beside.join(neighbour.file_name());
                symlink(neighbour.path(), &link).map_err(|error| failed(neighbour.path(), &error))?;
            }
        }
        let copy = Self { folder, directory, real };
        for entry in copy.real.read_dir_utf8().map_err(|error| failed(&copy.real, &error))? {
            let entry = match entry {
                // Its name is not UTF-8: no configuration is made of it.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => continue,
                entry => entry.map_err(|error| failed(&copy.real, &error))?,
            };
            if is_wanted(entry.file_name()) && (secrets || entry.file_name() != SECRETS) {
                copy.take(&entry, &copy.directory).map_err(|(path, error)| failed(&path, &error))?;
            }
        }
        Ok(copy)
    }

    /// The path of a file beside the copy.
    pub(super) fn other(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// A text with the master's directory in it instead of the copy.
    pub(super) fn real(&self, text: &str) -> String {
        let text = text.replace(self.directory.as_str(), self.real.as_str());
        match (self.directory.parent(), self.real.parent()) {
            (Some(beside), Some(parent)) => text.replace(beside.as_str(), parent.as_str()),
            _ => text,
        }
    }

    /// Copies an entry or links it. What nobody may read is linked: whoever needs it is told so by the system.
    fn take(&self, entry: &Utf8DirEntry, into: &Utf8Path) -> Result<(), (Utf8PathBuf, io::Error)> {
        let (from, to) = (entry.path(), into.join(entry.file_name()));
        let taken = entry.metadata().and_then(|metadata| {
            if metadata.is_symlink() {
                symlink(self.target(from)?, &to).map(|()| None)
            } else if metadata.is_file() && is_to_copy(from, &metadata) {
                fs::copy(from, &to).map(|_| None)
            } else if metadata.is_dir() && entry.file_name() != SECRETS && is_small(from) {
                let entries = from.read_dir_utf8()?.collect::<io::Result<Vec<_>>>()?;
                fs::create_dir(&to)?;
                fs::set_permissions(&to, Permissions::from_mode(metadata.permissions().mode() | 0o700))?;
                Ok(Some(entries))
            } else {
                symlink(from, &to).map(|()| None)
            }
        });
        let entries = match taken {
            // It is gone since it was seen.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let _ = fs::remove_file(&to);
                return symlink(from, &to).map_err(|error| (from.to_owned(), error));
            }
            Err(error) => return Err((from.to_owned(), error)),
            Ok(entries) => entries,
        };
        entries
            .into_iter()
            .flatten()
            .filter(|entry| entry.file_name() != "__pycache__")
            .try_for_each(|entry| self.take(&entry, &to))
    }

    /// Where a link leads: as it says, if that is in the directory, which the copy has too.
    fn target(&self, link: &Utf8Path) -> io::Result<Utf8PathBuf> {
        let target = link.read_link_utf8()?;
        let from = link.parent().unwrap_or(link);
        let mut path = from.to_owned();
        for component in target.components() {
            match component {
                Utf8Component::ParentDir => drop(path.pop()),
                component => path.push(component),
            }
        }
        Ok(if target.is_relative() && path.starts_with(&self.real) { target } else { from.join(target) })
    }
}

/// Whether a file or directory is of use to anybody but a master that runs.
fn is_wanted(name: &str) -> bool {
    let running = ["twistd.", "http.log"].iter().any(|start| name.starts_with(start)) || name.contains(".sqlite");
    !running && name != "__pycache__" && name != TAC
}

fn is_to_copy(path: &Utf8Path, metadata: &Metadata) -> bool {
    metadata.len() <= LARGE || path.extension().is_some_and(|extension| NEEDED.contains(&extension))
}

/// Whether a directory can be read, and holds so little that it is copied.
fn is_small(directory: &Utf8Path) -> bool {
    let (mut files, mut bytes) = (0, 0);
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        let Ok(entries) = directory.read_dir_utf8() else { return false };
        for entry in entries {
            let Ok(metadata) = entry
                .as_ref()
                .map_err(io::Error::kind)
                .and_then(|entry| entry.metadata().map_err(|error| error.kind()))
            else {
                return false;
            };
            files += 1;
            bytes += if metadata.is_file() { metadata.len() } else { 0 };
            if files > MANY || bytes > LARGE {
                return false;
            }
            if let (true, Ok(entry)) = (metadata.is_dir(), entry) {
                waiting.push(entry.into_path());
            }
        }
    }
    true
}

fn failed(path: &Utf8Path, error: &io::Error) -> Failure {
    let error = plain(&error.to_string());
    Failure::misuse(format!("{path} cannot be copied, and the configuration is run in a copy: {error}"))
}

fn nowhere(above: &Path, error: &io::Error) -> Failure {
    let error = plain(&error.to_string());
    Failure::misuse(format!("no temporary directory can be made in {}: {error}", above.display()))
        .help("TMPDIR names the directory for these: it must be there, and writable")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::with_rights_of;

    #[test]
    fn a_copy_can_be_changed_and_sees_its_neighbours() {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(directory.path()).unwrap().canonicalize_utf8().unwrap();
        let master = root.join("master");
        fs::create_dir_all(master.join("lib/deep")).unwrap();
        fs::create_dir_all(master.join("secrets")).unwrap();
        let write = |name: &str, text: &str| fs::write(master.join(name), text).unwrap();
        fs::write(root.join("common.py"), "x = 1").unwrap();
        write("master.cfg", "c = {}");
        write("lib/deep/helper.py", "y = 1");
        write("state.sqlite", "data");
        write("buildbot.tac", "");
        write("secrets/mail", "not-a-secret");
        fs::File::create(master.join("big.log")).unwrap().set_len(LARGE + 1).unwrap();
        symlink("../common.py", master.join("linked.py")).unwrap();
        symlink("lib", master.join("library")).unwrap();
        let copy = Copy::new(&master, true).unwrap();
        let there = |name: &str| copy.directory.join(name);
        let read = |name: &str| fs::read_to_string(there(name)).unwrap();
        assert_eq!((read("../common.py"), read("linked.py")), ("x = 1".to_owned(), "x = 1".to_owned()));
        for name in ["state.sqlite", TAC] {
            assert!(!there(name).exists(), "{name}");
        }
        for name in [SECRETS, "big.log"] {
            assert!(there(name).is_symlink() && there(name).exists(), "{name}");
        }
        for name in ["master.cfg", "lib/deep/helper.py", "library/deep/helper.py"] {
            fs::write(there(name), "").unwrap();
            assert_ne!(fs::read_to_string(master.join(name)).unwrap(), "", "{name}");
        }
        assert_eq!(copy.real(&format!("{}/x", copy.directory)), format!("{master}/x"));
        assert_eq!(copy.real(there("../common.py").canonicalize_utf8().unwrap().as_str()), root.join("common.py"));
        assert!(!Copy::new(&master, false).unwrap().directory.join(SECRETS).exists());
    }

    #[test]
    fn what_nobody_may_read_is_in_nobodys_way() {
        let directory = tempfile::tempdir().unwrap();
        let master = &Utf8Path::from_path(directory.path()).unwrap().join("master");
        fs::create_dir_all(master.join("locked")).unwrap();
        fs::write(master.join("private.txt"), "").unwrap();
        // Anybody can make something here, as in `/tmp`.
        let anybody = Permissions::from_mode(0o1777);
        fs::set_permissions(directory.path(), anybody).unwrap();
        for (name, mode) in [("", 0o755), ("locked", 0), ("private.txt", 0)] {
            fs::set_permissions(master.join(name), Permissions::from_mode(mode)).unwrap();
        }
        let nobody = nix::unistd::geteuid().is_root().then_some((65534, 65534));
        let linked = with_rights_of(nobody, || {
            let copy = Copy::below(directory.path(), master, true).unwrap();
            ["locked", "private.txt"].map(|name| copy.directory.join(name).is_symlink())
        });
        assert_eq!(linked.unwrap(), [true, true]);
        fs::set_permissions(master.join("locked"), Permissions::from_mode(0o700)).unwrap();
    }
}
