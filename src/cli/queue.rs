//! `farmout queue`: the scheduler's book in, a table out.

use super::Exit;
use super::compile::print;
use super::state::StateArguments;
use crate::diagnostic::Failure;
use crate::watch::{Page, queue_table};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    state: StateArguments,
    /// The form
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table
    Text,
    /// For programs
    Json,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let page = Page::read(&arguments.state.folder())?;
    match arguments.format {
        Format::Text => print(&queue_table(&page, jiff::Timestamp::now()))?,
        Format::Json => {
            let text = serde_json::to_string_pretty(&page).map_err(|error| Failure::error(error.to_string()))?;
            print(&format!("{text}\n"))?;
        }
    }
    Ok(Exit::Fine)
}
