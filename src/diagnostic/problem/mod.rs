//! Everything that can be wrong with a farm, and the words for it: in one place, a file for each family, so that they are
//! reviewed together.
//!
//! A message says what is wrong in one clause; the label says it at its place; the help says what to write instead.

use std::fmt;

use super::code::{self, Code};
use super::suggest::{list, nearest};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The farm does not compile.
    Error,
    /// It compiles, but something is most probably not what was meant.
    Warning,
    /// Something to know.
    Notice,
}

/// The families of problems, each in a file of its own.
macro_rules! families {
    ($($module:ident $family:ident)*) => {
        $(mod $module;)*
        $(pub use $module::$family;)*

        /// A problem, by family.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each family says what it is about")]
        pub enum Problem {
            $($family($family),)*
        }

        $(impl From<$family> for Problem {
            fn from(problem: $family) -> Self {
                Self::$family(problem)
            }
        })*

        impl Problem {
            /// All codes, alphabetical.
            pub const CODES: &'static [Code] = code::CODES;

            /// The words for it.
            pub fn wording(&self) -> Wording {
                match self {
                    $(Self::$family(problem) => problem.wording(),)*
                }
            }
        }
    };
}

pub use dispatch::{Alike, Offer};

families! {
    allow Allow
    build Build
    buildout Buildout
    capability Capability
    dispatch Dispatch
    farm Farm
    filter Filter
    inherit Inherit
    ini Ini
    interpolation Interpolation
    secret Secret
    setting Setting
    slave Slave
    source Source
    step Step
    version Version
}

/// The words for a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    /// The stable code, `family::name`.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// What is wrong at its place.
    pub label: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// What another place has to do with a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Label {
    /// What asks for what is missing.
    AskedHere,
    /// A file extends another, in a circle.
    Extends(String, String),
    /// The first of two.
    FirstHere,
    /// A section inherits from another, in a circle.
    Inherits(String, String),
    /// The option that names a buildout.
    ItsBuildout,
    /// The option that a line belongs to.
    ItsOption,
    /// The section that is a part.
    ItsPart,
    /// A value refers to another, in a circle.
    RefersTo(String, String),
    /// What should not be empty.
    SetEmpty,
    /// What something else is compared with.
    SetHere,
    /// A section takes the options of another, in a circle.
    TakesFrom(String, String),
    /// What a build lists.
    UsedHere,
    /// A step template uses another, in a circle.
    Uses(String, String),
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Extends(one, other) => return f.write_str(&leads(one, "extends", other)),
            Self::Inherits(one, other) => return f.write_str(&leads(one, "inherits from", other)),
            Self::RefersTo(one, other) => return f.write_str(&leads(one, "refers to", other)),
            Self::TakesFrom(one, other) => return f.write_str(&leads(one, "takes the options of", other)),
            Self::Uses(one, other) => return f.write_str(&leads(one, "uses", other)),
            Self::AskedHere => "asked for here",
            Self::FirstHere => "first here",
            Self::ItsBuildout => "what is sent to the slave",
            Self::ItsOption => "the option that it is read into",
            Self::ItsPart => "the part",
            Self::SetEmpty => "empty",
            Self::SetHere => "set here",
            Self::UsedHere => "used here",
        })
    }
}

/// A step of a circle.
fn leads(one: &str, verb: &str, other: &str) -> String {
    if one == other { format!("`{one}` {verb} itself") } else { format!("`{one}` {verb} `{other}`") }
}

/// The step of a circle that begins it.
fn opens(chain: &[String], verb: &str) -> String {
    match chain {
        [one, other, ..] => leads(one, verb, other),
        _ => String::new(),
    }
}

/// The step of a circle that closes it.
fn closes(chain: &[String], verb: &str) -> String {
    match chain {
        [.., one, other] => leads(one, verb, other),
        _ => String::new(),
    }
}

fn did_you_mean(written: &str, known: &[String]) -> Option<String> {
    nearest(written, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"))
}

/// One of several: `a`, `b` or `c`.
fn either(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => names.concat(),
    }
}

fn names(names: &[String]) -> String {
    list(names.iter().map(String::as_str))
}

/// Puts words together; an empty help is none.
fn word(code: &'static str, severity: Severity, message: &str, label: &str, help: &str) -> Wording {
    Wording {
        code,
        severity,
        message: message.to_owned(),
        label: label.to_owned(),
        help: (!help.is_empty()).then(|| help.to_owned()),
    }
}
