//! What came of a run: the types behind `result.json`. Data only.

use std::time::Duration;

use camino::Utf8PathBuf;
use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cli::Exit;
use crate::model::Trigger;
use crate::plan::Phase;

/// How a step, a builder or a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// All went well.
    Success,
    /// Something that only warns went wrong.
    Warnings,
    /// It failed.
    Failure,
    /// The user stopped it, or its runner was killed.
    Interrupted,
    /// It never began.
    Skipped,
}

impl Outcome {
    /// The word that `result.json` and reports use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Warnings => "warnings",
            Self::Failure => "failure",
            Self::Interrupted => "interrupted",
            Self::Skipped => "skipped",
        }
    }

    /// What a whole is, of which one part ended so and the rest as `other`.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self.weight() >= other.weight() { self } else { other }
    }

    fn weight(self) -> u8 {
        match self {
            Self::Success => 0,
            // A whole of which a part was skipped is not worse for it: what made it skip counts by itself.
            Self::Skipped => 1,
            Self::Warnings => 2,
            Self::Failure => 3,
            Self::Interrupted => 4,
        }
    }
}

/// What came of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepResult {
    /// The step.
    pub name: String,
    /// Its phase.
    pub phase: Phase,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where the outcome does not say it all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it began, or was skipped.
    pub started: Timestamp,
    /// The same in seconds since the run began.
    #[serde(default)]
    pub at: f64,
    /// How long it took, in seconds, the wait for its lock not counted.
    pub seconds: f64,
    /// How long it waited for its lock before that, in seconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waited: f64,
    /// Earlier attempts, which failed and were worth another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retried: Vec<Attempt>,
    /// The status that its process exited with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// The number of the signal that ended its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// The command, filled in, secrets masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Its working directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// How its environment differs from the one that every step starts from: the value, or null where it is unset.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub environment: IndexMap<String, Option<String>>,
    /// The name of its log in the builder's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// The name of the file that was kept of it, in the builder's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// The files that it followed and that its command added to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub followed: Vec<Followed>,
}

/// A file that a step's command added to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Followed {
    /// Where it is, secrets masked.
    pub file: String,
    /// The name of what was added to it, in the builder's folder.
    pub log: String,
}

/// An attempt at a step that was not the last one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Why it failed.
    pub reason: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// The name of its log in the builder's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// The files that it followed and that its command added to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub followed: Vec<Followed>,
}

/// One builder of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuilderResult {
    /// The builder.
    pub builder: String,
    /// The build that it comes from.
    #[serde(default)]
    pub build: String,
    /// Its folder in the run's.
    pub directory: String,
    /// How it ended; null while it has not.
    pub outcome: Option<Outcome>,
    /// Which step decided the outcome and why, unless all went well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it began, in seconds since the run did.
    #[serde(default)]
    pub at: f64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What its steps reported, such as the revision that was built.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub properties: IndexMap<String, String>,
    /// Its steps, in the order in which they ended or were skipped.
    #[serde(default)]
    pub steps: Vec<StepResult>,
}

impl BuilderResult {
    /// A builder that has not begun.
    pub(super) fn pending(builder: &str, build: &str, directory: &str) -> Self {
        let (builder, build, directory) = (builder.to_owned(), build.to_owned(), directory.to_owned());
        let (properties, steps) = (IndexMap::new(), Vec::new());
        Self { builder, build, directory, outcome: None, reason: None, at: 0.0, seconds: 0.0, properties, steps }
    }
}

/// A run: what [`super::run`] returns and `result.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The run's id.
    pub run: String,
    /// The run's folder.
    pub folder: Utf8PathBuf,
    /// The slave.
    #[serde(default)]
    pub slave: String,
    /// How many builders were at work at a time.
    #[serde(default)]
    pub jobs: usize,
    /// How it ended; null while it has not.
    pub outcome: Option<Outcome>,
    /// When it began.
    pub started: Timestamp,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Its builders, in the order in which they were begun.
    pub builders: Vec<BuilderResult>,
    /// Why, where nobody began it by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Trigger>,
}

impl RunResult {
    /// Where the plan of one of its builders is kept.
    pub fn plan(&self, builder: &BuilderResult) -> Utf8PathBuf {
        self.folder.join(&builder.directory).join(super::run::PLAN)
    }

    /// The exit code that says how it ended: warnings are fine.
    pub fn exit(&self) -> Exit {
        match self.outcome {
            Some(Outcome::Success | Outcome::Warnings | Outcome::Skipped) => Exit::Fine,
            Some(Outcome::Failure) => Exit::Errors,
            Some(Outcome::Interrupted) | None => Exit::Interrupted,
        }
    }
}

/// Seconds as results keep them: to the millisecond.
pub(super) fn seconds(duration: Duration) -> f64 {
    round(duration.as_secs_f64())
}

/// To the millisecond.
pub(super) fn round(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

fn is_zero(seconds: &f64) -> bool {
    *seconds == 0.0
}
