//! Processes and process groups as the kernel shows them: who is alive, who is who, and signals to them. For the runner
//! and for the tools; knows nothing of what a process is for.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Child;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill as kill_one, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// One process, told apart from every later one that gets the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number.
    pub pid: i32,
    /// When it started, in the kernel's ticks since the machine did.
    pub start: u64,
    /// Its session, which a process that daemonises leaves.
    pub session: i32,
    /// Which start of the machine that was.
    pub boot: String,
}

impl ProcessId {
    /// The process with this number, if there is one.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let stat = Process::read(pid)?;
        Some(Self { pid, start: stat.start, session: stat.session, boot: boot().to_owned() })
    }

    /// This very process.
    pub(crate) fn own() -> io::Result<Self> {
        let pid = std::process::id();
        i32::try_from(pid)
            .ok()
            .and_then(Self::of)
            .ok_or_else(|| io::Error::other("/proc does not tell about processes"))
    }

    /// Whether it runs still. One that only waits for its parent to take note of its end does not.
    pub(crate) fn is_alive(&self) -> bool {
        self.boot == boot() && Process::read(self.pid).is_some_and(|stat| stat.start == self.start && stat.runs())
    }

    /// Whether the group that it led still has processes, and surely that group and not a later one of its number.
    pub(crate) fn leads_a_live_group(&self) -> bool {
        if self.boot != boot() {
            return false;
        }
        match Process::read(self.pid) {
            // The number of a group is not given to a new process while the group lasts: another leader, another group.
            Some(leader) if leader.start != self.start => false,
            _ => members(self.pid).any(|member| member.session == self.session && member.start >= self.start),
        }
    }
}

/// A hold on one process. Signals reach it and no later one of its number, and whoever polls it learns of its end.
#[derive(Debug)]
pub(crate) struct Handle(OwnedFd);

impl Handle {
    /// Takes hold of a process that runs. None if it has ended, or if there can be none: before Linux 5.3, where a
    /// sandbox forbids it, and when no more files can be opened.
    pub(crate) fn of(process: &ProcessId) -> Option<Self> {
        let handle = Self::of_child(process.pid)?;
        // The number may have been given away before the handle was there, but not after.
        process.is_alive().then_some(handle)
    }

    /// Takes hold of an own child that nobody has taken note of the end of: its number is its own so far.
    pub(crate) fn of_child(pid: i32) -> Option<Self> {
        pidfd_open(rustix::process::Pid::from_raw(pid)?, PidfdFlags::empty()).ok().map(Self)
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(signal) = rustix::process::Signal::from_named_raw(signal as i32) {
            let _ = pidfd_send_signal(&self.0, signal);
        }
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Sends a signal to one process, whatever its group. A failure means that it has ended or changed user.
pub(crate) fn signal_one(process: &ProcessId, signal: Signal) {
    if let Some(handle) = Handle::of(process) {
        handle.signal(signal);
    } else if process.is_alive() {
        let _ = kill_one(Pid::from_raw(process.pid), signal);
    }
}

/// All processes that run, as far as they are shown.
pub(crate) fn all() -> impl Iterator<Item = Process> {
    let pids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(Process::read).filter(Process::runs)
}

/// The number of the process that was started last: while it stays, none is started. None where the kernel does not tell.
pub(crate) fn newest() -> Option<i32> {
    std::fs::read_to_string("/proc/loadavg").ok()?.split_ascii_whitespace().last()?.parse().ok()
}

/// Whether a child has ended. No note is taken of that, so that nobody else can get the number of its group.
pub(crate) fn has_ended(child: &Child) -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT | WaitPidFlag::WNOHANG;
    let pid = Pid::from_raw(child.id().cast_signed());
    !matches!(waitid(Id::Pid(pid), flags), Ok(WaitStatus::StillAlive))
}

/// Whether the group has any process, even one that only waits for its parent to take note of its end.
pub(crate) fn exists(group: i32) -> bool {
    killpg(Pid::from_raw(group), None) != Err(Errno::ESRCH)
}

/// The processes of the group that run.
pub(crate) fn members(group: i32) -> impl Iterator<Item = Process> {
    all().filter(move |process| process.group == group)
}

/// Asks every process of the group to end, the stopped ones too.
pub(crate) fn terminate(group: i32) {
    signal(group, Signal::SIGTERM);
    signal(group, Signal::SIGCONT);
}

/// Ends every process of the group.
pub(crate) fn kill(group: i32) {
    signal(group, Signal::SIGKILL);
}

fn signal(group: i32, signal: Signal) {
    // 0 would be the runner's own group, 1 everybody. A failure means that nobody is left, or that somebody changed
    // user; either way there is nothing more to be done, and all waits have an end.
    if group > 1 {
        let _ = killpg(Pid::from_raw(group), signal);
    }
}

/// Which start of the machine this is.
pub(crate) fn boot() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    let read = || std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned();
    BOOT.get_or_init(read)
}

/// What `/proc/PID/stat` says of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    state: u8,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    pub(crate) start: u64,
}

impl Process {
    pub(crate) fn read(pid: i32) -> Option<Self> {
        // The line is whole in one piece, and what counts in it is far from this long.
        let mut line = [0; 1024];
        let count = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut line).ok()?;
        Self::parse(pid, &line[..count])
    }

    /// What tells it apart from later ones, given which start of the machine this is.
    pub(crate) fn id(&self, boot: &str) -> ProcessId {
        ProcessId { pid: self.pid, start: self.start, session: self.session, boot: boot.to_owned() }
    }

    /// The second field is the program's name in parentheses, which may hold anything, so fields are counted from the
    /// last parenthesis on: the first one there is field 3.
    fn parse(pid: i32, stat: &[u8]) -> Option<Self> {
        let end = stat.iter().rposition(|&byte| byte == b')')?;
        let fields: Vec<&str> = std::str::from_utf8(stat.get(end + 1..)?).ok()?.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied();
        Some(Self {
            pid,
            state: *field(3)?.as_bytes().first()?,
            parent: field(4)?.parse().ok()?,
            group: field(5)?.parse().ok()?,
            session: field(6)?.parse().ok()?,
            start: field(22)?.parse().ok()?,
        })
    }

    fn runs(&self) -> bool {
        !matches!(self.state, b'Z' | b'X' | b'x')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_name_with_parentheses_does_not_shift_the_fields() {
        let line = b"42 (a) b (c)) S 1 40 39 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 97537 1 2 3";
        let stat = Process::parse(42, line).unwrap();
        assert_eq!((stat.state, stat.parent, stat.group, stat.session, stat.start), (b'S', 1, 40, 39, 97537));
        assert!(Process::parse(42, b"42 (a").is_none());
    }

    #[test]
    fn this_process_is_alive_and_a_later_namesake_is_not_it() {
        let own = ProcessId::own().unwrap();
        assert!(own.is_alive());
        assert!(!ProcessId { start: own.start + 1, ..own.clone() }.is_alive());
        assert!(!ProcessId { boot: "another".to_owned(), ..own }.is_alive());
    }
}
