//! The words for problems with `farm.yaml` and the files that it names.

use super::Severity::{Error};
use super::{Wording, word};

/// A problem in `farm.yaml` or a file that it names. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Farm {
    Yaml { message: String },
}

impl Farm {
    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::Yaml { message } => word("farm::yaml", Error, "this file cannot be read", message, ""),
        }
    }
}
