//! A directory for trying things out as builds would do them, gone afterwards unless it is to be kept. In: the account. Out: the directory, which
//! is the account's, and a farmout that the account can start. Whatever was started in it must be ended by who did.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

use super::access::mounted_noexec;
use super::place::{self, Place, broken};
use super::{Account, probe::Probe};
use crate::diagnostic::{Failure, plain};

/// Short ones first: the path of a socket has at most 107 bytes.
const ABOVE: [&str; 2] = ["/tmp", "/var/tmp"];

/// The directory, removed when it is dropped.
#[derive(Debug)]
pub struct Workshop {
    place: Place,
    account: Option<Account>,
    /// The farmout that the account can start.
    pub program: Utf8PathBuf,
    directory: Option<TempDir>,
}

impl Workshop {
    /// Makes the directory.
    ///
    /// # Errors
    /// It cannot be made, or nothing in it can be started by the account.
    pub fn open(account: Option<&Account>) -> Result<Self, Failure> {
        let temporary = std::env::temp_dir();
        let above = ABOVE.into_iter().map(Utf8Path::new).chain(Utf8Path::from_path(&temporary));
        let usable = |above: &&Utf8Path| {
            !mounted_noexec(above.as_std_path()) && account.is_none_or(|account| account.can_reach(above))
        };
        let above = above.clone().find(usable).unwrap_or(Utf8Path::new("/tmp"));
        let made = tempfile::Builder::new().prefix("farmout-").tempdir_in(above);
        let directory = made.map_err(|error| broken(above, &error))?;
        let basedir = Utf8Path::from_path(directory.path())
            .ok_or_else(|| Failure::misuse(format!("{} is not UTF-8", directory.path().display())))?
            .to_owned();
        fs::set_permissions(&basedir, fs::Permissions::from_mode(0o755)).map_err(|error| broken(&basedir, &error))?;
        Self::furnish(basedir, account, Some(directory))
    }

    /// Takes a directory that stays: a new one, or one that is empty.
    ///
    /// # Errors
    /// It cannot be made, there is something in it, the account cannot get there, or builds would break at its path.
    pub fn at(directory: &Utf8Path, account: Option<&Account>) -> Result<Self, Failure> {
        let basedir = camino::absolute_utf8(directory).map_err(|error| broken(directory, &error))?;
        place::sound(&basedir, "name another directory")?;
        match fs::read_dir(&basedir).map(|mut entries| entries.next().is_none()) {
            Ok(false) => return Err(Failure::misuse(format!("{basedir} is not empty")).help("name another directory")),
            Ok(true) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let above = basedir.parent().unwrap_or(&basedir);
                fs::create_dir_all(above).map_err(|error| broken(above, &error))?;
            }
            Err(error) => return Err(broken(&basedir, &error)),
        }
        let above = basedir.parent().unwrap_or(&basedir);
        if let Some(account) = account.filter(|account| !account.can_reach(above)) {
            return Err(Failure::misuse(format!("the user {} cannot enter {above}", account.name))
                .help("name a directory that it can reach"));
        }
        Self::furnish(basedir, account, None)
    }

    fn furnish(basedir: Utf8PathBuf, account: Option<&Account>, directory: Option<TempDir>) -> Result<Self, Failure> {
        place::own(&basedir, account)?;
        let place = Place { basedir, moved: false };
        place::own(&place.home(), account)?;
        let program = place::program(&place, account)?;
        Ok(Self { account: account.map(|account| account.at_home(place.home())), place, program, directory })
    }

    /// Removes the directory, if it is none that stays.
    ///
    /// # Errors
    /// Something of it cannot be removed.
    pub fn close(self) -> Result<(), Failure> {
        let path = self.place.basedir;
        self.directory.map_or(Ok(()), |directory| {
            directory
                .close()
                .map_err(|error| Failure::error(format!("{path} cannot be removed: {}", plain(&error.to_string()))))
        })
    }

    /// Its path.
    pub fn path(&self) -> &Utf8Path {
        &self.place.basedir
    }

    /// How programs are run in it: as the account, with a home of its own. Their temporary files go there too, as the caller's
    /// place for these may be nobody else's.
    pub fn probe(&self, limit: std::time::Duration) -> Probe {
        Probe::new(self.account.as_ref(), limit).within(self.path()).with("TMPDIR", self.path().as_str())
    }
}
