//! Processes and process groups as the kernel shows them: who is alive, who is who, and signals to them. For the runner
//! and for the tools; knows nothing of what a process is for.

use std::io;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
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
        let stat = Stat::read(pid)?;
        Some(Self { pid, start: stat.start, session: stat.session, boot: boot() })
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
        self.boot == boot() && Stat::read(self.pid).is_some_and(|stat| stat.start == self.start && stat.runs())
    }

    /// Whether the group that it led still has processes, and surely that group and not a later one of its number.
    pub(crate) fn leads_a_live_group(&self) -> bool {
        if self.boot != boot() {
            return false;
        }
        match Stat::read(self.pid) {
            // The number of a group is not given to a new process while the group lasts: another leader, another group.
            Some(leader) if leader.start != self.start => false,
            _ => members(self.pid).any(|member| member.session == self.session && member.start >= self.start),
        }
    }
}

/// Whether the group has a process that runs.
pub(crate) fn has_members(group: i32) -> bool {
    match killpg(Pid::from_raw(group), None) {
        Err(Errno::ESRCH) => false,
        // It may have none but dead ones that nobody takes note of, as in a container without an init.
        _ => members(group).next().is_some(),
    }
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
pub(crate) fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

fn members(group: i32) -> impl Iterator<Item = Stat> {
    let pids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(Stat::read).filter(move |stat| stat.group == group && stat.runs())
}

/// What `/proc/PID/stat` says.
struct Stat {
    state: u8,
    group: i32,
    session: i32,
    start: u64,
}

impl Stat {
    fn read(pid: i32) -> Option<Self> {
        Self::parse(&std::fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The second field is the program's name in parentheses, which may hold anything, so fields are counted from the
    /// last parenthesis on: the first one there is field 3.
    fn parse(stat: &[u8]) -> Option<Self> {
        let end = stat.iter().rposition(|&byte| byte == b')')?;
        let fields: Vec<&str> = std::str::from_utf8(stat.get(end + 1..)?).ok()?.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied();
        Some(Self {
            state: *field(3)?.as_bytes().first()?,
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
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.state, stat.group, stat.session, stat.start), (b'S', 40, 39, 97537));
        assert!(Stat::parse(b"42 (a").is_none());
    }

    #[test]
    fn this_process_is_alive_and_a_later_namesake_is_not_it() {
        let own = ProcessId::own().unwrap();
        assert!(own.is_alive());
        assert!(!ProcessId { start: own.start + 1, ..own.clone() }.is_alive());
        assert!(!ProcessId { boot: "another".to_owned(), ..own }.is_alive());
    }
}
