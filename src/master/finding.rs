//! A finding: what is wrong with a master, where, and what to write instead.

use serde::{Deserialize, Serialize};

use crate::doctor::Severity;

/// A line of a file of the master's directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The file, from the master's directory.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// What `farmout render buildbot` writes.
    Rendered,
    /// The files in `secrets`.
    Secrets,
    /// What Buildbot makes of `master.cfg`.
    Configuration,
    /// The steps of the farm's builders, beside their plans.
    Steps,
}

impl Part {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rendered => "rendered",
            Self::Secrets => "secrets",
            Self::Configuration => "configuration",
            Self::Steps => "steps",
        }
    }
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A name that does not change.
    pub name: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// Where it is, if it is in a file of the admin's and the line is known.
    pub place: Option<Place>,
    /// What is wrong, a clause without a full stop.
    pub what: String,
    /// More about it, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// What to write or do instead.
    pub help: Option<String>,
}

impl Finding {
    pub(super) fn error(name: &'static str, what: impl Into<String>) -> Self {
        Self { name, severity: Severity::Error, place: None, what: what.into(), details: Vec::new(), help: None }
    }

    pub(super) fn warning(name: &'static str, what: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(name, what) }
    }

    pub(super) fn note(name: &'static str, what: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(name, what) }
    }

    #[must_use]
    pub(super) fn at(mut self, place: Option<Place>) -> Self {
        self.place = place;
        self
    }

    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// What came of looking at one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// The part.
    pub part: Part,
    /// What was looked at, in a line.
    pub summary: String,
    /// Whether it could be looked at.
    pub looked: bool,
    /// What was found.
    pub findings: Vec<Finding>,
}

impl Checked {
    pub(super) fn new(part: Part, summary: impl Into<String>, findings: Vec<Finding>) -> Self {
        Self { part, summary: summary.into(), looked: true, findings }
    }

    /// Of a part that could not be looked at, and why.
    pub(super) fn not(part: Part, why: impl Into<String>) -> Self {
        Self { part, summary: why.into(), looked: false, findings: Vec::new() }
    }
}

/// A number of things in words: `1 builder`, `2 builders`.
pub(super) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// More names than these are counted.
const MOST: usize = 5;

/// Names in a row; of many, the first ones and how many more there are.
pub(super) fn some<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    let more = names.len().saturating_sub(MOST);
    let first = names[..names.len() - more].join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}
