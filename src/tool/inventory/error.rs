//! What can go wrong while an inventory is taken: the wording of all of it.

use std::io;
use std::path::PathBuf;

use crate::diagnostic::Failure;

/// An inventory that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What is expected is no inventory.
    #[error("what is expected is no inventory: {0}")]
    Expected(serde_json::Error),
    /// A file operation.
    #[error("cannot {what} {}: {error}", path.display())]
    File {
        /// The operation, as in "cannot …".
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The Python does not answer.
    #[error("{} does not tell what it has: {said}", python.display())]
    Python {
        /// The interpreter.
        python: PathBuf,
        /// Its last line.
        said: String,
    },
    /// A working copy does not tell its revision.
    #[error("{} does not tell its revision: {program}: {said}", directory.display())]
    Source {
        /// The working copy.
        directory: PathBuf,
        /// Its client.
        program: String,
        /// The client's first line.
        said: String,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Expected(_) => Self::misuse(error.to_string()),
            Error::File { .. } | Error::Source { .. } => Self::error(error.to_string()),
            Error::Python { .. } => {
                Self::error(error.to_string()).help("the private environment is made by `farmout tool bootstrap`")
            }
        }
    }
}
