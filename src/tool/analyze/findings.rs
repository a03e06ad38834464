//! What was found in a log: data only.

use super::Severity;

/// One place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The number of the first line, from 1; none for what is missing.
    pub line: Option<u64>,
    /// The first lines.
    pub head: Vec<String>,
    /// How many lines are left out after them.
    pub skipped: u64,
    /// The last lines.
    pub tail: Vec<String>,
}

impl Finding {
    /// Blank lines at the end of a block say nothing.
    pub(super) fn trim(&mut self) {
        while self.tail.pop_if(|line| line.trim().is_empty()).is_some() {}
        while self.tail.is_empty() && self.skipped == 0 && self.head.pop_if(|line| line.trim().is_empty()).is_some() {}
    }
}

/// All findings under one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The label.
    pub label: String,
    /// How bad they are.
    pub severity: Severity,
    /// How many there are; more than are kept, perhaps.
    pub count: u64,
    /// The first of them.
    pub kept: Vec<Finding>,
}

/// What was found in a whole log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// Grouped by label: errors before warnings, else in the order of the rules.
    pub groups: Vec<Group>,
    /// How many lines the log has.
    pub lines: u64,
}

impl Findings {
    /// How many findings of that severity there are.
    pub fn count(&self, severity: Severity) -> u64 {
        self.groups.iter().filter(|group| group.severity == severity).map(|group| group.count).sum()
    }
}
