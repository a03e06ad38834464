//! What the runner tells while it works. The executor makes events and knows nobody who reads them; a run's journal keeps
//! all but output, so that whatever reads events live can read them again later.

use camino::Utf8PathBuf;
use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::result::{Outcome, StepResult};
use crate::group::ProcessId;
use crate::model::Trigger;

/// The version of the events that this farmout writes and reads.
pub const FORMAT: u32 = 1;

/// Which of a step's two outputs. Only those of a step with a property are told apart: else both are one pipe, so that
/// all of it is in the order in which it was written, and counts as standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Standard output, or both where they are not told apart.
    Out,
    /// Standard error.
    Err,
}

/// An event and when it happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// By the machine's clock, which people may set.
    pub time: Timestamp,
    /// Seconds since the run began, which nobody can.
    pub at: f64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// A builder of a run that begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Planned {
    /// The builder.
    pub builder: String,
    /// The build that it comes from.
    pub build: String,
    /// Its folder in the run's.
    pub directory: String,
    /// How many steps its plan has.
    pub steps: usize,
    /// How long it took before, in seconds, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<f64>,
}

/// Why a run left something behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Its runner was killed, or told to end at once.
    Killed,
    /// Its clean-up failed, as where a server was away.
    Failed,
    /// It was told to keep the testing database.
    Kept,
}

/// One thing that happened. Builders and steps are named; secrets' values are masked already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Event {
    /// A run begins; its folder is there.
    RunStarted {
        /// [`FORMAT`].
        format: u32,
        /// The version of farmout.
        farmout: String,
        /// The run's id.
        run: String,
        /// Where its logs and results go.
        folder: Utf8PathBuf,
        /// The slave.
        slave: String,
        /// How many builders are at work at a time.
        jobs: usize,
        /// The builders, in the order in which they are begun.
        builders: Vec<Planned>,
        /// Why, where nobody began it by hand.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trigger: Option<Trigger>,
    },
    /// What a builder of an earlier run has left behind is being cleaned up. Its always-run steps follow.
    Recovering {
        /// The earlier run.
        run: String,
        /// Its builder.
        builder: String,
        /// Where the builder's logs are.
        folder: Utf8PathBuf,
        /// Why it left something behind.
        cause: Cause,
    },
    /// That clean-up ended.
    Recovered {
        /// The earlier run.
        run: String,
        /// Its builder.
        builder: String,
        /// Why it did not work, if it did not. It is tried again by later runs unless the text says otherwise.
        #[serde(default, skip_serializing_if = "Option::is_none")]
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
        /// Its place in the order in which they are begun, from 1.
        index: usize,
        /// How many builders the run has.
        total: usize,
        /// Where its logs go.
        folder: Utf8PathBuf,
    },
    /// Somebody else has a lock that is needed. Sent once for each wait.
    Waiting {
        /// The builder that waits.
        builder: String,
        /// The lock's name.
        lock: String,
        /// What the holder noted about itself, such as `pid 4711, run 20261122-181500-k3f9`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
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
        /// How long it took before, in seconds, if it did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expected: Option<f64>,
    },
    /// A step's command runs.
    ProcessStarted {
        /// The builder.
        builder: String,
        /// The step.
        step: String,
        /// The leader of its process group; none if it was gone before anybody could look.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        leader: Option<ProcessId>,
    },
    /// A piece of a step's output, as it came: not a line, and not always UTF-8. Sent only if it was asked for, and in no
    /// journal: the step's log has it.
    #[serde(skip)]
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
    /// A step failed, and is tried again.
    StepRetried {
        /// The builder.
        builder: String,
        /// The step.
        step: String,
        /// Which attempt comes next, from 2.
        attempt: u32,
        /// Why the last one failed.
        reason: String,
        /// Seconds until the next.
        pause: f64,
    },
    /// A step ended, or was skipped.
    StepFinished {
        /// The builder.
        builder: String,
        /// How it ended.
        result: StepResult,
    },
    /// The testing database was kept, as the user asked.
    DatabaseKept {
        /// The builder.
        builder: String,
        /// The database.
        database: String,
        /// The variables that a client needs to reach its server.
        environment: IndexMap<String, String>,
    },
    /// A builder ended.
    BuilderFinished {
        /// The builder.
        builder: String,
        /// How it ended.
        outcome: Outcome,
        /// How long it took, in seconds.
        seconds: f64,
        /// Which step decided the outcome and why, unless all went well.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// What its steps reported, such as the revision that was built.
        #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
        properties: IndexMap<String, String>,
    },
    /// The run ended.
    RunFinished {
        /// How it ended.
        outcome: Outcome,
        /// How long it took, in seconds.
        seconds: f64,
    },
}
