//! The words for problems with the INI dialect.

use super::Severity::{Error, Warning};
use super::{Wording, word};

/// A problem with the INI dialect. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Ini {
    Binary,
    DuplicateOption { option: String },
    DuplicateSection { section: String },
    HashInValue,
    Indented,
    IndentedComment { option: String },
    IndentedOption { line: String, option: String },
    NoSection,
    SectionHeader { name: String },
    Syntax,
}

impl Ini {
    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::Binary => word(
                "ini::binary",
                Error,
                "this is no text file",
                "a byte of value 0",
                "a manifest is text in UTF-8: is this the right file?",
            ),
            Self::DuplicateOption { option } => word(
                "ini::duplicate-option",
                Warning,
                &format!("`{option}` is set twice in this section"),
                "this one counts",
                "remove one of them",
            ),
            Self::DuplicateSection { section } => word(
                "ini::duplicate-section",
                Warning,
                &format!("there are two sections `[{section}]`"),
                "merged with the first; options set here win",
                "join them, or rename one",
            ),
            Self::HashInValue => word(
                "ini::hash-in-value",
                Warning,
                "`#` begins no comment here",
                "this is part of the value",
                "a comment after a value begins with ` ;`, and only on the option's first line",
            ),
            Self::Indented => word(
                "ini::indented",
                Error,
                "this line continues nothing",
                "indented, with no option above it in its section",
                "remove the white space before it",
            ),
            Self::IndentedComment { option } => word(
                "ini::indented-comment",
                Warning,
                &format!("this is no comment but part of the value of `{option}`"),
                "an indented line continues the option above",
                "begin the comment in the first column",
            ),
            Self::IndentedOption { line, option } => word(
                "ini::indented-option",
                Warning,
                &format!("this line is part of the value of `{option}`"),
                "an indented line continues the option above",
                &format!("if it stands for itself, begin it in the first column: `{line}`"),
            ),
            Self::NoSection => word(
                "ini::no-section",
                Error,
                "this stands before the first section",
                "belongs to no section",
                "write a section header such as `[DEFAULT]` above it",
            ),
            Self::SectionHeader { name } => word(
                "ini::section-header",
                Error,
                "a section header is written `[name]`",
                "not a whole section header",
                &match name.as_str() {
                    "" => "put a name between the brackets".to_owned(),
                    name => format!("write `[{name}]`"),
                },
            ),
            Self::Syntax => word(
                "ini::syntax",
                Error,
                "this is neither a section, nor an option, nor a comment",
                "not understood",
                "write `name = value`; indent the line if it continues the value above it",
            ),
        }
    }
}
