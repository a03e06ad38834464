//! Clients of version control systems, and wkhtmltopdf. In: `PATH`. Out: which are there, and their versions.

use camino::Utf8PathBuf;

use super::{Search, executable};
use crate::host::Account;
use crate::host::probe::{Probe, parallel};

/// Bazaar's successor is asked for first: its `bzr` is a link to it.
const NAMES: [&str; 5] = ["git", "hg", "brz", "bzr", "wkhtmltopdf"];

/// A program with a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its name: `git`.
    pub name: String,
    /// Its version: `2.39.5`.
    pub version: String,
    /// The executable.
    pub path: Utf8PathBuf,
}

type Found = (Vec<Client>, Option<Client>, Vec<String>);

pub(super) fn find(search: &Search, account: Option<&Account>, probe: &Probe) -> Found {
    let mut real = Vec::new();
    let mut programs = Vec::new();
    for name in NAMES {
        let Some(path) = search.program(name, |path| executable(path, account)) else { continue };
        let target = path.canonicalize_utf8().unwrap_or_else(|_| path.clone());
        if !real.contains(&target) {
            real.push(target);
            programs.push((name, path));
        }
    }
    let answers = parallel(&programs, |(_, path)| probe.run(path, &["--version"]));
    let mut notes = Vec::new();
    let mut clients = Vec::new();
    let mut wkhtmltopdf = None;
    for ((name, path), answer) in programs.into_iter().zip(answers) {
        let version = answer.and_then(|output| version(&output.stdout).ok_or_else(|| "says no version".to_owned()));
        match version {
            Ok(version) => {
                let client = Client { name: name.to_owned(), version, path };
                if name == "wkhtmltopdf" {
                    wkhtmltopdf = Some(client);
                } else {
                    clients.push(client);
                }
            }
            Err(problem) => notes.push(format!("{path} is left out: it {problem}")),
        }
    }
    (clients, wkhtmltopdf, notes)
}

/// The first word that begins like a version: `git version 2.39.5`, `Mercurial Distributed SCM (version 6.3.2)`,
/// `Breezy (brz) 3.3.2`, `wkhtmltopdf 0.12.6 (with patched qt)`.
fn version(said: &str) -> Option<String> {
    let words = said.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')'));
    let mut versions = words.filter(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'));
    // Mercurial's may have `+20230105` behind it.
    let version = versions.next()?.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).next()?;
    Some(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (said, expected) in [
            ("git version 2.39.5\n", Some("2.39.5")),
            ("git version 2.39.5 (Apple Git-154)", Some("2.39.5")),
            ("Mercurial Distributed SCM (version 6.3.2)\n(see https://mercurial-scm.org)", Some("6.3.2")),
            ("Mercurial Distributed SCM (version 6.1+20230105)", Some("6.1")),
            ("Breezy (brz) 3.3.2\n  Python interpreter: /usr/bin/python3.11 3.11.2", Some("3.3.2")),
            ("wkhtmltopdf 0.12.6.1 (with patched qt)", Some("0.12.6.1")),
            ("no number", None),
        ] {
            assert_eq!(version(said).as_deref(), expected, "{said}");
        }
    }
}
