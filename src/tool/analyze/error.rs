//! What can go wrong before a log is looked through: the wording of all of it.

use std::io;

use super::Form;
use crate::diagnostic::{Diagnostics, Failure};
use crate::source::Sources;

/// A log analysis that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The log is no text, or none in UTF-8.
    #[error("the log {log} is {form}")]
    NoText {
        /// The file.
        log: String,
        /// What it is.
        form: Form,
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
    /// The rules have mistakes.
    #[error("{rules} has mistakes")]
    WrongRules {
        /// The file.
        rules: String,
        /// The mistakes, with their places.
        mistakes: Box<Mistakes>,
    },
}

/// What is wrong with a file.
#[derive(Debug)]
pub struct Mistakes {
    /// The file's text.
    pub sources: Sources,
    /// What is to be said about it.
    pub diagnostics: Diagnostics,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let help = match &error {
            Error::NoText { form: Form::Packed(_), .. } => "unpack it before it is analysed",
            Error::NoText { form: Form::Utf16, .. } => "convert it first: `iconv -f utf-16 -t utf-8`",
            Error::UnreadableLog { .. } => {
                "a step that writes its log elsewhere, or that died before it began one, leaves nothing to analyse: see the output of the step before"
            }
            Error::UnreadableRules { .. } => {
                "give a file, by its path from the directory of the step, or `server` for the built-in rules"
            }
            Error::WrongRules { .. } => "a rule needs `label`, `regex` and `severity` (error, warning or ignore)",
        };
        Self::misuse(error.to_string()).help(help)
    }
}
