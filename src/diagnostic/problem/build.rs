//! The words for problems with builds as a whole.

use super::Severity::{Error, Warning};
use super::{Wording, word};

/// A problem with a build as a whole. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Build {
    Duplicate { build: String },
    Name { build: String, why: &'static str },
    Unprintable { found: Option<char> },
}

impl Build {
    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::Duplicate { build } => word(
                "build::duplicate",
                Error,
                &format!("the build `{build}` is in two manifests"),
                "again here",
                "names of builds are names of builders: rename one of the sections",
            ),
            Self::Name { build, why } => word(
                "build::name",
                Warning,
                &format!("`{build}` is an odd name for a build"),
                why,
                "begin with a letter or a digit, and put no `/` into it: builders, their directories and databases have this name",
            ),
            Self::Unprintable { found } => word(
                "build::unprintable",
                Error,
                &match found {
                    Some(found) => format!("the name of this build holds the character `{}`", found.escape_unicode()),
                    None => "this build has no name but blanks".to_owned(),
                },
                if found.is_some() { "not to be seen" } else { "nothing but blanks" },
                "write a name that can be seen and typed: commands, directories and databases are called by it",
            ),
        }
    }
}
