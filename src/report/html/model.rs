//! What a page is about: a run, its builders and their steps, as data. What the runner kept of it and of earlier
//! ones comes in; `read.rs` is the only place that knows in which form. Nothing here reads files or knows HTML.

use camino::Utf8PathBuf;
use indexmap::IndexMap;
use jiff::Timestamp;

use crate::plan::Phase;
use crate::runner::Outcome;

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: String,
    /// The slave.
    pub slave: Option<String>,
    /// How many builders were at work at a time.
    pub jobs: usize,
    /// How it ended; none while it has not.
    pub outcome: Option<Outcome>,
    /// When it began.
    pub started: Timestamp,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Its builders, in the order of its result.
    pub builders: Vec<Builder>,
    /// Why it was begun, where nobody did so by hand, in lines.
    pub trigger: Vec<String>,
}

/// A builder in a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Builder {
    /// Its name.
    pub name: String,
    /// The build that it is of: the row of the grid. The builder's name where nothing tells.
    pub build: String,
    /// The version of PostgreSQL: the column of the grid.
    pub postgresql: Option<String>,
    /// How it ended; none while it has not.
    pub outcome: Option<Outcome>,
    /// Which step decided the outcome and why, unless all went well.
    pub reason: Option<String>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What it was built with, and what its steps reported.
    pub properties: IndexMap<String, String>,
    /// Its steps, in the order in which they ended or were skipped.
    pub steps: Vec<Step>,
    /// The same builder in earlier runs, the oldest first.
    pub past: Vec<Past>,
}

/// A step of a builder.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its name, unique in the builder.
    pub name: String,
    /// Its phase.
    pub phase: Phase,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where the outcome does not say it all.
    pub reason: Option<String>,
    /// When its work began, or when it was skipped.
    pub started: Timestamp,
    /// The same in seconds since the run began, whatever clocks did meanwhile.
    pub at: f64,
    /// How long it waited for its lock before that, in seconds.
    pub waited: f64,
    /// How long its work took, in seconds.
    pub seconds: f64,
    /// Attempts before it, which failed.
    pub retried: Vec<Attempt>,
    /// The status that its process exited with.
    pub exit: Option<i32>,
    /// The number of the signal that ended its process.
    pub signal: Option<i32>,
    /// Its command.
    pub command: Vec<String>,
    /// Its working directory.
    pub directory: Option<String>,
    /// Its log.
    pub log: Option<Utf8PathBuf>,
    /// What was added to the files that it followed.
    pub followed: Vec<Followed>,
}

/// What a step's command added to a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Followed {
    /// The file.
    pub file: String,
    /// What was added.
    pub log: Utf8PathBuf,
}

/// An attempt at a step that was not the last one.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Why it failed.
    pub reason: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Its log.
    pub log: Option<Utf8PathBuf>,
    /// What was added to the files that it followed.
    pub followed: Vec<Followed>,
}

/// How a builder fared in an earlier run.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// The run's id.
    pub run: String,
    /// How the builder ended.
    pub outcome: Outcome,
    /// How long it took, in seconds.
    pub seconds: f64,
}

impl Attempt {
    /// Its own log, and what it followed.
    pub fn logs(&self) -> impl Iterator<Item = &Utf8PathBuf> {
        self.log.iter().chain(self.followed.iter().map(|followed| &followed.log))
    }
}

impl Step {
    /// Its logs, those of attempts before it and what it followed.
    pub fn logs(&self) -> impl Iterator<Item = &Utf8PathBuf> {
        let followed = self.followed.iter().map(|followed| &followed.log);
        self.retried.iter().flat_map(Attempt::logs).chain(&self.log).chain(followed)
    }

    /// Whether it looks through a log: what it prints are findings.
    pub fn is_analysis(&self) -> bool {
        self.command.windows(2).any(|words| words == ["tool", "analyze-log"])
            || self.name == "analysis"
            || self.name.ends_with("-analysis")
            || ["analyze-", "analyse-"].iter().any(|prefix| self.name.starts_with(prefix))
    }

    /// Whether it waited for its lock, rather than just took it.
    pub fn has_waited(&self) -> bool {
        self.waited >= 0.05
    }

    /// When it began to wait for its lock, or to work, in seconds since the run began.
    pub fn begins(&self) -> f64 {
        self.at - self.waited
    }

    /// When it ended, in seconds since the run began.
    pub fn ends(&self) -> f64 {
        self.at + self.seconds
    }
}

impl Builder {
    /// Whether something went wrong that a reader has to look at.
    pub fn is_red(&self) -> bool {
        matches!(self.outcome, Some(Outcome::Failure | Outcome::Interrupted))
    }

    /// Its steps that did something.
    pub fn begun(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| step.outcome != Outcome::Skipped)
    }

    /// From when to when it was at work, in seconds since the run began; none if it never was.
    pub fn span(&self) -> Option<(f64, f64)> {
        let spans = self.begun().map(|step| (step.begins(), step.ends()));
        spans.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
    }
}
