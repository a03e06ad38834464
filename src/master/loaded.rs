//! What Buildbot makes of a master's configuration, as the programs in `python/` write it. They decide nothing: words and severities
//! are given by [`super::facts`].

use camino::Utf8PathBuf;
use indexmap::IndexMap;
use serde::Deserialize;

use super::facts::Fact;
use super::finding::Place;
use crate::plan::Phase;

/// A builder and a worker.
pub(super) type Pair = (String, String);

/// A configuration.
#[derive(Debug, Deserialize)]
pub(super) struct Loaded {
    /// Buildbot's version.
    pub(super) buildbot: String,
    /// What Buildbot has against it.
    pub(super) refused: Vec<Refusal>,
    /// What Buildbot has nothing against, and is to be told all the same.
    pub(super) facts: Vec<Fact>,
    /// The names of the secrets that are asked for.
    pub(super) secrets: Vec<String>,
    /// What keeps them, if the configuration came so far.
    pub(super) keepers: Option<Keepers>,
    pub(super) builders: usize,
    pub(super) workers: usize,
    pub(super) schedulers: usize,
    pub(super) pollers: usize,
    /// Whether the farm is in it.
    pub(super) farm: bool,
    /// Builders of the farm that are not in it.
    pub(super) lacking: Vec<String>,
    /// What builders do on workers.
    pub(super) plans: Vec<LoadedPlan>,
}

/// What keeps a master's secrets.
#[derive(Debug, Deserialize)]
pub(super) struct Keepers {
    /// Directories with a file for each.
    pub(super) folders: Vec<Folder>,
    /// Kinds of providers that keep them elsewhere.
    pub(super) others: Vec<String>,
}

/// A directory with a file for each secret.
#[derive(Debug, Deserialize)]
pub(super) struct Folder {
    pub(super) directory: Utf8PathBuf,
    /// The same in the configuration's own words.
    pub(super) given: String,
    /// What the files' names have after the secrets' names.
    pub(super) suffixes: Vec<String>,
    /// Whether line breaks at the end are no part of a secret.
    pub(super) strip: bool,
    /// Whether the directory is there.
    pub(super) there: bool,
}

impl Keepers {
    /// Whether every directory is there.
    pub(super) fn are_all_there(&self) -> bool {
        self.folders.iter().all(|folder| folder.there)
    }
}

/// An error of Buildbot's.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    pub(super) message: String,
    pub(super) place: Option<Place>,
}

/// What a builder does on a worker.
#[derive(Debug, Deserialize)]
pub(super) struct LoadedPlan {
    pub(super) builder: String,
    pub(super) worker: String,
    /// Whether the configuration has the builder on the worker.
    pub(super) there: bool,
    #[serde(default)]
    pub(super) directory: String,
    #[serde(default)]
    pub(super) database: String,
    #[serde(default)]
    pub(super) properties: IndexMap<String, String>,
    #[serde(default)]
    pub(super) secrets: Vec<String>,
    #[serde(default)]
    pub(super) path: Vec<String>,
    #[serde(default)]
    pub(super) environment: IndexMap<String, String>,
    #[serde(default)]
    pub(super) files: Vec<LoadedFile>,
    pub(super) steps: Vec<LoadedStep>,
    /// How many builders and workers it stands for.
    #[serde(default)]
    pub(super) count: usize,
}

/// A file that a builder carries.
#[derive(Debug, Deserialize)]
pub(super) struct LoadedFile {
    pub(super) path: String,
    pub(super) executable: bool,
    /// The SHA-256 of what it holds.
    pub(super) content: String,
}

/// A step.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct LoadedStep {
    pub(super) name: String,
    pub(super) place: Option<Place>,
    pub(super) class: String,
    pub(super) run: Vec<String>,
    pub(super) on_failure: String,
    pub(super) always_run: bool,
    #[serde(flatten)]
    pub(super) kind: StepKind,
}

/// Whose a step is.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum StepKind {
    /// A plan's.
    Plan(Box<PlanStep>),
    /// One of those around a plan, or an admin's.
    Other,
}

/// What a step of a plan has besides.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct PlanStep {
    pub(super) problem: Option<String>,
    pub(super) write: bool,
    pub(super) directory: String,
    pub(super) path: Vec<String>,
    /// All of it: the worker's part and the step's.
    pub(super) environment: IndexMap<String, String>,
    /// The names that are the step's own.
    pub(super) own: Vec<String>,
    pub(super) locks: Vec<String>,
    /// Whether it is there under the conditions of its plan, and no others.
    pub(super) wanted: bool,
    pub(super) phase: Phase,
    pub(super) template: String,
    pub(super) help: String,
    pub(super) infrastructure: bool,
    pub(super) permanent: Vec<u8>,
    pub(super) idle_timeout: Option<u64>,
    pub(super) timeout: Option<u64>,
    pub(super) property: Option<String>,
    pub(super) keep: Option<String>,
    pub(super) follow: Vec<String>,
}
