//! The words for problems with options and their values.

use super::Severity::{Error, Notice, Warning};
use super::{Wording, names, word};

/// A problem with an option or its value. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Setting {
    Below { option: String, value: u64, other: String, least: u64 },
    Choice { option: String, choices: Vec<String> },
    Empty { option: String, program: bool, default: Option<String> },
    Idle { option: String, with: Vec<String> },
    Length { most: usize },
    OfOtherTemplate { option: String, section: String, readers: Vec<String> },
    Property { option: String },
    Required { option: String, template: String },
    Shadowed { option: String },
    TwoSpellings { option: String },
    Unread { option: String, near: Option<String> },
    Unused { option: String, why: String },
    Value { option: String, expected: String },
}

impl Setting {
    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::Below { option, value, other, least } => word(
                "option::value",
                Error,
                &format!("`{option}` is {value}, below `{other}`, which is {least}"),
                "does not fit the other",
                &format!("set `{option}` to {least} or more"),
            ),
            Self::Choice { option, choices } => word(
                "option::choice",
                Error,
                &format!("`{option}` cannot have this value"),
                "not one of its values",
                &format!("it may be {}", names(choices)),
            ),
            Self::Empty { option, program, default } => word(
                "option::empty",
                Error,
                &format!("`{option}` is set but empty"),
                if *program { "it must name a program" } else { "it must name something" },
                &match default {
                    Some(default) => format!("write what it is to be, or remove the line: then it is `{default}`"),
                    None => "write what it is to be".to_owned(),
                },
            ),
            Self::Idle { option, with } => word(
                "option::idle",
                Warning,
                &format!("`{option}` counts for nothing here"),
                match with.len() {
                    1 => "needs another option",
                    _ => "needs one of other options",
                },
                &format!("set {} too, or remove it", super::either(with)),
            ),
            Self::Length { most } => word(
                "option::length",
                Error,
                "this is too long to be read",
                &format!("more than {most} bytes"),
                "what stands here is some words: is it the value of another option?",
            ),
            Self::OfOtherTemplate { option, section, readers } => word(
                "option::unread",
                Warning,
                &format!("nothing in `[{section}]` reads `{option}`"),
                "has no effect",
                &format!("it is an option of {}, which is not among the steps of this build", names(readers)),
            ),
            Self::Property { option } => word(
                "option::property",
                Error,
                &format!("`$(` begins a property in `{option}`, but none follows"),
                "not a property",
                "write `$(name)s`, or `$(name:-default)s` for one that may have no value",
            ),
            Self::Required { option, template } => word(
                "option::required",
                Error,
                &format!("`{template}` needs the option `{option}`"),
                "used here",
                &format!("set `{option}` in this section"),
            ),
            Self::Shadowed { option } => word(
                "option::shadowed",
                Warning,
                &format!("every section that reads `{option}` has its own"),
                "has no effect",
                "remove it",
            ),
            Self::TwoSpellings { option } => word(
                "option::two-spellings",
                Warning,
                &format!("this is another spelling of `{option}`, which is set too"),
                "not read",
                "remove it",
            ),
            Self::Unread { option, near } => word(
                "option::unread",
                Warning,
                &format!("nothing reads the option `{option}`"),
                "has no effect",
                &near.as_ref().map(|near| format!("did you mean `{near}`?")).unwrap_or_default(),
            ),
            Self::Unused { option, why } => word(
                "option::unused",
                Notice,
                &format!("`{option}` does nothing any more"),
                "not read",
                &format!("{why}: remove it"),
            ),
            Self::Value { option, expected } => {
                word("option::value", Error, &format!("`{option}` must be {expected}"), &format!("not {expected}"), "")
            }
        }
    }
}
