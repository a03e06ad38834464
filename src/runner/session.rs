//! What all parts of one run share: the site, the masks, the requests to stop, and the way to the observer.

use super::event::Event;
use super::interrupt::Interrupts;
use super::mask::Mask;
use super::site::Site;
use crate::diagnostic::Failure;

/// One call of the runner.
pub(super) struct Session<'a> {
    pub(super) site: &'a Site,
    pub(super) mask: &'a Mask,
    pub(super) interrupts: &'a Interrupts,
    observer: &'a mut dyn FnMut(&Event),
    /// The requests to stop that the observer knows of.
    told: usize,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        site: &'a Site,
        mask: &'a Mask,
        interrupts: &'a Interrupts,
        observer: &'a mut dyn FnMut(&Event),
    ) -> Self {
        Self { site, mask, interrupts, observer, told: 0 }
    }

    /// Tells the observer.
    pub(super) fn emit(&mut self, event: &Event) {
        (self.observer)(event);
    }

    /// How often the user asked to stop; the observer is told of each new time.
    pub(super) fn requests(&mut self) -> usize {
        let requests = self.interrupts.count();
        self.tell(requests);
        requests
    }

    /// Tells the observer of requests that were counted elsewhere.
    pub(super) fn tell(&mut self, requests: usize) {
        while self.told < requests {
            self.told += 1;
            if self.told <= 2 {
                let again = self.told == 2;
                self.emit(&Event::Interrupted { again });
            }
        }
    }

    /// A text with the secrets hidden.
    pub(super) fn masked(&self, text: &str) -> String {
        self.mask.text(text)
    }
}

/// Listens for requests to stop.
///
/// # Errors
/// The system has no more file handles, or the like.
pub(super) fn listen() -> Result<Interrupts, Failure> {
    Interrupts::listen().map_err(|error| Failure::error(format!("cannot listen to signals: {error}")))
}
