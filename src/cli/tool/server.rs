//! `farmout tool server` and what belongs to it: its port.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;

use crate::diagnostic::Failure;
use crate::report::duration;
use crate::tool::{port, say, server};

#[derive(Debug, clap::Args)]
struct Reservations {
    /// Where reservations are kept
    #[arg(long, value_name = "DIR")]
    reservations: PathBuf,
    /// For whom, such as a builder's directory
    #[arg(long, value_name = "NAME")]
    holder: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct ReleasePort {
    #[command(flatten)]
    reservations: Reservations,
}

#[derive(Debug, clap::Args)]
pub(super) struct ReservePort {
    #[command(flatten)]
    reservations: Reservations,
    /// The first port of the range
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    min: u16,
    /// The last port of the range
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    max: u16,
    /// From one port of the range to the next: servers take neighbours of their port too
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    step: u16,
}

#[derive(Debug, Subcommand)]
pub(super) enum Server {
    /// Become the server; called by start
    #[command(hide = true)]
    Become(StartServer),
    /// Start a command that goes on after this one has ended
    ///
    /// It gets a session of its own; its output goes to the end of the log. A server that a former run started with the same
    /// pid file and that is still there is stopped first.
    ///
    /// Returns when the command runs, which does not mean that it answers: see `farmout tool wait-port`.
    Start(StartServer),
    /// Stop a server that was started here, and all of its process group; already gone is fine
    ///
    /// Asks it to end (SIGTERM), and kills it after a while. A process that has got its number since is left alone.
    Stop(StopServer),
}

#[derive(Debug, clap::Args)]
pub(super) struct StartServer {
    /// Where it is noted who it is
    #[arg(long, value_name = "FILE")]
    pid_file: PathBuf,
    /// Where its output goes
    #[arg(long, value_name = "FILE")]
    log: PathBuf,
    /// The option of the manifest that names the command, for messages
    #[arg(long)]
    option: Option<String>,
    /// The command
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct StopServer {
    /// Where it is noted who it is
    #[arg(long, value_name = "FILE")]
    pid_file: PathBuf,
    /// How many seconds it has to end by itself
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    grace: u64,
    /// Its log, to print the last lines of
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct WaitPort {
    /// The port
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// How long at most
    #[arg(long, value_name = "SECONDS")]
    timeout: u64,
    /// The pid file of the server that should answer
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// Its log, to show the last lines of if it does not
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

impl ReleasePort {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Reservations { reservations, holder } = self.reservations;
        match port::release(&reservations, &holder)?.as_slice() {
            [] => say(format_args!("no port is reserved for {holder}")),
            ports => ports.iter().for_each(|port| say(format_args!("released port {port}"))),
        }
        Ok(())
    }
}

impl ReservePort {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Self { reservations: Reservations { reservations, holder }, min, max, step } = self;
        say(port::reserve(port::Range { min, max, step }, &reservations, &holder)?);
        Ok(())
    }
}

impl Server {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Become(server) => server.server().replace_this_process(),
            Self::Start(server) => server.server().start()?,
            Self::Stop(StopServer { pid_file, grace, log }) => {
                server::stop(&pid_file, Duration::from_secs(grace), log.as_deref())?;
            }
        }
        Ok(())
    }
}

impl StartServer {
    fn server(self) -> server::Server {
        let Self { pid_file, log, option, command } = self;
        server::Server { pid_file, log, option, command }
    }
}

impl WaitPort {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Self { port, timeout, pid_file, log } = self;
        let wait = port::Wait { port, timeout: Duration::from_secs(timeout), pid_file, log };
        say(format_args!("port {port} answers after {}", duration(wait.wait()?)));
        Ok(())
    }
}
