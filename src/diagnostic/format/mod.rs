//! The forms in which a report is written: a file for each. A [`Report`] comes in, text goes out.

pub(crate) mod github;
mod gitlab;
mod human;
mod json;
mod sarif;
mod short;

use std::io::{self, Write};

use super::{Report, Severity};

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
    /// Where `output` cannot be written to.
    pub fn write(self, report: &Report<'_>, output: &mut dyn Write) -> io::Result<()> {
        let mut output = io::BufWriter::with_capacity(1 << 16, output);
        match self {
            Self::Human => human::human(report, &mut output),
            Self::Short => short::short(report, &mut output),
            Self::Json => json::json(report, &mut output),
            Self::Sarif => sarif::sarif(report, &mut output),
            Self::Github => github::github(report, &mut output),
            Self::Gitlab => gitlab::gitlab(report, &mut output),
        }?;
        output.flush()
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
