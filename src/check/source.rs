//! `source::`: where buildouts come from.

use crate::diagnostic::{Diagnostics, problem};
use crate::dispatch::Graph;
use crate::steps::Templates;

/// Every kind of source has a step template that fetches it.
pub(super) fn check(graph: &Graph, templates: &Templates, diagnostics: &mut Diagnostics) {
    for buildout in graph.farm.builds.iter().filter_map(|build| build.buildout.as_ref()) {
        let kind = buildout.source.template();
        if templates.find(kind).is_none() {
            diagnostics.push(problem::Source::NoTemplate { kind }, buildout.span);
        }
    }
}
