//! Mending. In: what was found. Out: the mends that are safe, and, for each that is agreed to, its commands run in sight of the
//! caller. Who agrees is asked by the caller.

use std::process::Command;

use super::{Finding, Mend, Report, Severity};

/// The findings with mends that are safe, each mend once. What is only good to know is not changed.
pub fn safe(report: &Report) -> Vec<Finding> {
    let mut mends: Vec<&Mend> = Vec::new();
    let mut findings = Vec::new();
    for finding in report.findings().filter(|finding| finding.mend.safe && finding.severity() != Severity::Note) {
        if !mends.contains(&&finding.mend) {
            mends.push(&finding.mend);
            findings.push(finding.clone());
        }
    }
    findings
}

/// Runs the commands of a mend one after the other, up to the first that fails.
///
/// # Errors
/// What became of that command, a clause.
pub fn apply(mend: &Mend) -> Result<(), String> {
    for words in &mend.commands {
        let Some((program, arguments)) = words.split_first() else { continue };
        let shown = shell_words::join(words);
        let status = Command::new(program).args(arguments).current_dir("/").status();
        let status = status.map_err(|error| format!("`{shown}` cannot be started: {error}"))?;
        if !status.success() {
            return Err(format!("`{shown}` failed ({status})"));
        }
    }
    Ok(())
}
