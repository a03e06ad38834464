//! What can go wrong with a package: the wording of all of it.

use std::io;
use std::path::Path;

use crate::diagnostic::Failure;

/// A package that was not made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A version control system's client said no; its own words.
    #[error("{command} failed in {directory}: {said}")]
    Client {
        /// The client and what it was told to do.
        command: String,
        /// Where.
        directory: String,
        /// Its last line.
        said: String,
    },
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
    /// A client that cannot be started.
    #[error("cannot run {client}: {error}")]
    NoClient {
        /// The client.
        client: &'static str,
        /// Why.
        error: io::Error,
    },
    /// A directory that no version control system knows.
    #[error("{0} is no clone of a Git, Mercurial or Bazaar repository")]
    NoClone(String),
    /// The buildout's directory is not there at that tag.
    #[error("there is no directory {subdir} at the tag `{tag}`")]
    NoDirectory {
        /// The directory.
        subdir: String,
        /// The tag.
        tag: String,
    },
    /// No such tag.
    #[error("the clone {clone} has no tag `{tag}`")]
    NoTag {
        /// The clone.
        clone: String,
        /// What was asked for.
        tag: String,
        /// Those that it has, the last ones first.
        known: Vec<String>,
    },
    /// A name that would be a path, or an option.
    #[error("`{name}` cannot be {what}")]
    Name {
        /// The name.
        name: String,
        /// What it is for, with an article.
        what: &'static str,
    },
    /// A file that no archive should have.
    #[error("{0} is neither a file nor a directory nor a link")]
    Odd(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Client { .. } | Error::File { .. } | Error::NoDirectory { .. } | Error::Odd(_) => {
                Self::error(message)
            }
            Error::Name { .. } => Self::misuse(message)
                .help("it becomes part of a file's name: letters, digits and `._+~-`, a letter or a digit first"),
            Error::NoClient { client, .. } => {
                Self::error(message).help(format!("install {client}, and have it on PATH"))
            }
            Error::NoClone(_) => Self::error(message).help(
                "a package is made of a tag: the build's `buildout` must be a `git`, `hg`, `hgtag` or `bzr` source",
            ),
            Error::NoTag { known, .. } if known.is_empty() => {
                Self::error(message).help("it has no tag at all; a shallow clone has few")
            }
            Error::NoTag { known, .. } => Self::error(message).help(format!("it has {}", known.join(", "))),
        }
    }
}

pub(super) fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.display().to_string();
    move |error| Error::File { what, path, error }
}

/// Demands a name that is part of a file's name as it is.
pub(super) fn plain_name(name: &str, what: &'static str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+~-".contains(c);
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain) {
        return Ok(());
    }
    Err(Error::Name { name: name.to_owned(), what })
}
