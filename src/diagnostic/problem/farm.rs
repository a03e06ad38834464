//! The words for problems with `farm.yaml` and the files that it names.

use super::Severity::{Error, Warning};
use super::{Wording, word};

/// A problem in `farm.yaml` or a file that it names. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Farm {
    Missing { file: String },
    Yaml { message: String },
}

impl Farm {
    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::Missing { file } => word(
                "farm::missing",
                Warning,
                &format!("the slave fragment {file} does not exist"),
                "no such file",
                "put the fragment there, or remove its name; a pattern such as `slaves.d/*.cfg` may find nothing",
            ),
            Self::Yaml { message } => word("farm::yaml", Error, "this file cannot be read", message, ""),
        }
    }
}
