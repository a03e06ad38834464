//! Files below a folder that somebody else may own: everything is done by open folders, one name at a time, and no
//! symbolic link is ever followed. So a privileged runner cannot be led anywhere else.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{FchmodatFlags, FileStat, Mode, SFlag, fchmod, fchmodat, fstat, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, unlinkat};

/// Whom new files are given to, if not to the runner's own user: user and group.
pub(crate) type Owner = Option<(u32, u32)>;

/// An open folder.
#[derive(Debug)]
pub(crate) struct Folder {
    file: OwnedFd,
    path: Utf8PathBuf,
}

const FOLDER: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

impl Folder {
    /// Opens a folder that the operator named: links in this path are the operator's will, and followed.
    pub(crate) fn open(path: &Utf8Path) -> io::Result<Self> {
        let file = nix::fcntl::open(path.as_std_path(), FOLDER, Mode::empty()).map_err(|error| said(error, path))?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Where it is, for messages.
    pub(crate) fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Opens the folder of this name in it.
    pub(crate) fn enter(&self, name: &str) -> io::Result<Self> {
        let path = self.path.join(name);
        let file = openat(&self.file, component(name)?, FOLDER | OFlag::O_NOFOLLOW, Mode::empty()).map_err(
            |error| match error {
                // The kernel says either for a link, depending on the flags.
                Errno::ELOOP | Errno::ENOTDIR if self.is_link(name) => {
                    io::Error::other(format!("{path} is a symbolic link, which is not followed"))
                }
                error => said(error, &path),
            },
        )?;
        Ok(Self { file, path })
    }

    /// Opens the folder of this name in it, made if missing.
    pub(crate) fn make(&self, name: &str, mode: u32, owner: Owner) -> io::Result<Self> {
        let new = match mkdirat(&self.file, component(name)?, Mode::from_bits_truncate(mode)) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(error) => return Err(said(error, &self.path.join(name))),
        };
        let folder = self.enter(name)?;
        if new {
            folder.give(&folder.file, owner)?;
        }
        Ok(folder)
    }

    /// Opens the folder at this relative path, its parts made if missing.
    pub(crate) fn make_all(&self, path: &Utf8Path, owner: Owner) -> io::Result<Self> {
        let mut folder = self.again()?;
        for name in path.components() {
            folder = folder.make(name.as_str(), 0o755, owner)?;
        }
        Ok(folder)
    }

    /// Opens the folder at this relative path.
    pub(crate) fn enter_all(&self, path: &Utf8Path) -> io::Result<Self> {
        path.components().try_fold(self.again()?, |folder, name| folder.enter(name.as_str()))
    }

    /// Opens, and makes if missing, a file to read and write. What is there must be a plain file with no other name: a
    /// second name may be a trap laid to have some other file written to.
    pub(crate) fn open_file(&self, name: &str, owner: Owner) -> io::Result<File> {
        let path = self.path.join(name);
        let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let name = component(name)?;
        let file =
            match openat(&self.file, name, flags | OFlag::O_CREAT | OFlag::O_EXCL, Mode::from_bits_truncate(0o644)) {
                Ok(file) => {
                    self.give(&file, owner)?;
                    file
                }
                Err(Errno::EEXIST) => {
                    openat(&self.file, name, flags, Mode::empty()).map_err(|error| said(error, &path))?
                }
                Err(error) => return Err(said(error, &path)),
            };
        let stat = fstat(&file)?;
        if kind(&stat) != SFlag::S_IFREG || stat.st_nlink != 1 {
            return Err(io::Error::other(format!("{path} is not a plain file with one name")));
        }
        Ok(File::from(file))
    }

    /// The content of a plain file of at most `limit` bytes; none if there is no such file.
    pub(crate) fn read_file(&self, name: &str, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
        let file = match openat(&self.file, component(name)?, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::ENOENT) => return Ok(None),
            Err(error) => return Err(said(error, &self.path.join(name))),
        };
        let mut bytes = Vec::new();
        if !file.metadata()?.is_file() || file.take(limit + 1).read_to_end(&mut bytes)? as u64 > limit {
            return Err(io::Error::other(format!("{} is no file of at most {limit} bytes", self.path.join(name))));
        }
        Ok(Some(bytes))
    }

    /// Replaces the file of this name: written aside, renamed.
    pub(crate) fn write_file(&self, name: &str, content: &[u8], mode: u32, owner: Owner) -> io::Result<()> {
        let path = self.path.join(name);
        let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_CREAT | OFlag::O_EXCL;
        let mut attempt = 0;
        let (aside, file) = loop {
            let aside = format!(".farmout-{}-{attempt}.new", std::process::id());
            match openat(&self.file, aside.as_str(), flags, Mode::from_bits_truncate(0o600)) {
                Ok(file) => break (aside, file),
                Err(Errno::EEXIST) if attempt < 1000 => attempt += 1,
                Err(error) => return Err(said(error, &path)),
            }
        };
        let mut file = File::from(file);
        let written = file.write_all(content).and_then(|()| {
            self.give(&file, owner)?;
            fchmod(&file, Mode::from_bits_truncate(mode))?;
            renameat(&self.file, aside.as_str(), &self.file, component(name)?).map_err(|error| said(error, &path))
        });
        if written.is_err() {
            let _ = unlinkat(&self.file, aside.as_str(), UnlinkatFlags::NoRemoveDir);
        }
        written
    }

    /// Removes a file or a link; whether there was one. A folder of that name stays.
    pub(crate) fn remove_file(&self, name: &str) -> io::Result<bool> {
        match unlinkat(&self.file, component(name)?, UnlinkatFlags::NoRemoveDir) {
            Ok(()) => Ok(true),
            Err(Errno::ENOENT | Errno::EISDIR | Errno::EPERM) => Ok(false),
            Err(error) => Err(said(error, &self.path.join(name))),
        }
    }

    /// Removes a folder if it is empty; whether it was.
    pub(crate) fn remove_if_empty(&self, name: &str) -> bool {
        component(name).is_ok_and(|name| unlinkat(&self.file, name, UnlinkatFlags::RemoveDir).is_ok())
    }

    /// Removes whatever has this name, with all that is in it. Links are removed, not followed, and what is mounted
    /// there is left alone.
    pub(crate) fn remove_all(&self, name: &str) -> io::Result<()> {
        component(name)?;
        self.remove(OsStr::new(name))
    }

    /// Removes all that is in it.
    pub(crate) fn empty(&self) -> io::Result<()> {
        for name in self.entries()? {
            self.remove(OsStr::from_bytes(name.as_bytes()))?;
        }
        Ok(())
    }

    fn entries(&self) -> io::Result<Vec<CString>> {
        // A second handle, because reading a folder moves the place of the first.
        let mut reading = Dir::from_fd(self.again()?.file)?;
        let mut names: Vec<CString> =
            reading.iter().map(|entry| entry.map(|entry| entry.file_name().to_owned())).collect::<Result<_, _>>()?;
        names.retain(|name| ![c".", c".."].contains(&name.as_c_str()));
        Ok(names)
    }

    /// The names of what is in it, those that are no text left out, sorted.
    pub(crate) fn names(&self) -> io::Result<Vec<String>> {
        let mut names: Vec<String> = self.entries()?.into_iter().filter_map(|name| name.into_string().ok()).collect();
        names.sort();
        Ok(names)
    }

    /// How many bytes of the disk are taken by all that is in it, and by itself. What vanishes meanwhile takes none.
    pub(crate) fn size(&self) -> io::Result<u64> {
        let mut size = blocks(&fstat(&self.file)?);
        for name in self.entries()? {
            let stat = match fstatat(&self.file, name.as_c_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                Err(Errno::ENOENT) => continue,
                Err(error) => return Err(said(error, &self.path)),
            };
            let folder = if kind(&stat) == SFlag::S_IFDIR { name.to_str().ok() } else { None };
            size += match folder.map(|name| self.enter(name).and_then(|folder| folder.size())) {
                Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => 0,
                Some(size) => size?,
                None => blocks(&stat),
            };
        }
        Ok(size)
    }

    /// Gives what has this name another one, which nothing else may have but an empty folder.
    pub(crate) fn rename(&self, name: &str, other: &str) -> io::Result<()> {
        let (name, other) = (component(name)?, component(other)?);
        renameat(&self.file, name, &self.file, other).map_err(|error| said(error, &self.path.join(name)))
    }

    /// Moves what has this name into another folder of the same file system, where it keeps its name.
    pub(crate) fn move_to(&self, name: &str, other: &Self) -> io::Result<()> {
        let name = component(name)?;
        renameat(&self.file, name, &other.file, name).map_err(|error| said(error, &self.path.join(name)))
    }

    fn remove(&self, name: &OsStr) -> io::Result<()> {
        let path = self.path.join(name.to_string_lossy().as_ref());
        match unlinkat(&self.file, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => return Ok(()),
            Err(Errno::EISDIR | Errno::EPERM) => {}
            Err(error) => return Err(said(error, &path)),
        }
        let open = || openat(&self.file, name, FOLDER | OFlag::O_NOFOLLOW, Mode::empty());
        let opened = open().or_else(|error| match error {
            // Not even its owner may list it; what it may do itself is given to it first.
            Errno::EACCES => {
                fchmodat(&self.file, name, Mode::S_IRWXU, FchmodatFlags::NoFollowSymlink)?;
                open()
            }
            error => Err(error),
        });
        let file = opened.map_err(|error| said(error, &path))?;
        if fstat(&file)?.st_dev != fstat(&self.file)?.st_dev {
            return Err(io::Error::other(format!("{path} is another file system, which is left alone")));
        }
        // A folder without write permission, as Go's module cache has them, cannot be emptied by its owner either.
        let _ = fchmod(&file, Mode::S_IRWXU);
        Self { file, path: path.clone() }.empty()?;
        match unlinkat(&self.file, name, UnlinkatFlags::RemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(said(error, &path)),
        }
    }

    /// Whether a link has this name.
    pub(crate) fn is_link(&self, name: &str) -> bool {
        fstatat(&self.file, name, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok_and(|stat| kind(&stat) == SFlag::S_IFLNK)
    }

    fn again(&self) -> io::Result<Self> {
        let file = openat(&self.file, ".", FOLDER, Mode::empty()).map_err(|error| said(error, &self.path))?;
        Ok(Self { file, path: self.path.clone() })
    }

    fn give(&self, file: impl AsFd, owner: Owner) -> io::Result<()> {
        let Some((user, group)) = owner else { return Ok(()) };
        // Only what is the runner's own is given away: what was put in its place meanwhile is not.
        if fstat(file.as_fd())?.st_uid == Uid::effective().as_raw() {
            fchown(file, Some(Uid::from_raw(user)), Some(Gid::from_raw(group)))
                .map_err(|error| said(error, &self.path))?;
        }
        Ok(())
    }
}

/// What a file takes on the disk, in bytes.
fn blocks(stat: &FileStat) -> u64 {
    // The unit is fixed, whatever the file system's own is.
    u64::try_from(stat.st_blocks).unwrap_or(0) * 512
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits())
}

/// Refuses what is not one plain name.
fn component(name: &str) -> io::Result<&str> {
    if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']) {
        return Err(io::Error::other(format!("`{name}` is not the name of a file")));
    }
    Ok(name)
}

fn said(error: Errno, path: &Utf8Path) -> io::Error {
    let error = io::Error::from(error);
    io::Error::new(error.kind(), format!("{path}: {error}"))
}
