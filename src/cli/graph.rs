//! `farmout graph`: a drawing of the farm on standard output.

use super::Exit;
use super::compile::print;
use super::farm::{FarmArguments, Pick, read, right};
use super::plan::as_found;
use crate::diagnostic::Failure;
use crate::dispatch::Builder;
use crate::render::{Language, draw};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    farm: FarmArguments,
    /// The language of the drawing
    #[arg(long, value_name = "FORMAT", default_value = "dot")]
    format: Format,
    /// The builders, by name or by pattern such as 'demo-*' [default: all, and all slaves]
    #[arg(value_name = "BUILDER")]
    builders: Vec<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// For Graphviz
    Dot,
    /// For Markdown, where a forge shows it
    Mermaid,
    /// A picture for any browser
    Svg,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let layout = arguments.farm.layout();
    let mut compilation = right(read(&layout)?)?;
    if !compilation.has_fragments {
        compilation = as_found(&layout)?;
    }
    let graph = &compilation.graph;
    let pick = Pick::new(&arguments.builders)?;
    pick.check(&graph.builders)?;
    let picked: Vec<&Builder> = graph.builders.iter().filter(|builder| pick.matches(&builder.name)).collect();
    let language = match arguments.format {
        Format::Dot => Language::Dot,
        Format::Mermaid => Language::Mermaid,
        Format::Svg => Language::Svg,
    };
    let text = draw(graph, &picked, language)
        .map_err(|error| Failure::error(format!("the graph cannot be drawn: {error:#}")))?;
    print(&text)?;
    Ok(Exit::Fine)
}
