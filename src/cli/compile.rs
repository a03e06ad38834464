//! `farmout compile`: check the farm's files.

use std::io::Write as _;

use super::Exit;
use super::farm::{FarmArguments, exit, read};
use crate::diagnostic::{self, Failure};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    farm: FarmArguments,
    /// Write the build graph on standard output
    #[arg(long, value_name = "FORMAT")]
    emit: Option<Emit>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Emit {
    /// Builds, slaves, builders and schedulers, as JSON
    Json,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let compilation = read(&arguments.farm.layout())?;
    let counts = diagnostic::print(&compilation.diagnostics, &compilation.sources);
    let graph = &compilation.graph;
    let number = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    anstream::eprintln!(
        "{counts}: {}, {}, {}",
        number(graph.farm.builds.len(), "build"),
        number(graph.farm.slaves.len(), "slave"),
        number(graph.builders.len(), "builder"),
    );
    let errors = counts.errors > 0;
    if let (Some(Emit::Json), false) = (arguments.emit, errors) {
        let mut text = serde_json::to_string_pretty(&graph.emit())
            .map_err(|error| Failure::error(format!("the graph cannot be written: {error}")))?;
        text.push('\n');
        print(&text)?;
    }
    Ok(exit(errors))
}

/// Writes on standard output. A reader that has gone, such as `head`, is no error.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut output = anstream::stdout();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::misuse(format!("cannot write on standard output: {error}")))
        }
        _ => Ok(()),
    }
}
