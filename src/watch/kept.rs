//! What the scheduler must not forget, in the form in which it is written down. Data only.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::model::{Change, WatchedBranch, Wish};

/// All that is kept of a scheduler.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Kept {
    /// The revisions of the branches.
    pub heads: Vec<(WatchedBranch, String)>,
    /// What is known of each build.
    pub builds: IndexMap<String, KeptBuild>,
    /// The changes that builds name by their place here: one of them may be many builds' reason.
    pub changes: Vec<Change>,
}

/// One build.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeptBuild {
    /// What it waits with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<KeptPending>,
    /// What it is at work with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<KeptRunning>,
    /// How it ended the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Last>,
}

/// A build that waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeptPending {
    /// Its changes.
    pub changes: Vec<usize>,
    /// Seconds since the last of them.
    pub quiet: f64,
    /// Seconds until it is due, if nothing happens before.
    pub left: f64,
    /// Who wants it without waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wish: Option<Wish>,
}

/// A build at work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeptRunning {
    /// By which its run is found.
    pub request: String,
    /// What it builds.
    pub heads: Vec<(WatchedBranch, String)>,
    /// Its changes.
    pub changes: Vec<usize>,
    /// Who wanted it without waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wish: Option<Wish>,
}

/// How a build ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Last {
    /// The run.
    pub run: String,
    /// Its outcome, in a word.
    pub outcome: String,
    /// What it built.
    #[serde(with = "pairs")]
    pub heads: BTreeMap<WatchedBranch, String>,
}

/// Gives each change one place, whatever the number of builds that name it.
#[derive(Debug, Default)]
pub(super) struct Table {
    places: HashMap<*const Change, usize>,
    changes: Vec<Change>,
}

impl Table {
    pub(super) fn indices(&mut self, changes: &[Arc<Change>]) -> Vec<usize> {
        changes.iter().map(|change| self.index(change)).collect()
    }

    fn index(&mut self, change: &Arc<Change>) -> usize {
        *self.places.entry(Arc::as_ptr(change)).or_insert_with(|| {
            self.changes.push(Change::clone(change));
            self.changes.len() - 1
        })
    }

    pub(super) fn into_changes(self) -> Vec<Change> {
        self.changes
    }
}

/// JSON's names are texts, so a map by branch is a list of pairs there.
mod pairs {
    use super::*;

    pub(super) fn serialize<S: serde::Serializer>(
        heads: &BTreeMap<WatchedBranch, String>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(heads)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<WatchedBranch, String>, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}
