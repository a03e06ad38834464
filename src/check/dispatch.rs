//! `dispatch::`: builds that no slave takes, builders of one name, requirements that leave a choice.

use std::collections::{BTreeSet, HashMap, HashSet};

use fixedbitset::FixedBitSet;

use crate::diagnostic::{Diagnostics, Label, problem};
use crate::dispatch::{Graph, candidates, why_not};
use crate::model::Version;
use crate::plan::LONGEST_DATABASE;
use crate::source::Span;

/// A report gives no more reasons than this.
const MOST_REASONS: usize = 40;

/// Checks what became of the builds.
pub(super) fn check(graph: &Graph, diagnostics: &mut Diagnostics) {
    if graph.farm.slaves.is_empty() {
        // One report stands for all builds.
        if let Some(build) = graph.farm.builds.iter().find(|build| build.buildout.is_some()) {
            diagnostics.push(problem::Slave::None, build.span);
        }
        return;
    }
    // What nobody could read may be what a build wants: its slave's mistake has been told.
    if !graph.farm.slaves.iter().any(|slave| slave.unclear) {
        let unmet = unmet(graph, diagnostics);
        no_builder(graph, &unmet, diagnostics);
    }
    database(graph, diagnostics);
    highest(graph, diagnostics);
    twice(graph, diagnostics);
}

/// Requirements that no slave meets; gives the builds that have one.
fn unmet(graph: &Graph, diagnostics: &mut Diagnostics) -> HashSet<usize> {
    let mut builds = HashSet::new();
    // Builds ask for the same things: what the farm offers is looked up once for each.
    let mut offers: HashMap<&str, BTreeSet<&Version>> = HashMap::new();
    let mut unversioned: HashSet<&str> = HashSet::new();
    for (name, offer) in graph
        .farm
        .slaves
        .iter()
        .flat_map(|slave| &slave.capabilities)
        .flat_map(|(name, offers)| offers.iter().map(move |offer| (name.as_str(), offer)))
    {
        match &offer.version {
            Some(version) => {
                offers.entry(name).or_default().insert(version);
            }
            None => {
                unversioned.insert(name);
            }
        }
    }
    for (index, build) in graph.farm.builds.iter().enumerate().filter(|(_, build)| build.buildout.is_some()) {
        let wanted = build.dispatch.iter().filter(|dispatch| !dispatch.not_used).map(|dispatch| &dispatch.requirement);
        for requirement in build.requires.iter().chain(wanted) {
            let name = requirement.capability.as_str();
            let versions = offers.get(name);
            let met = versions
                .is_some_and(|versions| versions.iter().any(|version| requirement.filter.allows(Some(version))))
                || unversioned.contains(name) && requirement.filter.allows(None);
            if !met {
                builds.insert(index);
                let problem = problem::Dispatch::Unmet {
                    build: build.name.clone(),
                    wanted: requirement.to_string(),
                    offered: versions.into_iter().flatten().map(|version| format!("{name} {version}")).collect(),
                    known: {
                        let names: BTreeSet<&str> = offers.keys().chain(&unversioned).copied().collect();
                        names.into_iter().map(str::to_owned).collect()
                    },
                };
                diagnostics.push(problem, requirement.span);
            }
        }
    }
    builds
}

/// Names that PostgreSQL would cut off.
fn database(graph: &Graph, diagnostics: &mut Diagnostics) {
    let slaves = &graph.farm.slaves;
    // Most farms have short names: then there is no need to look at each builder's slaves.
    let longest = slaves.iter().map(|slave| slave.db_prefix.len()).max().unwrap_or_default();
    let cut = |prefix: usize, builder: &str| prefix + 1 + builder.len() > LONGEST_DATABASE;
    for builder in graph.builders.iter().filter(|builder| cut(longest, &builder.name)) {
        if let Some(slave) = builder.slaves.iter().find(|slave| cut(slaves[*slave].db_prefix.len(), &builder.name)) {
            let database = crate::plan::database(&slaves[slave].db_prefix, &builder.name);
            let problem = problem::Dispatch::Database { builder: builder.name.clone(), database };
            diagnostics.push(problem, graph.build(builder).span);
        }
    }
}

/// The first few reasons of very many: nobody reads a thousand, and a thousand times a thousand fill the memory.
pub(super) fn few(reasons: impl Iterator<Item = String>, of: usize, what: &str) -> Vec<String> {
    let mut few: Vec<String> = reasons.take(MOST_REASONS).collect();
    if few.len() == MOST_REASONS && of > MOST_REASONS {
        few.push(format!("… of {of} {what}"));
    }
    few
}

/// A build without builders is never run: the reason is told for each slave, unless one requirement is reason enough.
fn no_builder(graph: &Graph, unmet: &HashSet<usize>, diagnostics: &mut Diagnostics) {
    let built: HashSet<usize> = graph.builders.iter().map(|builder| builder.build).collect();
    for (index, build) in graph.farm.builds.iter().enumerate() {
        if build.buildout.is_none() || built.contains(&index) || unmet.contains(&index) {
            continue;
        }
        let reason = |slave| why_not(build, slave).map_or_else(String::new, |reason| reason.to_string());
        let reasons = graph.farm.slaves.iter().map(|slave| format!("{}: {}", slave.name, reason(slave)));
        let reasons = few(reasons, graph.farm.slaves.len(), "slaves");
        diagnostics.push(problem::Dispatch::NoBuilder { build: build.name.clone(), reasons }, build.span);
    }
}

/// Of several versions that meet a requirement the highest is taken. The first slave that has the choice is told.
fn highest(graph: &Graph, diagnostics: &mut Diagnostics) {
    /// What has been found out about a requirement; several builds can inherit it.
    #[derive(Default)]
    struct Known {
        slaves: FixedBitSet,
        reported: bool,
    }
    let mut known: HashMap<Span, Known> = HashMap::new();
    for builder in &graph.builders {
        let build = graph.build(builder);
        let open = build.requires.iter().filter(|requirement| !builder.chosen.contains_key(&requirement.capability));
        for requirement in open {
            let known = known.entry(requirement.span).or_default();
            if known.reported || builder.slaves.ranks().is_subset(&known.slaves) {
                continue;
            }
            let several = graph.offers.several(&build.requires, &requirement.capability);
            let first = builder.slaves.ranks().intersection(&several).find(|rank| !known.slaves.contains(*rank));
            known.slaves.union_with(builder.slaves.ranks());
            let Some(first) = first else { continue };
            let slave = &graph.farm.slaves[graph.offers.slave(first)];
            let offered = candidates(&build.requires, &requirement.capability, slave);
            let offered: Vec<_> = offered.iter().flatten().map(Version::to_string).collect();
            known.reported = true;
            let problem = problem::Dispatch::Highest {
                slave: slave.name.clone(),
                capability: requirement.capability.clone(),
                taken: offered.last().cloned().unwrap_or_default(),
                offered,
            };
            diagnostics.push(problem, requirement.span);
        }
    }
}

/// Two builds can make builders of one name: `a` on PostgreSQL 9.1 and `a-pg9.1` on whichever.
fn twice(graph: &Graph, diagnostics: &mut Diagnostics) {
    let mut known: HashMap<&str, usize> = HashMap::with_capacity(graph.builders.len());
    for builder in &graph.builders {
        if let Some(first) = known.insert(&builder.name, builder.build) {
            let problem = problem::Dispatch::BuilderTwice { builder: builder.name.clone() };
            let diagnostic = diagnostics.push(problem, graph.build(builder).span);
            diagnostic.label(graph.farm.builds[first].span, Label::FirstHere);
        }
    }
}
