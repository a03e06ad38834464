//! `farmout runs`: a table of what has run.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Exit;
use super::compile::print;
use super::state::{StateArguments, warn_of_damage};
use crate::diagnostic::Failure;
use crate::report::{Summary, table};
use crate::runner::{Recorded, runs};

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
    let (mut summaries, mut unreadable) = (Vec::new(), false);
    for folder in folders.iter().take(arguments.limit) {
        match Recorded::read(folder) {
            Ok(run) => {
                warn_of_damage(&run);
                summaries.push(Summary::of(&run, Timestamp::now()));
            }
            // The others can be shown all the same.
            Err(failure) => {
                failure.print();
                unreadable = true;
            }
        }
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
