//! The words for problems with what should stay secret.

use super::Severity::{Error, Notice, Warning};
use super::{Wording, word};

/// A problem with what should stay secret. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Secret {
    Ambiguous { option: String, mark: char, taken: bool },
    Carried,
    Indented { option: String },
    Readable { file: String },
    Shared { slave: String, other: String },
    Tracked { file: String },
    Unchecked { file: String, why: String },
    Weak { slave: String },
}

impl Secret {
    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::Ambiguous { option, mark, taken: false } => word(
                "secret::ambiguous",
                Notice,
                &format!("`{option}` begins with `{mark}`, and names a file that holds the password"),
                "is this a file, or the password?",
                "write `@./NAME` for a file beside this one, and `@@` for the `@` of a password",
            ),
            Self::Ambiguous { option, mark, taken: true } => word(
                "secret::ambiguous",
                Notice,
                &format!("`{option}` begins with `{mark}`, and is taken as it stands"),
                "no name of a file or of a variable",
                &format!(
                    "write `{mark}{mark}` for the `{mark}` of a password; `@PATH` is a file, and `$NAME` a variable, in capitals"
                ),
            ),
            Self::Carried => word(
                "secret::carried",
                Warning,
                "this password is in every plan of the buildout, for all to read",
                "sent to the slave as it stands",
                "leave it out of the address; git and others find it in `.netrc`, in the home of the user who builds",
            ),
            Self::Indented { option } => word(
                "secret::indented",
                Error,
                &format!("this password is part of the value of `{option}`"),
                "an indented line continues the option above",
                "begin the line in the first column: plans and graphs show the option above, and the password in it",
            ),
            Self::Readable { file } => word(
                "secret::readable",
                Warning,
                &format!("every user of this machine can read {file}"),
                "this file holds passwords",
                &format!("chmod o-r {file}"),
            ),
            Self::Shared { slave, other } => word(
                "secret::shared",
                Warning,
                &format!("`{slave}` and `{other}` have the same password"),
                "also used by another slave",
                "give each slave its own: who knows one can pass for the other",
            ),
            Self::Tracked { file } => word(
                "secret::tracked",
                Warning,
                &format!("git keeps {file}, and the passwords in it"),
                "this file holds passwords",
                &format!("`git rm --cached {file}`, name it in .gitignore, and change the passwords"),
            ),
            Self::Unchecked { file, why } => word(
                "secret::unchecked",
                Notice,
                &format!("it is not known whether git keeps {file}: {why}"),
                "this file holds passwords",
                "see that `git ls-files` works here, as the user who runs farmout",
            ),
            Self::Weak { slave } => word(
                "secret::weak",
                Warning,
                &format!("the password of `{slave}` is easily guessed"),
                "short, or among the first that are tried",
                "take a long random one: `farmout slave detect` makes one",
            ),
        }
    }
}
