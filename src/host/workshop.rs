//! A directory for trying things out as builds would do them, gone afterwards. In: the account. Out: the directory, which
//! is the account's, and a farmout that the account can start. Whatever was started in it must be ended by who did.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

use super::access::mounted_noexec;
use super::place::{self, Place, broken};
use super::{Account, probe::Probe};
use crate::diagnostic::Failure;

/// Short ones first: the path of a socket has at most 107 bytes.
const ABOVE: [&str; 2] = ["/tmp", "/var/tmp"];

/// The directory, removed when it is dropped.
#[derive(Debug)]
pub struct Workshop {
    place: Place,
    account: Option<Account>,
    /// The farmout that the account can start.
    pub program: Utf8PathBuf,
    _directory: TempDir,
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
        place::own(&basedir, account)?;
        let place = Place { basedir, moved: false };
        place::own(&place.home(), account)?;
        let program = place::program(&place, account)?;
        Ok(Self {
            account: account.map(|account| account.at_home(place.home())),
            place,
            program,
            _directory: directory,
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
