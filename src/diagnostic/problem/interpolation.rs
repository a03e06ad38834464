//! The words for problems with `%(name)s`.

use super::Severity::{Error};
use super::{Wording, closes, word};

/// A problem with `%(name)s`. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Interpolation {
    Cycle { chain: Vec<String>, sections: Vec<String> },
    Depth { most: usize },
    Length { most: usize },
    Percent,
    Shared { most: usize },
    Unknown { option: String, near: Option<String>, inherited: Option<String> },
}

impl Interpolation {
    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::Cycle { chain, sections } => word(
                "interpolation::cycle",
                Error,
                &format!("this value is made of itself: {}", chain.join(" → ")),
                &closes(sections, "refers to"),
                "write one of the values out",
            ),
            Self::Depth { most } => word(
                "interpolation::depth",
                Error,
                &format!("values are put into values more than {most} deep"),
                "too deep here",
                "write one of the values out",
            ),
            Self::Length { most } => word(
                "interpolation::length",
                Error,
                "this value grows out of all bounds",
                &format!("more than {most} bytes here"),
                "values that are put into each other multiply: write them out",
            ),
            Self::Percent => word(
                "interpolation::percent",
                Error,
                "in a value that refers to others, `%` begins a reference",
                "not a reference",
                "write `%%` for the character itself, or `%(name)s` to refer to an option",
            ),
            Self::Shared { most } => word(
                "interpolation::length",
                Error,
                &format!("the values that sections have from others come to more than {most} bytes"),
                "taken once too often",
                "a value of this length is for one section",
            ),
            Self::Unknown { option, near, inherited } => word(
                "interpolation::unknown",
                Error,
                &format!("no option `{option}` is set here"),
                "refers to nothing",
                &match inherited {
                    Some(parent) => format!(
                        "`{option}` is set in `[{parent}]`, but references reach only their own section and `[DEFAULT]`: set it in one of these"
                    ),
                    None => match near {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("set `{option}` in this section or in `[DEFAULT]`"),
                    },
                },
            ),
        }
    }
}
