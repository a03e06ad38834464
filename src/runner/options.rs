//! What was asked of one call of the runner: plain data that the caller fills in.

use std::num::NonZeroUsize;

use crate::model::Trigger;

/// How plans are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How many builders are at work at a time; none for what the plans say of their slave, else one.
    pub jobs: Option<NonZeroUsize>,
    /// Begin no other builder once one has failed.
    pub fail_fast: bool,
    /// How often a step that depends on other machines is tried again.
    pub retries: u32,
    /// Begin each builder with the step of this name, on what its last run has left.
    pub from: Option<String>,
    /// Perform only the steps of these names, on what the last run has left.
    pub only: Vec<String>,
    /// Leave the testing databases, and the clusters they are in, for the user to look at.
    pub keep_db: bool,
    /// Tell the observer of all output.
    pub output: bool,
    /// Bring the journal to the disk at the end of each step.
    pub sync: bool,
    /// Why the plans are run, where nobody does so by hand.
    pub trigger: Option<Trigger>,
}

impl Default for Options {
    fn default() -> Self {
        let (jobs, from, only, trigger) = (None, None, Vec::new(), None);
        Self { jobs, fail_fast: false, retries: 0, from, only, keep_db: false, output: false, sync: true, trigger }
    }
}

impl Options {
    /// Whether builders go on with what their last run has left.
    pub(super) fn goes_on(&self) -> bool {
        self.from.is_some() || !self.only.is_empty()
    }
}
