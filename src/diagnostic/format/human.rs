//! Diagnostics for a person at a terminal, by miette.

use std::fmt;
use std::io::{self, Write};

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};

use super::super::problem::Wording;
use super::super::report::Finding;
use super::super::{Counts, Report, Severity};
use crate::source::{SourceId, Sources, Span};

/// Nobody reads more reports than this: they are a file of the wrong kind, or one mistake in very many places.
const MOST: usize = 1000;

/// The findings, each with an excerpt of its file. Colours are always in it: the stream takes them out where they are
/// not wanted (no terminal, `NO_COLOR`).
///
/// Of very many, the first are shown, errors before anything else, and the others counted.
pub(super) fn human(report: &Report<'_>, output: &mut impl Write) -> io::Result<()> {
    let mut left = report.counts();
    let mut room = MOST;
    let mut shown = [left.errors, left.warnings, left.notices].map(|count| {
        let shown = count.min(room);
        room -= shown;
        shown
    });
    left.errors -= shown[0];
    left.warnings -= shown[1];
    left.notices -= shown[2];
    let wanted = |severity| {
        let shown = &mut shown[severity as usize];
        let wanted = *shown > 0;
        *shown -= usize::from(wanted);
        wanted
    };
    for finding in report.findings_of(wanted) {
        let mut text = String::new();
        let page = report.pages.as_ref().filter(|_| report.links).map(|pages| pages.of(finding.wording.code));
        let handler = if page.is_some() { linking(finding.wording.code) } else { handler() };
        // Writing to a string does not fail.
        let _ = handler.render_report(&mut text, &Shown { page, ..Shown::new(&finding, report.sources) });
        // Lines of nothing but the frame's blanks would be noise in a CI log.
        let lines: Vec<_> = text.lines().map(str::trim_end).collect();
        writeln!(output, "{}\n", lines.join("\n").trim_end())?;
    }
    if left != Counts::default() {
        writeln!(output, "… and {left} more: `farmout compile --format short` lists them all\n")?;
    }
    Ok(())
}

fn handler() -> GraphicalReportHandler {
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode())
        .with_width(110)
        .with_context_lines(1)
        .with_links(false)
}

/// Writes the code as a link to its page.
fn linking(code: &str) -> GraphicalReportHandler {
    handler().with_links(true).with_link_display_text(code)
}

/// A diagnostic as miette wants it.
#[derive(Debug)]
struct Shown<'a> {
    wording: &'a Wording,
    span: Span,
    labels: Vec<LabeledSpan>,
    sources: &'a Sources,
    /// The address of its code's page, where the code is a link.
    page: Option<String>,
    /// Places in other files: miette shows one file a report.
    elsewhere: Vec<Elsewhere<'a>>,
}

impl<'a> Shown<'a> {
    fn new(finding: &'a Finding<'a>, sources: &'a Sources) -> Self {
        let (diagnostic, wording) = (finding.diagnostic, &finding.wording);
        let marked = |span: Span| sources.get(span.source).marked(span.range());
        let primary = LabeledSpan::new_primary_with_span(Some(wording.label.clone()), marked(diagnostic.span));
        let mut labels = vec![primary];
        let mut elsewhere = Vec::new();
        for (span, label) in &diagnostic.related {
            if span.source == diagnostic.span.source {
                labels.push(LabeledSpan::new_with_span(Some(label.to_string()), marked(*span)));
            } else {
                let place = LabeledSpan::new_with_span(None, marked(*span));
                elsewhere.push(Elsewhere { text: label.to_string(), label: place, source: span.source, sources });
            }
        }
        Self { wording, span: diagnostic.span, labels, sources, page: None, elsewhere }
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.wording.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn code<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        // As a link it is miette's text for the address.
        self.page.is_none().then(|| Box::new(self.wording.code) as Box<dyn fmt::Display>)
    }

    fn url<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        self.page.as_deref().map(|page| Box::new(page) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.wording.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Notice => miette::Severity::Advice,
        })
    }

    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        self.wording.help.as_deref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.sources.get(self.span.source))
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }

    fn related<'b>(&'b self) -> Option<Box<dyn Iterator<Item = &'b dyn miette::Diagnostic> + 'b>> {
        (!self.elsewhere.is_empty())
            .then(|| Box::new(self.elsewhere.iter().map(|other| other as &dyn miette::Diagnostic)) as Box<_>)
    }
}

/// A place in another file.
#[derive(Debug)]
struct Elsewhere<'a> {
    text: String,
    label: LabeledSpan,
    source: SourceId,
    sources: &'a Sources,
}

impl fmt::Display for Elsewhere<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Elsewhere<'_> {}

impl miette::Diagnostic for Elsewhere<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(miette::Severity::Advice)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.sources.get(self.source))
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(self.label.clone())))
    }
}
