//! The words for problems with a slave's capabilities.

use super::Severity::{Error, Warning};
use super::{Wording, did_you_mean, names, word};

/// A problem with a slave's capability. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Capability {
    Conflict { option: String },
    Duplicate { capability: String },
    Lacking { slave: String, capability: String, option: String, builder: String },
    Option { option: String, capability: String, known: Vec<String> },
    SamePort { slave: String, port: String },
    Shadowed { option: String, by: String },
    TwoForms { capability: String },
    Undeclared { option: String, capability: String, known: Vec<String> },
    Unknown { capability: String, near: String },
    VariantTemplate { template: String, known: Vec<String> },
    Word { word: String },
}

impl Capability {
    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::Conflict { option } => word(
                "capability::conflict",
                Error,
                &format!("`{option}` is given twice for one version, with different values"),
                "another value here",
                "lines for one version of a capability come together: keep one of the values",
            ),
            Self::Duplicate { capability } => word(
                "capability::duplicate",
                Error,
                &format!("`{capability}` is declared twice"),
                "and again here",
                "keep one of the two",
            ),
            Self::Lacking { slave, capability, option, builder } => word(
                "capability::lacking",
                Error,
                &format!("`{slave}` takes `{builder}`, whose steps ask for `${{{capability}.{option}}}`"),
                &if option == "version" { "has no version".to_owned() } else { format!("has no `{option}`") },
                &match option.as_str() {
                    "version" => format!("write the version behind `{capability}`"),
                    _ => format!("add `{option}=VALUE`; or give the step a default: `${{{capability}.{option}:-DEFAULT}}`"),
                },
            ),
            Self::Option { option, capability, known } => word(
                "capability::option",
                Warning,
                &format!("`{capability}` has no option `{option}`"),
                "nothing reads this",
                &did_you_mean(option, known).unwrap_or_else(|| match known.is_empty() {
                    true => format!("`{capability}` has no options; a farm can declare some in farm.yaml"),
                    false => format!("its options are {}; a farm can declare more in farm.yaml", names(known)),
                }),
            ),
            Self::SamePort { slave, port } => word(
                "capability::same-port",
                Warning,
                &format!("`{slave}` has two PostgreSQL clusters on port {port}"),
                "the same place as the first",
                "give each cluster its own `port`, or its own `host`",
            ),
            Self::Shadowed { option, by } => word(
                "capability::shadowed",
                Warning,
                &format!("`{option}` has no effect beside `{by}`"),
                "not read",
                &format!("`{by}` decides `{option}` by itself: remove it"),
            ),
            Self::TwoForms { capability } => word(
                "capability::two-forms",
                Error,
                &format!("this version of `{capability}` is offered in both forms"),
                "offered by plain properties",
                "keep the `capability` line, and remove the properties",
            ),
            Self::Undeclared { option, capability, known } => word(
                "capability::declaration",
                Error,
                &format!("`{capability}` declares no option `{option}`"),
                "not among its `options`",
                &did_you_mean(option, known).unwrap_or_else(|| match known.is_empty() {
                    true => "declare it under `options`".to_owned(),
                    false => format!("its options are {}", names(known)),
                }),
            ),
            Self::Unknown { capability, near } => word(
                "capability::unknown",
                Warning,
                &format!("no capability `{capability}` is declared"),
                "offered under this name all the same",
                &format!("did you mean `{near}`?"),
            ),
            Self::VariantTemplate { template, known } => word(
                "capability::declaration",
                Error,
                &format!("there is no step template `{template}` of the place `capability`"),
                "not known here",
                &did_you_mean(template, known).unwrap_or_else(|| format!("there are {}", names(known))),
            ),
            Self::Word { word: found } => word(
                "capability::word",
                Error,
                &format!("`{found}` is neither a version nor an option"),
                "not expected here",
                &match found.split_once('=') {
                    Some((key, value)) => format!("write `{}={}`, with no space around `=`", key.trim(), value.trim()),
                    None => "a capability is written `NAME [VERSION] [OPTION=VALUE]…`".to_owned(),
                },
            ),
        }
    }
}
