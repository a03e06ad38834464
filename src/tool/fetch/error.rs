//! What can go wrong while a repository is fetched: the wording of all of it.

use std::io;

use crate::diagnostic::Failure;

/// A fetch that did not work. Addresses in it are in the form that may be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process works in the directory.
    #[error("another fetch is at work in {0}")]
    Busy(String),
    /// The repository has no commit at all.
    #[error("{0} is empty: it has no commit yet")]
    Empty(String),
    /// A file operation of our own.
    #[error("cannot {what} {path}: {error}")]
    File {
        /// The operation, as in "cannot …".
        what: &'static str,
        /// The path.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// A directory that nobody wants to be overwritten.
    #[error("{0} is not a directory that a build can own")]
    Forbidden(String),
    /// git said no; its own words were printed before.
    #[error("git {command} failed in {directory}: {said}")]
    Git {
        /// git's command.
        command: String,
        /// Where.
        directory: String,
        /// Its last line.
        said: String,
    },
    /// No such branch or tag.
    #[error("{url} has no branch or tag `{branch}`")]
    NoBranch {
        /// The repository.
        url: String,
        /// What was asked for.
        branch: String,
        /// Names that look like it, or the first few of all.
        near: Vec<String>,
    },
    /// An address or a branch that is none.
    #[error("{0}")]
    Misuse(&'static str),
    /// The git client cannot be started.
    #[error("cannot run git: {0}")]
    NoGit(io::Error),
    /// The repository does not answer.
    #[error("cannot read {url}: {said}")]
    Unreachable {
        /// The repository.
        url: String,
        /// git's last line.
        said: String,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Misuse(_) => Self::misuse(message),
            Error::Forbidden(_) => Self::misuse(message)
                .help("everything in the directory that is not in the repository is deleted: give one of its own"),
            Error::NoGit(_) => Self::error(message).help("install git on this slave (Debian: apt install git)"),
            Error::Busy(_) => Self::error(message).help("two builds share a directory, or one was left running"),
            Error::Empty(_) => Self::error(message),
            Error::NoBranch { near, .. } if near.is_empty() => Self::error(message),
            Error::NoBranch { near, .. } => Self::error(message).help(format!("it has {}", near.join(", "))),
            Error::Unreachable { said, .. } => Self::error(message).help(advice(&said)),
            Error::File { .. } => Self::error(message).help("does the directory belong to the user of this slave?"),
            Error::Git { .. } => Self::error(message),
        }
    }
}

/// What to do about git's last line.
fn advice(said: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["dubious ownership"]) {
        "the repository belongs to another user: `git config --global --add safe.directory PATH` allows it"
    } else if has(&["could not read Username", "Authentication failed", "terminal prompts disabled", "403", "401"]) {
        "it asks for a password, and nobody is there to type one: give the slave's user a git credential helper, or use ssh with a key"
    } else if has(&["Permission denied", "Host key verification failed"]) {
        "ssh may not ask questions here: put the key and the host's known_hosts line in place for the slave's user"
    } else if has(&[
        "Could not resolve host",
        "unable to connect",
        "Failed to connect",
        "Connection refused",
        "timed out",
    ]) {
        "the network or the server is down, or the address is misspelt"
    } else {
        "is the address right? try `git ls-remote` with it as the slave's user"
    }
}
