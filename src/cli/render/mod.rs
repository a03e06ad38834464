//! `farmout render`: the farm for other engines. A file a target.

mod buildbot;

use clap::Subcommand;

use super::Exit;
use crate::diagnostic::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    target: Target,
}

#[derive(Debug, Subcommand)]
enum Target {
    /// Write what a Buildbot master needs to run the farm
    Buildbot(buildbot::Arguments),
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.target {
        Target::Buildbot(arguments) => buildbot::main(arguments),
    }
}
