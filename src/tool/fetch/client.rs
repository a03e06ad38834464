//! The programs that fetch: run without input, their words passed on without secrets, their failures turned into errors.

use std::path::Path;
use std::process::Command;

use super::{Address, CREDENTIALS, Error};
use crate::tool::process::{self, Streamed};
use crate::tool::say;

/// A version control system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Bazaar, by the client of Breezy or its own.
    Bazaar,
    /// Git.
    Git,
    /// Mercurial.
    Mercurial,
}

impl System {
    /// What its client is called.
    pub fn client(self) -> &'static str {
        match self {
            Self::Bazaar => "brz",
            Self::Git => "git",
            Self::Mercurial => "hg",
        }
    }

    /// The Debian package that has the client.
    pub fn package(self) -> &'static str {
        match self {
            Self::Bazaar => "brz",
            Self::Git => "git",
            Self::Mercurial => "mercurial",
        }
    }

    /// A command that asks a repository for no more than a word.
    pub fn probe(self) -> &'static str {
        match self {
            Self::Bazaar => "brz revno",
            Self::Git => "git ls-remote",
            Self::Mercurial => "hg identify",
        }
    }
}

/// Runs a client for one repository and one directory.
pub(super) struct Client<'a> {
    pub(super) system: System,
    pub(super) url: &'a Address,
    pub(super) into: &'a Path,
}

impl Client<'_> {
    /// Runs it and passes on what it says, whatever comes of it.
    pub(super) fn stream(&self, command: &mut Command) -> Result<Streamed, Error> {
        let streamed = process::stream(command.env_remove(CREDENTIALS), |line| self.url.hide(line));
        streamed.map_err(|error| Error::NoClient(self.system, error))
    }

    /// Runs it quietly and returns its output; `name` is what it is told to do.
    pub(super) fn output(&self, name: &str, command: &mut Command) -> Result<Vec<u8>, Error> {
        match self.attempt(command)? {
            Ok(output) => Ok(output),
            Err(text) => {
                text.lines().for_each(say);
                Err(self.failed(name, &text))
            }
        }
    }

    /// Runs it quietly; where it fails, what it said of that.
    pub(super) fn attempt(&self, command: &mut Command) -> Result<Result<Vec<u8>, String>, Error> {
        let output = process::capture(command.env_remove(CREDENTIALS));
        let output = output.map_err(|error| Error::NoClient(self.system, error))?;
        let said = || self.url.hide(&String::from_utf8_lossy(&output.stderr));
        Ok(if output.status.success() { Ok(output.stdout) } else { Err(said()) })
    }

    /// The error of a client that could do nothing with the directory.
    pub(super) fn failed(&self, name: &str, text: &str) -> Error {
        let (command, directory) = (name.to_owned(), self.into.display().to_string());
        Error::Client { client: self.system.client(), command, directory, said: said(text) }
    }

    /// The error of a repository that does not answer; what the client said of it is passed on.
    pub(super) fn unreachable(&self, text: &str) -> Error {
        text.lines().for_each(say);
        Error::Unreachable { system: self.system, url: self.url.shown(), said: said(text) }
    }
}

/// The line of a client's output that says what is wrong: ssh's own, the first that the client calls fatal, else the last.
pub(crate) fn said(text: &str) -> String {
    const FATAL: [&str; 4] = ["fatal: ", "abort: ", "brz: ERROR: ", "bzr: ERROR: "];
    let lines = || text.lines().map(|line| line.trim().trim_start_matches("remote: ")).filter(|line| !line.is_empty());
    let ssh = lines().find(|line| {
        line.starts_with("ssh:") || line.contains("Permission denied") || line.contains("Host key verification failed")
    });
    let fatal = || lines().find_map(|line| FATAL.iter().find_map(|mark| line.strip_prefix(mark)));
    ssh.or_else(fatal).or_else(|| lines().next_back()).unwrap_or("it said nothing").to_owned()
}

/// Names that look like the wanted one, the likeliest first; else the first few.
pub(crate) fn near<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<(f64, &str)> = names.map(|name| (strsim::jaro_winkler(wanted, name), name)).collect();
    names.sort_by(|a, b| b.0.total_cmp(&a.0));
    let close = names.iter().filter(|(likeness, _)| *likeness > 0.75).count();
    names.into_iter().take(close.clamp(5, 8)).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_matters_is_found() {
        assert_eq!(said("warning: x\nabort: no suitable response\n"), "no suitable response");
        assert_eq!(
            said("remote: ssh: connect to host x\nabort: no suitable response from remote hg"),
            "ssh: connect to host x"
        );
        assert_eq!(said("brz: ERROR: Not a branch: \"x\".\n"), "Not a branch: \"x\".");
        assert_eq!(said("one\ntwo\n\n"), "two");
        assert_eq!(said(""), "it said nothing");
    }
}
