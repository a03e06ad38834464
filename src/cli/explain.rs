//! `farmout explain`: what a code, an option, a step template, a capability or a builder is.

use std::io::IsTerminal as _;

use super::Exit;
use super::compile::print;
use super::farm::FarmArguments;
use super::plan::as_found;
use crate::diagnostic::Failure;
use crate::explain::{Knowledge, Writer};
use crate::{Compilation, compile};

/// Columns where standard output is no terminal.
const WIDTH: usize = 100;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    farm: FarmArguments,
    /// A code or its family, an option, a step template, a capability, a builder or a build [default: list them all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let layout = arguments.farm.layout();
    // Most of what can be explained is built in: a farm that is not there is missed only where it was asked for.
    let (mut farm, mut missing) = (None, None);
    match compile(&layout) {
        Ok(compilation) => farm = Some((layout.clone(), compilation)),
        Err(mut failures) => missing = failures.pop(),
    }
    if let Some(failure) = missing.take_if(|_| arguments.farm.is_named()) {
        return Err(failure);
    }
    // Without slave fragments, builders are those of this machine. Looking at it takes a moment.
    if let Some((_, compilation)) = farm.as_mut()
        && !compilation.has_fragments
        && (arguments.names.is_empty() || arguments.names.iter().any(|name| begins_with_a_build(compilation, name)))
        && let Ok(found) = as_found(&layout)
    {
        *compilation = found;
    }
    let knowledge = Knowledge::new(farm);
    let mut writer = Writer::new(width());
    if arguments.names.is_empty() {
        knowledge.list(&mut writer);
    }
    let unknown: Vec<&String> = arguments.names.iter().filter(|name| !knowledge.explain(name, &mut writer)).collect();
    print(&writer.finish())?;
    let failures = unknown.iter().map(|name| {
        let failure = Failure::misuse(format!("nothing is called `{name}`"));
        match (knowledge.near(name).as_slice(), &missing) {
            ([], Some(why)) => failure
                .help(format!("no farm was read, since {}; `farmout explain` lists what is built in", why.message)),
            ([], None) => failure.help("`farmout explain` lists what can be explained"),
            (near, _) => failure.help(format!("did you mean `{}`?", near.join("`, or `"))),
        }
    });
    let mut exit = Exit::Fine;
    for failure in failures {
        exit = failure.print();
    }
    Ok(exit)
}

/// Whether a name can be that of a build or of one of its builders.
fn begins_with_a_build(compilation: &Compilation, name: &str) -> bool {
    compilation.graph.farm.builds.iter().any(|build| name.starts_with(&build.name))
}

/// The terminal's width.
fn width() -> usize {
    let terminal = std::io::stdout().is_terminal().then(terminal_size::terminal_size).flatten();
    terminal.map_or(WIDTH, |(width, _)| usize::from(width.0))
}
