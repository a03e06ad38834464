//! `farmout fmt`: the usual layout. In: files, or a text on standard input. Out: the files laid out, or what would
//! change in them. The layout itself is [`crate::format`]'s.

use camino::{Utf8Path, Utf8PathBuf};
use similar::TextDiff;

use super::Exit;
use super::compile::print;
use super::farm::{FarmArguments, exit, last};
use super::rewrite::rewrite;
use crate::diagnostic::{self, Diagnostics, Failure, problem};
use crate::format::{format, same_meaning};
use crate::resolve::Files;
use crate::source::{ReadError, SourceId, Sources};
use crate::syntax::ini;

/// What messages call standard input.
const STDIN: &str = "<stdin>";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    farm: FarmArguments,
    /// The files; `-` reads standard input and writes standard output [default: the farm's manifests and fragments]
    #[arg(value_name = "FILE", conflicts_with_all = ["farm", "manifest", "slaves"])]
    files: Vec<Utf8PathBuf>,
    /// Write nothing; list the files that are not laid out so, and exit 1 if there are any
    #[arg(long)]
    check: bool,
    /// With --check, print what would change as well; secrets are starred out
    #[arg(long, requires = "check")]
    diff: bool,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut sources = Sources::default();
    let mut run = Run { check: arguments.check, diff: arguments.diff, ends: Exit::Fine };
    let (mut diagnostics, mut files) = (Diagnostics::default(), Vec::new());
    if arguments.files.is_empty() {
        let layout = arguments.farm.layout();
        let read = Files::read(&layout, &mut sources, &mut diagnostics);
        let read = read.map_err(last)?;
        files.extend(read.manifests.into_iter().map(|(id, _)| id).chain(read.fragments.into_iter().map(|(id, _)| id)));
    }
    for path in &arguments.files {
        match open(path, &mut sources, &mut diagnostics) {
            Ok(id) => files.push(id),
            Err(failure) => run.failed(&failure),
        }
    }
    for id in &files {
        // A secret must not be seen, not even in a message about the line beside it.
        for secret in crate::compile::secrets(sources.get(*id).text(), *id) {
            sources.hide(secret);
        }
    }
    // What reading found: bytes that are no UTF-8, and mistakes in farm.yaml.
    if diagnostics.has_errors() {
        run.worse(Exit::Errors);
        diagnostic::print(&diagnostics, &sources);
    }
    let undecoded: Vec<SourceId> = diagnostics.sorted().iter().map(|found| found.span.source).collect();
    for id in files.into_iter().filter(|id| !undecoded.contains(id)) {
        let mut mistakes = Diagnostics::default();
        ini::parse(&sources, id, &mut mistakes);
        if mistakes.has_errors() {
            run.worse(Exit::Errors);
            diagnostic::print(&mistakes, &sources);
        } else if let Err(failure) = run.file(&sources, id) {
            run.failed(&failure);
        }
    }
    Ok(run.ends)
}

fn open(path: &Utf8Path, sources: &mut Sources, diagnostics: &mut Diagnostics) -> Result<SourceId, Failure> {
    let read = if path == "-" { sources.standard_input(STDIN) } else { sources.read(path, path.as_str()) };
    let read = read.map_err(|error: ReadError| Failure::misuse(error.to_string()))?;
    if let Some((byte, span)) = read.invalid {
        diagnostics.push(problem::Source::Encoding { byte }, span);
    }
    Ok(read.id)
}

struct Run {
    check: bool,
    diff: bool,
    ends: Exit,
}

impl Run {
    /// Of two ways to end, the one with the higher number tells more.
    fn worse(&mut self, exit: Exit) {
        if exit as u8 > self.ends as u8 {
            self.ends = exit;
        }
    }

    fn failed(&mut self, failure: &Failure) {
        let exit = failure.print();
        self.worse(exit);
    }

    fn file(&mut self, sources: &Sources, id: SourceId) -> Result<(), Failure> {
        let source = sources.get(id);
        let (name, text) = (source.name(), source.text());
        let formatted = format(text);
        // Nothing is ever written that says something else than what was there.
        if !same_meaning(text, &formatted) {
            let failure = Failure::error(format!("{name} cannot be laid out without changing what it says"));
            return Err(failure.help("this is a mistake of farmout; the file is left alone"));
        }
        let differs = text != formatted;
        if self.check {
            if differs {
                self.worse(exit(true));
                print(&format!("{name}\n"))?;
            }
            if differs && self.diff {
                print(&unified(name, text, &formatted))?;
            }
            return Ok(());
        }
        match name {
            STDIN => print(&formatted),
            _ if differs => {
                rewrite(Utf8Path::new(name), &formatted)?;
                note!("{name}");
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// What changes in a file. Secrets are stars; line ends show, since they may be what changes.
fn unified(name: &str, before: &str, after: &str) -> String {
    let (before, after) = (starred(before), starred(after));
    let mut text = format!("--- {name}\n+++ {name}\n");
    let diff = TextDiff::from_lines(&before, &after);
    for hunk in diff.unified_diff().context_radius(2).iter_hunks() {
        text.push_str(&hunk.to_string().replace('\r', "\\r"));
    }
    text
}

/// The text with as many stars as a secret has bytes.
fn starred(text: &str) -> String {
    let mut sources = Sources::default();
    let id = sources.add(STDIN, text);
    let mut text = text.to_owned();
    for secret in crate::compile::secrets(sources.get(id).text(), id) {
        let range = secret.range();
        if text.is_char_boundary(range.start) && text.is_char_boundary(range.end) {
            let stars = "*".repeat(range.len());
            text.replace_range(range, &stars);
        }
    }
    text
}
