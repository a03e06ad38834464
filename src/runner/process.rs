//! One command from its start to its end: its output as it comes, its time limits, and the end of all that it started.
//! Nothing here knows of steps, logs or results.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::account::with_rights_of;
use super::event::Stream;
use super::follow::Follow;
use super::source::Source;
use crate::group::{self, Handle, ProcessId};
use crate::interrupt::Interrupts;
use crate::workspace::stray::{self, AFTERMATH, GLANCE, Mark};

/// A command, and how it is run.
pub(super) struct Job<'a> {
    pub(super) command: Command,
    /// The user and the group that it runs as, if not this process's.
    pub(super) account: Option<(u32, u32)>,
    /// By which its processes are found, wherever they go.
    pub(super) mark: Mark,
    /// Whether its two outputs are told apart. If not they are one, and all of it is in the order in which it was written:
    /// the command has standard error where standard output goes, as after `2>&1`, and all is said to be
    /// [`Stream::Out`]. From two pipes nobody can tell what came first.
    pub(super) apart: bool,
    pub(super) limits: Limits,
    /// Files whose growth is output too.
    pub(super) follow: &'a mut Follow,
}

/// How long a command may take, and how it is ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Without output.
    pub(super) idle: Option<Duration>,
    /// Altogether.
    pub(super) total: Option<Duration>,
    /// Between being asked to end and being killed.
    pub(super) grace: Duration,
    /// The number of requests to stop that end the command.
    pub(super) patience: usize,
}

/// What happens while a command runs.
pub(super) enum Happening<'a> {
    /// It started, as the leader of the group with this number.
    Started(i32),
    /// It wrote something.
    Output(Stream, &'a [u8]),
    /// There are as many requests to stop by now.
    Requests(usize),
}

/// Why a command did not end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    /// No output for too long.
    Idle,
    /// It took too long.
    Total,
    /// The user wanted it.
    Interrupted,
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// What its process left; none if even killing did not end it.
    pub(super) status: Option<ExitStatus>,
    /// Why it was ended, if it was.
    pub(super) stopped: Option<Stopped>,
}

/// How long the rest of a group may go on after its leader has ended: output may still be on its way through a `tee`.
const LINGER: Duration = Duration::from_secs(1);
/// What is read at once.
const PIECE: usize = 256 * 1024;

thread_local! {
    /// What is read into. One for each thread, as filling it with zeros for each of a thousand short commands costs more
    /// than starting them.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; PIECE]);
}
/// More than a pipe holds, so that what was written before the end is read, and an endless writer is not.
const LAST_READS: usize = 32;

/// Runs the command and tells what happens. Sleeps until something does.
///
/// The command ends when its main process has. What is left of its process group is ended with it; a process that made
/// a session of its own is left alone then, even if it holds the output open. When the command has to be ended, by a limit
/// or a request, everything that it started is ended with it, wherever it went.
///
/// # Errors
/// The command cannot be started, or the system cannot say how it fares; then it is killed.
pub(super) fn supervise(
    job: Job<'_>,
    interrupts: &Interrupts,
    tell: &mut dyn FnMut(Happening<'_>),
) -> io::Result<Ended> {
    let Job { mut command, account, mark, apart, limits, follow } = job;
    let mut sources = Vec::new();
    let (source, out) = Source::new(Stream::Out)?;
    sources.push(source);
    if apart {
        let (source, err) = Source::new(Stream::Err)?;
        sources.push(source);
        command.stderr(err);
    } else {
        command.stderr(out.try_clone()?);
    }
    command.stdin(Stdio::null()).stdout(out).process_group(0).env(stray::VARIABLE, mark.value());
    let child = with_rights_of(account, || command.spawn());
    // It holds the writing ends, and without its end the outputs would have none.
    drop(command);
    let mut child = child??;
    let group = child.id().cast_signed();
    // Before anything else: nobody has taken note of its end yet, so the number is surely its own.
    let handle = Handle::of_child(group);
    tell(Happening::Started(group));
    let ended = Supervision::new(&mut child, handle, sources, &mark, (limits, follow)).run(interrupts, tell);
    if ended.is_err() {
        group::kill(group);
        let _ = child.try_wait();
    }
    ended
}

#[derive(Clone, Copy)]
enum Stage {
    Running,
    /// Asked to end; killed at this time.
    Asked(Instant),
    /// Killed; given up at this time.
    Killed(Instant),
}

struct Supervision<'a> {
    child: &'a mut Child,
    handle: Option<Handle>,
    group: i32,
    mark: &'a Mark,
    limits: Limits,
    follow: &'a mut Follow,
    sources: Vec<Source>,
    started: Instant,
    last_output: Instant,
    status: Option<ExitStatus>,
    left: Option<Instant>,
    /// When the machine's processes were last looked through.
    looked: Option<Instant>,
    stage: Stage,
    stopped: Option<Stopped>,
}

impl<'a> Supervision<'a> {
    fn new(
        child: &'a mut Child,
        handle: Option<Handle>,
        sources: Vec<Source>,
        mark: &'a Mark,
        (limits, follow): (Limits, &'a mut Follow),
    ) -> Self {
        let group = child.id().cast_signed();
        let now = Instant::now();
        Self {
            child,
            handle,
            group,
            mark,
            limits,
            follow,
            sources,
            started: now,
            last_output: now,
            status: None,
            left: None,
            looked: None,
            stage: Stage::Running,
            stopped: None,
        }
    }

    fn run(self, interrupts: &Interrupts, tell: &mut dyn FnMut(Happening<'_>)) -> io::Result<Ended> {
        BUFFER.with_borrow_mut(|buffer| self.run_with(buffer, interrupts, tell))
    }

    fn run_with(
        mut self,
        buffer: &mut [u8],
        interrupts: &Interrupts,
        tell: &mut dyn FnMut(Happening<'_>),
    ) -> io::Result<Ended> {
        let mut known = 0;
        loop {
            let read = self.read(buffer, tell);
            if self.status.is_none() && self.leader_ended()? {
                self.drain(buffer, tell);
                self.status = Some(self.child.wait()?);
                self.left = Some(Instant::now());
                self.handle = None;
            }
            let requests = interrupts.count();
            if requests > known {
                known = requests;
                tell(Happening::Requests(requests));
            }
            if self.enforce(requests) {
                break;
            }
            if self.status.is_some() && (!read || self.looked.is_none_or(|looked| looked.elapsed() >= GLANCE)) {
                let Some(process) = self.another() else {
                    self.drain(buffer, tell);
                    break;
                };
                // All must end, so it does not matter which one is waited for.
                self.handle = Handle::of(&process);
            }
            if !read {
                let files = self.sources.iter().filter_map(Source::file);
                let files: Vec<BorrowedFd<'_>> =
                    files.chain(self.handle.as_ref().map(|handle| handle.as_fd())).collect();
                interrupts.sleep(&files, self.nap(), known)?;
            }
        }
        Ok(Ended { status: self.status, stopped: self.stopped })
    }

    /// Reads a piece of each output; whether there was one.
    fn read(&mut self, buffer: &mut [u8], tell: &mut dyn FnMut(Happening<'_>)) -> bool {
        let mut any = false;
        for source in &mut self.sources {
            let count = source.read(buffer);
            if count > 0 {
                tell(Happening::Output(source.stream, &buffer[..count]));
                any = true;
            }
        }
        if any {
            self.last_output = Instant::now();
        }
        any
    }

    fn drain(&mut self, buffer: &mut [u8], tell: &mut dyn FnMut(Happening<'_>)) {
        for _ in 0..LAST_READS {
            if !self.read(buffer, tell) {
                break;
            }
        }
    }

    /// Looks without taking note of the end, so that until then nobody else can get the number of the group.
    fn leader_ended(&self) -> io::Result<bool> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
        Ok(waitid(Id::Pid(Pid::from_raw(self.group)), flags)? != WaitStatus::StillAlive)
    }

    /// One of those that must end before the command has ended, its leader apart.
    fn another(&mut self) -> Option<ProcessId> {
        self.looked = Some(Instant::now());
        let root = self.group_exists().then_some(self.group);
        let boot = group::boot();
        let member = root.and_then(|group| group::members(group).next()).map(|member| member.id(boot));
        let strays = self.strays();
        if matches!(self.stage, Stage::Killed(_)) {
            // In the group a signal meets all at once. Outside of it something new may have been started since.
            stray::kill(&strays);
        }
        member.or_else(|| strays.into_iter().next())
    }

    /// Once it is gone, its number may be given to another.
    fn group_exists(&mut self) -> bool {
        if self.group != 0 && self.status.is_some() && !group::exists(self.group) {
            self.group = 0;
        }
        self.group != 0
    }

    /// Ends what must end; whether to wait no longer.
    fn enforce(&mut self, requests: usize) -> bool {
        let now = Instant::now();
        let over = |since: Instant, limit: Option<Duration>| limit.is_some_and(|limit| now - since >= limit);
        match self.stage {
            Stage::Running => {
                // Once the leader has ended by itself nothing can spoil that; only the rest of the group must go.
                let stopped = if let Some(left) = self.left {
                    (over(left, Some(LINGER)) || requests >= self.limits.patience).then_some(None)
                } else if requests >= self.limits.patience {
                    Some(Some(Stopped::Interrupted))
                } else if over(self.started, self.limits.total) {
                    Some(Some(Stopped::Total))
                } else {
                    let idle =
                        over(self.last_output, self.limits.idle) && over(self.last_growth(now), self.limits.idle);
                    idle.then_some(Some(Stopped::Idle))
                };
                if let Some(stopped) = stopped {
                    self.stopped = stopped;
                    self.stage = Stage::Asked(now + self.limits.grace);
                    if requests < 2 {
                        self.ask();
                    } else {
                        self.kill(now);
                    }
                }
            }
            Stage::Asked(end) if now >= end || requests >= 2 => self.kill(now),
            Stage::Killed(end) if now >= end => return true,
            Stage::Asked(_) | Stage::Killed(_) => {}
        }
        false
    }

    /// When there was output last, with what was written to the files that are followed. They are looked at only when nothing
    /// else can keep the command from being ended.
    fn last_growth(&mut self, now: Instant) -> Instant {
        let grown = self.follow.grown().and_then(|age| now.checked_sub(age));
        self.last_output = grown.map_or(self.last_output, |grown| grown.max(self.last_output));
        self.last_output
    }

    fn ask(&mut self) {
        // Looked for first: the children of what ends now would be nobody's.
        let strays = self.strays();
        if self.group_exists() {
            group::terminate(self.group);
        }
        stray::terminate(&strays);
    }

    fn kill(&mut self, now: Instant) {
        self.stage = Stage::Killed(now + AFTERMATH);
        let strays = self.strays();
        if self.group_exists() {
            group::kill(self.group);
        }
        stray::kill(&strays);
    }

    /// If the command must end with all that it started, what of that is not in its group.
    fn strays(&mut self) -> Vec<ProcessId> {
        if self.stopped.is_none() {
            return Vec::new();
        }
        let root = self.group_exists().then_some(self.group);
        let boot = group::boot();
        let outside = self.mark.processes(root).into_iter().filter(|process| Some(process.group) != root);
        outside.map(|process| process.id(boot)).collect()
    }

    /// How long nothing can happen that no output and no handle tells of; none if nothing can.
    fn nap(&self) -> Option<Duration> {
        let left = |since: Instant, limit: Option<Duration>| limit.map(|limit| limit.saturating_sub(since.elapsed()));
        let next = match self.stage {
            Stage::Asked(end) | Stage::Killed(end) => Some(end.saturating_duration_since(Instant::now())),
            Stage::Running => match self.left {
                Some(ended) => left(ended, Some(LINGER)),
                None => {
                    let limits = [left(self.started, self.limits.total), left(self.last_output, self.limits.idle)];
                    limits.into_iter().flatten().min()
                }
            },
        };
        if self.handle.is_some() { next } else { Some(next.map_or(GLANCE, |next| next.min(GLANCE))) }
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::resource::{UsageWho, getrusage};

    use super::*;

    #[test]
    fn two_hundred_commands_that_do_nothing_cost_nothing() {
        let interrupts = Interrupts::listen().unwrap();
        let second = Some(Duration::from_secs(1000));
        let limits = Limits { idle: second, total: second, grace: Duration::from_secs(1), patience: 1 };
        let supervised = &|number: usize| {
            let mut command = Command::new("sleep");
            command.arg("4");
            let mark = Mark::step("test", "idle", &number.to_string());
            let ended = supervise(
                Job { command, account: None, mark, apart: false, limits, follow: &mut Follow::default() },
                &interrupts,
                &mut |happening| {
                    // A command that is started costs what it costs.
                    if let Happening::Started(_) = happening {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                },
            );
            assert!(ended.unwrap().status.unwrap().success());
            // This thread's.
            let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
            usage.voluntary_context_switches()
        };
        let switches: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..200).map(|number| scope.spawn(move || supervised(number))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        // A look every 20 ms would be 200 of them.
        assert!(switches.iter().all(|&switches| switches < 60), "{switches:?}");
    }
}
