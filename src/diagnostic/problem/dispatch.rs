//! The words for problems with putting builds on slaves.

use super::Severity::{Error, Notice, Warning};
use super::{Wording, did_you_mean, names, word};

/// A problem of putting builds on slaves. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Dispatch {
    BuilderTwice { builder: String },
    Database { builder: String, database: String },
    Highest { slave: String, capability: String, taken: String, offered: Vec<String> },
    NoBuilder { build: String, reasons: Vec<String> },
    Twice { capability: String },
    Unmet { build: String, wanted: String, offered: Vec<String>, known: Vec<String> },
}

impl Dispatch {
    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::BuilderTwice { builder } => word(
                "dispatch::builder-twice",
                Error,
                &format!("two builds make a builder `{builder}`"),
                "made here again",
                "rename one of the builds",
            ),
            Self::Database { builder, database } => word(
                "dispatch::database",
                Notice,
                &format!("the testing database of `{builder}` has too long a name for PostgreSQL"),
                &format!("it is shortened to `{database}`"),
                "PostgreSQL takes 63 bytes: a shorter name of the build, or another `db_prefix` of the slave, keeps it whole",
            ),
            Self::Highest { slave, capability, taken, offered } => word(
                "dispatch::highest",
                Notice,
                &format!(
                    "slave `{slave}` offers {capability} in several versions that will do: {}",
                    offered.join(", ")
                ),
                &format!("{taken} is taken, the highest"),
                &format!("ask for one version, or put `{capability}` into `build-for` to build with each of them"),
            ),
            Self::NoBuilder { build, reasons } => word(
                "dispatch::no-builder",
                Warning,
                &format!("no slave can take the build `{build}`: it has no builder"),
                "this build is never run",
                &reasons.join("\n"),
            ),
            Self::Twice { capability } => word(
                "dispatch::twice",
                Error,
                &format!("`build-for` names `{capability}` twice"),
                "again here",
                "write one line, its filters joined by `OR`",
            ),
            Self::Unmet { build, wanted, offered, known } => word(
                "dispatch::unmet",
                Warning,
                &format!("no slave of the farm meets `{wanted}`: the build `{build}` has no builder"),
                "offered by no slave",
                &if offered.is_empty() {
                    did_you_mean(wanted.split(' ').next().unwrap_or_default(), known)
                        .unwrap_or_else(|| format!("the slaves offer {}", names(known)))
                } else {
                    format!("the slaves offer {}", offered.join(", "))
                },
            ),
        }
    }
}
