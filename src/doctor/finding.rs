//! A finding: what is wrong, where, and what mends it.

use serde::Serialize;

use super::kind::{Kind, Severity};
use crate::source::{Sources, Span};

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: &'static Kind,
    /// The option of the farm that it is about, if it is about one.
    pub place: Option<Place>,
    /// What is wrong, a clause without a full stop.
    pub what: String,
    /// What mends it.
    pub mend: Mend,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file, as the farm spells it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
}

impl Place {
    /// The place of a span; none in a text that is no file.
    pub fn of(span: Span, sources: &Sources) -> Option<Self> {
        let source = sources.get(span.source);
        let (line, column) = source.position(span.range().start);
        (!source.name().starts_with('<')).then(|| Self { file: source.name().to_owned(), line, column })
    }
}

/// What mends a finding.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Mend {
    /// What to do, where there is more to it than commands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// The commands, one after the other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Vec<String>>,
    /// Whether the commands can be run here and now by the caller, and do no harm.
    pub safe: bool,
}

impl Mend {
    /// Words alone.
    pub fn advice(text: impl Into<String>) -> Self {
        Self { advice: Some(text.into()), ..Self::default() }
    }

    /// Commands that somebody has to run who knows what they do.
    pub fn commands(commands: Vec<Vec<String>>) -> Self {
        Self { commands, ..Self::default() }
    }

    /// The commands can be run by the caller, and do no harm.
    #[must_use]
    pub fn safe(mut self, safe: bool) -> Self {
        self.safe = safe && !self.commands.is_empty();
        self
    }

    /// Adds words.
    #[must_use]
    pub fn and(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

/// A command from words.
pub(super) fn command(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

impl Finding {
    /// A finding without a place.
    pub(super) fn new(kind: &'static Kind, what: impl Into<String>, mend: Mend) -> Self {
        Self { kind, place: None, what: what.into(), mend }
    }

    /// The same, at the place of a span.
    #[must_use]
    pub(super) fn at(mut self, span: Span, sources: &Sources) -> Self {
        self.place = Place::of(span, sources);
        self
    }

    /// How grave it is.
    pub fn severity(&self) -> Severity {
        self.kind.severity
    }
}

/// What came of looking at one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The family.
    pub family: super::Family,
    /// What was looked at, and is in order: a line.
    pub summary: String,
    /// What was found, the gravest first.
    pub findings: Vec<Finding>,
}

/// Parts of a summary, separated by semicolons; for none, that there was nothing to look at.
pub(super) fn summary(parts: &[String], nothing: &str) -> String {
    if parts.is_empty() { nothing.to_owned() } else { parts.join("; ") }
}
