//! The words for problems with versions.

use super::Severity::{Error};
use super::{Wording, word};

/// A problem with a version. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Version {
    Syntax { version: String },
}

impl Version {
    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::Syntax { version } => word(
                "version::syntax",
                Error,
                &format!("`{version}` is no version"),
                "not a version",
                "a version is made of numbers and perhaps a suffix: 9.1, 16, 17rc1, 9.2-devel",
            ),
        }
    }
}
