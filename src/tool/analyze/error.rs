//! What can go wrong before a log is looked through: the wording of all of it.

use std::io;

use crate::diagnostic::Failure;

/// A log analysis that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A regular expression that is none.
    #[error("{rules}: `{regex}` is no regular expression: {error}")]
    MalformedRegex {
        /// The file, or the name of the built-in rules.
        rules: String,
        /// The expression.
        regex: String,
        /// What is wrong with it.
        error: regex::Error,
    },
    /// A file that does not have the format.
    #[error("{rules}: no rules for a log analysis: {error}")]
    MalformedRules {
        /// The file.
        rules: String,
        /// What is wrong with it.
        error: serde_yaml::Error,
    },
    /// An expression of `entries` that does not say what is what.
    #[error("{rules}: `{regex}` in `entries` has no group called `{group}`")]
    MissingGroup {
        /// The file.
        rules: String,
        /// The expression.
        regex: String,
        /// The group.
        group: &'static str,
    },
    /// Rules with which every log is fine.
    #[error("{rules}: no rules, so that every log would be fine")]
    NothingToFind {
        /// The file.
        rules: String,
    },
    /// `extends` names what does not exist.
    #[error("{rules}: `extends: {base}` names no built-in rules")]
    UnknownBase {
        /// The file.
        rules: String,
        /// What it names.
        base: String,
    },
    /// The log cannot be opened or read.
    #[error("cannot read the log {log}: {error}")]
    UnreadableLog {
        /// The file.
        log: String,
        /// Why.
        error: io::Error,
    },
    /// The rules cannot be read.
    #[error("cannot read the rules {rules}: {error}")]
    UnreadableRules {
        /// The file.
        rules: String,
        /// Why.
        error: io::Error,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let help = match &error {
            Error::MalformedRegex { .. } => "the syntax is that of https://docs.rs/regex, without look-around",
            Error::MalformedRules { .. } => "a rule needs `label`, `regex` and `severity` (error, warning or ignore)",
            Error::MissingGroup { .. } => {
                "name the parts of an entry's first line: `(?<level>…)`, `(?<logger>…)`, and `(?<message>)` where the message begins"
            }
            Error::NothingToFind { .. } => "begin with `extends: server`, or give `rules`, `required` or `ending`",
            Error::UnknownBase { .. } => "the built-in rules are called `server`",
            Error::UnreadableLog { .. } => {
                "a step that writes its log elsewhere, or that died before it began one, leaves nothing to analyse: see the output of the step before"
            }
            Error::UnreadableRules { .. } => "give a file, or `server` for the built-in rules",
        };
        Self::misuse(error.to_string()).help(help)
    }
}
