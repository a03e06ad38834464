//! Checks of the whole graph, a file for each family. The graph comes in, diagnostics go out; what a single file says is
//! checked where it is read.

mod build;
mod buildout;
mod dispatch;
pub(crate) mod layout;
mod plan;
mod secret;
mod slave;

use camino::Utf8PathBuf;

use crate::diagnostic::Diagnostics;
use crate::dispatch::Graph;
use crate::source::{SourceId, Sources};
use crate::steps::Templates;

/// Checks the fragments as files: they hold passwords.
pub fn check_fragments(
    fragments: &[(SourceId, Option<Utf8PathBuf>)],
    sources: &Sources,
    diagnostics: &mut Diagnostics,
) {
    secret::files(fragments, sources, diagnostics);
}

/// Checks the configurations that are sent to slaves as files: everybody who sees a plan reads them.
pub fn check_configurations(configurations: &[SourceId], sources: &Sources, diagnostics: &mut Diagnostics) {
    secret::carried(configurations, sources, diagnostics);
}

/// Checks the graph, and that plans can be made of it.
pub fn check(graph: &Graph, templates: &Templates, diagnostics: &mut Diagnostics) {
    build::check(graph, diagnostics);
    buildout::check(graph, diagnostics);
    dispatch::check(graph, diagnostics);
    secret::passwords(&graph.farm.slaves, diagnostics);
    secret::named(&graph.farm.slaves, diagnostics);
    slave::check(graph, diagnostics);
    plan::check(graph, templates, diagnostics);
}
