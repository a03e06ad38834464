//! Checks of the whole graph, a file for each family. The graph comes in, diagnostics go out; what a single file says is
//! checked where it is read.

mod buildout;
mod dispatch;
mod source;

use crate::diagnostic::Diagnostics;
use crate::dispatch::Graph;
use crate::steps::Templates;

/// Checks the graph.
pub fn check(graph: &Graph, templates: &Templates, diagnostics: &mut Diagnostics) {
    buildout::check(graph, diagnostics);
    dispatch::check(graph, diagnostics);
    source::check(graph, templates, diagnostics);
}
