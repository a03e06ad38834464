//! What stands above the jobs, for whoever opens the file. Jobs come in, a comment goes out.

use std::fmt::Write as _;

use indexmap::IndexMap;

use super::{Jobs, Program};

/// The comment at the top of a file.
pub(super) struct Header<'a> {
    /// What is done instead of editing the file.
    pub instead: &'a [String],
    /// Where what it needs is said.
    pub settings: &'a str,
    /// What that is called there, if it is no secret.
    pub plain: &'a str,
    /// What it is called if it is one.
    pub secret: &'a str,
}

impl Header<'_> {
    /// The comment.
    pub fn text(&self, jobs: &Jobs, program: &Program<'_>) -> String {
        let mut lines = vec![format!("Rendered by farmout {}: do not edit it.", env!("CARGO_PKG_VERSION"))];
        lines.extend_from_slice(self.instead);
        let plain = program.unset().map(|(name, meaning)| (name, format!("{}: {meaning}", self.plain)));
        let given = jobs.jobs.iter().flat_map(|job| &job.secrets);
        let secrets = given.map(|given| (given.variable.as_str(), format!("{}: {}", self.secret, given.meaning)));
        let needs: IndexMap<&str, String> = plain.chain(secrets).collect();
        if !needs.is_empty() {
            lines.extend([String::new(), format!("It needs, in {}:", self.settings)]);
            let widest = needs.keys().map(|name| name.len()).max().unwrap_or_default();
            lines.extend(needs.iter().map(|(name, meaning)| format!("  {name:widest$}  {meaning}")));
        }
        if !jobs.left_out.is_empty() {
            lines.extend([String::new(), "Left out:".to_owned()]);
            lines.extend(jobs.left_out.iter().map(|left| format!("  {}: {}", left.builder, left.reason)));
        }
        lines.iter().fold(String::new(), |mut text, line| {
            // Nothing of the farm's ends the comment: for YAML 1.1 these two separators end a line.
            let ends = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
            let line: String = line.chars().map(|c| if ends(c) { '\u{fffd}' } else { c }).collect();
            let _ = writeln!(text, "{}", format!("# {line}").trim_end());
            text
        })
    }
}
