//! GitLab's Code Quality report: an array of what was found, each with a fingerprint by which merge requests tell new
//! ones from old ones.

use std::cell::RefCell;
use std::io::{self, Write};

use serde::Serialize;

use super::super::report::{Finding, Fingerprints};
use super::super::{Report, Severity};
use crate::each::Each;

#[derive(Serialize)]
struct Violation {
    description: String,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: usize,
    end: usize,
}

pub(super) fn gitlab(report: &Report<'_>, output: &mut impl Write) -> io::Result<()> {
    let fingerprints = RefCell::new(Fingerprints::default());
    let violations = || report.findings().map(|finding| violation(report, &finding, &mut fingerprints.borrow_mut()));
    serde_json::to_writer_pretty(&mut *output, &Each(violations))?;
    output.write_all(b"\n")
}

fn violation(report: &Report<'_>, finding: &Finding<'_>, fingerprints: &mut Fingerprints) -> Violation {
    let (wording, place) = (&finding.wording, report.place(finding.diagnostic.span));
    let help = wording.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
    Violation {
        description: format!("{}{help}", wording.message),
        check_name: wording.code,
        fingerprint: fingerprints.next(report, finding),
        severity: match wording.severity {
            Severity::Error => "major",
            Severity::Warning => "minor",
            Severity::Notice => "info",
        },
        location: Location { path: place.file, lines: Lines { begin: place.line, end: place.end_line } },
    }
}
