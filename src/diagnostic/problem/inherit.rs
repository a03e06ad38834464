//! The words for problems with sections that inherit.

use super::Severity::{Error};
use super::{Wording, did_you_mean, names, opens, word};

/// A problem with `inherit`. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Inherit {
    Cycle { chain: Vec<String> },
    Unknown { parent: String, known: Vec<String> },
}

impl Inherit {
    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::Cycle { chain } => word(
                "inherit::cycle",
                Error,
                &format!("inheritance goes round in a circle: {}", chain.join(" → ")),
                &opens(chain, "inherits from"),
                "remove one `inherit` of the circle",
            ),
            Self::Unknown { parent, known } => word(
                "inherit::unknown",
                Error,
                &format!("there is no section `[{parent}]` to inherit from"),
                "not a section of this manifest",
                &did_you_mean(parent, known).unwrap_or_else(|| match known.as_slice() {
                    [] => "write the name of another section".to_owned(),
                    known => format!("its sections are {}", names(known)),
                }),
            ),
        }
    }
}
