//! What was found, for people and for programs.

use std::fmt::Write as _;

use anstyle::AnsiColor;
use serde::Serialize;

use super::finding::{Checked, Finding, Place, count};
use crate::doctor::Severity;

/// The version of the JSON that is written.
const FORMAT: u32 = 1;

/// All that came of looking at a master.
#[derive(Debug, Clone)]
pub struct Report {
    /// The master's directory, as the user spells it.
    pub directory: String,
    /// Part by part.
    pub checked: Vec<Checked>,
}

#[derive(Serialize)]
struct Json<'r> {
    #[serde(rename = "farmout-check-master")]
    format: u32,
    directory: &'r str,
    errors: usize,
    warnings: usize,
    parts: &'r [Checked],
}

impl Report {
    /// All findings, part by part.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.checked.iter().flat_map(|checked| &checked.findings)
    }

    /// How many findings are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings().filter(|finding| finding.severity == severity).count()
    }

    /// For people, coloured; without a line's end at the end.
    pub fn text(&self) -> String {
        let mut text = format!("master {}\n\n", self.directory);
        for checked in &self.checked {
            let worst = checked.findings.iter().map(|finding| finding.severity).min();
            let worst = worst.filter(|severity| *severity != Severity::Note);
            let (style, mark) = match worst {
                Some(worst) => (worst.style(), worst.name()),
                None if checked.looked => (AnsiColor::Green.on_default(), "ok"),
                None => (AnsiColor::Yellow.on_default(), "not checked"),
            };
            let _ = writeln!(text, "  {style}{mark:<12}{style:#} {:<14} {}", checked.part.name(), checked.summary);
        }
        for severity in [Severity::Note, Severity::Warning, Severity::Error] {
            for finding in self.findings().filter(|finding| finding.severity == severity) {
                text.push('\n');
                text.push_str(&told(finding));
            }
        }
        text.push('\n');
        text.push_str(&self.verdict());
        text
    }

    /// The last line.
    pub fn verdict(&self) -> String {
        let warnings = match self.count(Severity::Warning) {
            0 => String::new(),
            number => format!("; {} may bite", count(number, "warning")),
        };
        match self.count(Severity::Error) {
            0 if self.checked.iter().any(|checked| !checked.looked) => {
                format!("what was checked of this master is in order{warnings}")
            }
            0 => format!("this master is in order{warnings}"),
            number => format!("this master is not in order: {}{warnings}", count(number, "error")),
        }
    }

    /// For programs: one object on one line.
    ///
    /// # Errors
    /// Those of serde, of which none happens.
    pub fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(&Json {
            format: FORMAT,
            directory: &self.directory,
            errors: self.count(Severity::Error),
            warnings: self.count(Severity::Warning),
            parts: &self.checked,
        })
    }
}

/// A finding for people, coloured.
pub(super) fn told(finding: &Finding) -> String {
    let style = finding.severity.style();
    let mut text = format!("{style}{}{style:#}[{}]", finding.severity.name(), finding.name);
    if let Some(Place { file, line }) = &finding.place {
        let _ = write!(text, " at {file}:{line}");
    }
    let _ = writeln!(text, ": {}", finding.what.replace('\n', "\n    "));
    for detail in &finding.details {
        let _ = writeln!(text, "    {detail}");
    }
    if let Some(help) = &finding.help {
        let cyan = AnsiColor::Cyan.on_default();
        let _ = writeln!(text, "  {cyan}help{cyan:#}: {}", help.replace('\n', "\n        "));
    }
    text
}
