//! What can go wrong with servers: the wording of all of it.

use std::io;

use crate::diagnostic::Failure;

/// A server that could not be started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
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
    /// A file that somebody else made.
    #[error("{0} is no pid file that `farmout tool server` wrote")]
    Foreign(String),
    /// Something that only a broken machine makes fail.
    #[error("farmout cannot start itself once more: {0}")]
    Own(io::Error),
    /// The command is none.
    #[error("the server cannot be started: {what}")]
    Start {
        /// Why.
        what: String,
        /// The option of the manifest that names its program.
        option: Option<String>,
    },
    /// It lives on.
    #[error("{server} does not end, not even when it is killed")]
    Stuck {
        /// The server, as people say it.
        server: String,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::File { .. } => Self::error(message).help("does the directory belong to the user of this slave?"),
            Error::Foreign(_) => Self::misuse(message).help("give a path of its own, or remove the file"),
            Error::Start { option: Some(option), .. } => Self::error(message)
                .help(format!("the option `{option}` names its program: which part of the buildout makes that?")),
            Error::Start { option: None, .. } => {
                Self::error(message).help("which part of the buildout makes its program?")
            }
            Error::Own(_) => Self::error(message),
            Error::Stuck { .. } => Self::error(message).help("is its disk or network share gone?"),
        }
    }
}
