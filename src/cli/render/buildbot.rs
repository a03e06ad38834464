//! `farmout render buildbot`.

use camino::Utf8PathBuf;

use super::super::farm::{FarmArguments, read, right};
use crate::cli::Exit;
use crate::diagnostic::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    farm: FarmArguments,
    /// The master's directory
    #[arg(short, long, value_name = "MASTERDIR")]
    output: Utf8PathBuf,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let compilation = right(read(&arguments.farm.layout())?)?;
    let _ = (&compilation, &arguments.output);
    Ok(Exit::Fine)
}
