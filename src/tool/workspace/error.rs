//! What can go wrong with a builder's folders: the wording of all of it.

use std::io;

use camino::Utf8PathBuf;

use crate::diagnostic::Failure;

/// Folders that could not be made, tidied or written to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name of the directory is none.
    #[error("`{0}` cannot be the directory of a builder")]
    Directory(String),
    /// Something of the file system.
    #[error("{what}: {error}")]
    Folders {
        /// A clause.
        what: &'static str,
        /// Why.
        error: io::Error,
    },
    /// The list of files cannot be understood.
    #[error("{path} is no list of files: {error}")]
    List {
        /// The file.
        path: Utf8PathBuf,
        /// Where and why.
        error: serde_json::Error,
    },
    /// There is no such place on this machine.
    #[error("there is no directory {0}")]
    NoBase(Utf8PathBuf),
    /// Files are for builders.
    #[error("files are only written into directories of builders below --basedir, and {0} is in none")]
    Outside(Utf8PathBuf),
    /// The name of the run is none.
    #[error("the run `{0}` cannot be told from others in the marks of steps")]
    Run(String),
    /// A file cannot be read.
    #[error("cannot read {path}: {error}")]
    Unreadable {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl Error {
    /// For `map_err`: what went wrong is said in a clause.
    pub(super) fn folders(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| Self::Folders { what, error }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Directory(_) => Self::misuse(message).help("give the name of a visible directory below --basedir"),
            Error::Folders { .. } => Self::error(message),
            Error::List { .. } => {
                Self::misuse(message).help("write [{\"path\": …, \"executable\": …, \"content\": …}, …]")
            }
            Error::NoBase(_) => Self::misuse(message).help("give the base directory of the worker"),
            Error::Run(_) => Self::misuse(message).help("give a name without `/` that begins with no dot"),
            Error::Outside(_) | Error::Unreadable { .. } => Self::misuse(message),
        }
    }
}
