//! A failure that has no place in one of the user's farm files: a missing file, a wrong argument, a tool that broke.

use std::fmt;
use std::io;

use crate::cli::Exit;

/// Ends a command: what is wrong, what to do about it, and the exit code that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// One sentence without a full stop, in the words of the user.
    pub message: String,
    /// What to write or do instead.
    pub help: Option<String>,
    /// The exit code.
    pub exit: Exit,
}

impl Failure {
    /// Wrong use, or something that cannot be read (exit 2).
    pub fn misuse(message: impl Into<String>) -> Self {
        Self { message: plain(&message.into()), help: None, exit: Exit::Misuse }
    }

    /// Something that was understood and did not work (exit 1).
    pub fn error(message: impl Into<String>) -> Self {
        Self { message: plain(&message.into()), help: None, exit: Exit::Errors }
    }

    /// Adds what to write or do instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Prints it on standard error and returns the exit code.
    pub fn print(&self) -> Exit {
        note!("{self}");
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let red = anstyle::AnsiColor::Red.on_default().bold();
        write!(f, "{red}error{red:#}: {}", self.message)?;
        if let Some(help) = &self.help {
            let cyan = anstyle::AnsiColor::Cyan.on_default();
            write!(f, "\n  {cyan}help{cyan:#}: {}", help.replace('\n', "\n        "))?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// A text without what the system's errors add for programmers: their numbers, and the names of files that were only made
/// aside.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(" (os error ") {
        plain.push_str(before);
        match after.split_once(')') {
            Some((number, after)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                rest = after
                    .strip_prefix(" at path \"")
                    .and_then(|path| path.split_once('"'))
                    .map_or(after, |(_, end)| end);
            }
            _ => {
                plain.push_str(" (os error ");
                rest = after;
            }
        }
    }
    plain + rest
}

/// The help where something cannot be kept in the state directory.
pub fn other_state(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "make room there, or name a directory on another disk with --state"
        }
        _ => "name a directory in which you can make files with --state",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_temporary_files_are_left_out() {
        let full = io::Error::from_raw_os_error(28);
        assert_eq!(
            plain(&format!("cannot write a: {full}; {full}")),
            "cannot write a: No space left on device; No space left on device"
        );
        let error = tempfile::NamedTempFile::new_in(tempfile::tempdir().unwrap().path().join("gone")).unwrap_err();
        assert_eq!(plain(&format!("a: {error}.")), "a: No such file or directory.");
        for text in ["", "a (os error", "a (os error x) b", "a (os error 2", "(os error 2)"] {
            assert_eq!(plain(text), text);
        }
    }
}
