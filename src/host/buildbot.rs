//! Buildbot's programs from PyPI, in a Python environment. In: a cache directory, the machine's Pythons, which do the
//! downloading, the account. Out: the environment. It writes only into the cache, and what it writes is written as the
//! account. A half-made environment is never used: the stamp is its last file.

use std::cmp::Reverse;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::libc::O_NOFOLLOW;

use super::Account;
use super::detect::{Python, natural};
use super::embedded::unreachable;
use super::place::{broken, own};
use super::probe::Probe;
use crate::diagnostic::Failure;

/// The release that farms are tried with.
pub const VERSION: &str = "4.3.0";

/// Its packages, all of that version.
const PACKAGES: [&str; 5] =
    ["buildbot", "buildbot-www", "buildbot-worker", "buildbot-waterfall-view", "buildbot-grid-view"];

/// The oldest Python that it runs with.
const OLDEST: &str = "3.9";

/// The file that tells a complete environment; it says what is in it.
const STAMP: &str = "farmout-buildbot";

/// Prints a package and its version in each line; no version where it is missing.
const ASK: &str = r#"
import sys
from importlib.metadata import PackageNotFoundError, version
for name in sys.argv[1:]:
    try:
        print(name, version(name))
    except PackageNotFoundError:
        print(name)
"#;

/// 50 MB from all over; a slow line gets its time, a dead one does not.
const DOWNLOAD: Duration = Duration::from_secs(15 * 60);
/// Making an environment, asking for versions.
const LOCAL: Duration = Duration::from_secs(120);

/// An environment with Buildbot in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Buildbot {
    /// Its directory, absolute.
    pub directory: Utf8PathBuf,
    /// The version of Buildbot.
    pub version: String,
}

impl Buildbot {
    /// An environment that somebody else has made.
    ///
    /// # Errors
    /// It is none, lacks a package, has another major version, or the account cannot get there.
    pub fn at(directory: &Utf8Path, account: Option<&Account>) -> Result<Self, Failure> {
        let directory = camino::absolute_utf8(directory).map_err(|error| broken(directory, &error))?;
        let unusable = |problem: String| {
            Failure::misuse(format!("{directory} has no Buildbot that can be used: {problem}")).help(format!(
                "make it with `python3 -m venv {directory}` and `{directory}/bin/pip install {}`",
                wanted()
            ))
        };
        let python = directory.join("bin/python");
        if let Some(account) = account.filter(|account| python.exists() && !account.can_execute(&python)) {
            return Err(unusable(format!("the user {} cannot start {python}", account.name)));
        }
        let version = ask(&directory, account).map_err(unusable)?;
        Ok(Self { directory, version })
    }

    /// The environment in the cache, made if it is not there.
    ///
    /// Comes in: the cache directory, which the account must own (see [`super::place::cache`]); how to find the Pythons, if they
    /// are needed; what to call between two looks at an environment that another process is making, which ends the waiting with
    /// a failure; and whom to tell that it takes a while. Goes out: `<cache>/buildbot-<version>`.
    ///
    /// # Errors
    /// No Python that can make it; no network; what `wait` says.
    pub fn provide(
        cache: &Utf8Path,
        account: Option<&Account>,
        pythons: impl FnOnce() -> Vec<Python>,
        wait: &dyn Fn() -> Result<(), Failure>,
        note: &mut dyn FnMut(&str),
    ) -> Result<Self, Failure> {
        let directory = cache.join(format!("buildbot-{VERSION}"));
        let directory = camino::absolute_utf8(&directory).map_err(|error| broken(&directory, &error))?;
        let path = cache.join("buildbot.lock");
        // Not truncated, not followed: somebody may hold it, and the directory is the account's.
        let lock = OpenOptions::new().write(true).create(true).truncate(false).custom_flags(O_NOFOLLOW).open(&path);
        let mut lock = lock.map_err(|error| broken(&path, &error))?;
        let _held = loop {
            match Flock::lock(lock, FlockArg::LockExclusiveNonblock) {
                Ok(held) => break held,
                Err((back, Errno::EWOULDBLOCK)) => lock = back,
                Err((_, error)) => return Err(broken(&path, &error.into())),
            }
            wait()?;
        };
        let found = Self { directory, version: VERSION.to_owned() };
        // Python may have been replaced since.
        if found.is_whole() && ask(&found.directory, account).is_ok_and(|version| version == VERSION) {
            return Ok(found);
        }
        note(&format!("installing Buildbot {VERSION} from PyPI into {}; this takes a while", found.directory));
        let making = Making { directory: &found.directory, done: false };
        making.clear()?;
        install(&found.directory, account, pythons())?;
        making.finish()?;
        Ok(found)
    }

    /// One of its programs, and the Python to start it with.
    pub fn program(&self, name: &str) -> [Utf8PathBuf; 2] {
        // The first line of a script may be too long for the kernel.
        ["python", name].map(|name| self.directory.join("bin").join(name))
    }

    fn is_whole(&self) -> bool {
        fs::read_to_string(self.directory.join(STAMP)).is_ok_and(|stamp| stamp == wanted())
    }
}

/// What is asked of pip.
fn wanted() -> String {
    PACKAGES.map(|package| format!("{package}=={VERSION}")).join(" ")
}

/// The version of Buildbot in an environment that has all packages.
fn ask(directory: &Utf8Path, account: Option<&Account>) -> Result<String, String> {
    let python = directory.join("bin/python");
    if !python.exists() {
        return Err(format!("there is no {python}"));
    }
    let arguments: Vec<&str> = ["-I", "-c", ASK].into_iter().chain(PACKAGES).collect();
    let answer =
        Probe::new(account, LOCAL).run(&python, &arguments).map_err(|problem| format!("{python} {problem}"))?;
    let versions: Vec<_> = answer.stdout.lines().map(|line| line.split_once(' ').ok_or(line)).collect();
    if let Some(Err(missing)) = versions.iter().find(|version| version.is_err()) {
        return Err(format!("the package {missing} is missing"));
    }
    let version = versions.into_iter().flatten().next().map(|(_, version)| version.to_owned()).unwrap_or_default();
    let major = |version: &str| version.split('.').next().map(str::to_owned);
    if major(&version) == major(VERSION) {
        Ok(version)
    } else {
        Err(format!("it is of version {version}, and farms are for {VERSION}"))
    }
}

/// An environment that is removed again unless it comes to be whole.
struct Making<'a> {
    directory: &'a Utf8Path,
    done: bool,
}

impl Making<'_> {
    /// Removes what is there: half of an environment, or one of a Python that is gone.
    fn clear(&self) -> Result<(), Failure> {
        match fs::remove_dir_all(self.directory) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(broken(self.directory, &error)),
            _ => Ok(()),
        }
    }

    fn finish(mut self) -> Result<(), Failure> {
        let stamp = self.directory.join(STAMP);
        // The directory is the account's: no link is followed.
        let file = OpenOptions::new().write(true).create_new(true).open(&stamp);
        file.and_then(|mut file| file.write_all(wanted().as_bytes())).map_err(|error| broken(&stamp, &error))?;
        self.done = true;
        Ok(())
    }
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        if !self.done {
            let _ = self.clear();
        }
    }
}

/// Makes the environment, as the account.
fn install(directory: &Utf8Path, account: Option<&Account>, pythons: Vec<Python>) -> Result<(), Failure> {
    let failed = |problem: String| {
        Failure::error(format!("Buildbot {VERSION} cannot be installed: {problem}"))
            .help("make an environment where there is network, and name it with --buildbot DIR")
    };
    let mut able: Vec<_> = pythons.into_iter().filter(|python| python.venv || python.virtualenv).collect();
    able.retain(|python| natural(&python.version) >= natural(OLDEST));
    able.sort_by_cached_key(|python| Reverse(natural(&python.version)));
    let Some(python) = able.first() else {
        return Err(Failure::error(format!(
            "there is no Python {OLDEST} or later here that can make environments, for Buildbot"
        ))
        .help("apt-get install python3-venv"));
    };
    own(directory, account)?;
    // pip wants a home that exists; a switched user must not use root's cache, and what is kept here need not be kept twice.
    let account = account.map(|account| account.at_home(directory));
    let (local, online) = (Probe::new(account.as_ref(), LOCAL), Probe::new(account.as_ref(), DOWNLOAD));
    let module = if python.venv { "venv" } else { "virtualenv" };
    local
        .run(&python.path, &["-m", module, directory.as_str()])
        .map_err(|problem| failed(format!("{} -m {module} {problem}", python.path)))?;
    let python = directory.join("bin/python");
    let wanted = wanted();
    let mut arguments =
        vec!["-m", "pip", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check", "--no-input"];
    arguments.extend(wanted.split(' '));
    let said = online.output(&python, &arguments).map_err(|problem| failed(format!("{python} -m pip {problem}")))?;
    if !said.status.success() {
        let last = || said.stderr.lines().rfind(|line| line.contains("ERROR")).unwrap_or(said.stderr.trim());
        return Err(failed(unreachable(&said.stderr).unwrap_or_else(|| format!("pip says {}", last().trim()))));
    }
    ask(directory, account.as_ref()).map_err(failed)?;
    Ok(())
}
