//! Queues for locks among the threads of this process: first come, first served, and nobody looks at a clock. Only who is
//! first in its queue then tries for the lock that holds between processes.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::interrupt::Interrupts;

/// All queues.
#[derive(Debug, Default)]
pub(crate) struct Queues(Mutex<HashMap<String, Queue>>);

/// One queue: the note of who is first, and whom to wake next.
#[derive(Debug)]
struct Queue {
    note: String,
    waiting: VecDeque<UnixStream>,
}

/// The first place in a queue, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    queues: &'a Queues,
    name: String,
}

impl Queues {
    /// Waits to be first in the queue of that name. `waiting` is told at once who is, if somebody is. None if the wait was
    /// cut short by `patience` requests to stop.
    pub(crate) fn enter(
        &self,
        name: &str,
        note: &str,
        interrupts: &Interrupts,
        patience: usize,
        waiting: &mut dyn FnMut(Option<String>),
    ) -> io::Result<Option<Turn<'_>>> {
        let turn = || Turn { queues: self, name: name.to_owned() };
        let (mut call, holder) = {
            let mut queues = self.queues();
            let Some(queue) = queues.get_mut(name) else {
                queues.insert(name.to_owned(), Queue { note: note.to_owned(), waiting: VecDeque::new() });
                return Ok(Some(turn()));
            };
            let (call, caller) = UnixStream::pair()?;
            call.set_nonblocking(true)?;
            queue.waiting.push_back(caller);
            (call, queue.note.clone())
        };
        waiting(Some(holder));
        loop {
            if called(&mut call) {
                if let Some(queue) = self.queues().get_mut(name) {
                    note.clone_into(&mut queue.note);
                }
                return Ok(Some(turn()));
            }
            let requests = interrupts.count();
            if requests >= patience {
                // Closing the end that is called makes whoever calls take the next one, unless it was called just now.
                if let Some(turn) = self.leave(&mut call, turn) {
                    drop(turn);
                }
                return Ok(None);
            }
            interrupts.sleep(&[call.as_fd()], None, requests)?;
        }
    }

    fn leave<'a>(&self, call: &mut UnixStream, turn: impl FnOnce() -> Turn<'a>) -> Option<Turn<'a>> {
        let queues = self.queues();
        let was_called = called(call);
        let _ = call.shutdown(std::net::Shutdown::Both);
        drop(queues);
        was_called.then(turn)
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<String, Queue>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether it was this one's turn to be called.
fn called(call: &mut UnixStream) -> bool {
    use std::io::Read as _;
    matches!(call.read(&mut [0]), Ok(1))
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        use std::io::Write as _;
        let mut queues = self.queues.queues();
        let Some(queue) = queues.get_mut(&self.name) else { return };
        while let Some(mut next) = queue.waiting.pop_front() {
            // One that has left does not take the call.
            if next.write_all(b"!").is_ok() {
                return;
            }
        }
        queues.remove(&self.name);
    }
}
