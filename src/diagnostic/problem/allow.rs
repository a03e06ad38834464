//! The words for problems with comments that speak to farmout.

use super::Severity::{Notice, Warning};
use super::{Wording, word};
use crate::diagnostic::code;

/// A problem with a comment that allows a code. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Allow {
    Error { code: String },
    Syntax,
    Unknown { code: String },
    Unused { code: String },
}

impl Allow {
    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::Error { code } => word(
                "allow::error",
                Warning,
                &format!("`{code}` is an error, and errors cannot be allowed"),
                "silences nothing",
                "remove it, and mend what is wrong",
            ),
            Self::Syntax => word(
                "allow::syntax",
                Warning,
                "this comment speaks to farmout, but not in its words",
                "silences nothing",
                "write `# farmout: allow CODE`, with codes separated by commas",
            ),
            Self::Unknown { code } => word(
                "allow::unknown",
                Warning,
                &format!("there is no code `{code}`"),
                "silences nothing",
                &code::nearest(code).map(|near| format!("did you mean `{near}`?")).unwrap_or_default(),
            ),
            Self::Unused { code } => word(
                "allow::unused",
                Notice,
                &format!("there is no `{code}` here to allow"),
                "silences nothing",
                "it is for the line below the comment: move it there, or remove it",
            ),
        }
    }
}
