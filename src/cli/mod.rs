//! The command line: arguments in, a call into the passes, an [`Exit`] out. One file per subcommand.

mod compile;
mod diff;
mod farm;
mod fmt;
mod graph;
mod machine;
mod plan;
mod run;
mod slave;
mod tool;

use clap::{Parser, Subcommand};

use crate::diagnostic::Failure;

/// How the process ends. The numbers are part of the documented interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All went well.
    Fine = 0,
    /// The farm has errors, or a build failed.
    Errors = 1,
    /// Wrong use, or files that cannot be read.
    Misuse = 2,
    /// Stopped by the user.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Compiles, explains and runs a farm of OpenERP/Odoo buildouts.
#[derive(Debug, Parser)]
#[command(name = "farmout", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the manifests and slave fragments of a farm
    Compile(compile::Arguments),
    /// Show what changes between another version of the farm and this one
    Diff(diff::Arguments),
    /// Lay out manifests and slave fragments in the usual way
    Fmt(fmt::Arguments),
    /// Draw builds, builders and slaves
    Graph(graph::Arguments),
    /// Print what would be done on a slave, step by step
    Plan(plan::Arguments),
    /// Build and test on this machine
    Run(run::Arguments),
    /// Look at this machine as a build slave
    Slave(slave::Arguments),
    /// The commands that the steps of a plan call
    Tool(tool::Arguments),
}

/// Parses the process's arguments and does what they say.
pub fn main() -> Exit {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Command::Compile(arguments) => compile::main(&arguments),
        Command::Diff(arguments) => diff::main(&arguments),
        Command::Fmt(arguments) => fmt::main(&arguments),
        Command::Graph(arguments) => graph::main(&arguments),
        Command::Plan(arguments) => plan::main(&arguments),
        Command::Run(arguments) => run::main(&arguments),
        Command::Slave(arguments) => slave::main(arguments),
        Command::Tool(arguments) => tool::main(arguments),
    };
    result.unwrap_or_else(|failure: Failure| failure.print())
}
