//! All processes that this one has started, directly or not; but for one, which is to outlast the others. In: a request to stop. Out:
//! none of them is left. They are found by their descent, as what steps start has given up its group, its session and its marks.

use std::collections::HashSet;
use std::io;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::diagnostic::Failure;
use crate::group::{self, Process, signal_one};
use crate::interrupt::Interrupts;

/// How long what is asked to end may take for it.
const GRACE: Duration = Duration::from_secs(10);
/// How long the kernel may take to carry out a kill.
const AFTERMATH: Duration = Duration::from_secs(5);
/// Between two looks.
const GLANCE: Duration = Duration::from_millis(20);

/// What descends from this process and runs, but the process that is spared.
fn offspring(spared: Option<i32>) -> Vec<Process> {
    let all: Vec<Process> = group::all().filter(|process| Some(process.pid) != spared).collect();
    let mut line = HashSet::from([std::process::id().cast_signed()]);
    let mut before = 0;
    while line.len() > before {
        before = line.len();
        line.extend(
            all.iter().filter(|process| line.contains(&process.parent)).map(|process| process.pid).collect::<Vec<_>>(),
        );
    }
    all.into_iter().filter(|process| line.contains(&process.parent)).collect()
}

/// Asks each once to end, and kills what does not.
struct Ending {
    spared: Option<i32>,
    began: Instant,
    asked: HashSet<(i32, u64)>,
}

impl Ending {
    fn begin(spared: Option<i32>) -> Self {
        Self { spared, began: Instant::now(), asked: HashSet::new() }
    }

    /// Asks those that are new, or kills all. Goes out: how many there are.
    fn go_on(&mut self, hurry: bool) -> usize {
        let left = offspring(self.spared);
        for process in &left {
            let id = process.id(group::boot());
            if hurry || self.began.elapsed() >= GRACE {
                signal_one(&id, Signal::SIGKILL);
            } else if self.asked.insert((process.pid, process.start)) {
                signal_one(&id, Signal::SIGTERM);
                signal_one(&id, Signal::SIGCONT);
            }
        }
        left.len()
    }

    fn is_vain(&self) -> bool {
        self.began.elapsed() >= GRACE + AFTERMATH
    }
}

/// Ends all that descends from this process, but the one that is spared. More requests to stop than `known` end the patience with
/// it. Goes out: how many processes even a kill has not ended.
pub(crate) fn end_all(spared: Option<i32>, interrupts: &Interrupts, known: usize) -> usize {
    let mut ending = Ending::begin(spared);
    loop {
        let left = ending.go_on(interrupts.count() > known);
        if left == 0 || ending.is_vain() {
            return left;
        }
        std::thread::sleep(GLANCE);
    }
}

/// Does work that starts programs and waits for them. A request to stop ends these programs, but the one that is spared, and the work
/// with them.
///
/// # Errors
/// What the work ends with; [`interrupted`] if there was a request before its end.
pub(crate) fn stoppable<T: Send>(
    spared: Option<i32>,
    interrupts: &Interrupts,
    work: impl FnOnce() -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    let broken = |error: io::Error| Failure::error(format!("farmout cannot wait for what it has started: {error}"));
    // Closed when the work is over.
    let (end, held) = io::pipe().map_err(broken)?;
    let done = std::thread::scope(|scope| {
        let work = scope.spawn(move || {
            let _held = held;
            work()
        });
        let mut ending = None;
        while !work.is_finished() {
            if interrupts.count() == 0 {
                interrupts.sleep(&[end.as_fd()], None, 0).map_err(broken)?;
                continue;
            }
            ending.get_or_insert_with(|| Ending::begin(spared)).go_on(interrupts.count() > 1);
            std::thread::sleep(GLANCE);
        }
        work.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    if interrupts.count() > 0 { Err(interrupted()) } else { done }
}

/// The end of a command that was asked to stop.
pub(crate) fn interrupted() -> Failure {
    Failure { message: "interrupted".to_owned(), help: None, exit: crate::cli::Exit::Interrupted }
}
