//! GitHub's `push`.

use jiff::Timestamp;
use serde::Deserialize;

use super::{Commit, Moved, in_order, json, moved, other, template};
use crate::model::{Change, Vcs};
use crate::watch::Came;

#[derive(Deserialize)]
pub(super) struct Push {
    #[serde(rename = "ref")]
    reference: String,
    after: String,
    #[serde(default)]
    commits: Vec<Commit>,
    #[serde(default)]
    head_commit: Option<Commit>,
    repository: Repository,
}

#[derive(Deserialize)]
struct Repository {
    #[serde(default)]
    clone_url: Option<String>,
    #[serde(default)]
    ssh_url: Option<String>,
    #[serde(default)]
    git_url: Option<String>,
    #[serde(default)]
    html_url: Option<String>,
}

pub(super) fn read(event: &str, body: &[u8], time: Timestamp) -> Result<Came, String> {
    match event {
        "push" => json::<Push>(body)?.told(time),
        "ping" => Ok(Came::ignored("a ping")),
        _ => Ok(other(event)),
    }
}

impl Push {
    pub(super) fn told(self, time: Timestamp) -> Result<Came, String> {
        let Repository { clone_url, ssh_url, git_url, html_url } = self.repository;
        let branch = match moved(&self.reference, &self.after) {
            Moved::Ignored(why) => return Ok(Came::ignored(why)),
            Moved::Branch(branch) => branch,
        };
        let like = template(Vcs::Git, &[clone_url, ssh_url, git_url, html_url], time)?;
        let like = Change { branch: Some(branch.to_owned()), ..like };
        // A new branch with nothing of its own, and one that went back, have a head and no commits.
        let commits = if self.commits.is_empty() { self.head_commit.into_iter().collect() } else { self.commits };
        let changes = commits.into_iter().map(|commit| commit.change(&like)).collect();
        Ok(Came { changes: in_order(changes, &self.after, &like), ..Came::default() })
    }
}
