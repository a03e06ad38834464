//! GitLab's Code Quality report: an array of what was found, each with a fingerprint by which merge requests tell new
//! ones from old ones.

use serde::Serialize;

use super::super::{Report, Severity};

#[derive(Serialize)]
struct Violation<'a> {
    description: String,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: Location<'a>,
}

#[derive(Serialize)]
struct Location<'a> {
    path: &'a str,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: usize,
    end: usize,
}

pub(super) fn gitlab(report: &Report<'_>) -> Result<String, serde_json::Error> {
    let places: Vec<_> = report.findings.iter().map(|finding| report.place(finding.diagnostic.span)).collect();
    let violations: Vec<_> = report
        .findings
        .iter()
        .zip(&places)
        .zip(report.fingerprints())
        .map(|((finding, place), fingerprint)| {
            let wording = &finding.wording;
            let help = wording.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
            Violation {
                description: format!("{}{help}", wording.message),
                check_name: wording.code,
                fingerprint,
                severity: match wording.severity {
                    Severity::Error => "major",
                    Severity::Warning => "minor",
                    Severity::Notice => "info",
                },
                location: Location { path: &place.file, lines: Lines { begin: place.line, end: place.end_line } },
            }
        })
        .collect();
    Ok(serde_json::to_string_pretty(&violations)? + "\n")
}
