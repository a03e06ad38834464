//! `farmout tool server`: a command in, a server in the background out, with a pid file by which it is found and stopped.
//!
//! The server has a session of its own, so that it outlives the step that starts it. What it is goes into the pid file before
//! that: whatever is killed when, either the server has gone with its step, or the pid file tells of it.

mod error;
mod record;

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf, absolute};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub use error::Error;
pub use record::Running;

use crate::group;
use crate::tool::{files, say};

/// How long the kernel may take to carry out a kill.
const AFTERMATH: Duration = Duration::from_secs(10);
/// Between two looks at a process that is nobody's child here.
const GLANCE: Duration = Duration::from_millis(20);
/// How many of the last lines of a log are shown.
const LINES: usize = 20;

/// A server to be started.
#[derive(Debug, Clone)]
pub struct Server {
    /// Where it is noted who it is.
    pub pid_file: PathBuf,
    /// What it writes to its output goes to the end of this file.
    pub log: PathBuf,
    /// The option of the manifest that names its program, for messages.
    pub option: Option<String>,
    /// Its program and arguments.
    pub command: Vec<String>,
}

impl Server {
    /// Starts the server. One that a former run left behind with this pid file is stopped first.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn start(&self) -> Result<(), Error> {
        if let Some(old) = Running::read(&self.pid_file)? {
            if old.is_alive() {
                say(format_args!("{old} is left from a former run: stopping it"));
            }
            end(&old, Duration::from_secs(10))?;
            files::remove(&self.pid_file).map_err(failed("remove", &self.pid_file))?;
        }
        // This very program once more, as a child that becomes the server: only a child can have a session of its own
        // without a moment in which nobody knows of it. The link works even after the file has been replaced.
        let mut child = Command::new("/proc/self/exe");
        child.arg0("farmout").args(["tool", "server", "become", "--pid-file"]).arg(&self.pid_file);
        child.arg("--log").arg(&self.log).arg("--").args(&self.command);
        let mut child = child.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().map_err(Error::Own)?;
        // What it says is why there is no server; without a word, its end of the pipe closes as it becomes the server.
        let mut said = String::new();
        let read = child.stdout.take().map_or(Ok(0), |mut output| output.read_to_string(&mut said));
        read.map_err(Error::Own)?;
        if !said.is_empty() {
            child.wait().map_err(Error::Own)?;
            files::remove(&self.pid_file).map_err(failed("remove", &self.pid_file))?;
            return Err(Error::Start { what: said.trim_end().to_owned(), option: self.option.clone() });
        }
        match Running::read(&self.pid_file)? {
            Some(server) => say(format_args!("started {server}, its log is {}", self.log.display())),
            None => return Err(Error::Own(io::Error::other("its child ended without a word"))),
        }
        Ok(())
    }

    /// Becomes the server: notes who this process is, leaves the session, and runs the command in its own place. Returns only
    /// if it could not, after it has said why on standard output, where [`Self::start`] listens.
    pub fn replace_this_process(&self) {
        let Ok(told) = io::stdout().as_fd().try_clone_to_owned() else { return };
        let problem = self.replace();
        // Standard output may have become the log by now; its copy has not.
        let _ = writeln!(std::fs::File::from(told), "{problem}");
    }

    /// Returns only if it fails, and then why.
    fn replace(&self) -> String {
        let told = |what: &str, path: &Path, error: io::Error| format!("cannot {what} {}: {error}", path.display());
        let (program, arguments) =
            self.command.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        let log = match OpenOptions::new().create(true).append(true).open(&self.log) {
            Ok(log) => log,
            Err(error) => return told("write", &self.log, error),
        };
        let both = match log.try_clone() {
            Ok(both) => both,
            Err(error) => return told("write", &self.log, error),
        };
        if let Err(error) = Running::own(&self.command).and_then(|own| own.write(&self.pid_file)) {
            return told("write", &self.pid_file, error);
        }
        if let Err(error) = nix::unistd::setsid() {
            return format!("cannot leave the session: {error}");
        }
        let error = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(log).stderr(both).exec();
        why_not(program, &error)
    }
}

/// The system says no more than "not found", of two things that can be.
fn why_not(program: &str, error: &io::Error) -> String {
    let path = absolute(program).unwrap_or_else(|_| PathBuf::from(program));
    let path = path.display();
    match (error.kind(), program.contains('/')) {
        (io::ErrorKind::NotFound, true) if Path::new(program).exists() => {
            format!("{path} cannot be started: the interpreter that its first line names does not exist")
        }
        (io::ErrorKind::NotFound, true) => format!("there is no program {path}"),
        (io::ErrorKind::NotFound, false) => format!("there is no program `{program}` in any directory of PATH"),
        _ => format!("`{program}` cannot be started: {error}"),
    }
}

/// Stops the server of a pid file and all of its process group, and removes the file: asks, and kills after `grace`. One that
/// is gone is fine. The end of its log is printed.
///
/// # Errors
/// See [`Error`].
pub fn stop(pid_file: &Path, grace: Duration, log: Option<&Path>) -> Result<(), Error> {
    let Some(server) = Running::read(pid_file)? else {
        say(format_args!("no server is running: there is no {}", pid_file.display()));
        return Ok(());
    };
    let ended = end(&server, grace)?;
    files::remove(pid_file).map_err(failed("remove", pid_file))?;
    let how = match ended {
        Ended::Already => "had ended already",
        Ended::Asked => "is stopped",
        Ended::Killed => "did not stop when asked, and was killed",
    };
    say(format_args!("{server} {how}"));
    if let Some(log) = log {
        match files::tail(log, LINES) {
            tail if tail.is_empty() => say(format_args!("its log {} has nothing in it", log.display())),
            tail => say(format_args!("its log {} ends:\n{tail}", log.display())),
        }
    }
    Ok(())
}

/// What it took to end a server.
enum Ended {
    Already,
    Asked,
    Killed,
}

fn end(server: &Running, grace: Duration) -> Result<Ended, Error> {
    if !server.is_alive() {
        return Ok(Ended::Already);
    }
    group::terminate(server.group());
    if ends_in(server, grace) {
        return Ok(Ended::Asked);
    }
    group::kill(server.group());
    if ends_in(server, AFTERMATH) { Ok(Ended::Killed) } else { Err(Error::Stuck { server: server.to_string() }) }
}

fn ends_in(server: &Running, time: Duration) -> bool {
    let began = Instant::now();
    loop {
        if !server.is_alive() {
            return true;
        }
        if began.elapsed() >= time {
            return false;
        }
        std::thread::sleep(GLANCE);
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.display().to_string();
    move |error| Error::File { what, path, error }
}
