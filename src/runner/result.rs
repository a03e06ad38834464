//! What came of a run: the types behind `result.json` and `steps.jsonl`. Data only.

use std::time::Duration;

use camino::Utf8PathBuf;
use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cli::Exit;
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

/// One step's line in `steps.jsonl`.
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
    /// How long it took, in seconds.
    pub seconds: f64,
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
}

/// One builder of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuilderResult {
    /// The builder.
    pub builder: String,
    /// Its folder in the run's.
    pub directory: String,
    /// How it ended; null while it has not.
    pub outcome: Option<Outcome>,
    /// Which step decided the outcome and why, unless all went well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
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
    pub(super) fn pending(builder: &str, directory: &str) -> Self {
        let (builder, directory) = (builder.to_owned(), directory.to_owned());
        Self {
            builder,
            directory,
            outcome: None,
            reason: None,
            seconds: 0.0,
            properties: IndexMap::new(),
            steps: Vec::new(),
        }
    }
}

/// A run: what [`super::run`] returns and `result.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The run's id.
    pub run: String,
    /// The run's folder.
    pub folder: Utf8PathBuf,
    /// How it ended; null while it has not.
    pub outcome: Option<Outcome>,
    /// When it began.
    pub started: Timestamp,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Its builders, in the order in which they ran.
    pub builders: Vec<BuilderResult>,
}

impl RunResult {
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
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}
