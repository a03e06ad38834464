//! Processes that lose their parent while steps run: this process becomes their parent, so that they can be seen to be a
//! step's, and takes note of their ends. It ends none of them, and leaves its own children to whoever waits for them.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::prctl;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, getpgrp, getsid};
use signal_hook::consts::SIGCHLD;
use signal_hook::iterator::{Handle, Signals};

use crate::group::Process;

/// Who adopts: an attribute of the whole process, whatever the number of runs in it.
static ADOPTION: Mutex<Adoption> = Mutex::new(Adoption { users: 0, reaper: None });

/// Between the end of a child and the look at it: many may end at once, and those who wait for their own come first.
const PATIENCE: Duration = Duration::from_millis(20);

struct Adoption {
    users: usize,
    reaper: Option<Reaper>,
}

struct Reaper {
    signals: Handle,
    thread: JoinHandle<()>,
    /// Whether the process was one to adopt orphans before.
    before: bool,
}

/// Orphans are adopted for as long as one of these lives.
#[derive(Debug)]
pub(crate) struct Adopting(());

/// Begins to adopt the orphans among the processes that this one has started, directly or not.
///
/// # Errors
/// The system has no more threads, or the like.
pub(crate) fn adopt() -> io::Result<Adopting> {
    let mut adoption = ADOPTION.lock().unwrap_or_else(PoisonError::into_inner);
    if adoption.reaper.is_none() {
        adoption.reaper = Some(Reaper::start()?);
    }
    adoption.users += 1;
    Ok(Adopting(()))
}

impl Drop for Adopting {
    fn drop(&mut self) {
        let mut adoption = ADOPTION.lock().unwrap_or_else(PoisonError::into_inner);
        adoption.users -= 1;
        if adoption.users == 0
            && let Some(reaper) = adoption.reaper.take()
        {
            reaper.stop();
        }
    }
}

impl Reaper {
    fn start() -> io::Result<Self> {
        let before = prctl::get_child_subreaper()?;
        let mut signals = Signals::new([SIGCHLD])?;
        let handle = signals.handle();
        prctl::set_child_subreaper(true)?;
        let work = move || {
            let mut all = true;
            while !signals.is_closed() {
                if all {
                    signals.wait().for_each(drop);
                }
                std::thread::park_timeout(PATIENCE);
                all = reap();
            }
        };
        let thread = std::thread::Builder::new().name("orphans".to_owned()).spawn(work)?;
        Ok(Self { signals: handle, thread, before })
    }

    fn stop(self) {
        self.signals.close();
        self.thread.thread().unpark();
        let _ = self.thread.join();
        let _ = prctl::set_child_subreaper(self.before);
    }
}

/// Takes note of the ends of adopted processes. Whether it got to all: an own child that has ended and that nobody has
/// waited for yet is in the way.
fn reap() -> bool {
    loop {
        // Only looks: the end of an own child must stay for the one who waits for it.
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG;
        let ended = match waitid(Id::All, flags | WaitPidFlag::WNOWAIT) {
            Ok(status @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..))) => status.pid(),
            _ => None,
        };
        let Some(pid) = ended else { return true };
        if !is_adopted(pid) {
            return false;
        }
        let _ = waitid(Id::Pid(pid), flags);
    }
}

/// Own children are in the runner's session, in its group or leading one: they are started so, and the leader of a group
/// cannot leave its session. What else there is came from a step. An orphan that leads a group in the runner's session
/// looks like an own child, and is left until the runner ends.
fn is_adopted(pid: Pid) -> bool {
    let Some(process) = Process::read(pid.as_raw()) else { return false };
    let in_own_session = getsid(None).is_ok_and(|own| own.as_raw() == process.session);
    !in_own_session || (process.group != process.pid && process.group != getpgrp().as_raw())
}
