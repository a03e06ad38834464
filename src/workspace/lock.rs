//! Locks that hold across processes: a name in, a held lock out, after a wait that the user can cut short.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::folder::{Folder, Owner};
use super::queue::{Queues, Turn};
use crate::interrupt::Interrupts;

/// A lock, held until this is dropped, or the process ends however it does.
#[derive(Debug)]
pub(crate) struct Lock(Flock<File>);

/// Who wants a lock, and how long.
pub(crate) struct Wish<'a> {
    pub(crate) folder: &'a Folder,
    pub(crate) name: &'a str,
    /// What others are told of who has it.
    pub(crate) note: &'a str,
    /// Whom the lock's file belongs to.
    pub(crate) owner: Owner,
    /// How many requests to stop end the wait.
    pub(crate) patience: usize,
}

/// Between two tries.
const RETRY: Duration = Duration::from_millis(100);

impl Lock {
    /// Takes the lock if nobody has it. If somebody has, what they noted about themselves.
    pub(crate) fn attempt(
        folder: &Folder,
        name: &str,
        note: &str,
        owner: Owner,
    ) -> io::Result<Result<Self, Option<String>>> {
        // Lock files are never removed: of two processes, one could hold a removed file and the other its successor.
        let file = folder.open_file(&format!("{name}.lock"), owner)?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(mut lock) => {
                // The note is for people; a full disk must not keep the lock from being held.
                let _ = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| writeln!(lock, "{note}"));
                Ok(Ok(Self(lock)))
            }
            Err((mut file, Errno::EWOULDBLOCK)) => {
                let mut holder = String::new();
                let _ = (&mut file).take(200).read_to_string(&mut holder);
                let holder: String = holder.trim().chars().filter(|character| !character.is_control()).collect();
                Ok(Err((!holder.is_empty()).then_some(holder)))
            }
            Err((_, error)) => Err(error.into()),
        }
    }

    /// Waits for the lock, behind the other threads of this process that want it. `waiting` is told once who has it; none
    /// if the wait was cut short by requests to stop.
    pub(crate) fn wait<'a>(
        wish: &Wish<'_>,
        queues: &'a Queues,
        interrupts: &Interrupts,
        waiting: &mut dyn FnMut(Option<String>),
    ) -> io::Result<Option<(Self, Turn<'a>)>> {
        let mut told = false;
        let mut waiting = |holder| {
            if !std::mem::replace(&mut told, true) {
                waiting(holder);
            }
        };
        let queue = wish.folder.path().join(wish.name);
        let Some(turn) = queues.enter(queue.as_str(), wish.note, interrupts, wish.patience, &mut waiting)? else {
            return Ok(None);
        };
        loop {
            match Self::attempt(wish.folder, wish.name, wish.note, wish.owner)? {
                Ok(lock) => return Ok(Some((lock, turn))),
                Err(holder) => waiting(holder),
            }
            interrupts.pause(RETRY, wish.patience)?;
            if interrupts.count() >= wish.patience {
                return Ok(None);
            }
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Whoever takes it next must not be told of this holder while it writes its own note.
        let _ = self.0.set_len(0);
    }
}
