//! Which builder is begun when, and how many at a time.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::account::owner;
use super::event::Event;
use super::session::Session;
use super::site::Site;
use crate::plan::Plan;
use crate::workspace::builder::Workspace;
use crate::workspace::lock::Lock;
use crate::workspace::queue::Turn;

/// The order of builders that are run `jobs` at a time: those that take longest first, so that none of them is left to run
/// alone at the end. Of what never came to a good end nobody knows how long it takes; it comes before all. One at a time
/// they stay in the order of the plans.
pub(super) fn order(expected: &[Option<f64>], jobs: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..expected.len()).collect();
    if jobs > 1 {
        let weight = |index: &usize| expected[*index].unwrap_or(f64::INFINITY);
        order.sort_by(|left, right| weight(right).total_cmp(&weight(left)));
    }
    order
}

/// How many builders run at a time, on the slave in all, and of this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// Of all runs together; none where the slave's owner has set no bound.
    slots: Option<usize>,
    /// Of this run.
    pub(super) jobs: usize,
}

impl Room {
    /// As the plans' slave has it, unless the user wants another number.
    pub(super) fn new(plans: &[Plan], wanted: Option<usize>) -> Self {
        let most = plans.iter().filter_map(|plan| plan.max_builds).min().map(|most| most.max(1));
        let jobs = wanted.or(most).unwrap_or(1);
        Self { slots: most.map(|most| most.max(jobs)), jobs }
    }
}

/// A builder's place among those that the slave runs at a time, until it is dropped.
#[derive(Debug)]
pub(super) struct Slot(#[expect(dead_code, reason = "held for what its end does")] Option<Lock>);

/// Between two looks whether another process has given up a slot.
const RETRY: Duration = Duration::from_millis(200);

/// Waits for a slot, behind the other threads of this process. None if the wait was cut short by a request to stop.
///
/// # Errors
/// The locks cannot be used, in a sentence.
pub(super) fn slot(session: &Session<'_>, room: Room, plan: &Plan, run: &str) -> Result<Option<Slot>, String> {
    let Some(slots) = room.slots else { return Ok(Some(Slot(None))) };
    let Site { basedir, account, .. } = session.site;
    let owner = owner(account.as_ref());
    let told = |error: std::io::Error| format!("the slots of its slave cannot be used: {error}");
    let folder =
        Workspace::open(basedir, &plan.directory, owner).and_then(|workspace| workspace.locks()).map_err(told)?;
    let folder = folder.make("slots", 0o755, owner).map_err(told)?;
    let note = format!("pid {}, run {run}, builder {}", std::process::id(), plan.builder);
    let lock = format!("one of {slots} slots of the slave {}", plan.slave);
    let _turn: Turn<'_> = match session.queues.enter(folder.path().as_str(), &note, session.interrupts, 1, &mut |_| {})
    {
        Ok(Some(turn)) => turn,
        Ok(None) => return Ok(None),
        Err(error) => return Err(told(error)),
    };
    let mut waits = false;
    loop {
        let mut holder = None;
        for number in 1..=slots {
            match Lock::attempt(&folder, &number.to_string(), &note, owner).map_err(told)? {
                Ok(lock) => return Ok(Some(Slot(Some(lock)))),
                Err(note) => holder = holder.or(note),
            }
        }
        if !std::mem::replace(&mut waits, true) {
            let (builder, lock) = (plan.builder.clone(), lock.clone());
            session.emit(Event::Waiting { builder, lock, holder });
        }
        session.interrupts.pause(RETRY, 1).map_err(told)?;
        if session.requests() >= 1 {
            return Ok(None);
        }
    }
}

/// What the threads of a run take their work from.
#[derive(Debug)]
pub(super) struct Work {
    next: AtomicUsize,
    /// Why no other builder is begun.
    stopped: Mutex<Option<String>>,
}

impl Work {
    pub(super) fn new() -> Self {
        Self { next: AtomicUsize::new(0), stopped: Mutex::new(None) }
    }

    /// The place in the order of the next builder, from 0.
    pub(super) fn next(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Why it is not begun, if it is not.
    pub(super) fn stopped(&self) -> Option<String> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets no other builder begin.
    pub(super) fn stop(&self, reason: String) {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_comes_first_and_the_unknown_before() {
        let expected = [Some(3.0), None, Some(7.0), Some(3.0), None];
        assert_eq!(order(&expected, 2), [1, 4, 2, 0, 3]);
        assert_eq!(order(&expected, 1), [0, 1, 2, 3, 4]);
    }
}
