//! What is known of a mirror, beside it in a file of its own: read before an update, written after it, aside and renamed.

use std::io;

use camino::Utf8Path;
use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Change;
use crate::diagnostic::Failure;
use crate::model::Vcs;
use crate::tool::files;

/// The form of the file. A file of a later form is not touched.
const FORMAT: u32 = 1;

/// What is known of a mirror. There is one as soon as an update was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct State {
    format: u32,
    /// The system.
    pub vcs: Vcs,
    /// What tells the repository apart; see [`super::identity`].
    pub repository: String,
    /// When the last update was tried.
    pub tried: Timestamp,
    /// When all that is watched was looked at, and what there was of it fetched, for the last time.
    pub updated: Option<Timestamp>,
    /// When a branch changed, for the last time.
    pub changed: Option<Timestamp>,
    /// What changed then.
    pub changes: IndexMap<String, Change>,
    /// The revision of each branch that the mirror has.
    pub heads: IndexMap<String, String>,
    /// What it takes, in bytes.
    pub size: u64,
    /// Since when something is wrong.
    pub failing: Option<Timestamp>,
    /// What was wrong at the last try.
    pub problems: Vec<Problem>,
}

/// Something that did not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The branch, where the others are not concerned.
    pub branch: Option<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    /// A problem of the whole repository.
    pub(super) fn new(message: impl Into<String>, help: Option<String>) -> Self {
        Self { branch: None, message: message.into(), help }
    }

    /// The same, of one branch.
    pub(super) fn of(self, branch: &str) -> Self {
        Self { branch: Some(branch.to_owned()), ..self }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::new(failure.message, failure.help)
    }
}

impl State {
    /// Of a mirror that is yet to be made.
    pub(super) fn new(vcs: Vcs, repository: &str) -> Self {
        Self {
            format: FORMAT,
            vcs,
            repository: repository.to_owned(),
            tried: Timestamp::UNIX_EPOCH,
            updated: None,
            changed: None,
            changes: IndexMap::new(),
            heads: IndexMap::new(),
            size: 0,
            failing: None,
            problems: Vec::new(),
        }
    }

    /// Reads one; none where there is none, or none that is whole. Whatever else is called so is no mirror's.
    pub(super) fn read(path: &Utf8Path) -> Option<Self> {
        let text = std::fs::read(path).ok()?;
        let state: Self = serde_json::from_slice(&text).ok()?;
        (state.format == FORMAT).then_some(state)
    }

    /// Writes it.
    pub(super) fn write(&self, path: &Utf8Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        files::save(path.as_std_path(), &text)
    }
}
