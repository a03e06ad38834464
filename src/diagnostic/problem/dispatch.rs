//! The words for problems with putting builds on slaves.

use super::Severity::{Error, Notice, Warning};
use super::{Wording, did_you_mean, names, word};

/// Slaves for which the same is to be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alike {
    /// The first few of them; none for those of which only the number is told.
    pub names: Vec<String>,
    /// How many there are.
    pub count: usize,
    /// What is to be said of each.
    pub reason: String,
}

impl Alike {
    /// The slaves, as a sentence begins.
    fn subject(&self) -> String {
        match self.names.as_slice() {
            [one] if self.count == 1 => one.clone(),
            [others @ .., last] if self.names.len() == self.count => format!("{} and {last}", others.join(", ")),
            [] => format!("{} more slave{}", self.count, if self.count == 1 { "" } else { "s" }),
            some => format!("{} slaves ({}, …)", self.count, some.join(", ")),
        }
    }
}

/// A problem of putting builds on slaves. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the wording below says what each is")]
pub enum Dispatch {
    BuilderTwice { builder: String },
    Database { builder: String, database: String },
    Highest { slave: String, capability: String, taken: String, offered: Vec<String> },
    NoBuilder { build: String, slaves: Vec<Alike> },
    TooMany { build: String, most: usize },
    TooManyOfAll { most: usize },
    Twice { capability: String },
    Unmet { build: String, wanted: String, slaves: Vec<Alike>, offer: Offer },
}

/// What the slaves of a farm offer of a capability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offer {
    /// Nothing.
    None {
        /// What they offer instead.
        known: Vec<String>,
        /// Whether it is known what the capability is, so that it is no slip.
        declared: bool,
    },
    /// It, without any version.
    Unversioned,
    /// Versions of it.
    Versions,
}

impl Dispatch {
    /// The words for it.
    pub(super) fn wording(&self) -> Wording {
        match self {
            Self::BuilderTwice { builder } => word(
                "dispatch::builder-twice",
                Error,
                &format!("two builds make a builder `{builder}`"),
                "made here again",
                "rename one of the builds",
            ),
            Self::Database { builder, database } => word(
                "dispatch::database",
                Notice,
                &format!("the testing database of `{builder}` has too long a name for PostgreSQL"),
                &format!("it is shortened to `{database}`"),
                "PostgreSQL takes 63 bytes: a shorter name of the build, or another `db_prefix` of the slave, keeps it whole",
            ),
            Self::Highest { slave, capability, taken, offered } => word(
                "dispatch::highest",
                Notice,
                &format!(
                    "slave `{slave}` offers {capability} in several versions that will do: {}",
                    offered.join(", ")
                ),
                &format!("{taken} is taken, the highest"),
                &format!("ask for one version, or put `{capability}` into `build-for` to build with each of them"),
            ),
            Self::NoBuilder { build, slaves } => word(
                "dispatch::no-builder",
                Warning,
                &format!("no slave can take the build `{build}`: it has no builder"),
                "this build is never run",
                &lines(slaves.iter().map(|alike| match alike.names.is_empty() {
                    true => format!("{}, for other reasons", alike.subject()),
                    false => format!("{}: {}", alike.subject(), alike.reason),
                })),
            ),
            Self::TooMany { build, most } => word(
                "dispatch::too-many",
                Error,
                &format!("the build `{build}` is for too many combinations of versions: it has no builder"),
                &format!("more than {most} builders"),
                "every version of a capability is built with every version of the others: narrow them, as in `python >= 3.10`",
            ),
            Self::TooManyOfAll { most } => word(
                "dispatch::too-many",
                Error,
                &format!("the farm comes to too many builders for its slaves, at most {most}: this build and those after it have none"),
                "one build too many",
                "divide the farm, or narrow what builds are for, as in `python >= 3.10`",
            ),
            Self::Twice { capability } => word(
                "dispatch::twice",
                Error,
                &format!("`build-for` names `{capability}` twice"),
                "again here",
                "write one line, its filters joined by `OR`",
            ),
            Self::Unmet { build, wanted, slaves, offer } => word(
                "dispatch::unmet",
                Warning,
                &format!("no slave of the farm meets `{wanted}`: the build `{build}` has no builder"),
                "offered by no slave",
                &lines(instead(wanted, offer).into_iter().chain(slaves.iter().map(|alike| {
                    match (alike.names.is_empty(), alike.count) {
                        (true, _) => format!("{} offer others", alike.subject()),
                        (_, 1) => format!("{} offers {}", alike.subject(), alike.reason),
                        _ => format!("{} offer {}", alike.subject(), alike.reason),
                    }
                }))),
            ),
        }
    }
}

/// What to write instead of a requirement, or in the fragments, where that can be told.
fn instead(wanted: &str, offer: &Offer) -> Option<String> {
    let capability = wanted.split(' ').next().unwrap_or_default();
    match offer {
        Offer::None { known, .. } if known.is_empty() => {
            Some(format!("the slaves offer nothing at all: add `capability = {capability} VERSION` to one that has it"))
        }
        Offer::None { known, declared } => {
            let near = if *declared { None } else { did_you_mean(capability, known) };
            let all = || format!("what the slaves offer is {}: add `{capability}` to one that has it", names(known));
            Some(near.unwrap_or_else(all))
        }
        Offer::Unversioned => Some(format!(
            "what has no version meets no comparison: write it in the slave's section, `{capability} VERSION`"
        )),
        Offer::Versions => None,
    }
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}
