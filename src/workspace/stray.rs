//! What steps started, wherever it went: each step's processes carry a mark in their environment, so that those are found
//! that left its process group and its session. A mark in, processes out, ended if that is wanted. Other programs that must
//! not outlive their call carry marks of their own.
//!
//! A process is of a step if it carries the step's mark, or descends from one that does, whatever its own environment.
//! One that gave up both, its environment and its parents, is nobody's.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::group::{self, Handle, Process, ProcessId};
use crate::interrupt::Interrupts;

/// The variable that holds the mark.
pub(crate) const VARIABLE: &str = "FARMOUT_STEP";

/// How long the kernel may take to carry out a kill. A process in uninterruptible sleep is left behind after it.
pub(crate) const AFTERMATH: Duration = Duration::from_secs(5);
/// Between two looks at what cannot be watched.
pub(crate) const GLANCE: Duration = Duration::from_millis(20);
/// How many times the machine's processes are looked through at most to say that there is none, if others are started
/// meanwhile each time.
const LOOKS: usize = 8;
/// How many are named in a sentence.
const NAMED: usize = 5;
/// A command line is cut after as many characters.
const COMMAND: usize = 120;

/// What the processes of a step or another call carry, or how the marks of a builder's steps begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark(String);

impl Mark {
    /// The mark of one step.
    pub(crate) fn step(run: &str, directory: &str, step: &str) -> Self {
        Self(format!("{run}/{directory}/{step}"))
    }

    /// The mark of all steps of a builder in a run.
    pub(crate) fn builder(run: &str, directory: &str) -> Self {
        Self(format!("{run}/{directory}/"))
    }

    /// The mark of a call of a program that is no step, numbered among those of its caller. It begins like no run's id.
    pub(crate) fn call(caller: &ProcessId, number: usize) -> Self {
        Self(format!("call/{}-{}/{number}", caller.pid, caller.start))
    }

    /// The mark of all that works on the mirrors in a directory, whoever started it.
    pub(crate) fn mirrors(directory: &str) -> Self {
        Self(format!("mirrors/{directory}"))
    }

    /// The value of [`VARIABLE`].
    pub(crate) fn value(&self) -> &str {
        &self.0
    }

    fn is_in(&self, environment: &[u8]) -> bool {
        let mut variables = environment.split(|&byte| byte == 0);
        let value = variables.find_map(|text| text.strip_prefix(VARIABLE.as_bytes())?.strip_prefix(b"="));
        value.is_some_and(|value| match self.0.ends_with('/') {
            true => value.starts_with(self.0.as_bytes()),
            false => value == self.0.as_bytes(),
        })
    }

    /// The processes that carry the mark, those of the group `root` if one is given, and what descends from all these, the
    /// newest first: of those that start each other without end it is the one to catch.
    pub(crate) fn processes(&self, root: Option<i32>) -> Vec<Process> {
        for _ in 0..LOOKS {
            let newest = group::newest();
            let mut found = self.look(root);
            // None may mean that one was started too late for this look by another that had ended by then.
            if !found.is_empty() || (newest.is_some() && newest == group::newest()) {
                found.sort_by_key(|process| std::cmp::Reverse((process.start, process.pid)));
                return found;
            }
        }
        Vec::new()
    }

    fn look(&self, root: Option<i32>) -> Vec<Process> {
        let mut all: Vec<Process> = group::all().collect();
        let own = own_line(&all);
        all.retain(|process| !own.contains(&process.pid));
        let environment = |pid: i32| std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let of_it = |process: &&Process| Some(process.group) == root || self.is_in(&environment(process.pid));
        let mut found: HashSet<i32> = all.iter().filter(of_it).map(|process| process.pid).collect();
        let mut before = 0;
        while found.len() > before {
            before = found.len();
            for process in &all {
                if found.contains(&process.parent) {
                    found.insert(process.pid);
                }
            }
        }
        all.retain(|process| found.contains(&process.pid));
        all
    }
}

/// This process and those that it descends from: whatever they carry, they are no step's to end.
fn own_line(all: &[Process]) -> HashSet<i32> {
    let parents: HashMap<i32, i32> = all.iter().map(|process| (process.pid, process.parent)).collect();
    let own = std::process::id().cast_signed();
    let line = std::iter::successors(Some(own), |pid| parents.get(pid).copied().filter(|&parent| parent > 0));
    // Numbers are read one after the other, and one that was given away meanwhile might close a circle.
    line.take(parents.len() + 1).collect()
}

/// Asks processes to end, the stopped ones too.
pub(crate) fn terminate(processes: &[ProcessId]) {
    for process in processes {
        group::signal_one(process, Signal::SIGTERM);
        group::signal_one(process, Signal::SIGCONT);
    }
}

/// Ends processes.
pub(crate) fn kill(processes: &[ProcessId]) {
    processes.iter().for_each(|process| group::signal_one(process, Signal::SIGKILL));
}

/// A process that was left behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stray {
    pub(crate) process: ProcessId,
    /// Its command line, or the name of its program.
    pub(crate) command: String,
}

impl fmt::Display for Stray {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "`{}` (pid {})", self.command, self.process.pid)
    }
}

/// What is left of a mark's processes, and of the group of `leader` if one is given.
pub(crate) fn left(mark: &Mark, leader: Option<&ProcessId>) -> Vec<Stray> {
    let boot = group::boot();
    let root = leader.filter(|leader| leader.leads_a_live_group()).map(|leader| leader.pid);
    let processes = mark.processes(root).into_iter().map(|process| process.id(boot));
    processes.map(|process| Stray { command: command(process.pid), process }).collect()
}

fn command(pid: i32) -> String {
    let read = |file| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let line = read("cmdline");
    let line = if line.trim_ascii().is_empty() { read("comm") } else { line };
    let line = String::from_utf8_lossy(&line).replace(|character: char| character.is_control(), " ");
    let line = line.trim();
    match line.char_indices().nth(COMMAND) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// What [`end`] found and did.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// Whatever had to be ended.
    pub(crate) strays: Vec<Stray>,
    /// Those of them that even a kill did not end in time.
    pub(crate) survivors: Vec<Stray>,
}

impl Ended {
    /// What was found, in a sentence about the builder; none if there was nothing.
    pub(crate) fn told(&self) -> Option<String> {
        let list = |strays: &[Stray]| {
            let mut names: Vec<String> = strays.iter().take(NAMED).map(Stray::to_string).collect();
            if strays.len() > NAMED {
                names.push(format!("{} more", strays.len() - NAMED));
            }
            names.join(", ")
        };
        match (self.strays.as_slice(), self.survivors.as_slice()) {
            ([], []) => None,
            (strays, []) => Some(format!("its steps left processes running, which were ended: {}", list(strays))),
            (_, survivors) => {
                Some(format!("its steps left processes running that cannot be ended: {}", list(survivors)))
            }
        }
    }
}

/// Ends [what is left](left): asks, and kills after `grace`, or at once when there are two requests to
/// stop. What is started meanwhile is ended too.
///
/// # Errors
/// The system does not let this process sleep.
pub(crate) fn end(
    mark: &Mark,
    leader: Option<&ProcessId>,
    grace: Duration,
    interrupts: &Interrupts,
) -> io::Result<Ended> {
    let mut ended = Ended::default();
    let began = Instant::now();
    let (killing, given_up) = (began + grace, began + grace + AFTERMATH);
    loop {
        let now = left(mark, leader);
        let (time, requests) = (Instant::now(), interrupts.count());
        if now.is_empty() || time >= given_up {
            ended.survivors = now;
            return Ok(ended);
        }
        let ids: Vec<ProcessId> = now.iter().map(|stray| stray.process.clone()).collect();
        if time >= killing || requests >= 2 {
            kill(&ids);
        } else {
            let known = |id: &ProcessId| ended.strays.iter().any(|stray| stray.process == *id);
            terminate(&ids.iter().filter(|id| !known(id)).cloned().collect::<Vec<_>>());
        }
        for stray in now {
            if !ended.strays.iter().any(|known| known.process == stray.process) {
                ended.strays.push(stray);
            }
        }
        let deadline = if time < killing { killing } else { given_up };
        let time = deadline.saturating_duration_since(Instant::now());
        wait_for_one(&ids, time, interrupts, requests)?;
    }
}

/// Sleeps until one of the processes ends, always the same one, or the time is over, or there are more requests than
/// `known`. When all must end it does not matter for which one is waited.
fn wait_for_one(ids: &[ProcessId], time: Duration, interrupts: &Interrupts, known: usize) -> io::Result<()> {
    use std::os::fd::AsFd as _;
    match ids.iter().find_map(Handle::of) {
        Some(handle) => interrupts.sleep(&[handle.as_fd()], Some(time), known),
        None => interrupts.sleep(&[], Some(time.min(GLANCE)), known),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_the_whole_value_and_a_builder_its_beginning() {
        let (step, builder) = (Mark::step("r", "a", "fetch"), Mark::builder("r", "a"));
        let environment = |value: &str| format!("A=1\0FARMOUT_STEP={value}\0B=2\0").into_bytes();
        assert!(step.is_in(&environment("r/a/fetch")) && builder.is_in(&environment("r/a/fetch")));
        assert!(!step.is_in(&environment("r/a/fetch-2")) && builder.is_in(&environment("r/a/fetch-2")));
        assert!(!builder.is_in(&environment("r/ab/fetch")) && !builder.is_in(b"NOT_FARMOUT_STEP=r/a/fetch\0"));
    }
}
