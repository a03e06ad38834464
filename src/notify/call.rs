//! One call of a program: a text on its standard input, a time limit, and the end of all that it started, wherever that
//! went. Its output is read, and forgotten but for the last lines.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, Read, Seek as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use camino::Utf8Path;
use nix::sys::signal::Signal;
use nix::unistd::Uid;

use super::Origin;
use crate::group::{self, ProcessId};
use crate::report::duration;
use crate::runner::Call;
use crate::workspace::stray::{self, Mark};

/// How long a program that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_secs(2);
/// How long the kernel may take to carry out a kill.
const AFTERMATH: Duration = Duration::from_secs(5);
/// How long output may be on its way after the program has ended.
const LINGER: Duration = Duration::from_millis(500);
/// Between two looks.
const GLANCE: Duration = Duration::from_millis(20);
/// What is kept of the output, in bytes.
const KEPT: usize = 2048;
/// How many of its lines a message has.
const SHOWN: usize = 5;

/// Why something was not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It failed, in a sentence.
    Failed(String),
    /// It took too long: another try would, too.
    Hung(String),
    /// The user did not want to wait.
    Stopped,
}

/// What becomes of processes in sessions of their own when the program that started them has ended by itself. They end with
/// one that is stopped in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Daemons {
    /// They end too.
    End,
    /// They go on: a mail server may deliver in the background what it has taken.
    Stay,
}

/// Calls a program of the farm, or of the system, with this input.
pub(super) fn call(
    origin: &Origin,
    run: &[String],
    input: &[u8],
    limit: Duration,
    daemons: Daemons,
    stop: &dyn Fn() -> bool,
) -> Result<(), Trouble> {
    let failed = |error: io::Error| Trouble::Failed(error.to_string());
    let mut noted = Call::begin(origin.state.as_deref()).map_err(failed)?;
    let mut command = command(origin, run).map_err(Trouble::Failed)?;
    // A file and no pipe: whoever does not read it, or not all of it, keeps nobody waiting.
    let mut file = tempfile::tempfile().map_err(failed)?;
    file.write_all(input).and_then(|()| file.rewind()).map_err(failed)?;
    let (output, writer) = io::pipe().map_err(failed)?;
    command.stdin(file).stdout(writer.try_clone().map_err(failed)?).stderr(writer).process_group(0);
    command.env(stray::VARIABLE, noted.mark().value());
    let started = command.spawn();
    // It holds the writing ends of the pipe.
    drop(command);
    let mut child = started.map_err(|error| Trouble::Failed(not_started(origin, run, &error)))?;
    noted.started(child.id().cast_signed());
    let (tail, done) = follow(output);
    let end = Instant::now() + limit;
    let ended = loop {
        if group::has_ended(&child) {
            break None;
        }
        if stop() {
            break Some(Trouble::Stopped);
        }
        if Instant::now() >= end {
            break Some(Trouble::Hung(format!("ended after {}, its time limit", duration(limit))));
        }
        std::thread::sleep(GLANCE);
    };
    let stopped = ended.is_some();
    let mark = (stopped || daemons == Daemons::End).then_some(noted.mark());
    let status = finish(&mut child, mark, stopped);
    let _ = done.recv_timeout(LINGER);
    match (ended, status) {
        (Some(trouble), _) => Err(trouble),
        (None, Ok(status)) if status.success() => Ok(()),
        (None, Ok(status)) => Err(Trouble::Failed(why(status) + &said(&tail))),
        (None, Err(error)) => Err(failed(error)),
    }
}

fn command(origin: &Origin, run: &[String]) -> Result<Command, String> {
    let (program, arguments) = run.split_first().ok_or("there is no program to call")?;
    let mut command =
        if program.contains('/') { Command::new(origin.farm.join(program)) } else { Command::new(program) };
    command.args(arguments).env_clear().envs(origin.environment.iter().cloned()).current_dir(&origin.farm);
    match &origin.account {
        Some(account) if Uid::effective().is_root() => {
            command.env("HOME", &account.home).env("USER", &account.name).env("LOGNAME", &account.name);
            command.uid(account.uid).gid(account.gid);
        }
        None if Uid::effective().is_root() => {
            return Err("no program is run as root, and no other user is known".into());
        }
        _ => {}
    }
    Ok(command)
}

/// Ends the program if it runs still, and whatever is left of its group, and of its mark if one is given.
fn finish(child: &mut Child, mark: Option<&Mark>, ask: bool) -> io::Result<ExitStatus> {
    // Its number is its own until note is taken of the program's end.
    let group = child.id().cast_signed();
    let outside = || -> Vec<ProcessId> {
        let processes = mark.map(|mark| mark.processes(Some(group))).unwrap_or_default();
        let outside = processes.into_iter().filter(|process| process.group != group);
        outside.map(|process| process.id(group::boot())).collect()
    };
    let mut left = Vec::new();
    if ask {
        // Looked for first: the children of what ends now would be nobody's.
        left = outside();
        group::terminate(group);
        stray::terminate(&left);
        let end = Instant::now() + GRACE;
        while !group::has_ended(child) && Instant::now() < end {
            std::thread::sleep(GLANCE);
        }
    }
    let end = Instant::now() + AFTERMATH;
    loop {
        // In the group a signal meets all at once. Outside of it something new may have been started since the last look.
        let found = outside();
        left.retain(|process| process.is_alive() && !found.contains(process));
        left.extend(found);
        group::kill(group);
        stray::kill(&left);
        if (group::has_ended(child) && left.is_empty()) || Instant::now() >= end {
            break;
        }
        std::thread::sleep(GLANCE);
    }
    if group::has_ended(child) { child.wait() } else { Err(io::Error::other("it cannot be ended")) }
}

/// The end of what a program said, and word of the end of it.
type Followed = (Arc<Mutex<VecDeque<u8>>>, mpsc::Receiver<()>);

/// Reads output to its end, however long that takes, in a thread of its own.
fn follow(mut output: impl Read + Send + 'static) -> Followed {
    let tail = Arc::new(Mutex::new(VecDeque::new()));
    let (tell, done) = mpsc::channel();
    let kept = Arc::clone(&tail);
    std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        loop {
            match output.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.extend(&buffer[..count]);
                    let more = kept.len().saturating_sub(KEPT);
                    kept.drain(..more);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        // Nobody may be waiting any more.
        let _ = tell.send(());
    });
    (tail, done)
}

/// The last lines of what a program said, indented.
fn said(tail: &Mutex<VecDeque<u8>>) -> String {
    let bytes: Vec<u8> = tail.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect();
    let text = String::from_utf8_lossy(&bytes);
    let text = anstream::adapter::strip_str(&text).to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(SHOWN)..].iter().fold(String::new(), |mut said, line| {
        let line: String = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        // Writing to a string does not fail.
        let _ = write!(said, "\n  | {line}");
        said
    })
}

fn why(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, signal) => {
            let name = signal.and_then(|number| Signal::try_from(number).ok()).map_or("a signal", Signal::as_str);
            format!("killed by {name}")
        }
    }
}

/// The system says no more than "not found", of several things that can be.
fn not_started(origin: &Origin, run: &[String], error: &io::Error) -> String {
    let program = run.first().map_or("", String::as_str);
    let user = origin.account.as_ref().map(|account| format!(" as {}", account.name)).unwrap_or_default();
    let path = origin.environment.iter().find(|(name, _)| name == "PATH");
    let path = path.map(|(_, path)| path.to_string_lossy().into_owned()).unwrap_or_default();
    let file = origin.farm.join(program.trim_start_matches("./"));
    let known = if program.contains('/') {
        file.exists()
    } else {
        path.split(':').any(|folder| Utf8Path::new(folder).join(program).is_file())
    };
    match error.kind() {
        io::ErrorKind::NotFound if known => "the interpreter that its first line names does not exist".to_owned(),
        io::ErrorKind::NotFound if program.contains('/') => format!("there is no program {file}"),
        io::ErrorKind::NotFound => format!("there is no program `{program}` in PATH={path}"),
        _ => format!("it cannot be started in {}{user}: {error}", origin.farm),
    }
}
