//! `farmout slave`: this machine as a build slave. A file a subcommand; what they share is here.

mod detect;

use clap::Subcommand;

use super::Exit;
use crate::diagnostic::Failure;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print a slaves.cfg for this machine: its PostgreSQL servers, Pythons and tools
    ///
    /// Looks for PostgreSQL (/usr/lib/postgresql, PATH and other usual places), for Pythons (PATH, /usr/bin, /opt, pyenv,
    /// uv, asdf and mise) and for wkhtmltopdf, asks each for its version, and prints a fragment that offers all that
    /// works: `farmout slave detect > slaves.cfg`. Each PostgreSQL is offered as a private cluster that a run starts and
    /// removes; no server that runs is touched.
    ///
    /// The fragment has a new random password each time. Comments in it tell what else was found, such as a Python below
    /// root's home that builds cannot use, and what to do about it.
    ///
    /// Run by root, this looks with the eyes of the user that builds will run as: the one of --user, else the system
    /// account `farmout`, which is made if it is missing. PostgreSQL's server and OpenERP refuse to run as root.
    ///
    /// Exit codes: 0 printed, 1 something does not work (a download, the account), 2 wrong use.
    Detect(detect::Arguments),
}

pub(super) fn main(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Detect(arguments) => detect::main(&arguments),
    }
}

fn note(text: &str) {
    let cyan = anstyle::AnsiColor::Cyan.on_default();
    note!("{cyan}note{cyan:#}: {text}");
}
