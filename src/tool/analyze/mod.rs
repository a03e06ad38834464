//! `farmout tool analyze-log`: a log and rules in, findings out. Reads one file, writes to standard output only.

mod error;
mod file;
mod findings;
mod lines;
mod needles;
mod read;
mod report;
mod rules;
mod scan;
mod text;

use std::fs::File;
use std::path::Path;

pub use error::{Error, Mistakes};
pub use file::{Base, Block, Ending, RuleFile, RulesFile, Severity};
pub use findings::{Finding, Findings};
pub use report::Report;
pub use rules::{Line, Rule, Rules};
pub use scan::scan;
pub use text::Form;

/// Looks through the log at `log` with the rules called `rules` (`server`, or a file) and returns what to print.
///
/// # Errors
/// Rules or a log that cannot be read, malformed rules.
pub fn analyze(rules: &str, log: &Path) -> Result<Report, Error> {
    let rules = Rules::load(rules)?;
    let unreadable = |error| Error::UnreadableLog { log: log.display().to_string(), error };
    // Opening a directory works, and only reading it fails: the message is the same.
    let file = File::open(log).map_err(unreadable)?;
    let text = text::text(file).map_err(unreadable)?;
    let text = text.map_err(|form| Error::NoText { log: log.display().to_string(), form })?;
    let findings = scan(&rules, text).map_err(unreadable)?;
    Ok(Report { log: log.display().to_string(), findings })
}
