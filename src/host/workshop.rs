//! A directory for trying things out as builds would do them, gone afterwards unless it is to be kept. In: the account. Out: the directory, which
//! is the account's, and a farmout that the account can start. Whatever was started in it must be ended by who did.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};

use super::access::mounted_noexec;
use super::place::{self, Place, broken};
use super::{Account, probe::Probe};
use crate::diagnostic::{Failure, plain};
use crate::workspace::folder::Folder;

/// Short ones first: the path of a socket has at most 107 bytes.
const ABOVE: [&str; 2] = ["/tmp", "/var/tmp"];

/// The directory, removed when it is dropped.
#[derive(Debug)]
pub struct Workshop {
    place: Place,
    account: Option<Account>,
    /// The farmout that the account can start.
    pub program: Utf8PathBuf,
    temporary: Option<Temporary>,
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
        let temporary = Temporary(Some(basedir.clone()));
        // From here on it is removed in another way.
        let _ = directory.keep();
        fs::set_permissions(&basedir, fs::Permissions::from_mode(0o755)).map_err(|error| broken(&basedir, &error))?;
        Self::furnish(basedir, account, Some(temporary))
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

    fn furnish(basedir: Utf8PathBuf, account: Option<&Account>, temporary: Option<Temporary>) -> Result<Self, Failure> {
        place::own(&basedir, account)?;
        let place = Place { basedir, moved: false };
        place::own(&place.home(), account)?;
        let program = place::program(&place, account)?;
        Ok(Self { account: account.map(|account| account.at_home(place.home())), place, program, temporary })
    }

    /// Removes the directory, if it is none that stays.
    ///
    /// # Errors
    /// Something of it cannot be removed.
    pub fn close(self) -> Result<(), Failure> {
        self.temporary.map_or(Ok(()), Temporary::close)
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

/// A directory that is removed when it is dropped.
#[derive(Debug)]
struct Temporary(Option<Utf8PathBuf>);

impl Temporary {
    fn close(mut self) -> Result<(), Failure> {
        self.0.take().map_or(Ok(()), |path| remove(&path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // There is something worse to say.
        let _ = self.0.take().map(|path| remove(&path));
    }
}

/// Removes a workshop, as builds leave it: with folders that nobody may write to, and with links, which are not followed.
///
/// # Errors
/// Something of it cannot be removed.
pub(crate) fn remove(path: &Utf8Path) -> Result<(), Failure> {
    // What is not there any more is removed.
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let removed = Folder::open(above).and_then(|above| above.remove_all(name));
    removed.map_err(|error| Failure::error(format!("{path} cannot be removed: {}", plain(&error.to_string()))))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::runner::with_rights_of;

    fn closed_by_its_owner() {
        let [workshop, other] = [(); 2].map(|()| Workshop::open(None).unwrap());
        let (path, kept) = (workshop.path().to_owned(), other.path().join("home/file"));
        for (name, mode) in [("read-only", 0o555), ("closed", 0o000), ("unlisted", 0o311)] {
            let folder = path.join("worker").join(name);
            fs::create_dir_all(folder.join("below")).unwrap();
            fs::write(folder.join("below/file"), "").unwrap();
            fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::write(&kept, "").unwrap();
        symlink(other.path(), path.join("link")).unwrap();
        workshop.close().unwrap();
        assert!(!path.exists() && kept.exists());
    }

    #[test]
    fn what_builds_close_goes_with_it() {
        // Root could remove all of it anyhow.
        let somebody = nix::unistd::geteuid().is_root().then_some((65534, 65534));
        with_rights_of(somebody, closed_by_its_owner).unwrap();
    }
}
