//! A failure that has no place in one of the user's farm files: a missing file, a wrong argument, a tool that broke.

use std::fmt;

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
        Self { message: message.into(), help: None, exit: Exit::Misuse }
    }

    /// Something that was understood and did not work (exit 1).
    pub fn error(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, exit: Exit::Errors }
    }

    /// Adds what to write or do instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Prints it on standard error and returns the exit code.
    pub fn print(&self) -> Exit {
        anstream::eprintln!("{self}");
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
