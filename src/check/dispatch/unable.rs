//! `dispatch::unmet` and `dispatch::no-builder`: builds that no slave takes, with the reason for each slave. Slaves of which
//! the same is to be said are told together, once there are many.

use std::collections::{BTreeSet, HashMap, HashSet};

use indexmap::IndexMap;

use crate::diagnostic::Diagnostics;
use crate::diagnostic::problem::{self, Alike, Offer};
use crate::dispatch::{Graph, why_not};
use crate::model::{Build, Requirement, Slave, Version};

/// So many slaves are told of one by one.
const FEW: usize = 8;
/// So many reasons are told, and so many versions.
const MOST: usize = 12;
/// Of slaves that are alike, so many are named.
const NAMED: usize = 3;
/// Slaves are looked at no more often than this, over all builds: past it, only the first ones are.
const LOOKS: usize = 1 << 20;

/// Checks that each build with a buildout has a builder.
pub(super) fn check(graph: &Graph, diagnostics: &mut Diagnostics) {
    let unmet = unmet(graph, diagnostics);
    no_builder(graph, &unmet, diagnostics);
}

/// What is known of one capability: who offers which versions of it.
struct Offered<'a> {
    versions: BTreeSet<&'a Version>,
    unversioned: bool,
    slaves: Vec<Alike>,
}

/// Requirements that no slave meets; gives the builds that have one.
fn unmet(graph: &Graph, diagnostics: &mut Diagnostics) -> HashSet<usize> {
    let mut builds = HashSet::new();
    let slaves = &graph.farm.slaves;
    let known: BTreeSet<&String> = slaves.iter().flat_map(|slave| slave.capabilities.keys()).collect();
    let known: Vec<String> = known.into_iter().cloned().collect();
    // Builds ask for the same things: what the farm offers is looked up once for each.
    let mut offers: HashMap<&str, Offered<'_>> = HashMap::new();
    for (index, build) in graph.farm.builds.iter().enumerate().filter(|(_, build)| build.buildout.is_some()) {
        for requirement in build.requires.iter().chain(over(build)) {
            let name = requirement.capability.as_str();
            let offered = offers.entry(name).or_insert_with(|| offered(slaves, name));
            let met = offered.versions.iter().any(|version| requirement.filter.allows(Some(version)))
                || offered.unversioned && requirement.filter.allows(None);
            if !met {
                builds.insert(index);
                let offer = match (offered.versions.is_empty(), offered.unversioned) {
                    (false, _) => Offer::Versions,
                    (true, true) => Offer::Unversioned,
                    (true, false) => {
                        let declared = graph.farm.declarations.get(name).is_some();
                        Offer::None { known: known.clone(), declared }
                    }
                };
                let problem = problem::Dispatch::Unmet {
                    build: build.name.clone(),
                    wanted: requirement.to_string(),
                    slaves: offered.slaves.clone(),
                    offer,
                };
                diagnostics.push(problem, requirement.span);
            }
        }
    }
    builds
}

/// The requirements over whose versions a build is dispatched.
fn over(build: &Build) -> impl Iterator<Item = &Requirement> {
    build.dispatch.iter().filter(|dispatch| !dispatch.not_used).map(|dispatch| &dispatch.requirement)
}

fn offered<'a>(slaves: &'a [Slave], capability: &str) -> Offered<'a> {
    let of =
        |slave: &'a Slave| slave.capabilities.get(capability).into_iter().flatten().map(|offer| offer.version.as_ref());
    let versions = slaves.iter().flat_map(of).flatten().collect();
    let unversioned = slaves.iter().flat_map(of).any(|version| version.is_none());
    let text = |slave: &'a Slave| {
        let mut versions: Vec<Option<&Version>> = of(slave).collect();
        versions.sort();
        let more = versions.len() > MOST;
        let word =
            |version: Option<&Version>| version.map_or_else(|| "without a version".to_owned(), ToString::to_string);
        match versions.as_slice() {
            [] => format!("no {capability}"),
            some => {
                let words: Vec<_> = some.iter().take(MOST).map(|version| word(*version)).collect();
                format!("{capability} {}{}", words.join(", "), if more { ", …" } else { "" })
            }
        }
    };
    let slaves = alike(slaves.iter().map(|slave| (slave, text(slave))), slaves.len());
    Offered { versions, unversioned, slaves }
}

/// A build without builders is never run, though each of its requirements is met by some slave.
fn no_builder(graph: &Graph, unmet: &HashSet<usize>, diagnostics: &mut Diagnostics) {
    let built: HashSet<usize> = graph.builders.iter().map(|builder| builder.build).collect();
    let slaves = &graph.farm.slaves;
    // Builds that ask for the same thing are refused for the same reasons.
    let mut known: HashMap<Vec<String>, Vec<Alike>> = HashMap::new();
    let mut left = LOOKS;
    for (index, build) in graph.farm.builds.iter().enumerate() {
        let told = unmet.contains(&index) || graph.excess.contains_key(&index);
        if build.buildout.is_none() || built.contains(&index) || told {
            continue;
        }
        let wanted = build.requires.iter().map(|requirement| format!("requires {requirement}"));
        let wanted = wanted.chain(over(build).map(ToString::to_string)).collect();
        let slaves = known.entry(wanted).or_insert_with(|| {
            let looked_at = slaves.len().min(left.max(FEW));
            left = left.saturating_sub(looked_at);
            let reason = |slave: &Slave| why_not(build, slave).map_or_else(String::new, |reason| reason.to_string());
            alike(slaves[..looked_at].iter().map(|slave| (slave, reason(slave))), slaves.len())
        });
        let problem = problem::Dispatch::NoBuilder { build: build.name.clone(), slaves: slaves.clone() };
        diagnostics.push(problem, build.span);
    }
}

/// Puts slaves together of which the same is to be said, the most first. Of `count` slaves, those that are not given are
/// only counted.
fn alike<'a>(slaves: impl Iterator<Item = (&'a Slave, String)>, count: usize) -> Vec<Alike> {
    let one = |(slave, reason): (&Slave, String)| Alike { names: vec![slave.name.clone()], count: 1, reason };
    if count <= FEW {
        return slaves.map(one).collect();
    }
    let mut groups: IndexMap<String, Alike> = IndexMap::new();
    for (slave, reason) in slaves {
        let group = groups.entry(reason).or_insert_with_key(|reason| Alike {
            names: Vec::new(),
            count: 0,
            reason: reason.clone(),
        });
        group.count += 1;
        if group.names.len() < NAMED {
            group.names.push(slave.name.clone());
        }
    }
    let mut groups: Vec<Alike> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups.truncate(MOST);
    let told: usize = groups.iter().map(|group| group.count).sum();
    if told < count {
        groups.push(Alike { names: Vec::new(), count: count - told, reason: String::new() });
    }
    groups
}
