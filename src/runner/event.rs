//! What the runner tells while it works. The executor makes events and knows nobody who reads them.

use std::time::Duration;

use camino::Utf8PathBuf;

use super::result::Outcome;

/// Which of a step's two outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// One thing that happened. Builders and steps are named; secrets' values are masked already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A run begins; its folder is there.
    RunStarted {
        /// The run's id.
        run: String,
        /// Where its logs and results go.
        folder: Utf8PathBuf,
        /// The builders, in the order in which they run.
        builders: Vec<String>,
    },
    /// A builder of an earlier run, whose runner was killed, is being cleaned up. Its always-run steps follow.
    Recovering {
        /// The earlier run.
        run: String,
        /// Its builder.
        builder: String,
    },
    /// That clean-up ended.
    Recovered {
        /// The earlier run.
        run: String,
        /// Its builder.
        builder: String,
        /// Why it did not work, if it did not. It is tried again by later runs unless the text says otherwise.
        problem: Option<String>,
    },
    /// The user, or the system, asked the runner to stop.
    Interrupted {
        /// Whether it is the second time: everything is killed, and nothing is cleaned up now.
        again: bool,
    },
    /// A builder begins.
    BuilderStarted {
        /// The builder.
        builder: String,
        /// Its place in the run, from 1.
        index: usize,
        /// How many builders the run has.
        total: usize,
    },
    /// Another process has a lock that is needed. Sent once for each wait.
    Waiting {
        /// The builder that waits.
        builder: String,
        /// The lock's name.
        lock: String,
        /// What the holder noted about itself, such as `pid 4711, run 20261122-181500-k3f9`.
        holder: Option<String>,
    },
    /// A step begins. Steps that are skipped never do.
    StepStarted {
        /// The builder.
        builder: String,
        /// The step.
        step: String,
        /// Its place in the plan, from 1.
        index: usize,
        /// How many steps the plan has.
        total: usize,
    },
    /// A piece of a step's output, as it came: not a line, and not always UTF-8.
    Output {
        /// The builder.
        builder: String,
        /// The step.
        step: String,
        /// Where it was written to.
        stream: Stream,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// A step ended, or was skipped.
    StepFinished {
        /// The builder.
        builder: String,
        /// The step.
        step: String,
        /// How it ended.
        outcome: Outcome,
        /// How long it took, the wait for its lock not counted.
        duration: Duration,
        /// Why, where the outcome does not say it all.
        reason: Option<String>,
        /// Its log; none for a skipped step.
        log: Option<Utf8PathBuf>,
    },
    /// A builder ended.
    BuilderFinished {
        /// The builder.
        builder: String,
        /// How it ended.
        outcome: Outcome,
        /// How long it took.
        duration: Duration,
        /// Which step decided the outcome and why, unless all went well.
        reason: Option<String>,
        /// Where its logs are; none if it never began.
        folder: Option<Utf8PathBuf>,
    },
    /// The run ended.
    RunFinished {
        /// The run's id.
        run: String,
        /// How it ended.
        outcome: Outcome,
        /// How long it took.
        duration: Duration,
        /// Where everything is.
        folder: Utf8PathBuf,
    },
}
