//! `dispatch::`: builds that no slave takes, builders of one name, requirements that leave a choice.

mod unable;

use std::collections::HashMap;

use fixedbitset::FixedBitSet;

use crate::diagnostic::{Diagnostics, Label, problem};
use crate::dispatch::{Excess, Graph, candidates};
use crate::plan::LONGEST_DATABASE;
use crate::source::Span;

/// Checks what became of the builds.
pub(super) fn check(graph: &Graph, diagnostics: &mut Diagnostics) {
    if graph.farm.slaves.is_empty() && !graph.farm.more_slaves {
        // One report stands for all builds.
        if let Some(build) = graph.farm.builds.iter().find(|build| build.buildout.is_some()) {
            diagnostics.push(problem::Slave::None, build.span);
        }
        return;
    }
    // What nobody could read may be what a build wants: its slave's mistake has been told.
    if !graph.farm.more_slaves && !graph.farm.slaves.iter().any(|slave| slave.unclear) {
        unable::check(graph, diagnostics);
    }
    too_many(graph, diagnostics);
    database(graph, diagnostics);
    highest(graph, diagnostics);
    twice(graph, diagnostics);
}

/// Builds whose builders would be too many. That the farm is full is told of the first build that it is too much for.
fn too_many(graph: &Graph, diagnostics: &mut Diagnostics) {
    let mut full = false;
    for (build, excess) in &graph.excess {
        let build = &graph.farm.builds[*build];
        let place = build.dispatch.first().map_or(build.span, |dispatch| dispatch.requirement.span);
        match *excess {
            Excess::OfBuild(most) => {
                diagnostics.push(problem::Dispatch::TooMany { build: build.name.clone(), most }, place);
            }
            Excess::OfFarm(most) => {
                if !std::mem::replace(&mut full, true) {
                    diagnostics.push(problem::Dispatch::TooManyOfAll { most }, build.span);
                }
            }
        }
    }
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
            let offered: Vec<_> = offered.iter().flatten().map(ToString::to_string).collect();
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
