//! The forms in which a report is written: a file for each. A [`Report`] comes in, text goes out.

mod github;
mod gitlab;
mod human;
mod json;
mod sarif;
mod short;

use super::{Report, Severity};

pub use human::human;

/// How diagnostics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    /// For a person: excerpts of the files with the places marked, on standard error
    #[default]
    Human,
    /// A line each: `file:line:column: severity[code]: message`
    Short,
    /// A JSON object a line, with places in lines, columns and bytes
    Json,
    /// One SARIF 2.1.0 document, for code scanning
    Sarif,
    /// Workflow commands, which GitHub Actions shows beside the lines of a change
    Github,
    /// A Code Quality report, which GitLab shows in a merge request
    Gitlab,
}

impl Format {
    /// Writes a report.
    ///
    /// # Errors
    /// Where the text cannot be made into JSON, which does not happen.
    pub fn write(self, report: &Report<'_>) -> Result<String, serde_json::Error> {
        Ok(match self {
            Self::Human => human(report),
            Self::Short => short::short(report),
            Self::Json => json::json(report)?,
            Self::Sarif => sarif::sarif(report)?,
            Self::Github => github::github(report),
            Self::Gitlab => gitlab::gitlab(report)?,
        })
    }
}

/// The name of a severity in formats of our own.
fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "notice",
    }
}
