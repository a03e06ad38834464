//! `farmout compile`: check the farm's files.

use std::io::Write as _;

use super::Exit;
use super::farm::{FarmArguments, exit, read};
use crate::diagnostic::{self, Failure};
use crate::dispatch::Graph;

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
        emit(graph)?;
    }
    Ok(exit(errors))
}

/// Writes the graph as it goes: that of a big farm is no text to keep. JSON has no colours to take out.
fn emit(graph: &Graph) -> Result<(), Failure> {
    let mut output = std::io::BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let written = serde_json::to_writer_pretty(&mut output, &graph.emit()).map_err(std::io::Error::from);
    finished(written.and_then(|()| output.write_all(b"\n")).and_then(|()| output.flush()))
}

/// Writes on standard output. A reader that has gone, such as `head`, is no error.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut output = anstream::stdout();
    finished(output.write_all(text.as_bytes()).and_then(|()| output.flush()))
}

fn finished(written: std::io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::misuse(format!("cannot write on standard output: {error}")))
        }
        _ => Ok(()),
    }
}
