//! What came into a Mercurial repository, from its first new changeset on.

use serde::Deserialize;

use super::{CHANGES, Repository, comment, files};
use crate::model::{Change, Vcs};
use crate::watch::Came;

/// A changeset as Mercurial writes it for us.
#[derive(Deserialize)]
struct Changeset {
    node: String,
    user: String,
    branch: String,
    desc: String,
    files: Vec<String>,
}

/// What a changegroup brought whose first changeset is this, for Mercurial's hook of that name. The last change of each branch is
/// the branch's newest.
pub fn changegroup(repository: &Repository, first: &str) -> Came {
    let mut came = Came::default();
    let found = checked(first).and_then(|()| log(repository, &format!("{first}:tip")));
    match found {
        Ok(changes) => came.changes = changes,
        Err(why) => came.warnings.push(format!("what came cannot be told: {why}")),
    }
    came
}

/// What a branch, or a bookmark, got since it had another revision.
pub fn hg(repository: &Repository, branch: &str, since: &str, revision: &str) -> Came {
    let mut came = Came::default();
    let read = || {
        checked(since).and_then(|()| checked(revision))?;
        let mut changes = log(repository, &format!("only({revision}, {since})"))?;
        if !changes.last().is_some_and(|last| last.revision.starts_with(revision)) {
            changes = log(repository, revision)?;
        }
        // A bookmark is watched like a branch, and is on one of another name.
        let is_bookmark = changes.last().is_some_and(|last| last.branch.as_deref() != Some(branch));
        changes.retain(|change| is_bookmark || change.branch.as_deref() == Some(branch));
        changes.iter_mut().for_each(|change| change.branch = Some(branch.to_owned()));
        Ok(changes)
    };
    came.take(read(), || repository.bare(Vcs::Hg, Some(branch), revision));
    came
}

/// Only identifiers are made part of a question.
fn checked(revision: &str) -> Result<(), String> {
    let fine = (12..=40).contains(&revision.len()) && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    fine.then_some(()).ok_or_else(|| format!("`{}` is no identifier of a changeset", revision.escape_debug()))
}

fn log(repository: &Repository, revisions: &str) -> Result<Vec<Change>, String> {
    // The newest come first, so that it is the oldest that an overlong answer lacks.
    let revisions = format!("reverse(last({revisions}, {CHANGES}))");
    let template = r"{dict(node=node,user=author,branch=branch,desc=desc,files=files)|json}\n";
    let said = repository.ask("hg", &["--encoding", "UTF-8", "log", "--rev", &revisions, "--template", template])?;
    let mut changes = Vec::new();
    for line in said.lines() {
        let Ok(changeset) = serde_json::from_str::<Changeset>(line) else { break };
        let mut change = repository.bare(Vcs::Hg, Some(&changeset.branch), &changeset.node);
        change.author = Some(changeset.user);
        change.comment = comment(&changeset.desc);
        change.files = files(changeset.files);
        changes.push(change);
    }
    if changes.is_empty() && !said.is_empty() {
        return Err("what Mercurial says of it cannot be read".to_owned());
    }
    changes.reverse();
    Ok(changes)
}
