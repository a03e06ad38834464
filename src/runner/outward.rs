//! For observers that send what they saw to somebody else: the texts without secrets, and the requests to stop. Nothing
//! here runs anything.

use std::io;

use super::mask::Mask;
use crate::interrupt::Interrupts;
use crate::model::Secrets;

/// Hides the values of secrets in texts.
#[derive(Debug)]
pub(crate) struct Veil(Mask);

impl Veil {
    /// Hides all of these.
    pub(crate) fn new(secrets: &Secrets) -> Self {
        Self(Mask::new(secrets))
    }

    /// The text with every value hidden.
    pub(crate) fn text(&self, text: &str) -> String {
        self.0.text(text)
    }
}

/// How often the user or the system asked this process to stop, since this was made.
#[derive(Debug)]
pub(crate) struct Requests(Interrupts);

impl Requests {
    /// Starts to listen. A signal that the process was started to ignore stays ignored.
    pub(crate) fn listen() -> io::Result<Self> {
        Interrupts::listen().map(Self)
    }

    /// The number so far.
    pub(crate) fn count(&self) -> usize {
        self.0.count()
    }
}
