//! `dispatch::`: builds that no slave takes, builders of one name, requirements that leave a choice.

use std::collections::{HashMap, HashSet};

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

/// Of several versions that meet a requirement the highest is taken.
fn highest(graph: &Graph, diagnostics: &mut Diagnostics) {
    let mut known: HashSet<(usize, Span)> = HashSet::new();
    for builder in &graph.builders {
        let build = graph.build(builder);
        let open = build.requires.iter().filter(|requirement| !builder.chosen.contains_key(&requirement.capability));
        for requirement in open {
            for index in &builder.slaves {
                if !known.insert((*index, requirement.span)) {
                    continue;
                }
                let slave = &graph.farm.slaves[*index];
                let offered = candidates(&build.requires, &requirement.capability, slave);
                let offered: Vec<_> = offered.into_iter().flatten().collect();
                if let [.., _, highest] = offered.as_slice() {
                    let problem = Problem::DispatchHighest {
                        slave: slave.name.clone(),
                        capability: requirement.capability.clone(),
                        taken: highest.to_string(),
                        offered: offered.iter().map(Version::to_string).collect(),
                    };
                    diagnostics.push(problem, requirement.span);
                }
            }
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
