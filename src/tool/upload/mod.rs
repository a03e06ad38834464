//! `farmout tool upload`: files and trees in, readable copies of them below a directory out.
//!
//! What is published was made by a build, which nobody has looked at: nothing outside of what was named is ever copied, by
//! whatever link, and nothing is written outside of the directory.

mod error;

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf, absolute};

use nix::fcntl::OFlag;

pub use error::Error;
use error::LeftOut;

/// What everybody may do with files, and with directories.
const FILE: u32 = 0o644;
const DIRECTORY: u32 = 0o755;

/// What to copy where.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Files, and directories of which everything inside is copied.
    pub sources: Vec<PathBuf>,
    /// The directory to copy to.
    pub to: PathBuf,
    /// Where that is, if it is relative.
    pub base: PathBuf,
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// The directory it is in.
    pub directory: PathBuf,
    /// The number of files.
    pub files: usize,
}

impl Upload {
    /// Copies. What is in the directory already stays, unless a file of the same name comes.
    ///
    /// # Errors
    /// See [`Error`]. Where something was left out, everything else has been copied.
    pub fn upload(&self) -> Result<Uploaded, Error> {
        if self.to.as_os_str().is_empty() || self.to.components().any(|part| part == Component::ParentDir) {
            return Err(Error::Directory(self.to.display().to_string()));
        }
        let base = absolute(&self.base).map_err(failed("find", &self.base))?;
        let directory = base.join(&self.to);
        let sources: Vec<(&PathBuf, PathBuf)> = self
            .sources
            .iter()
            .map(|source| Ok((source, source.canonicalize().map_err(|error| missing(source, error))?)))
            .collect::<Result<_, _>>()?;
        make_all(&directory)?;
        let real = directory.canonicalize().map_err(failed("find", &directory))?;
        let mut copying = Copying { files: 0, left_out: Vec::new() };
        for (named, source) in sources {
            if source.is_dir() {
                if real.starts_with(&source) {
                    return Err(Error::Inside { directory: directory.display().to_string(), tree: shown(named) });
                }
                copying.tree(&source, &source, &real)?;
            } else if source.is_file() {
                // A link that was named is followed: the name is that of the link.
                let name = named.file_name().or(source.file_name()).unwrap_or_default();
                copying.file(&source, &real.join(name))?;
            } else {
                copying
                    .left_out
                    .push(LeftOut { path: shown(named), why: "is neither a file nor a directory".to_owned() });
            }
        }
        if copying.left_out.is_empty() {
            return Ok(Uploaded { directory, files: copying.files });
        }
        Err(Error::LeftOut { left_out: copying.left_out, files: copying.files, directory: shown(&directory) })
    }
}

struct Copying {
    files: usize,
    left_out: Vec<LeftOut>,
}

impl Copying {
    /// Copies what is in a directory of the tree `root`.
    fn tree(&mut self, root: &Path, from: &Path, to: &Path) -> Result<(), Error> {
        let entries = fs::read_dir(from).map_err(failed("list", from))?;
        let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(failed("list", from))?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let (path, target) = (entry.path(), to.join(entry.file_name()));
            let kind = entry.file_type().map_err(failed("read", &path))?;
            if kind.is_dir() {
                make(&target)?;
                self.tree(root, &path, &target)?;
            } else if kind.is_file() {
                self.file(&path, &target)?;
            } else {
                let why = if kind.is_symlink() {
                    link(root, &path, &target)?
                } else {
                    Some("is neither a file, a directory nor a link".to_owned())
                };
                let path = shown(path.strip_prefix(root).unwrap_or(&path));
                self.left_out.extend(why.map(|why| LeftOut { path, why }));
            }
        }
        Ok(())
    }

    fn file(&mut self, from: &Path, to: &Path) -> Result<(), Error> {
        // Should it have become a link since it was looked at, it is not followed.
        let no_link = OFlag::O_NOFOLLOW.bits();
        let mut original =
            OpenOptions::new().read(true).custom_flags(no_link).open(from).map_err(failed("read", from))?;
        let directory = to.parent().unwrap_or(Path::new("/"));
        let unwritable = |error| failed("write", to)(error);
        let mut aside = tempfile::Builder::new().prefix(".uploading-").tempfile_in(directory).map_err(unwritable)?;
        io::copy(&mut original, &mut aside).map_err(unwritable)?;
        aside.as_file().set_permissions(Permissions::from_mode(FILE)).map_err(unwritable)?;
        aside.persist(to).map_err(|error| unwritable(error.error))?;
        self.files += 1;
        Ok(())
    }
}

/// Makes the same link in the copy, if it leads from one place of the tree to another; else says why not.
fn link(root: &Path, path: &Path, to: &Path) -> Result<Option<String>, Error> {
    let leads = fs::read_link(path).map_err(failed("read", path))?;
    let Ok(real) = path.canonicalize() else {
        return Ok(Some(format!("is a link to {}, which does not exist", leads.display())));
    };
    let depth =
        path.parent().and_then(|parent| parent.strip_prefix(root).ok()).map_or(0, |parent| parent.iter().count());
    if !real.starts_with(root) || !stays_below(&leads, depth) {
        return Ok(Some(format!("is a link to {}, which leads out", leads.display())));
    }
    let aside = tempfile::Builder::new()
        .prefix(".uploading-")
        .make_in(to.parent().unwrap_or(Path::new("/")), |aside| symlink(&leads, aside));
    aside
        .and_then(|aside| aside.into_temp_path().persist(to).map_err(|error| error.error))
        .map_err(failed("write", to))?;
    Ok(None)
}

/// Whether a relative path stays in a tree when it is walked from a directory `depth` below the top.
fn stays_below(path: &Path, depth: usize) -> bool {
    let walked = path.components().try_fold(depth, |depth, part| match part {
        Component::Normal(_) => Some(depth + 1),
        Component::CurDir => Some(depth),
        Component::ParentDir => depth.checked_sub(1),
        Component::RootDir | Component::Prefix(_) => None,
    });
    walked.is_some()
}

/// Makes a directory and those above it, those that are missing open to everybody.
fn make_all(directory: &Path) -> Result<(), Error> {
    // Here a link is the admin's, and followed.
    if directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent() {
        make_all(parent)?;
    }
    make_new(directory)
}

/// Makes a directory, in place of anything else of that name.
fn make(directory: &Path) -> Result<(), Error> {
    match directory.symlink_metadata() {
        Ok(found) if found.is_dir() => return Ok(()),
        Ok(_) => fs::remove_file(directory).map_err(failed("remove", directory))?,
        Err(_) => {}
    }
    make_new(directory)
}

fn make_new(directory: &Path) -> Result<(), Error> {
    fs::create_dir(directory)
        .and_then(|()| File::open(directory)?.set_permissions(Permissions::from_mode(DIRECTORY)))
        .map_err(failed("make", directory))
}

fn missing(source: &Path, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::NotFound {
        return Error::Missing(absolute(source).map_or_else(|_| shown(source), |path| shown(&path)));
    }
    failed("read", source)(error)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = shown(path);
    move |error| Error::File { what, path, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_in_their_tree() {
        for (path, depth) in [("a/b", 0), ("../a", 1), ("../../a/../b", 2), ("./a", 0), ("a/..", 0)] {
            assert!(stays_below(Path::new(path), depth), "{path}");
        }
        for (path, depth) in [("/etc/passwd", 5), ("..", 0), ("../../tree/a", 1), ("a/../../b", 0)] {
            assert!(!stays_below(Path::new(path), depth), "{path}");
        }
    }
}
