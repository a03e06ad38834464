//! The words for problems with where a buildout comes from, and files that are read.

use super::Severity::Error;
use super::{Wording, did_you_mean, names, word};

/// A problem with where a buildout comes from, or with a file that is read. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Source {
    Carry { why: String },
    Directory { directory: String, inside: bool },
    Encoding { byte: usize },
    IsDirectory { path: String },
    Kind { kind: String, known: Vec<String> },
    Leaves { path: String, whole: &'static str },
    Missing { looked: Vec<String>, near: Option<String> },
    Option { option: String, usage: &'static str },
    Outside { path: String },
    Property { name: String, usage: &'static str },
    Unreadable { message: String },
    Words { usage: &'static str, extra: bool },
}

impl Source {
    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::Carry { why } => word(
                "source::carry",
                Error,
                "this buildout cannot be sent to the slave",
                why,
                "a plan carries a configuration and small sources, all of them text: keep the rest in a repository",
            ),
            Self::Directory { directory, inside } => word(
                "source::directory",
                Error,
                &format!("{directory} cannot be sent along"),
                if *inside { "no such directory" } else { "not below the configuration's directory" },
                "`with=` names a directory beside the configuration, which has the same place on the slave",
            ),
            Self::Encoding { byte } => word(
                "source::encoding",
                Error,
                &format!("byte {byte} of this file is no UTF-8"),
                "no character",
                "save the file in UTF-8, for example with `iconv -f latin1 -t utf-8`",
            ),
            Self::IsDirectory { path } => word(
                "source::missing",
                Error,
                &format!("`{path}` is a directory, and no buildout configuration"),
                "a directory",
                &format!("name the file in it: `standalone {}/buildout.cfg`", path.trim_end_matches('/')),
            ),
            Self::Kind { kind, known } => word(
                "source::kind",
                Error,
                &(if kind.is_empty() {
                    "it is not said where the buildout comes from".to_owned()
                } else {
                    format!("`{kind}` is no kind of source")
                }),
                "not known",
                &did_you_mean(kind, known).unwrap_or_else(|| format!("the kinds are {}", names(known))),
            ),
            Self::Leaves { path, whole } => word(
                "source::leaves",
                Error,
                &format!("`{path}` leads out of the {whole}"),
                &format!("not in the {whole}"),
                &format!("write it as it is seen from the top of the {whole}, or from `subdir=`"),
            ),
            Self::Missing { looked, near } => word(
                "source::missing",
                Error,
                "this buildout configuration does not exist",
                "no such file",
                &match near {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("looked for {}", names(looked)),
                },
            ),
            Self::Option { option, usage } => word(
                "source::option",
                Error,
                &format!("`{option}` is no option of this kind of source"),
                "not known",
                &format!("it is written `{usage}`"),
            ),
            Self::Outside { path } => word(
                "source::outside",
                Error,
                &format!("`{path}` is outside of the farm"),
                "not read",
                "keep the configuration in the farm's directory: the path is relative to the manifest, or to the farm",
            ),
            Self::Property { name, usage } => word(
                "source::property",
                Error,
                &format!("`{name}` cannot be the name of a property"),
                "a property is expected here",
                &format!("it is written `{usage}`; a property is called by letters, digits, `-`, `_` and `.`"),
            ),
            Self::Unreadable { message } => {
                word("source::unreadable", Error, "this buildout cannot be sent to a slave", message, "")
            }
            Self::Words { usage, extra } => word(
                "source::words",
                Error,
                &format!("this has too {} words", if *extra { "many" } else { "few" }),
                if *extra { "nothing is expected from here on" } else { "something is missing" },
                &format!("it is written `{usage}`"),
            ),
        }
    }
}
