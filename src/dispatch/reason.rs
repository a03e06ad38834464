//! Why a slave does not take a build.

use std::fmt;

use crate::model::{Build, Offer, Requirement, Slave};

/// A reason lists no more of what a slave offers than this.
const LISTED: usize = 40;

/// Why a slave does not take a build or a builder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It offers none of the versions that the build is for.
    NotFor {
        /// What the build is for.
        wanted: String,
        /// What the slave offers of it.
        offered: Vec<String>,
    },
    /// It takes only builds that require something which this one does not.
    OnlyIfRequires(String),
    /// It lacks what the build requires.
    Requires {
        /// What the build requires.
        wanted: String,
        /// What the slave offers of it.
        offered: Vec<String>,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offers = |wanted: &str, offered: &[String]| match offered {
            [] => format!("no {} is offered", wanted.split(' ').next().unwrap_or_default()),
            some => format!("offered is {}", some.join(", ")),
        };
        match self {
            Self::NotFor { wanted, offered } => write!(f, "the build is for {wanted}, {}", offers(wanted, offered)),
            Self::OnlyIfRequires(name) => write!(f, "it takes only builds that require {name}"),
            Self::Requires { wanted, offered } => write!(f, "{wanted} is required, {}", offers(wanted, offered)),
        }
    }
}

/// Why a slave takes no builder of a build at all, before dispatch: what it requires, and what the slave wants of it.
pub fn refusal(build: &Build, slave: &Slave) -> Option<Reason> {
    let required = |name: &String| build.requires.iter().any(|requirement| requirement.capability == *name);
    if let Some(name) = slave.only_if_requires.iter().find(|name| !required(name)) {
        return Some(Reason::OnlyIfRequires(name.clone()));
    }
    let unmet = build.requires.iter().find(|requirement| !meets(slave, requirement));
    unmet.map(|requirement| Reason::Requires { wanted: requirement.to_string(), offered: offered(slave, requirement) })
}

/// Why a slave takes no builder of a build, dispatch included.
pub fn why_not(build: &Build, slave: &Slave) -> Option<Reason> {
    refusal(build, slave).or_else(|| {
        let wanted = build.dispatch.iter().filter(|dispatch| !dispatch.not_used).map(|dispatch| &dispatch.requirement);
        let offers = |requirement: &Requirement| {
            let offers = slave.capabilities.get(&requirement.capability).into_iter().flatten();
            offers.map(|offer| offer.version.as_ref()).any(|version| {
                requirement.filter.allows(version) && super::allowed(&build.requires, &requirement.capability, version)
            })
        };
        wanted
            .clone()
            .find(|requirement| !offers(requirement))
            .map(|requirement| Reason::NotFor { wanted: requirement.to_string(), offered: offered(slave, requirement) })
    })
}

fn meets(slave: &Slave, requirement: &Requirement) -> bool {
    let mut offers = slave.capabilities.get(&requirement.capability).into_iter().flatten();
    offers.any(|offer| requirement.filter.allows(offer.version.as_ref()))
}

fn offered(slave: &Slave, requirement: &Requirement) -> Vec<String> {
    let text = |offer: &Offer| {
        let version = offer.version.as_ref().map_or_else(|| "without a version".to_owned(), ToString::to_string);
        format!("{} {version}", requirement.capability)
    };
    let offers = slave.capabilities.get(&requirement.capability).map_or(&[][..], Vec::as_slice);
    let more = offers.get(LISTED..).filter(|more| !more.is_empty()).map(|_| "…".to_owned());
    offers.iter().take(LISTED).map(text).chain(more).collect()
}
