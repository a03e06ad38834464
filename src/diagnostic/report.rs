//! What is to be said, ready for every format: diagnostics, the user's levels and the texts in; findings with their
//! places out, in the order of their places, with nothing secret in them. A finding has words only while it is written: a
//! broken file can have a million.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use camino::Utf8Path;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::problem::Wording;
use super::redact::Redaction;
use super::{Diagnostic, Diagnostics, Levels, Pages, Severity, suggest};
use crate::source::{SourceId, Sources, Span, is_unseen};

/// How many there were of each severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Notices.
    pub notices: usize,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
        let parts = [(self.errors, "error"), (self.warnings, "warning"), (self.notices, "notice")];
        let parts: Vec<_> = parts.iter().filter(|part| part.0 > 0).map(|part| count(part.0, part.1)).collect();
        f.write_str(&if parts.is_empty() { "no errors".to_owned() } else { parts.join(", ") })
    }
}

/// All that is to be said.
#[derive(Debug)]
pub struct Report<'a> {
    judged: Vec<(&'a Diagnostic, Severity)>,
    redaction: RefCell<Redaction<'a>>,
    pub(super) sources: &'a Sources,
    /// Where the codes' pages are, if that is known.
    pub(super) pages: Option<Pages>,
    /// Whether the reader's terminal shows links.
    pub(super) links: bool,
    /// The place that was last asked for: the next is most often behind it, and may be on the same line of megabytes.
    last: Cell<Option<Column>>,
    /// The current directory.
    here: Option<PathBuf>,
    names: Option<Names<'a>>,
}

/// What files are called in words, where that is not what they are called by whoever found a problem.
struct Names<'a>(&'a dyn Fn(&str) -> String);

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Names")
    }
}

/// The column of a byte.
#[derive(Debug, Clone, Copy)]
struct Column {
    source: SourceId,
    line: usize,
    at: usize,
    column: usize,
}

/// A diagnostic and its words, with the severity that counts.
#[derive(Debug)]
pub(super) struct Finding<'a> {
    pub(super) diagnostic: &'a Diagnostic,
    pub(super) wording: Wording,
}

/// A place as programs want it. Lines and columns are from 1; columns count characters, and the end is the column behind
/// the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) end_line: usize,
    pub(super) end_column: usize,
}

impl<'a> Report<'a> {
    /// Judges the diagnostics.
    pub fn new(diagnostics: &'a Diagnostics, sources: &'a Sources, levels: &Levels) -> Self {
        let judge = |diagnostic: &'a Diagnostic| {
            levels.judge(diagnostic.code, diagnostic.severity).map(|severity| (diagnostic, severity))
        };
        Self {
            judged: diagnostics.sorted().into_iter().filter_map(judge).collect(),
            redaction: RefCell::new(Redaction::new(sources)),
            sources,
            pages: None,
            links: false,
            last: Cell::new(None),
            here: std::env::current_dir().ok(),
            names: None,
        }
    }

    /// Puts `shown` of each text in its place, before it is laid out in lines.
    #[must_use]
    pub fn with_names(self, shown: &'a dyn Fn(&str) -> String) -> Self {
        Self { names: Some(Names(shown)), ..self }
    }

    /// Says where the codes' pages are, and whether the reader's terminal shows links.
    #[must_use]
    pub fn with_pages(self, pages: Option<Pages>, links: bool) -> Self {
        Self { pages, links, ..self }
    }

    /// How many there are of each severity.
    pub fn counts(&self) -> Counts {
        let count = |severity| self.judged.iter().filter(|judged| judged.1 == severity).count();
        Counts { errors: count(Severity::Error), warnings: count(Severity::Warning), notices: count(Severity::Notice) }
    }

    /// The code of the first finding of the worst severity: what to look up first.
    pub fn worst(&self) -> Option<&'static str> {
        self.judged.iter().min_by_key(|judged| judged.1).map(|(diagnostic, _)| diagnostic.code)
    }

    /// What was found, in the order of its places.
    pub(super) fn findings(&self) -> impl Iterator<Item = Finding<'a>> {
        self.findings_of(|_| true)
    }

    /// Of what was found, that whose severities `wanted` takes.
    pub(super) fn findings_of(&self, mut wanted: impl FnMut(Severity) -> bool) -> impl Iterator<Item = Finding<'a>> {
        let wanted = self.judged.iter().filter(move |(_, severity)| wanted(*severity));
        wanted.map(|(diagnostic, severity)| {
            let mut wording = Wording { severity: *severity, ..diagnostic.problem.wording() };
            self.redaction.borrow_mut().apply(&mut wording, diagnostic);
            let Wording { message, label, help, .. } = &mut wording;
            for text in [Some(message), Some(label), help.as_mut()].into_iter().flatten() {
                if let Some(Names(shown)) = self.names {
                    *text = shown(text);
                }
                *text = suggest::short(text).replace(|c| c != '\n' && c != '\t' && is_unseen(c), "\u{fffd}");
            }
            Finding { diagnostic, wording }
        })
    }

    /// The codes of what was found.
    pub(super) fn codes(&self) -> impl Iterator<Item = &'static str> {
        self.judged.iter().map(|(diagnostic, _)| diagnostic.code)
    }

    /// A file's path from the current directory where it is below that, with `/` between its parts.
    fn path(&self, name: &str) -> String {
        let path = Utf8Path::new(name);
        let path = self.here.as_deref().and_then(|here| path.strip_prefix(here).ok()).unwrap_or(path);
        path.strip_prefix(".").unwrap_or(path).as_str().replace(std::path::MAIN_SEPARATOR, "/")
    }

    /// What programs want to know of a place.
    pub(super) fn place(&self, span: Span) -> Place {
        let source = self.sources.get(span.source);
        let range = span.range();
        let position = |at: usize, before: Option<Column>| {
            let line = source.line(at);
            // Behind the first byte, there is no byte order mark to be left out.
            let known = before.filter(|known| (known.source, known.line) == (span.source, line));
            let known = known.filter(|known| (1..=at).contains(&known.at));
            let column = match known {
                Some(known) => known.column + source.text().get(known.at..at).map_or(0, |text| text.chars().count()),
                None => source.position(at).1,
            };
            Column { source: span.source, line, at, column }
        };
        let start = position(range.start, self.last.get());
        let end = position(range.end, Some(start));
        self.last.set(Some(start));
        Place {
            file: self.path(source.name()),
            line: start.line,
            column: start.column,
            end_line: end.line,
            end_column: end.column,
        }
    }
}

/// What makes each finding itself, however its lines move: its file, its code and its words, and, for those that are
/// alike in all of them, their order.
#[derive(Debug, Default)]
pub(super) struct Fingerprints {
    /// How many there have been of each; by their digests, since there may be a million.
    seen: HashMap<[u8; 32], usize>,
}

impl Fingerprints {
    /// That of the next finding of a report.
    pub(super) fn next(&mut self, report: &Report<'_>, finding: &Finding<'_>) -> String {
        let file = report.path(report.sources.get(finding.diagnostic.span.source).name());
        let Wording { code, message, label, .. } = &finding.wording;
        let identity = [&file, *code, message, label].join("\0");
        let order = self.seen.entry(Sha256::digest(&identity).into()).or_default();
        let digest = Sha256::digest(format!("{identity}\0{order}"));
        *order += 1;
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}
