//! The folders of one builder on the slave: made before its steps, tidied after them. Everything is below the slave's
//! base directory, but for the short folder for sockets.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::Uid;
use sha2::{Digest as _, Sha256};

use super::folder::{Folder, Owner};

/// The folders of one builder.
#[derive(Debug)]
pub(crate) struct Workspace {
    base: Folder,
    /// `${basedir}`, absolute.
    pub(crate) basedir: Utf8PathBuf,
    /// `${builder-dir}`.
    pub(crate) builder: Utf8PathBuf,
    /// `${socket-dir}`, if the plan wants one.
    pub(crate) sockets: Option<Utf8PathBuf>,
    directory: String,
    owner: Owner,
}

/// What the slave's base directory has beside the builders' directories.
pub(crate) const TAKEN: [&str; 2] = ["locks", "buildout-caches"];

/// Where folders for sockets are made: the path of a socket has at most 107 bytes, and base directories are deep.
const SOCKETS: &str = "/tmp";
/// How their names begin.
pub(crate) const SOCKETS_PREFIX: &str = "fo-";

impl Workspace {
    /// Makes the slave's base directory if it is missing, and opens it for the builder that works in `directory`.
    pub(crate) fn open(basedir: &Utf8Path, directory: &str, owner: Owner) -> io::Result<Self> {
        let basedir = camino::absolute_utf8(basedir)?;
        let told = |error: io::Error| io::Error::new(error.kind(), format!("{basedir}: {error}"));
        if !basedir.exists() {
            std::fs::create_dir_all(&basedir).map_err(told)?;
            if let Some((user, group)) = owner {
                std::os::unix::fs::lchown(&basedir, Some(user), Some(group)).map_err(told)?;
            }
        }
        let base = Folder::open(&basedir)?;
        let builder = basedir.join(directory);
        Ok(Self { base, basedir, builder, sockets: None, directory: directory.to_owned(), owner })
    }

    /// Makes what is missing of the layout.
    pub(crate) fn lay_out(&self) -> io::Result<()> {
        self.make_caches()?;
        let builder = self.base.make(&self.directory, 0o755, self.owner)?;
        builder.make("build", 0o755, self.owner)?;
        if builder.is_link("tmp") {
            builder.remove_file("tmp")?;
        }
        builder.make("tmp", 0o700, self.owner).map(drop)
    }

    fn make_caches(&self) -> io::Result<()> {
        // Caches are shared, large, and often on another disk: a link to a folder stands for it, as it is.
        let folder = |parent: &Folder, name: &str| {
            if parent.is_link(name) && parent.path().join(name).is_dir() {
                return Ok(None);
            }
            parent.make(name, 0o755, self.owner).map(Some)
        };
        if let Some(caches) = folder(&self.base, "buildout-caches")? {
            folder(&caches, "eggs")?;
            folder(&caches, "openerp")?;
        }
        Ok(())
    }

    /// Empties the temporary directory, which [`Self::lay_out`] has made.
    pub(crate) fn tidy(&self) -> io::Result<()> {
        self.base.enter(&self.directory)?.enter("tmp")?.empty()
    }

    /// The folder of the slave's locks.
    pub(crate) fn locks(&self) -> io::Result<Folder> {
        self.base.make("locks", 0o755, self.owner)
    }

    /// The folder of the locks that keep two runs out of one builder's directory.
    pub(crate) fn builder_locks(&self) -> io::Result<Folder> {
        self.locks()?.make("builders", 0o755, self.owner)
    }

    /// The builder's own folder.
    pub(crate) fn builder_folder(&self) -> io::Result<Folder> {
        self.base.make(&self.directory, 0o755, self.owner)
    }

    /// The base directory, open.
    pub(crate) fn base(&self) -> &Folder {
        &self.base
    }

    /// Whom files in it belong to.
    pub(crate) fn owner(&self) -> Owner {
        self.owner
    }

    /// Makes the folder for sockets. It has the same path in each run, because builds write it into their configuration,
    /// and a later run may go on with them; unless somebody else has taken that path.
    pub(crate) fn make_sockets(&mut self) -> io::Result<Utf8PathBuf> {
        let digest = Sha256::digest(self.builder.as_str());
        let name: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let own = Utf8Path::new(SOCKETS).join(format!("{SOCKETS_PREFIX}{name}"));
        let left = own.symlink_metadata().is_ok_and(|metadata| {
            let uid = self.owner.map_or_else(|| Uid::effective().as_raw(), |(user, _)| user);
            metadata.is_dir() && metadata.uid() == uid
        });
        if left {
            remove_sockets(&own)?;
        }
        let made = match DirBuilder::new().mode(0o700).create(&own) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.make_other_sockets()?,
            made => made.map(|()| own)?,
        };
        if let Some((user, group)) = self.owner {
            std::os::unix::fs::lchown(&made, Some(user), Some(group))?;
        }
        self.sockets = Some(made.clone());
        Ok(made)
    }

    fn make_other_sockets(&self) -> io::Result<Utf8PathBuf> {
        let mut making = tempfile::Builder::new();
        let mode = std::fs::Permissions::from_mode(0o700);
        let made = making.prefix(SOCKETS_PREFIX).rand_bytes(6).permissions(mode).tempdir_in(SOCKETS)?.keep();
        Utf8PathBuf::try_from(made).map_err(io::Error::other)
    }
}

/// Removes a folder that [`Workspace::make_sockets`] made, now or in an earlier run.
///
/// # Errors
/// The path is none that a runner makes, or something in it cannot be removed.
pub(crate) fn remove_sockets(path: &Utf8Path) -> io::Result<()> {
    match path.strip_prefix(SOCKETS) {
        Ok(name) if name.as_str().starts_with(SOCKETS_PREFIX) => {
            Folder::open(Utf8Path::new(SOCKETS))?.remove_all(name.as_str())
        }
        _ => Err(io::Error::other(format!("{path} is no folder for sockets"))),
    }
}

/// Whether this is the plain name of a visible file.
pub(crate) fn is_name(name: &str) -> bool {
    !name.starts_with('.') && !name.contains('\0') && name.len() <= 200 && Utf8Path::new(name).file_name() == Some(name)
}
