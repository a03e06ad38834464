//! `dispatch::`: builds that no slave takes, builders of one name, requirements that leave a choice.

use std::collections::{HashMap, HashSet};

use fixedbitset::FixedBitSet;

use crate::diagnostic::{Diagnostics, Label, Problem};
use crate::dispatch::{Graph, candidates, why_not};
use crate::model::Version;
use crate::source::Span;

/// Checks what became of the builds.
pub(super) fn check(graph: &Graph, diagnostics: &mut Diagnostics) {
    if graph.farm.slaves.is_empty() {
        // One report stands for all builds.
        if let Some(build) = graph.farm.builds.iter().find(|build| build.buildout.is_some()) {
            diagnostics.push(Problem::SlaveNone, build.span);
        }
        return;
    }
    no_builder(graph, diagnostics);
    highest(graph, diagnostics);
    twice(graph, diagnostics);
}

/// A build without builders is never run: the reason is told for each slave.
fn no_builder(graph: &Graph, diagnostics: &mut Diagnostics) {
    let built: HashSet<usize> = graph.builders.iter().map(|builder| builder.build).collect();
    for (index, build) in graph.farm.builds.iter().enumerate() {
        if build.buildout.is_none() || built.contains(&index) {
            continue;
        }
        let reason = |slave| why_not(build, slave).map_or_else(String::new, |reason| reason.to_string());
        let reasons = graph.farm.slaves.iter().map(|slave| format!("{}: {}", slave.name, reason(slave))).collect();
        diagnostics.push(Problem::DispatchNoBuilder { build: build.name.clone(), reasons }, build.span);
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
            let problem = Problem::DispatchHighest {
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
    let mut known: HashMap<&str, usize> = HashMap::new();
    for builder in &graph.builders {
        if let Some(first) = known.insert(&builder.name, builder.build) {
            let problem = Problem::DispatchBuilderTwice { builder: builder.name.clone() };
            let diagnostic = diagnostics.push(problem, graph.build(builder).span);
            diagnostic.label(graph.farm.builds[first].span, Label::FirstHere);
        }
    }
}
