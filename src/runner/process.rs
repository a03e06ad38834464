//! One command from its start to its end: its output as it comes, its time limits, and the end of its whole process
//! group. Nothing here knows of steps, logs or results.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use super::event::Stream;
use super::interrupt::Interrupts;
use crate::group;

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
    /// The number of requests to stop, told again and again.
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
/// How long the kernel may take to carry out a kill. A process in uninterruptible sleep is left behind after it.
const AFTERMATH: Duration = Duration::from_secs(5);
/// Between two looks at something that sends no signal.
const GLANCE: Duration = Duration::from_millis(20);
/// The longest sleep while all is well.
const NAP: Duration = Duration::from_secs(1);
/// More than a pipe holds, so that what was written before the end is read, and an endless writer is not.
const LAST_READS: usize = 32;

/// Runs the command and tells what happens.
///
/// The command ends when its main process has. What is left of its process group is ended with it; a process that made
/// a session of its own is left alone, even if it holds the output open.
///
/// # Errors
/// The command cannot be started, or the system cannot say how it fares; then it is killed.
pub(super) fn supervise(
    mut command: Command,
    limits: &Limits,
    interrupts: &Interrupts,
    tell: &mut dyn FnMut(Happening<'_>),
) -> io::Result<Ended> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn()?;
    let group = child.id().cast_signed();
    tell(Happening::Started(group));
    let ended = Supervision::new(&mut child, *limits).and_then(|supervision| supervision.run(interrupts, tell));
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
    group: i32,
    limits: Limits,
    out: Source<ChildStdout>,
    err: Source<ChildStderr>,
    started: Instant,
    last_output: Instant,
    status: Option<ExitStatus>,
    left: Option<Instant>,
    stage: Stage,
    stopped: Option<Stopped>,
}

impl<'a> Supervision<'a> {
    fn new(child: &'a mut Child, limits: Limits) -> io::Result<Self> {
        let group = child.id().cast_signed();
        let out = Source::new(child.stdout.take())?;
        let err = Source::new(child.stderr.take())?;
        let now = Instant::now();
        let (status, left, stage, stopped) = (None, None, Stage::Running, None);
        Ok(Self { child, group, limits, out, err, started: now, last_output: now, status, left, stage, stopped })
    }

    fn run(mut self, interrupts: &Interrupts, tell: &mut dyn FnMut(Happening<'_>)) -> io::Result<Ended> {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = self.read(&mut buffer, tell);
            if self.status.is_none() && self.leader_ended()? {
                self.drain(&mut buffer, tell);
                self.status = Some(self.child.wait()?);
                self.left = Some(Instant::now());
            }
            if self.status.is_some() && !group::has_members(self.group) {
                self.drain(&mut buffer, tell);
                break;
            }
            let requests = interrupts.count();
            tell(Happening::Requests(requests));
            if self.enforce(requests) {
                break;
            }
            if !read {
                let files: Vec<BorrowedFd<'_>> = [self.out.file(), self.err.file()].into_iter().flatten().collect();
                interrupts.sleep(&files, self.nap())?;
            }
        }
        Ok(Ended { status: self.status, stopped: self.stopped })
    }

    /// Reads a piece of each output; whether there was one.
    fn read(&mut self, buffer: &mut [u8], tell: &mut dyn FnMut(Happening<'_>)) -> bool {
        let mut any = false;
        let count = self.out.read(buffer);
        if count > 0 {
            tell(Happening::Output(Stream::Out, &buffer[..count]));
            any = true;
        }
        let count = self.err.read(buffer);
        if count > 0 {
            tell(Happening::Output(Stream::Err, &buffer[..count]));
            any = true;
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
                    over(self.last_output, self.limits.idle).then_some(Some(Stopped::Idle))
                };
                if let Some(stopped) = stopped {
                    self.stopped = stopped;
                    self.stage = Stage::Asked(now + self.limits.grace);
                    if requests < 2 {
                        group::terminate(self.group);
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

    fn kill(&mut self, now: Instant) {
        group::kill(self.group);
        self.stage = Stage::Killed(now + AFTERMATH);
    }

    /// How long nothing can happen that no signal and no output tells of.
    fn nap(&self) -> Duration {
        if self.left.is_some() || !matches!(self.stage, Stage::Running) {
            return GLANCE;
        }
        let left = |since: Instant, limit: Option<Duration>| limit.map(|limit| limit.saturating_sub(since.elapsed()));
        let limits = [left(self.started, self.limits.total), left(self.last_output, self.limits.idle)];
        limits.into_iter().flatten().fold(NAP, Duration::min)
    }
}

/// One of the command's outputs, until it is closed.
struct Source<F>(Option<F>);

impl<F: Read + AsFd> Source<F> {
    fn new(file: Option<F>) -> io::Result<Self> {
        if let Some(file) = &file {
            let flags = OFlag::from_bits_retain(fcntl(file, FcntlArg::F_GETFL)?);
            fcntl(file, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        }
        Ok(Self(file))
    }

    /// How many bytes were there: none may mean nothing yet, or never again.
    fn read(&mut self, buffer: &mut [u8]) -> usize {
        let Some(file) = &mut self.0 else { return 0 };
        match file.read(buffer) {
            Ok(0) => self.0 = None,
            Ok(count) => return count,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(_) => self.0 = None,
        }
        0
    }

    fn file(&self) -> Option<BorrowedFd<'_>> {
        self.0.as_ref().map(AsFd::as_fd)
    }
}
