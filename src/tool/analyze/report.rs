//! Findings in, text for the person who reads the step's output out.

use std::fmt;

use super::findings::Group;
use super::{Finding, Findings, Severity};

/// What was found in one log, ready to be printed.
#[derive(Debug)]
pub struct Report {
    /// The log's path.
    pub log: String,
    /// What was found.
    pub findings: Findings,
}

impl Report {
    /// Whether the build fails.
    pub fn failed(&self) -> bool {
        self.findings.count(Severity::Error) > 0
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in &self.findings.groups {
            write_group(f, group)?;
        }
        let errors = self.findings.count(Severity::Error);
        let warnings = self.findings.count(Severity::Warning);
        write!(f, "{}: {}, ", self.log, counted(self.findings.lines, "line"))?;
        match (errors, warnings) {
            (0, 0) => write!(f, "no finding"),
            (0, _) => write!(f, "{}", counted(warnings, "warning")),
            (_, 0) => write!(f, "{}", counted(errors, "error")),
            _ => write!(f, "{} and {}", counted(errors, "error"), counted(warnings, "warning")),
        }
    }
}

fn write_group(f: &mut fmt::Formatter<'_>, group: &Group) -> fmt::Result {
    let colour = match group.severity {
        Severity::Error => anstyle::AnsiColor::Red.on_default().bold(),
        Severity::Warning | Severity::Ignore => anstyle::AnsiColor::Yellow.on_default().bold(),
    };
    let word = if group.severity == Severity::Error { "error" } else { "warning" };
    writeln!(f, "{colour}{word}{colour:#}: {} ({})", group.label, group.count)?;
    for finding in &group.kept {
        write_finding(f, finding)?;
    }
    let more = group.count - group.kept.len() as u64;
    if more > 0 {
        writeln!(f, "         … and {more} more")?;
    }
    writeln!(f)
}

fn write_finding(f: &mut fmt::Formatter<'_>, finding: &Finding) -> fmt::Result {
    let Some(start) = finding.line else { return Ok(()) };
    for (number, line) in (start..).zip(&finding.head) {
        writeln!(f, "{number:7}  {line}")?;
    }
    if finding.skipped > 0 {
        writeln!(f, "      …  {} left out", counted(finding.skipped, "line"))?;
    }
    for (number, line) in (start + finding.head.len() as u64 + finding.skipped..).zip(&finding.tail) {
        writeln!(f, "{number:7}  {line}")?;
    }
    Ok(())
}

fn counted(count: u64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
