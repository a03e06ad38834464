//! What happened to a branch between two looks, for whoever schedules builds.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A change of a branch. Revisions are full identifiers; Bazaar's have the number before them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Change {
    /// It was not known before.
    Appeared {
        /// Where it is.
        to: String,
    },
    /// It is gone.
    Disappeared {
        /// Where it was.
        from: String,
    },
    /// It went on.
    Moved {
        /// Where it was.
        from: String,
        /// Where it is.
        to: String,
    },
    /// It was rewritten: what it was before does not lead to what it is.
    Rewritten {
        /// Where it was.
        from: String,
        /// Where it is.
        to: String,
    },
}

/// A revision as people are shown it: Bazaar's number, or the beginning of an identifier.
pub(super) fn short(revision: &str) -> &str {
    match revision.split_once(' ') {
        Some((number, _)) => number,
        None => revision.get(..12).unwrap_or(revision),
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Appeared { to } => write!(f, "new, at {}", short(to)),
            Self::Disappeared { from } => write!(f, "gone, was at {}", short(from)),
            Self::Moved { from, to } => write!(f, "{} to {}", short(from), short(to)),
            Self::Rewritten { from, to } => write!(f, "{} to {}, rewritten", short(from), short(to)),
        }
    }
}
