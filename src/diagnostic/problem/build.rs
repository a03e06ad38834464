//! The words for problems with builds as a whole.

use super::Severity::{Error};
use super::{Wording, word};

/// A problem with a build as a whole. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Build {
    Duplicate { build: String },
}

impl Build {
    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::Duplicate { build } => word(
                "build::duplicate",
                Error,
                &format!("the build `{build}` is in two manifests"),
                "again here",
                "names of builds are names of builders: rename one of the sections",
            ),
        }
    }
}
