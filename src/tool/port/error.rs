//! What can go wrong with ports: the wording of all of it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::Range;
use crate::diagnostic::{Failure, plain};
use crate::report::duration;
use crate::tool::{files, server};

/// A port that could not be had, or at which nobody answers.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server is gone.
    #[error("{server} has ended {} after the wait began{}", duration(*.waited), stranger(*.port, *.answered))]
    Ended {
        /// The port.
        port: u16,
        /// The server, as people say it.
        server: String,
        /// Whether somebody else answers there.
        answered: bool,
        /// When it was noticed.
        waited: Duration,
        /// The server's log.
        log: Option<PathBuf>,
    },
    /// Nothing is left of a range.
    #[error("no port is free {}", from_to(.range))]
    Exhausted {
        /// The range.
        range: Range,
        /// What each of its ports is taken by.
        taken: Vec<(u16, Taken)>,
    },
    /// A file operation.
    #[error("cannot {what} {path}: {error}")]
    File {
        /// The operation, as in "cannot …".
        what: &'static str,
        /// The path.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// There is no server to wait for.
    #[error("no server was started: there is no pid file {pid_file}")]
    NotStarted {
        /// The file.
        pid_file: String,
    },
    /// A range that holds no port.
    #[error("there is no port {}", from_to(.0))]
    Range(Range),
    /// The record of the server cannot be used.
    #[error(transparent)]
    Server(#[from] server::Error),
    /// Nobody answers.
    #[error(
        "nobody answers at port {port} of this machine: {tries} tries in {}, the last one: {error}{}",
        duration(*.waited),
        running(.server.as_deref())
    )]
    Unanswered {
        /// The port.
        port: u16,
        /// How often it was tried.
        tries: u32,
        /// For how long.
        waited: Duration,
        /// What came of the last try.
        error: io::Error,
        /// The server, as people say it.
        server: Option<String>,
        /// Its log.
        log: Option<PathBuf>,
    },
}

/// Why a port is not free.
#[derive(Debug)]
pub enum Taken {
    /// It is reserved.
    Reserved {
        /// For whom.
        holder: String,
        /// The process that called for it.
        process: Option<i32>,
    },
    /// A server cannot listen there.
    Unusable(io::Error),
}

/// How many taken ports are listed.
const SHOWN: usize = 8;
/// How many lines of a log are shown.
const LINES: usize = 20;

fn from_to(range: &Range) -> String {
    format!("from {} to {} in steps of {}", range.min, range.max, range.step)
}

fn stranger(port: u16, answered: bool) -> String {
    if answered { format!(", and another program answers at port {port}") } else { String::new() }
}

fn running(server: Option<&str>) -> String {
    server.map(|server| format!("; {server} is still running")).unwrap_or_default()
}

fn ending(log: Option<PathBuf>) -> Option<String> {
    let log = log?;
    Some(match files::tail(&log, LINES) {
        tail if tail.is_empty() => format!("its log {} has nothing in it", log.display()),
        tail => format!("its log {} ends:\n{tail}", log.display()),
    })
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let help = match error {
            Error::Server(error) => return error.into(),
            Error::Range(_) => return Self::misuse(message).help("the first port must not be above the last one"),
            Error::Ended { log, .. } => ending(log),
            Error::Unanswered { log, .. } => {
                let wait = "if it only needs more time, wait longer";
                Some(ending(log).map_or_else(|| wait.to_owned(), |ending| format!("{wait}; {ending}")))
            }
            Error::NotStarted { .. } => Some("`farmout tool server start` writes it".to_owned()),
            Error::File { .. } => Some("does the directory belong to the user of this slave?".to_owned()),
            Error::Exhausted { taken, .. } => {
                let lines = taken.iter().take(SHOWN).map(|(port, why)| match why {
                    Taken::Reserved { holder, process: Some(process) } => {
                        format!("{port} is reserved for {holder} (process {process})")
                    }
                    Taken::Reserved { holder, process: None } => format!("{port} is reserved for {holder}"),
                    Taken::Unusable(error) => plain(&format!("{port} cannot be listened at: {error}")),
                });
                let mut lines: Vec<String> = lines.collect();
                if taken.len() > SHOWN {
                    lines.push(format!("and {} more", taken.len() - SHOWN));
                }
                Some(format!("give a wider range, or end what holds them:\n{}", lines.join("\n")))
            }
        };
        match help {
            Some(help) => Self::error(message).help(help),
            None => Self::error(message),
        }
    }
}
