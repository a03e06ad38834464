//! The directory that a repository or an archive is fetched into: it belongs to the build, and to one fetch at a time. What a
//! fetch makes is made aside and moved to its place when it is whole.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{FcntlArg, FdFlag, Flock, FlockArg, fcntl};
use sha2::{Digest, Sha256};

use super::{Address, Error};
use crate::tool::{files, say};

/// Where version control systems keep what they know of a clone.
const CONTROL: [&str; 3] = [".bzr", ".git", ".hg"];
/// The file in there that says whose clone it is.
const STAMP: &str = "farmout-source";
/// Where things are made.
const ASIDE: &str = ".farmout-new";

/// A directory, locked.
pub(super) struct Directory {
    path: PathBuf,
    /// Paths in it that are left alone.
    keep: Vec<PathBuf>,
    _lock: Flock<fs::File>,
}

impl Directory {
    /// Makes the directory if it is missing, and takes it.
    pub(super) fn open(into: &Path, keep: &[String]) -> Result<Self, Error> {
        let keep = keep.iter().map(|path| plain(Path::new(path.trim_matches('/')))).collect::<Option<_>>();
        let keep = keep.ok_or(Error::Misuse("--keep takes paths in the directory, without `..`"))?;
        fs::create_dir_all(into).map_err(file("make", into))?;
        let path = into.canonicalize().map_err(file("find", into))?;
        let home = std::env::var_os("HOME").and_then(|home| Path::new(&home).canonicalize().ok());
        if path.parent().is_none() || home.is_some_and(|home| home.starts_with(&path)) {
            return Err(Error::Forbidden(path.display().to_string()));
        }
        let directory = fs::File::open(&path).map_err(file("open", &path))?;
        let lock = Flock::lock(directory, FlockArg::LockExclusiveNonblock)
            .map_err(|_| Error::Busy(path.display().to_string()))?;
        // The clients inherit the lock: one that outlives a killed fetch must not work on under the next.
        fcntl(&*lock, FcntlArg::F_SETFD(FdFlag::empty())).map_err(|error| file("lock", &path)(error.into()))?;
        Ok(Self { path, keep, _lock: lock })
    }

    /// The directory's absolute path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The paths that are kept, relative to it.
    pub(super) fn keep(&self) -> &[PathBuf] {
        &self.keep
    }

    /// A path in it where something new can be made; what a killed fetch left there is gone.
    pub(super) fn aside(&self) -> Result<PathBuf, Error> {
        let aside = self.path.join(ASIDE);
        remove(&aside)?;
        Ok(aside)
    }

    /// Brings the directory up to date if it holds a whole clone of this address, in `control`, and otherwise, or where that
    /// does not work, puts a new one in its place.
    pub(super) fn renew(
        &self,
        url: &Address,
        control: &str,
        update: impl FnOnce() -> Result<String, Error>,
        replace: impl FnOnce() -> Result<String, Error>,
    ) -> Result<String, Error> {
        remove(&self.path.join(ASIDE))?;
        let ours = fs::read_to_string(self.path.join(control).join(STAMP)).is_ok_and(|known| known == stamp(url));
        if ours {
            say(format_args!("Updating {} from {}", self.path.display(), url.shown()));
            match update() {
                Err(Error::Client { client, command, said, .. }) => {
                    say(format_args!("{client} {command} failed in the old clone ({said}): cloning afresh"));
                }
                result => return result,
            }
        }
        replace()
    }

    /// Whether it holds a clone, of whatever.
    pub(super) fn is_a_clone(&self) -> bool {
        CONTROL.iter().any(|control| self.path.join(control).symlink_metadata().is_ok())
    }

    /// Deletes all but what is kept and what was made aside; what makes it a clone goes last, so that a kill in between is
    /// seen as what it is.
    pub(super) fn clear(&self) -> Result<(), Error> {
        if self.is_a_clone() {
            let path = self.path.display();
            say(format_args!("Removing the clone in {path}: it is not whole, or one of something else"));
        }
        self.clear_below(&self.path, Path::new(""))?;
        CONTROL.iter().try_for_each(|control| remove(&self.path.join(control)))
    }

    fn clear_below(&self, directory: &Path, inside: &Path) -> Result<(), Error> {
        for entry in fs::read_dir(directory).map_err(file("list", directory))? {
            let entry = entry.map_err(file("list", directory))?;
            let (path, inside) = (entry.path(), inside.join(entry.file_name()));
            let mut own = CONTROL.iter().chain([&ASIDE]);
            if own.any(|name| inside == Path::new(name)) || self.is_kept(&inside) {
                continue;
            }
            let holds_kept = self.keep.iter().any(|kept| kept.starts_with(&inside));
            if holds_kept && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.clear_below(&path, &inside)?;
            } else {
                remove(&path)?;
            }
        }
        Ok(())
    }

    fn is_kept(&self, inside: &Path) -> bool {
        self.keep.iter().any(|kept| inside.starts_with(kept))
    }

    /// Deletes files and directories that the version control system does not know, but for what is kept and for other
    /// repositories. `list` has their paths, each ended by a NUL. Directories that become empty go too, if the system has no
    /// notion of a directory by itself.
    pub(super) fn sweep(&self, list: &[u8], knows_directories: bool) -> Result<(), Error> {
        for name in list.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
            let Some(inside) = plain(Path::new(std::ffi::OsStr::from_bytes(name))) else { continue };
            let path = self.path.join(&inside);
            let is_directory = path.symlink_metadata().is_ok_and(|meta| meta.is_dir());
            let nested = |path: &Path| CONTROL.iter().any(|control| path.join(control).exists());
            let above = path.ancestors().skip(1).take_while(|above| *above != self.path);
            if self.is_kept(&inside) || (is_directory && nested(&path)) || above.into_iter().any(nested) {
                continue;
            }
            if is_directory && self.keep.iter().any(|kept| kept.starts_with(&inside)) {
                self.clear_below(&path, &inside)?;
            } else {
                remove(&path)?;
            }
            let above = inside.ancestors().skip(1).take_while(|above| !above.as_os_str().is_empty());
            if !knows_directories {
                // One that is not empty stays, and so do those above it.
                above
                    .take_while(|above| !self.is_kept(above))
                    .all(|above| fs::remove_dir(self.path.join(above)).is_ok());
            }
        }
        Ok(())
    }

    /// Says whose clone was made.
    pub(super) fn stamp(&self, control: &Path, url: &Address) -> Result<(), Error> {
        let path = control.join(STAMP);
        fs::write(&path, stamp(url)).map_err(file("write", &path))
    }

    /// Moves what is in `from` into the directory, `last` after all else. It replaces what is there; directories are merged.
    pub(super) fn settle(&self, from: &Path, last: &str) -> Result<(), Error> {
        merge(from, &self.path, last)?;
        remove(&self.path.join(ASIDE))
    }
}

/// Whether the stamp of a clone is there already: before that, it is not whole.
pub(super) fn is_stamped(control: &Path) -> bool {
    control.join(STAMP).exists()
}

/// The address is not written down, as it may hold a secret yet. A new password makes no other clone of it.
fn stamp(url: &Address) -> String {
    use std::fmt::Write as _;
    Sha256::digest(url.bare()).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What was made aside is in its place or of no use.
impl Drop for Directory {
    fn drop(&mut self) {
        // The next fetch tries again.
        let _ = files::remove(&self.path.join(ASIDE));
    }
}

/// A relative path that leads nowhere else.
pub(super) fn plain(path: &Path) -> Option<PathBuf> {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    let parts = parts.map(|part| matches!(part, Component::Normal(_)).then_some(part));
    parts.collect::<Option<PathBuf>>().filter(|path| !path.as_os_str().is_empty())
}

fn merge(from: &Path, into: &Path, last: &str) -> Result<(), Error> {
    let entries = fs::read_dir(from).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(file("list", from))?;
    let mut names: Vec<_> = entries.iter().map(fs::DirEntry::file_name).collect();
    names.sort_by_key(|name| name == last);
    for name in names {
        let (source, target) = (from.join(&name), into.join(&name));
        let is_directory = |path: &Path| path.symlink_metadata().is_ok_and(|meta| meta.is_dir());
        if is_directory(&source) && is_directory(&target) {
            merge(&source, &target, "")?;
        } else {
            remove(&target)?;
            fs::rename(&source, &target).map_err(file("rename to", &target))?;
        }
    }
    Ok(())
}

/// What went wrong with a file, for `map_err`.
pub(super) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.display().to_string();
    move |error| Error::File { what, path, error }
}

/// Deletes a file or a whole directory; one that is not there is fine.
pub(super) fn remove(path: &Path) -> Result<(), Error> {
    files::remove(path).map_err(file("remove", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(root: &Path, names: &[&str]) {
        for name in names {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, name).unwrap();
        }
    }

    #[test]
    fn what_is_kept_stays_whatever_goes() {
        let root = tempfile::tempdir().unwrap();
        let directory = Directory::open(root.path(), &["a/keep".to_owned(), "/parts/".to_owned()]).unwrap();
        make(root.path(), &["a/keep/x", "a/go", "parts/y", "b/c", ".hg/z", "left", "nested/.git/x", "nested/y"]);
        make(root.path(), &["new/deep/x", "new/y"]);
        directory.sweep(b"a\0left\0parts/y\0nested/y\0../out\0/abs\0new/deep/x\0", true).unwrap();
        assert!(root.path().join("new/deep").exists());
        make(root.path(), &["new/deep/x"]);
        directory.sweep(b"new/deep/x\0", false).unwrap();
        assert!(root.path().join("new/y").exists() && !root.path().join("new/deep").exists());
        let there = |name: &str| root.path().join(name).exists();
        assert!(there("a/keep/x") && there("parts/y") && there("nested/y") && !there("left") && !there("a/go"));
        make(root.path(), &[".farmout-new/b/d", ".farmout-new/parts/y", ".farmout-new/.bzr/x"]);
        directory.clear().unwrap();
        assert!(there("a/keep/x") && there("parts/y") && !there("nested") && !there(".hg") && !there("b"));
        make(root.path(), &["parts/kept"]);
        directory.settle(&root.path().join(".farmout-new"), ".bzr").unwrap();
        assert!(there("b/d") && there(".bzr/x") && there("parts/kept") && !there(".farmout-new"));
        assert_eq!(fs::read_to_string(root.path().join("parts/y")).unwrap(), ".farmout-new/parts/y");
    }

    #[test]
    fn a_directory_has_one_fetch_and_keeps_nothing_outside() {
        let root = tempfile::tempdir().unwrap();
        let _first = Directory::open(root.path(), &[]).unwrap();
        assert!(matches!(Directory::open(root.path(), &[]), Err(Error::Busy(_))));
        let other = tempfile::tempdir().unwrap();
        assert!(matches!(Directory::open(other.path(), &["../x".to_owned()]), Err(Error::Misuse(_))));
    }
}
