//! `farmout tool`: the commands that steps call.

mod fetch;
mod package;
mod server;
mod workspace;

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;

use super::Exit;
use crate::diagnostic::{self, Failure};
use crate::tool::{analyze, bootstrap, inventory, output, pg, say, upload};
use server::{ReleasePort, ReservePort, Server, WaitPort};
use workspace::{Workspace, WriteFiles};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "They run as an unprivileged user in a build's directory, and what they print is for the reader of the \
    step's log.\nExit codes: 0 fine, 1 it did not work, 2 wrong use or unreadable files, 3 what a fetch \
    wants is not there, 130 interrupted."
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
    /// The version of zc.buildout is --version, else the configuration's own pin, else the newest that works with the Python;
    /// that of setuptools is --setuptools, else the pin, else one that is known to fit. What cannot work is refused with the
    /// reason.
    /// What --dists or an egg in --eggs-directory has is not asked of the package index; the PIP_* variables of the environment count.
    Bootstrap(Bootstrap),
    /// Put what a repository or an archive has into a directory
    ///
    /// Exits 3 where the repository or the archive was reached and lacks what is wanted, such as the branch, so that it is of no
    /// use to try again, and 1 for all else that goes wrong, such as a server that does not answer.
    #[command(subcommand)]
    Fetch(fetch::Command),
    /// Write down what a build is made of: interpreter, PostgreSQL, distributions, revisions
    ///
    /// Looks at the private environment, at what the scripts in bin/ use and at the working copies, and asks the server of
    /// PGHOST, PGPORT, PGUSER and PGPASSWORD for its version. `farmout run --locked` builds the same again.
    ///
    /// Exits 1 if it is not what is expected.
    Inventory(Inventory),
    /// Run a command, and keep what it writes in a file too
    ///
    /// For programs that can write no log. Both streams go to standard output, and to the file, which is made anew.
    ///
    /// Exits 1 if the command cannot be run, or ends with another status than 0.
    KeepOutput(KeepOutput),
    /// Make archives of tagged buildouts
    #[command(subcommand)]
    Package(package::Package),
    /// Make and remove testing databases and throw-away PostgreSQL clusters
    #[command(subcommand)]
    Pg(Pg),
    /// Give up the ports that are reserved for somebody; none is fine
    ReleasePort(ReleasePort),
    /// Find a port that is free, and keep others from getting it
    ///
    /// Takes a port of the range that is not reserved, and at which a server could listen; DIR decides which is tried first.
    /// What was reserved for the same holder before is given up.
    ///
    /// The reservation is a file in DIR. It holds until it is released, the process that called for it has ended, or the
    /// machine is started again. Ports are kept apart among all that use the same DIR.
    ///
    /// The last line of the output is the port.
    ReservePort(ReservePort),
    /// Start and stop a server in the background
    #[command(subcommand)]
    Server(Server),
    /// Publish files and trees, readable for everybody
    ///
    /// A file is copied into DIR, and of a directory everything inside. What is there already stays, but for files of the
    /// same names. Each file is written aside and renamed; files get the mode 644 and new directories 755, whatever the umask.
    ///
    /// Links from one place of a tree to another are kept. Those that lead out of it are not followed: they are left out, and
    /// it exits 1 after all the rest is copied.
    ///
    /// With --url, the last line of the output is that address.
    Upload(Upload),
    /// Wait until somebody answers at a port of this machine
    ///
    /// Exits 0 as soon as a connection is accepted; 1 when the time is over, or the server of --pid-file has ended.
    WaitPort(WaitPort),
    /// Make a builder's folders before the steps of a build, and tidy them after it
    ///
    /// For builds whose steps are performed one by one by somebody else, such as Buildbot. The steps carry the mark
    /// FARMOUT_STEP=RUN/DIRECTORY/STEP in their environment.
    #[command(subcommand)]
    Workspace(Workspace),
    /// Write the files that a plan carries
    ///
    /// Each file is there whole or not at all. Files that an earlier call wrote into the same directory and that are not in the
    /// list are removed; whatever else is there stays. Symbolic links are not followed.
    WriteFiles(WriteFiles),
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
    /// The version of setuptools
    #[arg(long, value_name = "VERSION", value_parser = release)]
    setuptools: Option<String>,
    /// Given to zc.buildout as buildout:eggs-directory
    #[arg(long, value_name = "DIR")]
    eggs_directory: Option<PathBuf>,
    /// Where what is installed is kept for other builds, which then need no network
    #[arg(long, value_name = "DIR")]
    dists: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Inventory {
    /// The directory of the buildout
    #[arg(long, value_name = "DIR")]
    buildout: PathBuf,
    /// The interpreter of the private environment
    #[arg(long, value_name = "PROGRAM")]
    python: PathBuf,
    /// What the fetch of the buildout's repository said in its last line
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    revision: String,
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

#[derive(Debug, clap::Args)]
struct KeepOutput {
    /// The file
    #[arg(long, value_name = "FILE")]
    into: PathBuf,
    /// The option of the manifest that names the command, for messages
    #[arg(long)]
    option: Option<String>,
    /// The command
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Debug, Subcommand)]
enum Pg {
    /// Say whether the server is there, of the right version, and lets databases be made
    ///
    /// The server is that of PGHOST, PGPORT, PGUSER and PGPASSWORD, as for psql; its version should be that of PGCLUSTER, if it
    /// is set. Exits 1, and says which option of the capability to change, where something is wrong.
    Check,
    /// Create a database; an old one of that name is dropped, whoever is connected to it
    ///
    /// The server is that of PGHOST, PGPORT, PGUSER and PGPASSWORD, as for psql.
    CreateDatabase(CreateDatabase),
    /// Drop a database, whoever is connected to it; none of that name is fine
    ///
    /// The server is that of PGHOST, PGPORT, PGUSER and PGPASSWORD, as for psql.
    DropDatabase(DropDatabase),
    /// Ask the server what it is; the last line of the output is a JSON object, `Ok` or `Err` with what is wrong
    #[command(hide = true)]
    Look(Look),
    /// Ask a server what its caller may do there without a password
    ///
    /// Prints an object of JSON: the database user, which is the operating system's; the server's version, if it lets the user
    /// in; and `access`: `open` (with `create-databases`), `asked` (for a password or the like), `no-role` or `refused`. Nothing
    /// is changed, and no password is given.
    Rights(Rights),
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
struct Look {
    /// A database to make and drop
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Rights {
    /// The directory of its socket, or its host
    #[arg(long, value_name = "HOST")]
    host: String,
    /// Its port
    #[arg(long, value_name = "PORT", default_value_t = 5432, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// How long it may take to answer
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    limit: u64,
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

#[derive(Debug, clap::Args)]
struct Upload {
    /// What to publish
    #[arg(required = true, value_name = "SRC")]
    sources: Vec<PathBuf>,
    /// Where to; made if it is missing
    #[arg(long, value_name = "DIR", allow_hyphen_values = true)]
    to: PathBuf,
    /// Where a relative DIR is
    #[arg(long, value_name = "DIR", default_value = ".", hide_default_value = true)]
    base: PathBuf,
    /// The address at which it can be seen then, to be printed
    #[arg(long, allow_hyphen_values = true)]
    url: Option<String>,
}

/// A version, and no requirement such as `>=70`.
fn release(text: &str) -> Result<String, &'static str> {
    let fine = |c: char| c.is_ascii_alphanumeric() || ".!+-_".contains(c);
    let is = text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(fine);
    if is { Ok(text.to_owned()) } else { Err("write one version, such as 75.8.2") }
}

pub(super) fn main(arguments: Arguments) -> Result<Exit, Failure> {
    // A workspace sees to signals itself: what it ends and removes has to go, also where its caller is in a hurry.
    if !matches!(arguments.command, Command::Workspace(_)) {
        crate::tool::exit_on_signals()
            .map_err(|error| Failure::error(format!("cannot listen for signals: {error}")))?;
    }
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
            let Bootstrap {
                python,
                configuration,
                environment,
                virtualenv,
                site_packages,
                version,
                setuptools,
                eggs_directory,
                dists,
            } = arguments;
            let program = Some(virtualenv).filter(|program| program != "auto");
            let manner = bootstrap::Manner { program, site_packages };
            let wanted = bootstrap::Bootstrap {
                python,
                configuration,
                environment,
                manner,
                version,
                setuptools,
                eggs_directory,
                dists,
            };
            bootstrap::bootstrap(&wanted)?;
        }
        Command::Fetch(command) => fetch::main(command)?,
        Command::Inventory(Inventory { buildout, python, revision, without_postgresql, expected, into }) => {
            let look = inventory::Look { buildout, python, postgresql: !without_postgresql, revision, expected, into };
            let differences = inventory::inventory(&look)?;
            for line in &differences {
                say(line);
            }
            return Ok(if differences.is_empty() { Exit::Fine } else { Exit::Errors });
        }
        Command::Package(command) => command.run()?,
        Command::Pg(Pg::Check) => pg::check()?,
        Command::Pg(Pg::CreateDatabase(CreateDatabase { database, template })) => {
            pg::create_database(&database, &template)?;
        }
        Command::Pg(Pg::DropDatabase(DropDatabase { database })) => pg::drop_database(&database)?,
        Command::Pg(Pg::Look(Look { database })) => fetch::json(&pg::look(database.as_deref()))?,
        Command::Pg(Pg::Rights(Rights { host, port, limit })) => {
            let rights = pg::Rights::ask(&host, port, Duration::from_secs(limit))?;
            let json = serde_json::to_string(&rights);
            say!("{}", json.map_err(|error| Failure::error(format!("the answer cannot be written: {error}")))?);
        }
        Command::Pg(Pg::StartCluster(StartCluster { bin, data, socket_dir, port, superuser })) => {
            pg::Cluster { bin, data, socket_dir, port, superuser }.start()?;
        }
        Command::Pg(Pg::StopCluster(StopCluster { bin, data })) => pg::stop(&bin, &data)?,
        Command::KeepOutput(KeepOutput { into, option, command }) => output::keep(&command, option.as_deref(), &into)?,
        Command::ReleasePort(arguments) => arguments.run()?,
        Command::ReservePort(arguments) => arguments.run()?,
        Command::Server(command) => command.run()?,
        Command::Upload(Upload { sources, to, base, url }) => {
            let upload::Uploaded { directory, files } = upload::Upload { sources, to, base }.upload()?;
            let plural = if files == 1 { "" } else { "s" };
            say(format_args!("uploaded {files} file{plural} to {}", directory.display()));
            url.into_iter().for_each(say);
        }
        Command::WaitPort(arguments) => arguments.run()?,
        Command::Workspace(command) => return command.run(),
        Command::WriteFiles(arguments) => arguments.run()?,
    }
    Ok(Exit::Fine)
}
