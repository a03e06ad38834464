//! What can go wrong with an upload: the wording of all of it.

use std::io;

use crate::diagnostic::Failure;

/// An upload that did not work, or not wholly.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A directory that is none to upload to.
    #[error("`{0}` is no directory to upload to")]
    Directory(String),
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
    /// A tree would be copied into itself.
    #[error("{directory} is inside of {tree}, which should be copied there")]
    Inside {
        /// The directory.
        directory: String,
        /// The tree.
        tree: String,
    },
    /// Not everything could be copied.
    #[error("{} left out, {files} uploaded to {directory}", left_out.len())]
    LeftOut {
        /// What was not.
        left_out: Vec<LeftOut>,
        /// The number of files that were.
        files: usize,
        /// Where to.
        directory: String,
    },
    /// What should be copied is not there.
    #[error("there is no {0} to upload")]
    Missing(String),
}

/// Something that is not copied.
#[derive(Debug)]
pub struct LeftOut {
    /// What.
    pub path: String,
    /// Why.
    pub why: String,
}

/// How much of what was left out is listed.
const SHOWN: usize = 10;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Directory(_) => Self::misuse(message).help("give its path, without `..` in it"),
            Error::Inside { .. } => Self::misuse(message).help("give a directory elsewhere"),
            Error::Missing(_) => Self::error(message).help("the step that makes it says why it did not"),
            Error::File { error, .. } if error.kind() == io::ErrorKind::PermissionDenied => {
                let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten();
                let user = user.map_or_else(|| "the user of this slave".to_owned(), |user| user.name);
                Self::error(message).help(format!("steps run as {user}: let that user write there"))
            }
            Error::File { .. } => Self::error(message),
            Error::LeftOut { left_out, .. } => {
                let mut lines: Vec<String> =
                    left_out.iter().take(SHOWN).map(|left| format!("{} {}", left.path, left.why)).collect();
                if left_out.len() > SHOWN {
                    lines.push(format!("and {} more", left_out.len() - SHOWN));
                }
                Self::error(message).help(format!("all the rest is there; left out:\n{}", lines.join("\n")))
            }
        }
    }
}
