//! A farm as it would be: two revisions as files, and the farm's directory. Out: a directory of links, to the new revision for
//! what is tracked and to the farm for all else; and what somebody has edited that would be in the way.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown, symlink};

use camino::{Utf8Path, Utf8PathBuf};

use super::{Revision, Trouble};
use crate::diagnostic::plain;
use crate::host::Account;
use crate::tool::files;

/// Directories of clients, which are no part of a farm.
const CONTROL: [&str; 3] = [".git", ".hg", ".bzr"];

/// Two revisions as files. They are removed when this is dropped.
#[derive(Debug)]
pub(super) struct Both {
    temporary: Utf8PathBuf,
    pub(super) old: Utf8PathBuf,
    pub(super) new: Utf8PathBuf,
}

impl Both {
    /// Makes the directory, with a place in which the owner may write and nobody else may look.
    pub(super) fn make(temporary: &Utf8Path, owner: Option<&Account>) -> Result<Self, Trouble> {
        let failed = failed("make", temporary);
        fs::DirBuilder::new().mode(0o711).create(temporary).map_err(&failed)?;
        let files = temporary.join("files");
        let both = Self { temporary: temporary.to_owned(), old: files.join("old"), new: files.join("new") };
        fs::DirBuilder::new().mode(0o700).create(&files).map_err(&failed)?;
        // Whatever the caller's mask takes away, the owner has to get there.
        fs::set_permissions(temporary, fs::Permissions::from_mode(0o711)).map_err(&failed)?;
        if let Some(owner) = owner {
            chown(&files, Some(owner.uid), Some(owner.gid)).map_err(&failed)?;
        }
        Ok(both)
    }
}

impl Drop for Both {
    fn drop(&mut self) {
        // What cannot be removed now, the next call tries again.
        let _ = files::remove(self.temporary.as_std_path());
    }
}

/// A farm as it would be.
#[derive(Debug)]
pub struct Preview {
    both: Both,
    /// Its directory.
    pub root: Utf8PathBuf,
    /// The revision that the checkout is at.
    pub from: String,
    /// The revision that it would be at.
    pub to: Revision,
    /// What stands for the directory `real`.
    laid: Utf8PathBuf,
    /// The outermost directory of both farm and checkout.
    real: Utf8PathBuf,
}

impl Preview {
    /// Lays out the farm at `root` with the new revision in the place of the checkout's.
    pub(super) fn lay(
        both: Both,
        top: &Utf8Path,
        root: &Utf8Path,
        from: String,
        to: Revision,
    ) -> Result<Self, Trouble> {
        let root = root.canonicalize_utf8().map_err(failed("find", root))?;
        let real = if root.starts_with(top) { top.to_owned() } else { root.clone() };
        let laid = both.temporary.join("farm");
        let mut laying = Laying { top, edited: Vec::new() };
        let revisions = if real == top { Some((both.old.as_path(), both.new.as_path())) } else { None };
        fs::create_dir(&laid).map_err(failed("make", &laid))?;
        laying.lay(&real, &laid, revisions, &both).map_err(failed("lay out the files of", &real))?;
        if let [first, rest @ ..] = laying.edited.as_slice() {
            let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
            return Err(Trouble(format!(
                "{first}{more} was edited or put there, and is in the way of {to}: commit and push it, or take it away"
            )));
        }
        let below = root.strip_prefix(&real).unwrap_or("".into());
        let root = if below == "" { laid.clone() } else { laid.join(below) };
        Ok(Self { both, root, from, to, laid, real })
    }

    /// The directory of all that was made for it.
    pub fn temporary(&self) -> &Utf8Path {
        &self.both.temporary
    }

    /// Where a file of the farm is in here; itself if it is none.
    pub fn place(&self, path: &Utf8Path) -> Utf8PathBuf {
        let real = path.canonicalize_utf8().unwrap_or_else(|_| path.to_owned());
        real.strip_prefix(&self.real).map_or_else(|_| path.to_owned(), |below| self.laid.join(below))
    }

    /// A text about this farm, in which files are called by what they are in the farm at `root`.
    pub fn rename(&self, text: &str, root: &Utf8Path) -> String {
        let inside = if root == "." { text.replace(&format!("{}/", self.root), "") } else { text.to_owned() };
        inside.replace(self.root.as_str(), root.as_str()).replace(self.laid.as_str(), self.real.as_str())
    }
}

struct Laying<'a> {
    top: &'a Utf8Path,
    edited: Vec<Utf8PathBuf>,
}

impl Laying<'_> {
    fn lay(
        &mut self,
        real: &Utf8Path,
        laid: &Utf8Path,
        revisions: Option<(&Utf8Path, &Utf8Path)>,
        both: &Both,
    ) -> io::Result<()> {
        for name in names(real, revisions)? {
            let (real, laid) = (real.join(&name), laid.join(&name));
            if CONTROL.contains(&name.as_str()) {
                continue;
            }
            let Some((old, new)) = revisions.map(|(old, new)| (old.join(&name), new.join(&name))) else {
                if self.top.starts_with(&real) {
                    fs::create_dir(&laid)?;
                    let revisions = (real == self.top).then_some((both.old.as_path(), both.new.as_path()));
                    self.lay(&real, &laid, revisions, both)?;
                } else {
                    symlink(&real, &laid)?;
                }
                continue;
            };
            let (has_old, has_new) = (exists(&old), exists(&new));
            if !has_old && !has_new {
                symlink(&real, &laid)?;
            } else if is_directory(&old) || is_directory(&new) {
                if exists(&real) && !is_directory(&real) && !same(&real, &old)? {
                    self.edited.push(real);
                    continue;
                }
                fs::create_dir(&laid)?;
                self.lay(&real, &laid, Some((&old, &new)), both)?;
            } else if same(&old, &new)? {
                // Nobody changes it but whoever works here.
                if exists(&real) {
                    link(&real, &laid)?;
                }
            } else if same(&real, &old)? || same(&real, &new)? {
                if has_new {
                    link(&new, &laid)?;
                }
            } else if exists(&real) || has_new {
                self.edited.push(real);
            }
        }
        Ok(())
    }
}

/// The names in a directory, and in what it is in two revisions.
fn names(real: &Utf8Path, revisions: Option<(&Utf8Path, &Utf8Path)>) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for directory in [Some(real), revisions.map(|both| both.0), revisions.map(|both| both.1)].into_iter().flatten() {
        if !is_directory(directory) {
            continue;
        }
        for entry in directory.read_dir_utf8()? {
            // A name that is no text is none of a farm's.
            names.extend(entry.ok().map(|entry| entry.file_name().to_owned()));
        }
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// Stands for a tracked file. A link of the farm's own leads to what stands for its end.
fn link(file: &Utf8Path, laid: &Utf8Path) -> io::Result<()> {
    match fs::read_link(file) {
        Ok(end) => symlink(end, laid),
        Err(_) => symlink(file, laid),
    }
}

/// The files that two revisions differ in, by their paths.
pub(super) fn differing(one: &Utf8Path, other: &Utf8Path) -> Result<Vec<Utf8PathBuf>, Trouble> {
    let mut paths = Vec::new();
    let mut folders = vec![Utf8PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let (left, right) = (one.join(&folder), other.join(&folder));
        for name in names(&left, Some((&left, &right))).map_err(failed("list", &left))? {
            let path = folder.join(name);
            let (left, right) = (one.join(&path), other.join(&path));
            if is_directory(&left) || is_directory(&right) {
                folders.push(path);
            } else if !same(&left, &right).map_err(failed("read", &left))? {
                paths.push(path);
            }
        }
    }
    Ok(paths)
}

/// Whether a file is not what it should be, and a client on its way from or to `other` has left it so: nothing, all of the other
/// one, or the beginning of either.
pub(super) fn is_ours(place: &Utf8Path, wanted: &Utf8Path, other: &Utf8Path) -> Result<bool, Trouble> {
    let ours = || -> io::Result<bool> {
        if same(place, wanted)? {
            return Ok(false);
        }
        if !exists(place) || same(place, other)? {
            return Ok(true);
        }
        if !place.symlink_metadata()?.is_file() {
            return Ok(false);
        }
        let begun = fs::read(place)?;
        let begins = |whole: &Utf8Path| fs::read(whole).is_ok_and(|whole| whole.starts_with(&begun));
        Ok(begins(wanted) || begins(other))
    };
    ours().map_err(failed("read", place))
}

/// Whether two files are the same, or both are not there.
fn same(one: &Utf8Path, other: &Utf8Path) -> io::Result<bool> {
    let (Ok(left), Ok(right)) = (one.symlink_metadata(), other.symlink_metadata()) else {
        return Ok(!exists(one) && !exists(other));
    };
    if left.is_symlink() || right.is_symlink() {
        return Ok(left.is_symlink() && right.is_symlink() && fs::read_link(one)? == fs::read_link(other)?);
    }
    let runs = |metadata: &fs::Metadata| metadata.permissions().mode() & 0o100;
    let alike = left.is_file() && right.is_file() && left.len() == right.len() && runs(&left) == runs(&right);
    Ok(alike && fs::read(one)? == fs::read(other)?)
}

fn exists(path: &Utf8Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn is_directory(path: &Utf8Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
}

fn failed(what: &'static str, path: &Utf8Path) -> impl Fn(io::Error) -> Trouble {
    let path = path.to_owned();
    move |error| Trouble(format!("cannot {what} {path}: {}", plain(&error.to_string())))
}
