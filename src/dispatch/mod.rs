//! Builders from builds and slaves, and why a slave does or does not take one. The typed model comes in, the graph goes
//! out; nothing is read from anywhere.

mod graph;
mod reason;

use fixedbitset::FixedBitSet;
use indexmap::IndexMap;

use crate::model::{Build, Dispatch, Farm, Requirement, Slave, Version};

pub use graph::{Builder, Graph, Scheduler};
pub use reason::{Reason, refusal, why_not};

/// A capability for which a version was chosen; none for a capability without one.
pub type Chosen = IndexMap<String, Option<Version>>;

/// Dispatches every build over the slaves.
pub fn dispatch(farm: Farm) -> Graph {
    let mut builders: Vec<Builder> = Vec::new();
    let by_rank = ranked(&farm.slaves);
    for (index, build) in farm.builds.iter().enumerate() {
        if build.buildout.is_none() {
            continue;
        }
        let mut able = FixedBitSet::with_capacity(farm.slaves.len());
        able.extend((0..farm.slaves.len()).filter(|slave| refusal(build, &farm.slaves[*slave]).is_none()));
        split(&farm, build, &build.dispatch, Chosen::new(), able, &mut |chosen, slaves| {
            let slaves = by_rank.iter().copied().filter(|slave| slaves.contains(*slave)).collect();
            builders.push(Builder { name: name(&farm, build, &chosen), build: index, chosen, slaves });
        });
    }
    Graph::new(farm, builders)
}

/// The indices of the slaves, those of the highest priority first, then by name.
fn ranked(slaves: &[Slave]) -> Vec<usize> {
    let mut ranked: Vec<usize> = (0..slaves.len()).collect();
    ranked.sort_by(|one, two| {
        let (one, two) = (&slaves[*one], &slaves[*two]);
        two.priority.value.total_cmp(&one.priority.value).then_with(|| one.name.cmp(&two.name))
    });
    ranked
}

/// Splits `slaves` by the versions of the first capability, and each part by the others.
fn split(
    farm: &Farm,
    build: &Build,
    dispatch: &[Dispatch],
    chosen: Chosen,
    slaves: FixedBitSet,
    found: &mut dyn FnMut(Chosen, FixedBitSet),
) {
    if slaves.is_clear() {
        return;
    }
    let Some((first, others)) = dispatch.split_first() else {
        return found(chosen, slaves);
    };
    if first.not_used {
        return split(farm, build, others, chosen, slaves, found);
    }
    let capability = &first.requirement.capability;
    let mut versions: Vec<(Option<Version>, FixedBitSet)> = Vec::new();
    for slave in slaves.ones() {
        for offer in farm.slaves[slave].capabilities.get(capability).into_iter().flatten() {
            let version = offer.version.as_ref();
            // A version that `build-requires` excludes would make a builder that no slave can run.
            if !first.requirement.filter.allows(version) || !allowed(&build.requires, capability, version) {
                continue;
            }
            match versions.iter_mut().find(|(version, _)| *version == offer.version) {
                Some((_, set)) => set.insert(slave),
                None => {
                    let mut set = FixedBitSet::with_capacity(farm.slaves.len());
                    set.insert(slave);
                    versions.push((offer.version.clone(), set));
                }
            }
        }
    }
    versions.sort_by(|(one, _), (two, _)| one.cmp(two));
    for (version, set) in versions {
        let mut chosen = chosen.clone();
        chosen.insert(capability.clone(), version);
        split(farm, build, others, chosen, set, found);
    }
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

/// `build-pg9.0-py2.6`.
fn name(farm: &Farm, build: &Build, chosen: &Chosen) -> String {
    let mut name = build.name.clone();
    for (capability, version) in chosen {
        name.push('-');
        name.push_str(farm.declarations.abbreviation(capability));
        name.push_str(version.as_ref().map_or("", Version::as_str));
    }
    name
}
