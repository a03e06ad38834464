//! A line each, as compilers write them: editors and `grep` read it.

use std::fmt::Write as _;

use super::super::Report;
use super::name;

pub(super) fn short(report: &Report<'_>) -> String {
    let mut text = String::new();
    for finding in &report.findings {
        let place = report.place(finding.diagnostic.span);
        let (severity, code) = (name(finding.wording.severity), finding.wording.code);
        let (file, message) = (line(&place.file), line(&finding.wording.message));
        // Writing to a string does not fail.
        let _ = writeln!(text, "{file}:{}:{}: {severity}[{code}]: {message}", place.line, place.column);
    }
    text
}

/// The text on one line, whatever is quoted in it.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
