//! `farmout slave`: this machine as a build slave. A file a subcommand; what they share is here.

mod detect;
mod doctor;
mod setup;

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
    /// Looks for PostgreSQL (/usr/lib/postgresql, PATH, other usual places and --pg-prefix), for Pythons (PATH, /usr/bin,
    /// /opt, pyenv, uv, asdf and mise), wkhtmltopdf, LibreOffice and browsers, asks each for its version, and prints a fragment
    /// that offers all that works: `farmout slave detect --name atlas > slaves.cfg`. Each PostgreSQL is offered as a private
    /// cluster that a run starts and removes, which needs no rights.
    ///
    /// Servers that run are found by their sockets, processes and postmaster.pid, and Debian's clusters by their
    /// configuration. Each is asked, without a password, whether the user of the builds may create databases; nothing is
    /// changed in it. One where they may is a commented line below that of its version; of the others a comment says what is
    /// missing, and the command that mends it.
    ///
    /// The fragment has a new random password each time. Comments in it tell what else was found: clients, compilers, headers,
    /// ports, and what builds cannot use, such as a Python below root's home or one that zc.buildout cannot be bootstrapped
    /// with, and what to do about it. `--format json` is the same for programs.
    ///
    /// When the machine has changed, `farmout slave detect --update slaves.cfg` brings a fragment up to date and keeps what was
    /// written by hand.
    ///
    /// Run by root, this looks with the eyes of the user that builds will run as: the one of --user, else the system
    /// account `farmout`, which is made if it is missing. PostgreSQL's server and OpenERP refuse to run as root.
    ///
    /// Exit codes: 0 printed or up to date, 1 something does not work (a download, the account) or the file of --update has
    /// mistakes, 2 wrong use.
    Detect(detect::Arguments),
    /// Check that this machine can do what the slave's fragment promises
    ///
    /// Tries out what builds need, as the user that builds run as: that each PostgreSQL and Python is there, is of the version
    /// that is promised, and works (a database is made and dropped, an environment made); that there are a compiler, headers
    /// and clients; that repositories answer; room, rights, the clock, the locale and limits. What is tried is removed again.
    ///
    /// Of each finding it says what is wrong, why that bites, and the command that mends it: an error would fail a build, a
    /// warning may bite, a note is good to know. --fix runs the commands that do no harm, after asking for each, looks again
    /// and says what came of it.
    ///
    /// Run by root, it looks with the eyes of the user of --user, else of the system account `farmout`, which is made if it is
    /// missing. Without slave fragments in the farm, this machine as it is found is the slave `local`.
    ///
    /// Exit codes: 0 builds can run here, 1 a build would fail, 2 wrong use, 130 interrupted.
    Doctor(doctor::Arguments),
    /// Make a Debian or Ubuntu a build slave, or undo that
    ///
    /// Installs what builds need, adds a system user without login that they run as, its directories, and in each of the
    /// machine's PostgreSQL clusters a role that may make databases and nothing more; with --buildbot-master also a Buildbot
    /// worker, and with --unit a unit of systemd that runs it with few rights. Start with --dry-run, which shows each command
    /// and changes nothing; for that one need not be root.
    ///
    /// What is there already stays as it is, so that a second call does nothing, and one after a failure goes on. What was
    /// made is recorded in /var/lib/farmout/setup.json; --remove undoes that, and never what was there before. Packages stay
    /// installed, marked as ones that nobody asked for: `apt-get autoremove` removes those that nothing else needs. What
    /// builds left stays too, unless --purge is given.
    ///
    /// Exits 0 when done, 1 where something failed or, with --remove, something stays, 2 for wrong use, for other
    /// distributions and without root's rights, 130 when stopped.
    Setup(setup::Arguments),
}

pub(super) fn main(arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Detect(arguments) => detect::main(&arguments),
        Command::Doctor(arguments) => doctor::main(&arguments),
        Command::Setup(arguments) => setup::main(&arguments),
    }
}

fn note(text: &str) {
    let cyan = anstyle::AnsiColor::Cyan.on_default();
    note!("{cyan}note{cyan:#}: {text}");
}
