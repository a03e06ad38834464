//! A change in a watched repository.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Vcs;

/// A branch that builds watch, as whoever schedules them tells it apart from others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WatchedBranch {
    /// The system.
    pub vcs: Vcs,
    /// The repository, in the one spelling that stands for all; for Bazaar the branch itself.
    pub url: String,
    /// The branch; none for Bazaar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
}

/// One change of a branch: what a hook tells of it, and what a build records as its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Change {
    /// The system.
    pub vcs: Vcs,
    /// The repository's address, without a password; for Bazaar that of the branch.
    pub url: String,
    /// Other addresses of the same repository, as hosting servers name them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_urls: Vec<String>,
    /// The branch; none for Bazaar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The revision that the branch has with this change, as its system names it.
    pub revision: String,
    /// Who made it, such as `Ann <ann@shop.example>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// What its author says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The files that it touches, relative to the repository, as far as they are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// When farmout was told.
    pub time: Timestamp,
}

/// Why a run was begun, where nobody began it by hand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Trigger {
    /// By which whoever asked for the run finds it again.
    pub request: String,
    /// What has changed since the last run for the same build, in the order in which it was told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// Somebody who wanted it, changes or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wish: Option<Wish>,
}

/// That somebody wants a build, without waiting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Wish {
    /// Who, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why, if that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was said.
    pub time: Timestamp,
}

impl Change {
    /// What tells the revision apart from others: of Bazaar's, which may have their number before it, the identifier.
    pub fn id(&self) -> &str {
        match self.vcs {
            Vcs::Bzr => self.revision.rsplit(' ').next().unwrap_or(&self.revision),
            Vcs::Git | Vcs::Hg => &self.revision,
        }
    }

    /// The first line of the comment.
    pub fn summary(&self) -> &str {
        self.comment.as_deref().unwrap_or_default().trim().lines().next().unwrap_or_default()
    }
}
