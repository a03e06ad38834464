//! `farmout mirror status`.

use jiff::Timestamp;

use super::super::Exit;
use super::super::compile::print;
use super::{Format, Which, print_json};
use crate::diagnostic::Failure;
use crate::mirror::{status, status_table};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// The form
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let found = match arguments.which.existing() {
        None => Vec::new(),
        Some(mirrors) => status(&mirrors)
            .map_err(|error| Failure::misuse(format!("cannot read the mirrors in {}: {error}", mirrors.root())))?,
    };
    match arguments.format {
        Format::Json => print_json(&found)?,
        Format::Text if found.is_empty() => print("no mirrors yet: `farmout mirror update` makes them\n")?,
        Format::Text => print(&status_table(&found, Timestamp::now()))?,
    }
    let failing = found.iter().any(|status| status.state.failing.is_some());
    Ok(if failing { Exit::Errors } else { Exit::Fine })
}
