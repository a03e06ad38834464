//! What all parts of one run share, in whatever thread they are: the site, what was asked for, the masks, the requests to
//! stop, the queues for locks, and the way to the journal and the observer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::event::{Entry, Event};
use super::journal::{Durability, Journal, entry};
use super::mask::Mask;
use super::options::Options;
use super::orphan::{Adopting, adopt};
use super::site::Site;
use crate::diagnostic::Failure;
use crate::interrupt::Interrupts;
use crate::workspace::queue::Queues;

/// Tells the observer, from any thread, but one at a time.
pub(super) type Tell<'a> = dyn Fn(&Entry) + Sync + 'a;

/// Makes an observer one that several threads can tell.
pub(super) fn shared<'a>(observer: &'a mut (dyn FnMut(&Entry) + Send)) -> impl Fn(&Entry) + Sync + 'a {
    let observer = Mutex::new(observer);
    // One that panicked is told no less for it: the work goes on.
    move |entry| (observer.lock().unwrap_or_else(PoisonError::into_inner))(entry)
}

/// One call of the runner, or its work on one run that another has left.
pub(super) struct Session<'a> {
    pub(super) site: &'a Site,
    pub(super) options: &'a Options,
    pub(super) mask: &'a Mask,
    pub(super) interrupts: &'a Interrupts,
    pub(super) queues: &'a Queues,
    observer: &'a Tell<'a>,
    journal: Option<&'a Journal>,
    /// The requests to stop that the observer knows of.
    told: AtomicUsize,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        site: &'a Site,
        options: &'a Options,
        mask: &'a Mask,
        (interrupts, queues): (&'a Interrupts, &'a Queues),
        observer: &'a Tell<'a>,
    ) -> Self {
        Self { site, options, mask, interrupts, queues, observer, journal: None, told: AtomicUsize::new(0) }
    }

    /// The same for a run with this journal.
    pub(super) fn with<'b>(&'b self, journal: &'b Journal) -> Session<'b> {
        Session { journal: Some(journal), ..self.silent() }
    }

    /// The same for work on what another run has left: nothing of it gets into the journal.
    pub(super) fn silent(&self) -> Session<'_> {
        let told = AtomicUsize::new(self.told.load(Ordering::Relaxed));
        let Self { site, options, mask, interrupts, queues, observer, .. } = *self;
        Session { site, options, mask, interrupts, queues, observer, journal: None, told }
    }

    /// Keeps the event and tells the observer.
    pub(super) fn emit(&self, event: Event) {
        self.emit_as(event, Durability::Written);
    }

    /// Keeps the event, whatever becomes of the machine, and tells the observer.
    pub(super) fn emit_durably(&self, event: Event) {
        self.emit_as(event, Durability::OnDisk);
    }

    fn emit_as(&self, event: Event, durability: Durability) {
        match self.journal {
            Some(journal) if !matches!(event, Event::Output { .. }) => {
                journal.append(event, durability, self.observer);
            }
            journal => (self.observer)(&entry(journal, event)),
        }
    }

    /// Tells the observer alone.
    pub(super) fn tell_only(&self, event: Event) {
        (self.observer)(&entry(None, event));
    }

    /// Seconds since the run began.
    pub(super) fn now(&self) -> f64 {
        self.journal.map_or(0.0, Journal::now)
    }

    /// How often the user asked to stop; the observer is told of each new time.
    pub(super) fn requests(&self) -> usize {
        let requests = self.interrupts.count();
        self.tell(requests);
        requests
    }

    /// Tells the observer of requests that were counted elsewhere.
    pub(super) fn tell(&self, requests: usize) {
        let told = self.told.fetch_max(requests, Ordering::Relaxed);
        for number in told..requests.min(2) {
            self.emit(Event::Interrupted { again: number == 1 });
        }
    }

    /// A text with the secrets hidden.
    pub(super) fn masked(&self, text: &str) -> String {
        self.mask.text(text)
    }
}

/// Listens for requests to stop, and adopts orphans.
///
/// # Errors
/// The system has no more file handles, or the like.
pub(super) fn listen() -> Result<(Interrupts, Adopting), Failure> {
    let listening = Interrupts::listen().and_then(|interrupts| Ok((interrupts, adopt()?)));
    listening.map_err(|error| Failure::error(format!("cannot listen to signals: {error}")))
}
