//! `farmout runs`: a table of what has run.

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Exit;
use super::compile::print;
use super::report::{write, write_with};
use super::state::{StateArguments, warn_of_damage};
use crate::diagnostic::Failure;
use crate::report::{Format as ReportFormat, Summary, html, table};
use crate::runner::{Progress, Recorded, RunResult, runs};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    state: StateArguments,
    /// How many runs are shown, the last ones
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// The form
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Write a page for each of these runs, and index.html over them, into this directory; pages that are there already stay
    #[arg(long, value_name = "DIR", conflicts_with = "format")]
    html: Option<Utf8PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table
    Text,
    /// An array with an object for each run
    Json,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let state = arguments.state.folder();
    let folders = runs(&state).map_err(|error| Failure::misuse(format!("cannot read the runs in {state}: {error}")))?;
    if let Some(directory) = &arguments.html {
        std::fs::create_dir_all(directory)
            .map_err(|error| Failure::misuse(format!("cannot make the directory {directory}: {error}")))?;
    }
    let (mut summaries, mut results, mut unreadable) = (Vec::new(), Vec::new(), false);
    for folder in folders.iter().take(arguments.limit) {
        match Recorded::read(folder) {
            Ok(run) => {
                warn_of_damage(&run);
                match &arguments.html {
                    Some(directory) => results.push(page(run, directory)?),
                    None => summaries.push(Summary::of(&run, Timestamp::now())),
                }
            }
            // The others can be shown all the same.
            Err(failure) => {
                failure.print();
                unreadable = true;
            }
        }
    }
    if let Some(directory) = &arguments.html {
        index(&results, &directory.join("index.html"))?;
        return Ok(if unreadable { Exit::Misuse } else { Exit::Fine });
    }
    match arguments.format {
        Format::Text if folders.is_empty() => print(&format!("nothing has run in {state}\n"))?,
        Format::Text if summaries.is_empty() => {}
        Format::Text => print(&table(&summaries, &TimeZone::system()))?,
        Format::Json => {
            let text = serde_json::to_string_pretty(&summaries).map_err(|error| Failure::error(error.to_string()))?;
            print(&format!("{text}\n"))?;
        }
    }
    Ok(if unreadable { Exit::Misuse } else { Exit::Fine })
}

/// Writes the page of a run, unless it is there: what has ended does not change, but by a clean-up long after.
fn page(run: Recorded, directory: &Utf8Path) -> Result<RunResult, Failure> {
    let path = directory.join(page_of(&run.result));
    let time = |path: &Utf8Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let journal = time(&run.result.folder.join("result.json"));
    let is_there = time(&path).is_some_and(|written| journal.is_some_and(|ended| written > ended));
    if run.progress == Progress::AtWork || !is_there {
        write(&run, ReportFormat::Html, &path)?;
    }
    Ok(run.result)
}

fn page_of(run: &RunResult) -> String {
    format!("{}.html", run.run)
}

fn index(runs: &[RunResult], path: &Utf8Path) -> Result<(), Failure> {
    let pages: Vec<_> = runs.iter().map(page_of).collect();
    let entries = runs.iter().zip(&pages).map(|(result, page)| html::Entry { result, page: Some(page) });
    let entries: Vec<_> = entries.collect();
    write_with(path, &|out| html::write_index(&entries, out))
}
