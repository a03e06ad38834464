//! Programs that builds call besides PostgreSQL's and Python. In: names, and where to look. Out: which are there, and their
//! versions.

use camino::Utf8PathBuf;
use serde::Serialize;

use super::{Search, executable};
use crate::host::Account;
use crate::host::probe::{Probe, parallel};

/// What a program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A client of a version control system.
    VersionControl,
    /// wkhtmltopdf, which prints reports.
    Reports,
    /// LibreOffice, which converts documents.
    Office,
    /// A browser, for tests of the web client.
    Browser,
    /// What Selenium drives browsers with.
    Driver,
    /// What eggs with C in them are built with.
    Compiler,
    /// What stylesheets and JavaScript are made with.
    Web,
}

/// Programs of one kind: of the names in a row, the first that is found stands for all.
type Names = &'static [(Kind, &'static [&'static str])];

/// What every look at the machine asks for. Bazaar's successor comes first: its `bzr` is a link to it.
pub(super) const FIRST: Names = &[
    (Kind::VersionControl, &["git"]),
    (Kind::VersionControl, &["hg"]),
    (Kind::VersionControl, &["brz"]),
    (Kind::VersionControl, &["bzr"]),
    (Kind::VersionControl, &["svn"]),
    (Kind::Reports, &["wkhtmltopdf"]),
];

/// What a complete survey asks for besides.
pub(super) const MORE: Names = &[
    (Kind::Office, &["libreoffice", "soffice"]),
    (Kind::Browser, &["chromium", "chromium-browser"]),
    (Kind::Browser, &["google-chrome", "google-chrome-stable"]),
    (Kind::Browser, &["firefox", "firefox-esr"]),
    (Kind::Driver, &["chromedriver"]),
    (Kind::Driver, &["geckodriver"]),
    (Kind::Driver, &["selenium-server", "selenium-standalone"]),
    (Kind::Compiler, &["gcc"]),
    (Kind::Compiler, &["g++"]),
    (Kind::Compiler, &["clang"]),
    (Kind::Compiler, &["make"]),
    (Kind::Compiler, &["pkg-config", "pkgconf"]),
    (Kind::Web, &["node", "nodejs"]),
    (Kind::Web, &["lessc"]),
    (Kind::Web, &["sass", "sassc"]),
];

/// A program with a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Program {
    /// Its name, the usual one where there are several: `git`, `libreoffice`.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// Its version: `2.39.5`.
    pub version: String,
    /// The executable.
    pub path: Utf8PathBuf,
    /// Whether it is on `PATH`, so that builds find it.
    pub on_path: bool,
}

impl Program {
    /// The version that a capability of that name has. Browsers change their other numbers every week, LibreOffice every month,
    /// and no build asks for those.
    pub(super) fn offered(&self) -> &str {
        let parts = match self.kind {
            Kind::Browser => 1,
            Kind::Office => 2,
            _ => usize::MAX,
        };
        let end = self.version.match_indices('.').nth(parts - 1).map_or(self.version.len(), |(at, _)| at);
        &self.version[..end]
    }
}

pub(super) fn find(
    names: Names,
    search: &Search,
    account: Option<&Account>,
    probe: &Probe,
) -> (Vec<Program>, Vec<String>) {
    let mut real = Vec::new();
    let mut programs = Vec::new();
    for (kind, names) in names {
        let found = names.iter().find_map(|name| search.program(name, |path| executable(path, account)));
        let Some(path) = found else { continue };
        let target = path.canonicalize_utf8().unwrap_or_else(|_| path.clone());
        if !real.contains(&target) {
            real.push(target);
            programs.push((*kind, names[0], path));
        }
    }
    let answers = parallel(&programs, |(_, _, path)| probe.run(path, &["--version"]));
    let elements = search.path();
    let (mut found, mut notes) = (Vec::new(), Vec::new());
    for ((kind, name, path), answer) in programs.into_iter().zip(answers) {
        let read = |text: &str| version(text).ok_or_else(|| "says no version".to_owned());
        match answer.and_then(|output| Ok((read(&output.stdout)?, output))) {
            Ok((version, output)) => {
                if kind == Kind::Reports && !output.stdout.contains("patched qt") {
                    notes.push(format!("{path} is without the patched Qt: reports have no headers and footers"));
                }
                let on_path =
                    path.parent().is_some_and(|directory| elements.iter().any(|element| element == directory));
                found.push(Program { name: name.to_owned(), kind, version, path, on_path });
            }
            Err(problem) => notes.push(format!("{path} is left out: it {problem}")),
        }
    }
    (found, notes)
}

/// The first word that begins like a version: `git version 2.39.5`, `Mercurial Distributed SCM (version 6.3.2)`,
/// `Breezy (brz) 3.3.2`, `wkhtmltopdf 0.12.6 (with patched qt)`, `gcc (Debian 12.2.0-14) 12.2.0`, `v18.19.0`. What is in
/// brackets is the packager's, unless there is nothing else.
fn version(said: &str) -> Option<String> {
    let first = said.lines().find(|line| !line.trim().is_empty())?;
    let mut depth = 0_usize;
    let outside: String = first
        .chars()
        .filter(|c| match c {
            '(' => {
                depth += 1;
                false
            }
            ')' => {
                depth = depth.saturating_sub(1);
                false
            }
            _ => depth == 0,
        })
        .collect();
    number(&outside).or_else(|| number(said))
}

fn number(said: &str) -> Option<String> {
    let words = said.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ','));
    let words = words.map(|word| word.strip_prefix('v').unwrap_or(word));
    let mut versions = words.filter(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'));
    // Mercurial's may have `+20230105` behind it.
    let version = versions.next()?.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.')).next()?;
    Some(version.trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_every_week_is_not_offered() {
        let offered = |kind, version: &str| {
            let program = Program { name: "x".into(), kind, version: version.into(), path: "/x".into(), on_path: true };
            program.offered().to_owned()
        };
        assert_eq!(offered(Kind::Browser, "120.0.6099.224"), "120");
        assert_eq!(offered(Kind::Office, "7.4.7.2"), "7.4");
        assert_eq!(offered(Kind::Office, "7"), "7");
        assert_eq!(offered(Kind::Reports, "0.12.6.1"), "0.12.6.1");
    }

    #[test]
    fn versions() {
        for (said, expected) in [
            ("git version 2.39.5\n", Some("2.39.5")),
            ("git version 2.39.5 (Apple Git-154)", Some("2.39.5")),
            ("Mercurial Distributed SCM (version 6.3.2)\n(see https://mercurial-scm.org)", Some("6.3.2")),
            ("Mercurial Distributed SCM (version 6.1+20230105)", Some("6.1")),
            ("Breezy (brz) 3.3.2\n  Python interpreter: /usr/bin/python3.11 3.11.2", Some("3.3.2")),
            ("wkhtmltopdf 0.12.6.1 (with patched qt)", Some("0.12.6.1")),
            (
                "gcc (Debian 12.2.0-14+deb12u1) 12.2.0\nCopyright (C) 2022 Free Software Foundation, Inc.",
                Some("12.2.0"),
            ),
            ("GNU Make 4.3\nBuilt for x86_64-pc-linux-gnu", Some("4.3")),
            ("svn, version 1.14.2 (r1899510)\n   compiled May 2023", Some("1.14.2")),
            ("Chromium 120.0.6099.224 built on Debian 12.4, running on Debian 12.4", Some("120.0.6099.224")),
            ("LibreOffice 7.4.7.2 40(Build:2)", Some("7.4.7.2")),
            ("v18.19.0\n", Some("18.19.0")),
            ("no number", None),
            ("", None),
        ] {
            assert_eq!(version(said).as_deref(), expected, "{said}");
        }
    }
}
