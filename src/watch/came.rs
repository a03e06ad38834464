//! What came with a push, whoever tells of it. Data only.

use crate::model::Change;

/// What came.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Came {
    /// The changes, as they were made.
    pub changes: Vec<Change>,
    /// What is no change of a branch, each in a clause.
    pub ignored: Vec<String>,
    /// What could not be learned, each in a clause.
    pub warnings: Vec<String>,
}

impl Came {
    /// That nothing came but this, which is no change.
    pub fn ignored(what: impl Into<String>) -> Self {
        Self { ignored: vec![what.into()], ..Self::default() }
    }

    /// One line for people.
    pub fn summary(&self) -> String {
        let mut branches: Vec<&str> = self.changes.iter().map(name).collect();
        branches.sort_unstable();
        branches.dedup();
        let told = match self.changes.len() {
            0 => "no change".to_owned(),
            1 => format!("1 change of {}", branches.join(", ")),
            count => format!("{count} changes of {}", branches.join(", ")),
        };
        let ignored: String = self.ignored.iter().map(|what| format!("; ignored: {what}")).collect();
        format!("told {told}{ignored}")
    }
}

/// What people call the branch of a change.
fn name(change: &Change) -> &str {
    change.branch.as_deref().unwrap_or(&change.url)
}
