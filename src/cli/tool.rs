//! `farmout tool`: the commands that steps call.

use clap::Subcommand;

use super::Exit;
use crate::diagnostic::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {}

pub(super) fn main(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {}
}
