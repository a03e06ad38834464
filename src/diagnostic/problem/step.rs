//! The words for problems with step templates.

use super::Severity::{Error, Notice, Warning};
use super::{Wording, did_you_mean, names, word};

/// A problem with a step template, or with its name in a list. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Step {
    Alias { alias: String, name: String },
    Expression { message: String },
    Twice { step: String },
    Unknown { step: String, option: String, known: Vec<String>, elsewhere: Option<&'static str> },
}

impl Step {
    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::Alias { alias, name } => word(
                "steps::alias",
                Notice,
                &format!("`{alias}` is an old name"),
                "still read",
                &format!("write `{name}`"),
            ),
            Self::Expression { message } => {
                word("steps::expression", Error, "this step template has a mistake", message, "")
            }
            Self::Twice { step } => word(
                "steps::twice",
                Warning,
                &format!("`{step}` is listed twice"),
                "left out",
                "a step template is run once: remove this line",
            ),
            Self::Unknown { step, option, known, elsewhere } => word(
                "steps::unknown",
                Error,
                &format!("`{step}` is no step template for `{option}`"),
                "not known here",
                &match elsewhere {
                    Some(place) => format!("it belongs into `{place}`"),
                    None => match did_you_mean(step, known) {
                        Some(near) => near,
                        None => format!(
                            "there are {}; a farm can add its own, in a folder named in farm.yaml",
                            names(known)
                        ),
                    },
                },
            ),
        }
    }
}
