//! Builders from builds and slaves, and why a slave does or does not take one. The typed model comes in, the graph goes
//! out; nothing is read from anywhere.

mod graph;
mod offers;
mod reason;
mod slaves;
mod split;

use indexmap::IndexMap;

use crate::model::{Farm, Requirement, Slave, Version};

pub use graph::{Builder, Graph, Scheduler};
pub use reason::{Reason, refusal, why_not};
pub use slaves::Slaves;
pub use split::Excess;

/// A capability for which a version was chosen; none for a capability without one.
pub type Chosen = IndexMap<String, Option<Version>>;

/// Dispatches every build over the slaves.
///
/// What it costs grows with what is written and with the builders that come of it: slaves are sets of bits, by version of
/// each capability, and never looked at one by one.
pub fn dispatch(farm: Farm) -> Graph {
    let offers = offers::Offers::new(&farm.slaves);
    let mut split = split::Split::new(&farm, &offers);
    for (index, build) in farm.builds.iter().enumerate().filter(|(_, build)| build.buildout.is_some()) {
        split.build(index, build);
    }
    let (builders, excess) = (split.builders, split.excess);
    Graph::new(farm, offers, builders, excess)
}

/// Whether a version passes all lines of `build-requires` for its capability.
fn allowed(requires: &[Requirement], capability: &str, version: Option<&Version>) -> bool {
    let mut same = requires.iter().filter(|requirement| requirement.capability == capability);
    same.all(|requirement| requirement.filter.allows(version))
}

/// The versions of the capabilities that are required but not dispatched over: the highest that the slave offers.
pub fn required(requires: &[Requirement], chosen: &Chosen, slave: &Slave) -> Chosen {
    let mut required = Chosen::new();
    for requirement in requires {
        let capability = &requirement.capability;
        if !chosen.contains_key(capability) && !required.contains_key(capability) {
            let highest = candidates(requires, capability, slave).last().cloned();
            required.extend(highest.map(|version| (capability.clone(), version)));
        }
    }
    required
}

/// The versions of a required capability that a slave offers and that will do, lowest first.
pub fn candidates(requires: &[Requirement], capability: &str, slave: &Slave) -> Vec<Option<Version>> {
    let offers = slave.capabilities.get(capability).into_iter().flatten();
    let mut versions: Vec<_> = offers.map(|offer| offer.version.clone()).collect();
    versions.retain(|version| allowed(requires, capability, version.as_ref()));
    versions.sort();
    versions
}
