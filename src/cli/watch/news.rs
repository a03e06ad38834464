//! What wakes the scheduler: arrivals in the spool, signals, ends of runs. Each has a thread that sleeps until it happens.

use std::sync::mpsc::Sender;
use std::time::Duration;

use camino::Utf8Path;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use signal_hook::iterator::Signals;

use crate::diagnostic::Failure;
use crate::interrupt::SIGNALS;
use crate::runner::RunResult;

/// Where the kernel cannot tell of arrivals, the spool is looked at so often.
const GLANCE: Duration = Duration::from_secs(1);

/// Something to be looked at.
#[derive(Debug)]
pub(super) enum News {
    /// Something has come into the spool.
    Arrival,
    /// A build's run has ended, or could not begin.
    Ended(String, Box<Result<RunResult, Failure>>),
    /// A look at the farm's upstream is over, or what was done about it.
    Pulled(super::pull::Pulled),
    /// A look at the repositories is over.
    Polled(super::poll::Found),
    /// The user or the system asks to stop.
    Stop,
}

/// Tells of all that comes into the spool's folder from now on.
pub(super) fn watch_spool(folder: &Utf8Path, news: Sender<News>) -> Result<(), Failure> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC).and_then(|inotify| {
        inotify.add_watch(folder.as_std_path(), AddWatchFlags::IN_MOVED_TO | AddWatchFlags::IN_CREATE)?;
        Ok(inotify)
    });
    let work = move || loop {
        match &inotify {
            Ok(inotify) => {
                if inotify.read_events().is_err() {
                    std::thread::sleep(GLANCE);
                }
            }
            Err(_) => std::thread::sleep(GLANCE),
        }
        if news.send(News::Arrival).is_err() {
            return;
        }
    };
    thread("spool", work)
}

/// Tells of requests to stop.
pub(super) fn watch_signals(news: Sender<News>) -> Result<(), Failure> {
    let mut signals =
        Signals::new(SIGNALS).map_err(|error| Failure::error(format!("cannot listen to signals: {error}")))?;
    let work = move || {
        for _ in signals.forever() {
            if news.send(News::Stop).is_err() {
                return;
            }
        }
    };
    thread("stop", work)
}

/// Starts a thread that ends with the process.
pub(super) fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    started.map(drop).map_err(|error| Failure::error(format!("cannot start a thread: {error}")))
}
