//! A line each, as compilers write them: editors and `grep` read it.

use std::io::{self, Write};

use super::super::Report;
use super::name;

pub(super) fn short(report: &Report<'_>, output: &mut impl Write) -> io::Result<()> {
    for finding in report.findings() {
        let place = report.place(finding.diagnostic.span);
        let (severity, code) = (name(finding.wording.severity), finding.wording.code);
        let (file, message) = (line(&place.file), line(&finding.wording.message));
        writeln!(output, "{file}:{}:{}: {severity}[{code}]: {message}", place.line, place.column)?;
    }
    Ok(())
}

/// The text on one line, whatever is quoted in it.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
