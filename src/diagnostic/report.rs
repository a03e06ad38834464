//! What is to be said, ready for every format: diagnostics, the user's levels and the texts in; findings with their
//! places out, in the order of their places, with nothing secret in them.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;

use camino::Utf8Path;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::problem::Wording;
use super::redact::Redaction;
use super::{Diagnostic, Diagnostics, Levels, Pages, Severity, suggest};
use crate::source::{Sources, Span, is_unseen};

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
    pub(super) findings: Vec<Finding<'a>>,
    pub(super) sources: &'a Sources,
    /// Where the codes' pages are, if that is known.
    pub(super) pages: Option<Pages>,
    /// Whether the reader's terminal shows links.
    pub(super) links: bool,
    /// The current directory.
    here: Option<PathBuf>,
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
        let mut redaction = Redaction::new(sources);
        let finding = |diagnostic: &'a Diagnostic| {
            let mut wording = diagnostic.problem.wording();
            wording.severity = levels.judge(wording.code, wording.severity)?;
            redaction.apply(&mut wording, diagnostic);
            let Wording { message, label, help, .. } = &mut wording;
            for text in [Some(message), Some(label), help.as_mut()].into_iter().flatten() {
                *text = suggest::short(text).replace(|c| c != '\n' && c != '\t' && is_unseen(c), "\u{fffd}");
            }
            Some(Finding { diagnostic, wording })
        };
        let findings = diagnostics.sorted().into_iter().filter_map(finding).collect();
        Self { findings, sources, pages: None, links: false, here: std::env::current_dir().ok() }
    }

    /// Says where the codes' pages are, and whether the reader's terminal shows links.
    #[must_use]
    pub fn with_pages(self, pages: Option<Pages>, links: bool) -> Self {
        Self { pages, links, ..self }
    }

    /// How many there are of each severity.
    pub fn counts(&self) -> Counts {
        let count = |severity| self.findings.iter().filter(|finding| finding.wording.severity == severity).count();
        Counts { errors: count(Severity::Error), warnings: count(Severity::Warning), notices: count(Severity::Notice) }
    }

    /// The code of the first finding of the worst severity: what to look up first.
    pub fn worst(&self) -> Option<&'static str> {
        let worst = self.findings.iter().min_by_key(|finding| finding.wording.severity);
        worst.map(|finding| finding.wording.code)
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
        let ((line, column), (end_line, end_column)) = (source.position(range.start), source.position(range.end));
        Place { file: self.path(source.name()), line, column, end_line, end_column }
    }

    /// What makes each finding itself, however its lines move: its file, its code and its words, and, for those that are
    /// alike in all of them, their order.
    pub(super) fn fingerprints(&self) -> Vec<String> {
        let mut seen: HashMap<String, usize> = HashMap::new();
        let fingerprint = |finding: &Finding<'_>| {
            let file = self.path(self.sources.get(finding.diagnostic.span.source).name());
            let Wording { code, message, label, .. } = &finding.wording;
            let identity = [&file, *code, message, label].join("\0");
            let order = seen.entry(identity.clone()).or_default();
            let digest = Sha256::digest(format!("{identity}\0{order}"));
            *order += 1;
            digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
        };
        self.findings.iter().map(fingerprint).collect()
    }
}
