//! `farmout tool`: the commands that steps call.

mod fetch;

use std::path::PathBuf;

use clap::Subcommand;

use super::Exit;
use crate::diagnostic::{self, Failure};
use crate::tool::{analyze, bootstrap, inventory, pg, say};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "They run as an unprivileged user in a build's directory, and what they print is for the reader of the \
    step's log.\nExit codes: 0 fine, 1 it did not work, 2 wrong use or unreadable files, 130 interrupted."
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look for what went wrong in the log of a server that exits 0 for everything
    ///
    /// Prints each finding under its label with the lines of the log, and the total.
    ///
    /// Exits 1 if the log shows an error, 0 if it shows none, 2 if it cannot be read.
    AnalyzeLog(AnalyzeLog),
    /// Make a private Python environment with the right zc.buildout, and bin/buildout
    ///
    /// Makes a private virtual environment for a Python, never the caller's, with zc.buildout and setuptools in it, and
    /// bin/buildout in the current directory. An environment made from the same inputs is used again.
    ///
    /// The version of zc.buildout is --version, else the configuration's own pin, else the newest that works with the Python.
    /// The PIP_* variables of the environment count.
    Bootstrap(Bootstrap),
    /// Put what a repository or an archive has into a directory
    #[command(subcommand)]
    Fetch(fetch::Command),
    /// Write down what a build is made of: interpreter, PostgreSQL, distributions, revisions
    ///
    /// Looks at the private environment, at what the scripts in bin/ use and at the working copies, and asks the server of
    /// PGHOST, PGPORT, PGUSER and PGPASSWORD for its version. `farmout run --locked` builds the same again.
    ///
    /// Exits 1 if it is not what is expected.
    Inventory(Inventory),
    /// Make and remove testing databases and throw-away PostgreSQL clusters
    #[command(subcommand)]
    Pg(Pg),
}

#[derive(Debug, clap::Args)]
struct AnalyzeLog {
    /// What to look for: a file of rules, or `server`, the built-in rules for OpenERP and Odoo
    #[arg(long, value_name = "FILE|server", default_value = "server")]
    rules: String,
    /// The log
    log: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Bootstrap {
    /// A Python: a name looked up on PATH, or a path
    #[arg(long)]
    python: String,
    /// The buildout configuration
    #[arg(long, value_name = "FILE")]
    configuration: PathBuf,
    /// Where the environment is made
    #[arg(long, value_name = "DIR")]
    environment: PathBuf,
    /// A program that makes the environment, called as virtualenv is [default: auto, farmout finds a way]
    #[arg(long, value_name = "PROGRAM", default_value = "auto", hide_default_value = true)]
    virtualenv: String,
    /// Let the environment see the packages of the system's Python
    #[arg(long)]
    site_packages: bool,
    /// The version of zc.buildout
    #[arg(long, value_name = "VERSION")]
    version: Option<String>,
    /// Given to zc.buildout as buildout:eggs-directory
    #[arg(long, value_name = "DIR")]
    eggs_directory: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Inventory {
    /// The directory of the buildout
    #[arg(long, value_name = "DIR")]
    buildout: PathBuf,
    /// The interpreter of the private environment
    #[arg(long, value_name = "PROGRAM")]
    python: PathBuf,
    /// Leave PostgreSQL out
    #[arg(long)]
    without_postgresql: bool,
    /// What it should be: the text of an inventory
    #[arg(long, value_name = "JSON")]
    expected: Option<String>,
    /// Where the inventory goes
    #[arg(long, value_name = "FILE")]
    into: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Pg {
    /// Create a database; an old one of that name is dropped, whoever is connected to it
    ///
    /// The server is that of PGHOST, PGPORT, PGUSER and PGPASSWORD, as for psql.
    CreateDatabase(CreateDatabase),
    /// Drop a database, whoever is connected to it; none of that name is fine
    ///
    /// The server is that of PGHOST, PGPORT, PGUSER and PGPASSWORD, as for psql.
    DropDatabase(DropDatabase),
    /// Make and start a private PostgreSQL that is not meant to survive anything
    ///
    /// Data that a former run of this command left is stopped and wiped; any other directory with files in it is refused.
    ///
    /// The server listens on a Unix socket only, lets its own user in without a password, and does not care for crashes.
    StartCluster(StartCluster),
    /// Stop a private PostgreSQL and remove its data; already gone is fine
    ///
    /// Stops it fast, then at once, then for good, and removes its data directory and socket.
    StopCluster(StopCluster),
}

#[derive(Debug, clap::Args)]
struct CreateDatabase {
    /// The database's name
    #[arg(long, value_name = "NAME")]
    database: String,
    /// The database to copy
    #[arg(long, value_name = "NAME", default_value = "template1")]
    template: String,
}

#[derive(Debug, clap::Args)]
struct DropDatabase {
    /// The database's name
    #[arg(long, value_name = "NAME")]
    database: String,
}

#[derive(Debug, clap::Args)]
struct StartCluster {
    /// Where initdb, pg_ctl and postgres are; empty for those on PATH
    #[arg(long, value_name = "DIR")]
    bin: String,
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where the socket goes; made readable for its owner only
    #[arg(long, value_name = "DIR")]
    socket_dir: PathBuf,
    /// The port, which is part of the socket's name
    #[arg(long, default_value_t = 5432, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The database user
    #[arg(long, value_name = "USER", default_value = "farmout")]
    superuser: String,
}

#[derive(Debug, clap::Args)]
struct StopCluster {
    /// Where pg_ctl is, for systems that do not show what a process is; empty for that on PATH
    #[arg(long, value_name = "DIR")]
    bin: String,
    /// The data directory
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
}

pub(super) fn main(arguments: Arguments) -> Result<Exit, Failure> {
    crate::tool::exit_on_signals().map_err(|error| Failure::error(format!("cannot listen for signals: {error}")))?;
    match arguments.command {
        Command::AnalyzeLog(AnalyzeLog { rules, log }) => {
            let report = analyze::analyze(&rules, &log).inspect_err(|error| {
                if let analyze::Error::WrongRules { mistakes, .. } = error {
                    diagnostic::print(&mistakes.diagnostics, &mistakes.sources);
                }
            })?;
            say(&report);
            return Ok(if report.failed() { Exit::Errors } else { Exit::Fine });
        }
        Command::Bootstrap(arguments) => {
            let Bootstrap { python, configuration, environment, virtualenv, site_packages, version, eggs_directory } =
                arguments;
            let program = Some(virtualenv).filter(|program| program != "auto");
            let manner = bootstrap::Manner { program, site_packages };
            let wanted = bootstrap::Bootstrap { python, configuration, environment, manner, version, eggs_directory };
            bootstrap::bootstrap(&wanted)?;
        }
        Command::Fetch(command) => fetch::main(command)?,
        Command::Inventory(Inventory { buildout, python, without_postgresql, expected, into }) => {
            let look = inventory::Look { buildout, python, postgresql: !without_postgresql, expected, into };
            let differences = inventory::inventory(&look)?;
            for line in &differences {
                say(line);
            }
            return Ok(if differences.is_empty() { Exit::Fine } else { Exit::Errors });
        }
        Command::Pg(Pg::CreateDatabase(CreateDatabase { database, template })) => {
            pg::create_database(&database, &template)?;
        }
        Command::Pg(Pg::DropDatabase(DropDatabase { database })) => pg::drop_database(&database)?,
        Command::Pg(Pg::StartCluster(StartCluster { bin, data, socket_dir, port, superuser })) => {
            pg::Cluster { bin, data, socket_dir, port, superuser }.start()?;
        }
        Command::Pg(Pg::StopCluster(StopCluster { bin, data })) => pg::stop(&bin, &data)?,
    }
    Ok(Exit::Fine)
}
