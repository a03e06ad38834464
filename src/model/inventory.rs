//! What a build was made of, down to revisions: the document that a run keeps of each builder, and what a later run pins
//! because of it. Types only.

use camino::Utf8PathBuf;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// The version of the document that this farmout writes and reads.
pub const FORMAT: u32 = 1;

/// What a build was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Inventory {
    /// The document's version, [`FORMAT`].
    pub farmout_inventory: u32,
    /// The interpreter's whole version: `2.7.18`.
    pub python: String,
    /// The server's whole version: `15.18`; none where no server answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgresql: Option<String>,
    /// What is in the private environment: zc.buildout, setuptools.
    #[serde(default)]
    pub environment: IndexMap<String, String>,
    /// The distributions that the build's scripts use, and their versions.
    #[serde(default)]
    pub eggs: IndexMap<String, String>,
    /// Distributions that come from a directory of the build, which have no version to pin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub develop: Vec<String>,
    /// The revision of the repository that holds the buildout, if one does: what `farmout tool fetch` takes as `--revision`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The working copies in the buildout's directory. One at `.` is the buildout itself.
    #[serde(default)]
    pub sources: Vec<WorkingCopy>,
}

/// A working copy and what it stands at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct WorkingCopy {
    /// Its directory, relative to the buildout's.
    pub path: Utf8PathBuf,
    /// `git`, `hg` or `bzr`.
    pub vcs: String,
    /// Where it comes from, without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The exact revision: what the recipe's `revisions` takes.
    pub revision: String,
    /// Whether files of it were changed in place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changed: bool,
}

impl Inventory {
    /// The options for zc.buildout's command line that build the same again, `section:option=value`: the version of every
    /// distribution, and the revision of every source of `part`.
    ///
    /// The recipe's `revisions` has a line for each source, `DIRECTORY REVISION`; its main software, which it keeps below
    /// `parts/`, is the line without a directory.
    pub fn overrides(&self, part: &str) -> Vec<String> {
        let setuptools = self.environment.get_key_value("setuptools");
        let versions = self.eggs.iter().chain(setuptools.filter(|(name, _)| !self.eggs.contains_key(*name)));
        let mut overrides: Vec<_> = versions.map(|(name, version)| format!("versions:{name}={version}")).collect();
        let mut lines = Vec::new();
        if let Some(main) = self.main(part) {
            lines.push(main.revision.clone());
        }
        for source in self.sources.iter().filter(|source| source.path != "." && !source.path.starts_with("parts")) {
            lines.push(format!("{} {}", source.path, source.revision));
        }
        if !lines.is_empty() {
            overrides.push(format!("{part}:revisions={}", lines.join("\n")));
        }
        overrides
    }

    /// The working copy of the part's main software: the only one below `parts/`, or of several the one called like the part.
    fn main(&self, part: &str) -> Option<&WorkingCopy> {
        let mut below = self.sources.iter().filter(|source| source.path.starts_with("parts"));
        let only = below.clone().count() == 1;
        below.find(|source| only || source.path.file_name() == Some(part))
    }

    /// What is not as it is in `other`, a line for each: `Babel: 2.9.1, before 2.9.0`.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut compare = |name: &str, now: Option<&str>, before: Option<&str>| {
            if now != before {
                lines.push(format!("{name}: {}, before {}", now.unwrap_or("none"), before.unwrap_or("none")));
            }
        };
        compare("Python", Some(&self.python), Some(&other.python));
        compare("the buildout", self.revision.as_deref(), other.revision.as_deref());
        compare("PostgreSQL", self.postgresql.as_deref(), other.postgresql.as_deref());
        for (now, before) in [(&self.environment, &other.environment), (&self.eggs, &other.eggs)] {
            let gone = before.keys().filter(|name| !now.contains_key(*name));
            for name in now.keys().chain(gone) {
                compare(name, now.get(name).map(String::as_str), before.get(name).map(String::as_str));
            }
        }
        fn at<'a>(inventory: &'a Inventory, path: &Utf8PathBuf) -> Option<&'a str> {
            inventory.sources.iter().find(|source| source.path == *path).map(|source| source.revision.as_str())
        }
        let gone = other.sources.iter().filter(|source| at(self, &source.path).is_none());
        for source in self.sources.iter().chain(gone) {
            compare(source.path.as_str(), at(self, &source.path), at(other, &source.path));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(sources: &[(&str, &str)]) -> Inventory {
        let copy = |(path, revision): &(&str, &str)| WorkingCopy {
            path: path.into(),
            vcs: "git".to_owned(),
            url: None,
            revision: (*revision).to_owned(),
            changed: false,
        };
        Inventory {
            farmout_inventory: FORMAT,
            python: "2.7.18".to_owned(),
            postgresql: Some("15.18".to_owned()),
            environment: [("setuptools", "44.1.1"), ("zc.buildout", "2.13.8")]
                .map(|(name, version)| (name.to_owned(), version.to_owned()))
                .into(),
            eggs: [("Babel".to_owned(), "2.9.1".to_owned())].into(),
            develop: Vec::new(),
            revision: None,
            sources: sources.iter().map(copy).collect(),
        }
    }

    #[test]
    fn the_main_software_has_no_directory() {
        let sources = [(".", "c0ffee"), ("parts/openerp", "abc"), ("addons", "def"), ("others/more", "012")];
        assert_eq!(
            inventory(&sources).overrides("openerp"),
            [
                "versions:Babel=2.9.1",
                "versions:setuptools=44.1.1",
                "openerp:revisions=abc\naddons def\nothers/more 012"
            ]
        );
        assert_eq!(inventory(&[]).overrides("openerp").len(), 2);
        let two = inventory(&[("parts/server", "abc"), ("parts/openerp", "def")]);
        assert_eq!(two.overrides("openerp").last().map(String::as_str), Some("openerp:revisions=def"));
    }

    #[test]
    fn differences_go_both_ways() {
        let (before, mut now) = (inventory(&[("addons", "abc"), ("old", "1")]), inventory(&[("addons", "def")]));
        now.postgresql = None;
        now.eggs.insert("lxml".to_owned(), "4.6.5".to_owned());
        assert_eq!(
            now.differences(&before),
            [
                "PostgreSQL: none, before 15.18",
                "lxml: 4.6.5, before none",
                "addons: def, before abc",
                "old: none, before 1"
            ]
        );
        assert!(now.differences(&now).is_empty());
    }
}
