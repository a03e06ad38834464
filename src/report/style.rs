//! Who reads a report as it is made.

use std::io::IsTerminal as _;

/// The reader of a report in text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Style {
    /// A pipe or a file.
    #[default]
    Plain,
    /// A person at a terminal.
    Live,
    /// The log of a job of GitHub Actions.
    GitHub,
    /// The log of a job of GitLab.
    GitLab,
}

impl Style {
    /// Who reads standard output. `live` says whether what is written there happens now.
    pub fn of_output(live: bool) -> Self {
        let is = |name: &str, value: &str| std::env::var_os(name).is_some_and(|found| found == value);
        if live && std::io::stdout().is_terminal() && !is("TERM", "dumb") {
            Self::Live
        } else if is("GITHUB_ACTIONS", "true") {
            Self::GitHub
        } else if is("GITLAB_CI", "true") {
            Self::GitLab
        } else {
            Self::Plain
        }
    }
}
