//! `farmout tool keep-output`: a command in; its output to standard output and to a file, for programs that can write no log
//! of their own and whose exit status tells nothing.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Command;

use super::process;
use crate::diagnostic::Failure;

/// A command whose output could not be kept, or that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It ended with another status than 0.
    #[error("`{program}` ended with {status}")]
    Failed {
        /// The program.
        program: String,
        /// How it ended.
        status: String,
    },
    /// It cannot be started, or its output cannot be passed on.
    #[error("`{program}` cannot be run: {error}")]
    Run {
        /// The program.
        program: String,
        /// Why.
        error: io::Error,
        /// The option of the manifest that names it.
        option: Option<String>,
    },
    /// The file cannot be made.
    #[error("cannot write {file}: {error}")]
    Write {
        /// The file.
        file: String,
        /// Why.
        error: io::Error,
    },
}

/// Runs the command, of which messages say that `option` of the manifest names it; what it writes to both its streams is in `file` then, and nothing else is.
///
/// # Errors
/// See [`Error`].
pub fn keep(command: &[String], option: Option<&str>, file: &Path) -> Result<(), Error> {
    let (program, arguments) = command.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let unwritable = |error| Error::Write { file: file.display().to_string(), error };
    let mut copy = File::create(file).map_err(unwritable)?;
    let status = process::tee(Command::new(program).args(arguments), &mut copy).map_err(|error| Error::Run {
        program: program.to_owned(),
        error,
        option: option.map(str::to_owned),
    })?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Failed { program: program.to_owned(), status: status.to_string() })
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Run { option: Some(option), .. } => {
                Self::error(message).help(format!("its name comes from the option `{option}`"))
            }
            Error::Run { option: None, .. } | Error::Failed { .. } | Error::Write { .. } => Self::error(message),
        }
    }
}
