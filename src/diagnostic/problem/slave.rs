//! The words for problems with slaves as a whole.

use super::Severity::{Error, Warning};
use super::{Wording, word};

/// A problem with a slave as a whole. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Slave {
    Duplicate { slave: String },
    NearOption { option: String, near: String },
    NoPassword { slave: String },
    None,
    Unused { slave: String, reasons: Vec<String> },
}

impl Slave {
    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::Duplicate { slave } => word(
                "slave::duplicate",
                Error,
                &format!("the slave `{slave}` is in two fragments"),
                "again here",
                "rename one of the sections",
            ),
            Self::NearOption { option, near } => word(
                "slave::near-option",
                Warning,
                &format!("`{option}` is no option of slaves"),
                "read as a property of this name",
                &format!("did you mean `{near}`?"),
            ),
            Self::NoPassword { slave } => word(
                "slave::no-password",
                Error,
                &format!("the slave `{slave}` has no password"),
                "`password` is missing in this section",
                "add `password = …`: without it a master takes no slave",
            ),
            Self::None => word(
                "slave::none",
                Warning,
                "this farm has no slave, so no build has a builder",
                "dispatched to no slave",
                "write a slaves.cfg or slaves.d/*.cfg beside `buildouts`: `farmout slave detect` prints one for this machine",
            ),
            Self::Unused { slave, reasons } => word(
                "slave::unused",
                Warning,
                &format!("no builder can use the slave `{slave}`"),
                "takes nothing",
                &reasons.join("\n"),
            ),
        }
    }
}
