//! Where a slave lives. In: the state directory, a slave's name, the account. Out: a base directory that belongs to the
//! account. It makes directories and a copy of farmout; it never changes the owner of, or deletes, what it did not make.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use nix::libc::{O_DIRECTORY, O_NOFOLLOW};
use nix::unistd::{AccessFlags, geteuid};
use sha2::{Digest, Sha256};

use super::Account;
use crate::diagnostic::{Failure, other_state};

/// Where slaves live whose state directory is out of the account's reach, below root's home for instance.
const FAR: &str = "/var/lib/farmout";

/// What mirrors are called there, where slaves are neighbours: a name that no slave can have.
const FAR_MIRRORS: &str = "mirrors~";

/// A copy of farmout that was not used for as long as this is removed; one that a running plan started with is not.
const UNUSED: Duration = Duration::from_secs(24 * 60 * 60);

/// A slave's own directory, ready for use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The base directory, absolute.
    pub basedir: Utf8PathBuf,
    /// Whether it is not below the state directory, because the account cannot get there.
    pub moved: bool,
}

impl Place {
    /// `HOME` for everything that runs on the slave.
    pub fn home(&self) -> Utf8PathBuf {
        self.basedir.join("home")
    }
}

/// Whether slaves can live in the state directory, before anything is made.
///
/// The first line of `bin/buildout` and of other scripts that a build makes is the path of its Python. The kernel cuts that
/// line at a blank, and after 256 bytes; and zc.buildout, PostgreSQL and Python's `venv` each take some characters of a path
/// for their own.
///
/// Comes in: the state directory (it need not exist), the slave's name, the longest name of a builder's directory, and the
/// account builds run as.
///
/// # Errors
/// A path that builds would break at.
pub fn check(state: &Utf8Path, slave: &str, builder: &str, account: Option<&Account>) -> Result<(), Failure> {
    let state = camino::absolute_utf8(state).map_err(|error| broken(state, &error))?;
    let near = state.join("slaves");
    if account.is_some_and(|account| !account.can_reach(existing(&near))) {
        // They will live in a place that is good.
        return Ok(());
    }
    let help = "name another directory with --state DIR";
    sound(&state, help)?;
    let python = near.join(component(slave)).join(builder).join(INTERPRETER);
    if python.as_str().len() > LONGEST {
        let least = python.as_str().len() - LONGEST;
        return Err(Failure::misuse(format!(
            "{state} is too long: the first line of a script cannot hold the path of the builder {builder}'s Python"
        ))
        .help(format!("{help}, shorter by {least} {} at least", if least == 1 { "byte" } else { "bytes" })));
    }
    Ok(())
}

/// Fails where a directory's path has a character that builds break at.
pub(super) fn sound(directory: &Utf8Path, help: &str) -> Result<(), Failure> {
    let breaks = |c: &char| c.is_whitespace() || c.is_control() || BREAKING.contains(c);
    let Some(breaking) = directory.as_str().chars().find(breaks) else { return Ok(()) };
    let what = match breaking {
        ' ' => "a blank".to_owned(),
        '\t' => "a tab".to_owned(),
        '`' => "a backtick".to_owned(),
        c if c.is_whitespace() || c.is_control() => format!("the character {}", c.escape_default()),
        c => format!("`{c}`"),
    };
    let shown: String = directory.as_str().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    Err(Failure::misuse(format!("{shown} has {what} in it, and builds break in such a directory")).help(help))
}

/// Characters that something in a build takes for its own: PostgreSQL's shell, the `%` and `{}` of Python, the sections and
/// substitutions of zc.buildout, the separator of `PATH`.
const BREAKING: [char; 10] = ['"', '$', '%', ':', '[', ']', '\\', '`', '{', '}'];

/// The longest Python that a build's scripts name, below the builder's directory.
const INTERPRETER: &str = "python/bin/python3.99";

/// Of a first line, Linux reads 256 bytes: `#!`, the path and the line's end.
const LONGEST: usize = 253;

/// The base directory of a slave, made if it is missing.
///
/// Comes in: the state directory (it need not exist; see [`check`]), the slave's name, and the account builds run as. Goes
/// out: `<state>/slaves/<slave>`, or `/var/lib/farmout/<hash of the state directory>/<slave>` where the account cannot reach
/// the first; with `home/` inside, both owned by the account (else by the caller) and with mode 0755.
///
/// # Errors
/// It cannot be made; it is there and belongs to somebody else, is a link or no directory.
pub fn basedir(state: &Utf8Path, slave: &str, account: Option<&Account>) -> Result<Place, Failure> {
    let name = component(slave);
    let (above, moved) = above(state, "slaves", account)?;
    let basedir = above.join(name);
    own(&basedir, account)?;
    let place = Place { basedir, moved };
    own(&place.home(), account)?;
    Ok(place)
}

/// The base directory that a slave has or would get, and the directory on the way to it that is there, with nothing made.
///
/// # Errors
/// It belongs to somebody else, or cannot be made by the caller.
pub fn outlook(
    state: &Utf8Path,
    slave: &str,
    account: Option<&Account>,
) -> Result<(Utf8PathBuf, Utf8PathBuf), Failure> {
    let [near, far] = homes(state);
    let reachable = account.is_none_or(|account| account.can_reach(existing(&near)));
    let basedir = if reachable { near } else { far }.join(component(slave));
    if basedir.symlink_metadata().is_ok() {
        own(&basedir, account)?;
    }
    let there = existing(&basedir).to_owned();
    // The account's own directory is written to by the account, and what is to be made is made by the caller.
    nix::unistd::access(there.as_std_path(), AccessFlags::W_OK | AccessFlags::X_OK)
        .map_err(|error| broken(&there, &error.into()))?;
    Ok((basedir, there))
}

/// The directory for what farmout downloads and all slaves of a state directory share, made if it is missing.
///
/// Comes in: as for [`basedir`]. Goes out: `<state>/cache`, or `/var/lib/farmout/<hash>/cache`.
///
/// # Errors
/// As for [`basedir`].
pub fn cache(state: &Utf8Path, account: Option<&Account>) -> Result<Utf8PathBuf, Failure> {
    let (above, _) = above(state, ".", account)?;
    // In the far place, slaves are neighbours of the cache: a name that no slave can have.
    let cache = above.join("cache~");
    let cache = if above.starts_with(FAR) { cache } else { above.join("cache") };
    own(&cache, account)?;
    Ok(cache)
}

/// The directory for mirrors of repositories, made if it is missing.
///
/// Comes in: the state directory, and the account. Goes out: `<state>/mirrors`, or `/var/lib/farmout/<hash>/mirrors~`.
///
/// # Errors
/// As for [`basedir`].
pub fn mirrors(state: &Utf8Path, account: Option<&Account>) -> Result<Utf8PathBuf, Failure> {
    let (above, _) = above(state, ".", account)?;
    let directory = above.join(if above.starts_with(FAR) { FAR_MIRRORS } else { "mirrors" });
    own(&directory, account)?;
    Ok(directory)
}

/// Where [`mirrors`] has put them, if it has.
pub fn existing_mirrors(state: &Utf8Path) -> Option<Utf8PathBuf> {
    let state = camino::absolute_utf8(state).unwrap_or_else(|_| state.to_owned());
    [far(&state).join(FAR_MIRRORS), state.join("mirrors")].into_iter().find(|path| path.is_dir())
}

/// A directory of the operator's choice for mirrors, made if it is missing; it must be the account's.
///
/// # Errors
/// It cannot be made, belongs to somebody else, or the account cannot get there.
pub fn mirrors_at(directory: &Utf8Path, account: Option<&Account>) -> Result<Utf8PathBuf, Failure> {
    let directory = camino::absolute_utf8(directory).map_err(|error| unusable(directory, &error))?;
    if let Some(above) = directory.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(above).map_err(|error| unusable(above, &error))?;
    }
    own(&directory, account)?;
    match account.filter(|account| !account.can_reach(&directory)) {
        Some(account) => Err(Failure::misuse(format!("the user {} cannot enter {directory}", account.name))
            .help("name a directory that it can reach with --mirrors, such as /var/lib/farmout/mirrors")),
        None => Ok(directory),
    }
}

fn unusable(path: &Utf8Path, error: &io::Error) -> Failure {
    Failure::misuse(format!("cannot use {path}: {error}"))
        .help("name a directory in which you can make files with --mirrors")
}

/// The directory that holds the account's ones; it is the caller's. Tells whether it is the far one.
fn above(state: &Utf8Path, inside: &str, account: Option<&Account>) -> Result<(Utf8PathBuf, bool), Failure> {
    let state = camino::absolute_utf8(state).map_err(|error| broken(state, &error))?;
    let near = if inside == "." { state.clone() } else { state.join(inside) };
    let make = |path: &Utf8Path| {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(|error| broken(path, &error))
    };
    let Some(account) = account else {
        make(&near)?;
        return Ok((near, false));
    };
    // Decided by what is there before anything is made, so that an unused directory is not left behind.
    if account.can_reach(existing(&near)) {
        make(&near)?;
        if account.can_reach(&near) {
            return Ok((near, false));
        }
    }
    let far = far(&state);
    make(&far)?;
    let metadata = far.symlink_metadata().map_err(|error| broken(&far, &error))?;
    if !metadata.is_dir() || metadata.uid() != geteuid().as_raw() || !account.can_reach(&far) {
        return Err(Failure::error(format!("{far} is not a directory of root's that {} can reach", account.name))
            .help("look at its owner and mode (755 is right), or choose another --state"));
    }
    Ok((far, true))
}

/// Where what belongs to an absolute state directory is, if the account cannot get there.
fn far(state: &Utf8Path) -> Utf8PathBuf {
    let mut hash = hex(&Sha256::digest(state.as_str().as_bytes()));
    hash.truncate(10);
    Utf8Path::new(FAR).join(hash)
}

/// The directories that may hold slaves' base directories of a state directory, whether they are there or not.
pub fn homes(state: &Utf8Path) -> [Utf8PathBuf; 2] {
    let state = camino::absolute_utf8(state).unwrap_or_else(|_| state.to_owned());
    [state.join("slaves"), far(&state)]
}

/// The directory that keeps the account from a state directory: the uppermost that it cannot enter.
pub fn closed(state: &Utf8Path, account: &Account) -> Utf8PathBuf {
    let state = camino::absolute_utf8(state).unwrap_or_else(|_| state.to_owned());
    let mut ancestors: Vec<&Utf8Path> = state.ancestors().collect();
    ancestors.reverse();
    ancestors.into_iter().find(|path| !account.can_reach(path)).unwrap_or(&state).to_owned()
}

/// The part of a path that is there already.
fn existing(path: &Utf8Path) -> &Utf8Path {
    path.ancestors().find(|path| path.exists()).unwrap_or(Utf8Path::new("/"))
}

/// Makes a directory of the account's, or accepts the one that is there if it is the account's already.
pub(crate) fn own(path: &Utf8Path, account: Option<&Account>) -> Result<(), Failure> {
    let made = match fs::DirBuilder::new().mode(0o755).create(path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(broken(path, &error)),
    };
    // Through a handle that no link can lead elsewhere, between the look and the change.
    let handle = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW | O_DIRECTORY).open(path).map_err(|error| {
        let look = path.symlink_metadata();
        if look.as_ref().is_ok_and(fs::Metadata::is_symlink) {
            taken(path, "is a link")
        } else if look.is_ok_and(|look| !look.is_dir()) {
            taken(path, "is no directory")
        } else {
            broken(path, &error)
        }
    })?;
    let caller = geteuid().as_raw();
    let wanted = account.map_or(caller, |account| account.uid);
    let owner = handle.metadata().map_err(|error| broken(path, &error))?.uid();
    if owner == wanted {
        return Ok(());
    }
    // An empty one of the caller's is what an interrupted start leaves.
    let empty = || fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
    match account {
        Some(account) if owner == caller && (made || empty()) => {
            std::os::unix::fs::fchown(&handle, Some(account.uid), Some(account.gid))
                .map_err(|error| broken(path, &error))
        }
        _ => {
            let user = |uid| {
                let known = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
                known.map_or_else(|| format!("user number {uid}"), |user| user.name)
            };
            let (owner, wanted, named) = (user(owner), user(wanted), owner != 0);
            let other = "or keep these builds elsewhere, with --state DIR";
            let help = match account {
                Some(_) if named => format!("run it with --user {owner}, {other}"),
                Some(_) => format!("move that directory away, {other}"),
                None if named => format!("run it as {owner}, {other}"),
                None => format!("run it with sudo, {other}"),
            };
            let message = format!("{path} belongs to {owner}, so that builds cannot run there as {wanted}");
            Err(Failure::misuse(message).help(help))
        }
    }
}

/// The farmout that steps call.
///
/// Comes in: the slave's place and the account. Goes out: the path of this very executable, or, where the account cannot
/// execute that, of a copy in `<basedir>/bin`. The copy's name has the version and a hash of the original's identity
/// (inode, size, time of change), so that the file is only copied again when it changed; copies unused for a day go.
///
/// # Errors
/// The executable cannot be found or copied.
pub fn program(place: &Place, account: Option<&Account>) -> Result<Utf8PathBuf, Failure> {
    let unknown = |error: io::Error| Failure::error(format!("farmout cannot find its own executable: {error}"));
    let path = std::env::current_exe().map_err(unknown)?;
    let Some(account) = account.filter(|account| !account.can_execute(&path)) else {
        return Utf8PathBuf::from_path_buf(path)
            .map_err(|path| Failure::error(format!("{}: the path of farmout is not UTF-8", path.display())));
    };
    // The kernel's link works even after a new build replaced the file.
    let mut original = File::open("/proc/self/exe").or_else(|_| File::open(&path)).map_err(unknown)?;
    let metadata = original.metadata().map_err(unknown)?;
    let identity = [metadata.dev(), metadata.ino(), metadata.size()].map(u64::to_be_bytes).concat();
    let times = [metadata.mtime(), metadata.mtime_nsec()].map(i64::to_be_bytes).concat();
    let mut hash = hex(&Sha256::new().chain_update(identity).chain_update(times).finalize());
    hash.truncate(12);
    let directory = place.basedir.join("bin");
    let copy = directory.join(format!("farmout-{}-{hash}", env!("CARGO_PKG_VERSION")));
    let failed = |error: io::Error| broken(&copy, &error);
    own(&directory, Some(account))?;
    // A file of the account's could be anything by now; only one of the caller's is what was once copied here.
    let complete = copy.symlink_metadata().is_ok_and(|found| {
        found.is_file()
            && found.size() == metadata.size()
            && found.uid() == geteuid().as_raw()
            && account.can_execute(&copy)
    });
    if !complete {
        let mut aside = tempfile::NamedTempFile::new_in(&directory).map_err(failed)?;
        io::copy(&mut original, &mut aside).map_err(failed)?;
        aside.as_file().set_permissions(fs::Permissions::from_mode(0o755)).map_err(failed)?;
        // Closed before it gets its name: a file open for writing cannot be executed.
        aside.into_temp_path().persist(&copy).map_err(|error| failed(error.error))?;
    }
    let now = SystemTime::now();
    let _ = File::open(&copy).and_then(|file| file.set_modified(now));
    tidy(&directory, &copy, now);
    Ok(copy)
}

/// Removes copies that are no longer used. Failing at this is no reason to fail.
fn tidy(directory: &Utf8Path, current: &Utf8Path, now: SystemTime) {
    let Ok(entries) = directory.read_dir_utf8() else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().starts_with("farmout-") && entry.path() != current)
    {
        let modified = entry.path().symlink_metadata().and_then(|metadata| metadata.modified());
        let unused = modified.is_ok_and(|time| now.duration_since(time).is_ok_and(|age| age > UNUSED));
        if unused {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A slave's name as one component of a path: itself where that is safe, else tamed and with a hash of the real name.
fn component(slave: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if !slave.is_empty() && slave.len() <= 60 && slave.chars().all(safe) && !slave.starts_with(['.', '-']) {
        return slave.to_owned();
    }
    let tame: String = slave.chars().take(40).map(|c| if safe(c) && c != '.' { c } else { '_' }).collect();
    let hash = hex(&Sha256::digest(slave.as_bytes()));
    format!("_{tame}-{}", &hash[..8])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn broken(path: impl AsRef<Path>, error: &io::Error) -> Failure {
    Failure::misuse(format!("cannot use {}: {error}", path.as_ref().display())).help(other_state(error))
}

fn taken(path: &Utf8Path, what: &str) -> Failure {
    Failure::error(format!("{path} {what}, and farmout keeps a slave only in a directory of its own"))
        .help("move it away, or run it with another --state")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_one_component() {
        for name in ["local", "slave-1.example.org", "a_b"] {
            assert_eq!(component(name), name);
        }
        for name in ["", ".", "..", "../../etc", "a/b", "with space", "-x", "é", &"x".repeat(100)] {
            let component = component(name);
            assert!(component.starts_with('_') && component.len() <= 60, "{name}: {component}");
            assert!(!component.contains(['/', ' ']) && component.is_ascii(), "{name}: {component}");
        }
        assert_ne!(component("a/b"), component("a b"));
    }

    #[test]
    fn refuses_links_and_files() {
        let temporary = tempfile::tempdir().unwrap();
        let state = Utf8Path::from_path(temporary.path()).unwrap();
        fs::create_dir_all(state.join("slaves")).unwrap();
        std::os::unix::fs::symlink("/tmp", state.join("slaves/link")).unwrap();
        fs::write(state.join("slaves/file"), "").unwrap();
        assert!(basedir(state, "link", None).unwrap_err().message.contains("is a link"));
        assert!(basedir(state, "file", None).unwrap_err().message.contains("is no directory"));
        let place = basedir(state, "fine", None).unwrap();
        assert_eq!(place, Place { basedir: state.join("slaves/fine"), moved: false });
        assert!(place.home().is_dir());
        assert_eq!(basedir(state, "fine", None).unwrap(), place);
    }
}
