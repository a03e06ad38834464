//! The words for problems with `farm.yaml` and the files that it names.

use super::Severity::{Error, Warning};
use super::{Wording, did_you_mean, names, word};

/// A problem in `farm.yaml` or another YAML file of a farm. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Farm {
    DuplicateKey { key: String },
    Folder { folder: String, file: bool },
    Group { group: &'static str },
    Key { key: String, what: &'static str, known: Vec<String> },
    Missing { file: String },
    MissingKey { key: &'static str, what: &'static str },
    NoMeans,
    NothingToFind,
    Placeholder { name: String, known: Vec<String> },
    PlaceholderSyntax,
    Program { file: String, exists: bool },
    Regex { why: String },
    TwoMeans,
    Value { expected: String, found: String, help: Option<String> },
    Yaml { what: String, help: &'static str },
}

impl Farm {
    /// A key that should be the name of an environment variable.
    pub(crate) fn variable(name: &str) -> Self {
        let expected = "the name of an environment variable: letters, digits and `_`, no digit first".to_owned();
        Self::Value { expected, found: format!("`{name}`"), help: None }
    }

    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::DuplicateKey { key } => word(
                "farm::duplicate-key",
                Error,
                &format!("`{key}` is there twice"),
                "and again here",
                "keep one of the two",
            ),
            Self::Folder { folder, file } => word(
                "farm::folder",
                Error,
                &format!("the folder of step templates {folder} {}", if *file { "is a file" } else { "does not exist" }),
                if *file { "not a folder" } else { "no such folder" },
                "name the folder that the templates are in, by its path from farm.yaml; or remove it",
            ),
            Self::Group { group } => word(
                "farm::value",
                Error,
                "expected a regular expression for the beginning of an entry",
                &format!("this has no group called `{group}`"),
                "name the parts of an entry's first line: `(?<level>…)`, `(?<logger>…)`, and `(?<message>)` where the message begins",
            ),
            Self::Key { key, what, known } => word(
                "farm::key",
                Error,
                &format!("{what} has no key `{key}`"),
                "not known here",
                &did_you_mean(key, known).unwrap_or_else(|| format!("the keys are {}", names(known))),
            ),
            Self::Missing { file } => word(
                "farm::missing",
                Warning,
                &format!("the slave fragment {file} does not exist"),
                "no such file",
                "put the fragment there, or remove its name; a pattern such as `slaves.d/*.cfg` may find nothing",
            ),
            Self::MissingKey { key, what } => word(
                "farm::missing-key",
                Error,
                &format!("{what} needs `{key}`"),
                "not set here",
                &format!("add `{key}: …`"),
            ),
            Self::NoMeans => word(
                "farm::missing-key",
                Error,
                "a notification needs `command` or `mail`",
                "this says nobody to tell",
                "add `command: [./notify.sh]`, or `mail: {to: […], from: …}`",
            ),
            Self::NothingToFind => word(
                "farm::value",
                Error,
                "expected rules",
                "with this file every log would be fine",
                "begin with `extends: server`, or give `rules`, `required` or `ending`",
            ),
            Self::Placeholder { name, known } => word(
                "farm::placeholder",
                Error,
                &format!("nothing is known as `${{{name}}}`"),
                "nothing fills this in",
                &did_you_mean(name, known).unwrap_or_else(|| {
                    format!("there are {}, and options of capabilities as `${{postgresql.port}}`", names(known))
                }),
            ),
            Self::PlaceholderSyntax => word(
                "farm::placeholder",
                Error,
                "`${` begins a placeholder, but none follows",
                "not a placeholder",
                "write `${name}` or `${name:-default}`, or `$${` for the characters themselves",
            ),
            Self::Program { file, exists: false } => word(
                "farm::program",
                Warning,
                &format!("the program {file} does not exist"),
                "no such file",
                "a path with a `/` is relative to the farm; a name without one is looked for on PATH",
            ),
            Self::Program { file, exists: true } => word(
                "farm::program",
                Warning,
                &format!("the program {file} cannot be run"),
                "not executable",
                &format!("make it executable: `chmod +x {file}`"),
            ),
            Self::Regex { why } => word(
                "farm::value",
                Error,
                "expected a regular expression",
                why,
                "the syntax is that of https://docs.rs/regex, without look-around",
            ),
            Self::TwoMeans => word(
                "farm::key",
                Error,
                "a notification has `command` or `mail`, not both",
                "one too many",
                "make two notifications of it",
            ),
            Self::Value { expected, found, help } => word(
                "farm::value",
                Error,
                &format!("expected {expected}"),
                &format!("this is {found}"),
                help.as_deref().unwrap_or_default(),
            ),
            Self::Yaml { what, help } => word("farm::yaml", Error, "this is not well-formed YAML", what, help),
        }
    }
}
