//! `farmout compile`: check the farm's files.

use std::io::{IsTerminal as _, Write as _};

use camino::Utf8PathBuf;

use super::Exit;
use super::farm::{FarmArguments, exit, read};
use crate::diagnostic::{Failure, Format, Levels, Pages, Report};
use crate::dispatch::Graph;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    farm: FarmArguments,
    /// Manifests to read instead of the farm's own, like --manifest
    ///
    /// `-` is standard input, called `<stdin>` in messages; its paths are relative to the farm's `buildouts`. One of the
    /// farm's own slave fragments is read as such, so that a tool may pass the names of all changed files.
    #[arg(value_name = "FILE")]
    files: Vec<Utf8PathBuf>,
    /// How to write what is found
    ///
    /// All formats but `human` write on standard output, and nothing else does; a line that counts goes to standard
    /// error in each. Paths are relative to the current directory.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
    /// Write the build graph on standard output, if there is no error
    #[arg(long, value_name = "FORMAT")]
    emit: Option<Emit>,
    /// Treat a code as an error: `warnings` for all warnings, `option::unread`, `option::*` (may be given several times)
    ///
    /// The narrower word counts: a code's own before its family's, and that before `warnings`. Between --deny and --allow
    /// in the same words, --deny does.
    #[arg(long, value_name = "CODE")]
    deny: Vec<String>,
    /// Do not report a warning or notice: `option::unread`, `option::*` (may be given several times)
    #[arg(long, value_name = "CODE")]
    allow: Vec<String>,
    /// Where docs/checks.md is published: codes become links to it
    ///
    /// With it, SARIF has a `helpUri` for each code, and the codes of the format `human` are links in terminals that show
    /// links. It may be built in: set FARMOUT_DOCS_URL then.
    #[arg(long, value_name = "URL", env = "FARMOUT_DOCS_URL", value_parser = docs_url)]
    docs_url: Option<DocsUrl>,
}

/// An address, or nothing where the environment has an empty one.
#[derive(Debug, Clone)]
struct DocsUrl(Option<Pages>);

fn docs_url(written: &str) -> Result<DocsUrl, &'static str> {
    if written.is_empty() { Ok(DocsUrl(None)) } else { written.parse().map(|pages| DocsUrl(Some(pages))) }
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Emit {
    /// Builds, slaves, builders and schedulers, as JSON
    Json,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    if arguments.emit.is_some() && arguments.format != Format::Human {
        return Err(Failure::misuse("the graph and this format would both be written on standard output")
            .help("call `farmout compile` twice: once with --emit, once with --format"));
    }
    let levels = Levels::parse(&arguments.deny, &arguments.allow)?;
    let mut layout = arguments.farm.layout();
    layout.manifests.extend(arguments.files.iter().cloned());
    let compilation = read(&layout)?;
    let pages = arguments.docs_url.as_ref().map_or_else(Pages::built_in, |docs| docs.0.clone());
    let links = supports_hyperlinks::on(supports_hyperlinks::Stream::Stderr);
    let report = Report::new(&compilation.diagnostics, &compilation.sources, &levels).with_pages(pages, links);
    match arguments.format {
        // Without a standard error there is nobody to tell.
        Format::Human => drop(arguments.format.write(&report, &mut anstream::stderr().lock())),
        _ => finished(arguments.format.write(&report, &mut anstream::stdout().lock()))?,
    }
    let (counts, graph) = (report.counts(), &compilation.graph);
    let number = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    note!(
        "{counts}: {}, {}, {}",
        number(graph.farm.builds.len(), "build"),
        number(graph.farm.slaves.len(), "slave"),
        number(graph.builders.len(), "builder"),
    );
    if let Some(code) = report.worst().filter(|_| arguments.format == Format::Human && std::io::stderr().is_terminal())
    {
        note!("`farmout explain {code}` says more");
    }
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
