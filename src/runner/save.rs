//! What is kept of a run: bytes to a file that is there whole or not at all, whatever happens meanwhile, and who may read
//! it.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};

use camino::Utf8Path;
use nix::unistd::Uid;
use serde::Serialize;

use super::site::StepUser;

/// Who, besides the runner's own user, may read what is kept. Commands, environments and logs are nobody else's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Readers {
    /// Nobody.
    None,
    /// The group of the account that steps run as.
    Group(u32),
    /// All users of the machine.
    Everybody,
}

impl Readers {
    /// The readers of a run whose steps run as this account.
    pub(super) fn of(account: Option<&StepUser>) -> Self {
        account.filter(|_| Uid::effective().is_root()).map_or(Self::None, |account| Self::Group(account.gid))
    }

    /// The readers of a file that root, or the runner's own user, has made for some.
    pub(super) fn of_file(path: &Utf8Path) -> Self {
        match path.metadata() {
            Ok(file) if Uid::effective().is_root() && file.mode() & 0o040 != 0 => Self::Group(file.gid()),
            _ => Self::None,
        }
    }

    /// Makes a folder, the ones above it included, unless it is there. One that is there stays as it is.
    pub(super) fn make_folder(self, path: &Utf8Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        if let Some(above) = path.parent().filter(|above| !above.as_str().is_empty()) {
            std::fs::create_dir_all(above)?;
        }
        match self.make_new_folder(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
            made => made,
        }
    }

    /// Makes a folder that must not be there yet.
    pub(super) fn make_new_folder(self, path: &Utf8Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(path)?;
        self.admit(&File::open(path)?, 0o700)
    }

    /// Makes a file, or empties the one that is there.
    pub(super) fn create(self, path: &Utf8Path) -> io::Result<File> {
        self.open(path, OpenOptions::new().write(true).truncate(true))
    }

    /// Opens a file to add to its end; makes it if missing.
    pub(super) fn append(self, path: &Utf8Path) -> io::Result<File> {
        self.open(path, OpenOptions::new().append(true))
    }

    fn open(self, path: &Utf8Path, how: &mut OpenOptions) -> io::Result<File> {
        let file = how.create(true).mode(0o600).open(path)?;
        self.admit(&file, 0o600)?;
        Ok(file)
    }

    /// Lets the readers in: `mode` is the owner's.
    fn admit(self, file: &File, mode: u32) -> io::Result<()> {
        let mode = match self {
            Self::None => mode,
            Self::Group(group) => {
                std::os::unix::fs::fchown(file, None, Some(group))?;
                // Read and search, but not write.
                mode | ((mode >> 3) & 0o050)
            }
            Self::Everybody => mode | ((mode >> 3) & 0o050) | ((mode >> 6) & 0o005),
        };
        // A new file has them already, as a rule, and changing them is a trip to the file system's journal.
        if file.metadata()?.mode() & 0o7777 == mode {
            Ok(())
        } else {
            file.set_permissions(Permissions::from_mode(mode))
        }
    }

    /// Replaces the file at `path`: written aside, brought to the disk, renamed.
    pub(super) fn save(self, path: &Utf8Path, bytes: &[u8]) -> io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_str().is_empty()).unwrap_or(Utf8Path::new("."));
        let mut aside = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
        aside.as_file_mut().write_all(bytes)?;
        self.admit(aside.as_file(), 0o600)?;
        aside.as_file().sync_all()?;
        aside.persist(path).map_err(|error| error.error)?;
        // The new name itself must reach the disk too.
        File::open(folder)?.sync_all()
    }

    /// Replaces the file by a value as JSON.
    pub(super) fn save_json(self, path: &Utf8Path, value: &impl Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec_pretty(value)?;
        bytes.push(b'\n');
        self.save(path, &bytes)
    }
}
