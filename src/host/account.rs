//! The account that builds run as. In: the name the user asked for, and who runs farmout. Out: an [`Account`], or
//! nothing where the caller is good enough. It may add the system account `farmout`, and changes no other user.
//!
//! PostgreSQL's server and OpenERP refuse to run as root, and a build has no business having root's rights.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::{Gid, Uid, User, geteuid, setgid, setgroups, setuid};

use super::access::Identity;
use crate::diagnostic::Failure;

/// The account that farmout makes for itself when root runs it.
pub const DEFAULT: &str = "farmout";

/// The home of an account that gets one with each [`super::Place`].
const NO_HOME: &str = "/nonexistent";

/// A user that is not the caller and that steps and servers run as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The login name.
    pub name: String,
    /// The user's number, never 0.
    pub uid: u32,
    /// The number of the user's main group.
    pub gid: u32,
    /// What its processes see as `HOME`: at first the one of the user database, which often does not exist; a
    /// [`super::Place`] has a better one (see [`Account::at_home`]).
    pub home: Utf8PathBuf,
    /// Whether this call made the account.
    pub created: bool,
}

/// Finds the account for builds.
///
/// Comes in: the name asked for, if any. Goes out: nothing where builds run as the caller, who is not root; for root the
/// account asked for, else [`DEFAULT`], which is made as a system account (no login, no home directory) when it is
/// missing.
///
/// # Errors
/// Not root, and another user is asked for; the user asked for does not exist or is root; the account cannot be made, or
/// this process may not switch to it.
pub fn choose(requested: Option<&str>) -> Result<Option<Account>, Failure> {
    let caller = geteuid();
    if !caller.is_root() {
        let Some(requested) = requested else { return Ok(None) };
        return match lookup(requested)? {
            Some(user) if user.uid == caller => Ok(None),
            Some(user) if user.uid.is_root() => Err(root(requested)),
            Some(_) => Err(Failure::misuse(format!("only root can run builds as {requested}, and you are not root"))
                .help(format!("leave --user out, or run it as that user: sudo -u {requested} farmout …"))),
            None => Err(missing(requested)),
        };
    }
    let account = match requested {
        Some(name) => {
            let user = lookup(name)?.ok_or_else(|| missing(name))?;
            if user.uid.is_root() {
                return Err(root(name));
            }
            account(user, false)
        }
        None => match lookup(DEFAULT)? {
            Some(user) if user.uid.is_root() => {
                return Err(Failure::error(format!("the account {DEFAULT} has the user number 0, it is root"))
                    .help("name an ordinary user with --user"));
            }
            Some(user) => account(user, false),
            None => create()?,
        },
    };
    account.check()?;
    Ok(Some(account))
}

/// The account that builds would run as, for a command that only looks: nothing where the caller is not root, and
/// nothing where the account is yet to be made.
///
/// # Errors
/// The user database cannot be read.
pub fn existing() -> Result<Option<Account>, Failure> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    Ok(lookup(DEFAULT)?.filter(|user| !user.uid.is_root()).map(|user| account(user, false)))
}

fn account(user: User, created: bool) -> Account {
    // A home that is no UTF-8 is as good as none; a Place gives the account its own.
    let home = Utf8PathBuf::from_path_buf(user.dir).unwrap_or_else(|_| Utf8PathBuf::from(NO_HOME));
    Account { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), home, created }
}

fn lookup(name: &str) -> Result<Option<User>, Failure> {
    User::from_name(name).map_err(|error| Failure::error(format!("the user {name} cannot be looked up: {error}")))
}

fn root(name: &str) -> Failure {
    Failure::misuse(format!("builds cannot run as {name}: its user number is 0"))
        .help("PostgreSQL and OpenERP refuse to run as root; name an ordinary user, or leave --user out")
}

fn missing(name: &str) -> Failure {
    Failure::misuse(format!("there is no user {name} on this machine"))
        .help(format!("add it with `useradd --system {name}`, or name one that exists"))
}

/// Makes the account [`DEFAULT`]. Two processes may try at once: whoever loses finds the account there.
fn create() -> Result<Account, Failure> {
    // useradd looks whether the name is free before it locks anything: two at once both succeed, and leave two lines.
    let mut lock = File::open("/etc").ok().map(fd_lock::RwLock::new);
    let _held = lock.as_mut().and_then(|lock| lock.write().ok());
    if let Some(user) = lookup(DEFAULT)? {
        return Ok(account(user, false));
    }
    let mut problem = "neither useradd nor a busybox adduser is installed".to_owned();
    let mut created = false;
    if let Some(words) = creation(DEFAULT, Utf8Path::new(NO_HOME)) {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        match command.stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => created = true,
            Ok(output) => problem = String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => problem = format!("{}: {error}", command.get_program().to_string_lossy()),
        }
    }
    // Somebody else's useradd may hold the lock on /etc/passwd for a moment, and be making this very account.
    for wait in [0, 50, 100, 200, 400, 800] {
        std::thread::sleep(Duration::from_millis(wait));
        if let Some(user) = lookup(DEFAULT)? {
            return Ok(account(user, created));
        }
    }
    Err(Failure::error(format!("the account {DEFAULT} that builds run as cannot be made: {problem}"))
        .help(format!("make it yourself: {}\nor name another one with --user; or do not run farmout as root", typed())))
}

/// The command to type, for the message.
fn typed() -> String {
    match creation(DEFAULT, Utf8Path::new(NO_HOME)) {
        Some(words) => words.join(" "),
        None => format!("useradd --system --no-create-home --shell /usr/sbin/nologin {DEFAULT}"),
    }
}

/// The command that adds a system user: no login, no password, no home directory made. None where no program for it is
/// installed.
pub(super) fn creation(name: &str, home: &Utf8Path) -> Option<Vec<String>> {
    let shell = ["/usr/sbin/nologin", "/sbin/nologin"].into_iter().find(|path| Path::new(path).exists());
    let shell = shell.unwrap_or("/bin/false");
    let words = |program: &Path, options: &[&str]| {
        let program = program.to_string_lossy().into_owned();
        std::iter::once(program).chain(options.iter().map(|&option| option.to_owned())).collect()
    };
    if let Some(useradd) = administration("useradd") {
        let options =
            ["--system", "--user-group", "--no-create-home", "--home-dir", home.as_str(), "--shell", shell, name];
        return Some(words(&useradd, &options));
    }
    // Debian has another program of this name with other options.
    let adduser = administration("adduser")
        .filter(|path| path.canonicalize().is_ok_and(|real| real.to_string_lossy().contains("busybox")))?;
    Some(words(&adduser, &["-S", "-D", "-H", "-h", home.as_str(), "-s", shell, name]))
}

/// An administrator's program; their directories are often not on `PATH`.
fn administration(name: &str) -> Option<PathBuf> {
    ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].into_iter().map(|dir| Path::new(dir).join(name)).find(|p| p.is_file())
}

impl Account {
    /// The same account with another home directory.
    #[must_use]
    pub fn at_home(&self, home: impl Into<Utf8PathBuf>) -> Self {
        Self { home: home.into(), ..self.clone() }
    }

    /// Whether the account gets to `path`: it exists, and every directory on the way may be searched by the account.
    pub fn can_reach(&self, path: impl AsRef<Path>) -> bool {
        self.identity().can_reach(path.as_ref())
    }

    /// Whether the account can start the program at `path`.
    pub fn can_execute(&self, path: impl AsRef<Path>) -> bool {
        self.identity().can_execute(path.as_ref())
    }

    /// Makes `command` start as this account: user, group, no other groups, `HOME`, `USER` and `LOGNAME`. The rest of the
    /// environment is the caller's business (see [`super::environment::clean`]); call this after setting it.
    pub fn apply(&self, command: &mut Command) {
        // The standard library drops root's supplementary groups by itself when it changes the user.
        command.uid(self.uid).gid(self.gid);
        command.env("HOME", &self.home).env("USER", &self.name).env("LOGNAME", &self.name);
    }

    /// Makes this very process the account's, for good. Its environment stays the former user's: see
    /// [`super::environment::clean`] for what it starts.
    ///
    /// # Errors
    /// This process may not do that.
    pub fn assume(&self) -> Result<(), Failure> {
        let (user, group) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        // The user last: without root's rights the groups could not be changed any more.
        setgroups(&[group]).and_then(|()| setgid(group)).and_then(|()| setuid(user)).map_err(|error| {
            Failure::error(format!("this process may not become the user {}: {error}", self.name))
                .help("in a container: give it the capabilities SETUID and SETGID, or start it as an ordinary user")
        })
    }

    fn identity(&self) -> Identity {
        Identity { uid: self.uid, gid: self.gid }
    }

    /// Root in a container may lack the right to become somebody else; better said now than by each step.
    fn check(&self) -> Result<(), Failure> {
        let Some(program) = ["/bin/true", "/usr/bin/true"].into_iter().find(|path| self.can_execute(path)) else {
            return Ok(());
        };
        let mut command = Command::new(program);
        self.apply(&mut command);
        command.env_clear().current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match command.status() {
            Ok(_) => Ok(()),
            Err(error) => Err(Failure::error(format!("this root may not become the user {}: {error}", self.name))
                .help("in a container: give it the capabilities SETUID and SETGID, or start it as an ordinary user")),
        }
    }
}
