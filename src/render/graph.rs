//! The graph as a drawing: for Graphviz, for Mermaid, or drawn already as SVG. The graph comes in, text goes out.

use minijinja::context;
use minijinja::value::Serde;

use super::drawing::{Drawing, environment};
use super::layout::lay_out;
use crate::dispatch::{Builder, Graph};

/// A language of drawings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Graphviz.
    Dot,
    /// Mermaid, which many forges show in Markdown.
    Mermaid,
    /// A picture for any browser.
    Svg,
}

/// Draws the picked builders with their builds and slaves; with all of the graph's builders picked, also the builds and
/// slaves that have none.
///
/// # Errors
/// A template that cannot be filled in, which would be a mistake of farmout.
pub fn draw(graph: &Graph, picked: &[&Builder], language: Language) -> Result<String, minijinja::Error> {
    let drawing = Drawing::new(graph, picked, picked.len() == graph.builders.len());
    let environment = environment();
    let fill = |name: &str, template: &str, values: minijinja::Value| {
        environment.template_from_named_str(name, template)?.render(values)
    };
    match language {
        Language::Dot => {
            fill("graph.dot", include_str!("templates/graph.dot.j2"), context! { drawing => Serde(&drawing) })
        }
        Language::Mermaid => {
            fill("graph.mmd", include_str!("templates/graph.mmd.j2"), context! { drawing => Serde(&drawing) })
        }
        Language::Svg => {
            let picture = lay_out(&drawing);
            fill(
                "graph.svg",
                include_str!("templates/graph.svg.j2"),
                context! { drawing => Serde(&drawing), picture => Serde(&picture) },
            )
        }
    }
}
