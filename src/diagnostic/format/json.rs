//! One JSON object a line, for programs: editors, bots, `jq`.
//!
//! ```text
//! {"code":"option::unread", "severity":"error"|"warning"|"notice", "message":…, "help":…|null,
//!  "file":…, "line":…, "column":…, "end_line":…, "end_column":…, "start":…, "end":…, "label":…,
//!  "related":[{"file":…, "line":…, "column":…, "end_line":…, "end_column":…, "label":…}]}
//! ```
//!
//! `message` is what is wrong, `label` the same in short at its place, `help` what to write instead. Lines and columns
//! are from 1, columns count characters, and the end is behind the last one; `start` and `end` are the same in bytes
//! of the file from 0. Names may be added to the objects; those that are there stay.

use std::io::{self, Write};

use serde::Serialize;

use super::super::Report;
use super::super::report::Place;
use super::name;

#[derive(Serialize)]
struct Line<'a> {
    code: &'static str,
    severity: &'static str,
    message: &'a str,
    help: Option<&'a str>,
    #[serde(flatten)]
    place: Place,
    start: usize,
    end: usize,
    label: &'a str,
    related: Vec<Related>,
}

#[derive(Serialize)]
struct Related {
    #[serde(flatten)]
    place: Place,
    label: String,
}

pub(super) fn json(report: &Report<'_>, output: &mut impl Write) -> io::Result<()> {
    for finding in report.findings() {
        let (wording, span) = (&finding.wording, finding.diagnostic.span);
        let source = report.sources.get(span.source);
        let related = finding.diagnostic.related.iter();
        let line = Line {
            code: wording.code,
            severity: name(wording.severity),
            message: &wording.message,
            help: wording.help.as_deref(),
            place: report.place(span),
            start: source.offset(span.range().start),
            end: source.offset(span.range().end),
            label: &wording.label,
            related: related
                .map(|(span, label)| Related { place: report.place(*span), label: label.to_string() })
                .collect(),
        };
        serde_json::to_writer(&mut *output, &line)?;
        output.write_all(b"\n")?;
    }
    Ok(())
}
