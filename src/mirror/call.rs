//! One call of a version control system's client: a command in, what it wrote out. It ends with the time that the repository has,
//! when farmout is asked to stop, and with everything that it has started. Nothing secret is in what it is said to have written.

use std::cell::Cell;
use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;

use super::state::Problem;
use super::{Pace, layout};
use crate::diagnostic::Failure;
use crate::group::{self, Handle};
use crate::host::{Account, environment};
use crate::interrupt::Interrupts;
use crate::model::{Vcs, masked};
use crate::report::duration;
use crate::tool::fetch::{Address, CREDENTIALS, Error, Private, System, git, said};
use crate::workspace::stray::{self, Mark};

/// How long a client that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(2);
/// How long output may be on its way after the client has ended.
const LINGER: Duration = Duration::from_millis(500);
/// Between two looks at a client that cannot be waited for.
const GLANCE: Duration = Duration::from_millis(20);
/// What is kept of a stream, in bytes.
const KEPT: u64 = 4 << 20;

/// What all clients start from.
#[derive(Debug)]
pub struct Surroundings {
    environment: Vec<(OsString, OsString)>,
    mark: Mark,
    pub(super) ssh: Option<String>,
}

/// Why a repository was not brought up to date.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The user did not want to wait.
    Interrupted,
    /// It did not work.
    Failed(Problem),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Failed(Problem::from(Failure::from(error)))
    }
}

impl Trouble {
    /// A file operation of our own.
    pub(super) fn file(what: &'static str, path: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Error::File { what, path, error }.into()
    }
}

impl Surroundings {
    /// The environment of clients that work on these mirrors, cleaned as for builds. Clients run as the caller, who is the account
    /// already if one is given; its home is where its keys and settings are.
    pub fn new(mirrors: &super::Mirrors, account: Option<&Account>) -> Self {
        let mut environment = environment::clean(account);
        if let Some(account) = account {
            let own = [("HOME", account.home.as_str()), ("USER", &account.name), ("LOGNAME", &account.name)];
            environment.retain(|(name, _)| !own.iter().any(|(own, _)| name == own));
            environment.extend(own.map(|(name, value)| (name.into(), value.into())));
        }
        let mut surroundings = Self { environment, mark: mirrors.mark(), ssh: None };
        let configured = || {
            let mut command = Command::new("git");
            command.args(git::CHOICE_OF_SSH).stdin(Stdio::null()).stderr(Stdio::null());
            surroundings.dress(&mut command);
            // Where there is no git, it is missed when it is needed.
            let output = command.output().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
            Ok::<_, io::Error>(output.unwrap_or_default())
        };
        surroundings.ssh = git::quiet_ssh(configured).unwrap_or_default();
        surroundings
    }

    /// Where clients have their settings.
    pub(super) fn home(&self) -> Option<OsString> {
        self.environment.iter().find(|(name, _)| name == "HOME").map(|(_, home)| home.clone())
    }

    /// Gives a command this environment. What it has of its own stays.
    fn dress(&self, command: &mut Command) {
        let own: HashSet<OsString> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
        let known: HashSet<&OsString> = self.environment.iter().map(|(name, _)| name).collect();
        for (name, _) in std::env::vars_os().filter(|(name, _)| !known.contains(name) && !own.contains(name)) {
            command.env_remove(name);
        }
        command
            .envs(self.environment.iter().filter(|(name, _)| !own.contains(name)).map(|(name, value)| (name, value)));
        command.env_remove(CREDENTIALS).env(stray::VARIABLE, self.mark.value());
    }
}

/// What makes calls for one system.
pub(super) struct Caller<'a> {
    pub(super) surroundings: &'a Surroundings,
    pub(super) interrupts: &'a Interrupts,
    pub(super) vcs: Vcs,
    pub(super) pace: Pace,
    /// The directory of the system's mirrors.
    pub(super) directory: Utf8PathBuf,
}

impl Caller<'_> {
    /// Calls for this address, whose time begins now; a longer one if all of it is yet to be fetched.
    pub(super) fn calls<'b>(&'b self, address: &'b Address, is_first: bool) -> Calls<'b> {
        let calls = Calls::new(self.surroundings, self.interrupts, self.vcs, address, self.pace);
        calls.is_first.set(is_first);
        calls
    }

    /// A directory for the client's settings.
    pub(super) fn private(&self) -> Result<Private, Error> {
        Private::below(self.directory.as_std_path(), layout::PRIVATE)
    }
}

/// Calls for one repository, or one branch of Bazaar's.
pub(super) struct Calls<'a> {
    surroundings: &'a Surroundings,
    interrupts: &'a Interrupts,
    system: System,
    address: &'a Address,
    pace: Pace,
    is_first: Cell<bool>,
    began: Instant,
}

/// What came of a call.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) status: ExitStatus,
    pub(super) output: String,
    /// What it wrote on standard error, without secrets.
    pub(super) errors: String,
}

impl<'a> Calls<'a> {
    /// Calls that may take as long as an update may, all together, from now on.
    pub(super) fn new(
        surroundings: &'a Surroundings,
        interrupts: &'a Interrupts,
        vcs: Vcs,
        address: &'a Address,
        pace: Pace,
    ) -> Self {
        let system = match vcs {
            Vcs::Bzr => System::Bazaar,
            Vcs::Git => System::Git,
            Vcs::Hg => System::Mercurial,
        };
        Self { surroundings, interrupts, system, address, pace, is_first: Cell::new(false), began: Instant::now() }
    }

    /// From now on they may take as long as where all is yet to be fetched.
    pub(super) fn begin_anew(&self) {
        self.is_first.set(true);
    }

    fn limit(&self) -> Duration {
        if self.is_first.get() { self.pace.first_limit } else { self.pace.limit }
    }

    /// Calls the client and waits for its end.
    pub(super) fn run(&self, command: &mut Command) -> Result<Called, Trouble> {
        if self.interrupts.count() > 0 {
            return Err(Trouble::Interrupted);
        }
        self.surroundings.dress(command);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(|error| Error::NoClient(self.system, error))?;
        let (output, errors) = (follow(child.stdout.take()), follow(child.stderr.take()));
        let stopped = self.wait(&child);
        let status = finish(&mut child, stopped.is_err()).map_err(Trouble::file("wait for", self.system.client()))?;
        stopped?;
        let text = |stream: mpsc::Receiver<Vec<u8>>| {
            String::from_utf8_lossy(&stream.recv_timeout(LINGER).unwrap_or_default()).into_owned()
        };
        Ok(Called { status, output: text(output), errors: masked(&self.address.hide(&text(errors))) })
    }

    /// Calls the client, which must do what it is told.
    pub(super) fn succeed(&self, name: &str, directory: &str, command: &mut Command) -> Result<String, Trouble> {
        let called = self.run(command)?;
        if called.status.success() { Ok(called.output) } else { Err(self.failed(name, directory, &called.errors)) }
    }

    /// The error of a client that could do nothing with a mirror.
    pub(super) fn failed(&self, name: &str, directory: &str, text: &str) -> Trouble {
        let (command, directory) = (name.to_owned(), directory.to_owned());
        Error::Client { client: self.system.client(), command, directory, said: said(text) }.into()
    }

    /// The error of a repository that does not answer.
    pub(super) fn unreachable(&self, text: &str) -> Trouble {
        Error::Unreachable { system: self.system, url: self.address.bare(), said: said(text) }.into()
    }

    fn wait(&self, child: &Child) -> Result<(), Trouble> {
        let handle = Handle::of_child(child.id().cast_signed());
        let broken = Trouble::file("wait for", self.system.client());
        let sleep = || match &handle {
            Some(handle) => {
                let left = self.limit().saturating_sub(self.began.elapsed());
                self.interrupts.sleep(&[handle.as_fd()], Some(left), 0)
            }
            None => self.interrupts.pause(GLANCE, 1),
        };
        while !group::has_ended(child) {
            if self.interrupts.count() > 0 {
                return Err(Trouble::Interrupted);
            }
            if self.began.elapsed() >= self.limit() {
                return Err(self.too_slow());
            }
            if let Err(error) = sleep() {
                return Err(broken(error));
            }
        }
        Ok(())
    }

    fn too_slow(&self) -> Trouble {
        let message = format!("{} was not done after {}, its time limit", self.address.bare(), duration(self.limit()));
        let help =
            "the server hangs, or needs longer: see --limit, and --first-limit for mirrors that are yet to be made";
        Trouble::Failed(Problem::new(message, Some(help.to_owned())))
    }
}

/// Ends the client, if it runs still, and whatever is left of its group.
pub(crate) fn finish(child: &mut Child, ask: bool) -> io::Result<ExitStatus> {
    // Its number is its own until note is taken of its end.
    let group = child.id().cast_signed();
    if ask {
        group::terminate(group);
        let end = Instant::now() + GRACE;
        while !group::has_ended(child) && Instant::now() < end {
            std::thread::sleep(GLANCE);
        }
    }
    group::kill(group);
    child.wait()
}

/// Reads a stream to its end in a thread of its own, and keeps its beginning.
pub(crate) fn follow(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut stream) = stream {
            // A stream that breaks off has said all it will.
            let _ = (&mut stream).take(KEPT).read_to_end(&mut kept);
            let _ = io::copy(&mut stream, &mut io::sink());
        }
        // Nobody may be waiting any more.
        let _ = tell.send(kept);
    });
    told
}
