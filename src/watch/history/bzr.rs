//! What came into a Bazaar branch, from one revision to another.

use super::{CHANGES, Repository, comment, files};
use crate::model::{Change, Vcs};
use crate::watch::Came;

/// What Bazaar calls the revision before the first.
const NOTHING: &str = "null:";

/// What the branch got since it had another revision. Both are identifiers; in changes they have their number before them.
pub fn bzr(repository: &Repository, since: &str, revision: &str) -> Came {
    let mut came = Came::default();
    if revision == NOTHING {
        came.ignored.push("the branch has no revision any more".to_owned());
        return came;
    }
    came.take(read(repository, since, revision), || repository.bare(Vcs::Bzr, None, revision));
    came
}

fn read(repository: &Repository, since: &str, revision: &str) -> Result<Vec<Change>, String> {
    for id in [since, revision] {
        // It is part of a range.
        if id.is_empty() || id.contains("..") || id.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(format!("`{}` is no identifier of a revision", id.escape_debug()));
        }
    }
    let range =
        if since == NOTHING { format!("..revid:{revision}") } else { format!("revid:{since}..revid:{revision}") };
    let found = log(repository, &range).map(|changes| {
        let is_old = |change: &Change| change.revision.ends_with(&format!(" {since}"));
        changes.into_iter().filter(|change| !is_old(change)).collect::<Vec<_>>()
    });
    match found {
        Ok(changes) if !changes.is_empty() => Ok(changes),
        // It was rewritten, or went back.
        _ => log(repository, &format!("revid:{revision}")),
    }
}

fn log(repository: &Repository, range: &str) -> Result<Vec<Change>, String> {
    let (range, most) = (format!("--revision={range}"), format!("--limit={CHANGES}"));
    let arguments = ["log", "--long", "--show-ids", "--verbose", "--levels=1", &most, &range];
    let program = crate::tool::fetch::bazaar::program();
    let said = repository.ask(program, &arguments)?;
    let mut changes: Vec<Change> = split(&said).iter().filter_map(|entry| parse(repository, entry)).collect();
    changes.reverse();
    Ok(changes)
}

/// The entries of a log. What people wrote is indented in it, so no line of theirs begins one.
fn split(said: &str) -> Vec<Vec<&str>> {
    let mut entries: Vec<Vec<&str>> = Vec::new();
    for line in said.lines() {
        if line.starts_with("-----") {
            entries.push(Vec::new());
        } else if let Some(entry) = entries.last_mut() {
            entry.push(line);
        }
    }
    entries
}

fn parse(repository: &Repository, lines: &[&str]) -> Option<Change> {
    let (mut number, mut id, mut committer, mut author) = ("", None, None, None);
    let (mut part, mut message, mut touched) = ("", Vec::new(), Vec::new());
    for line in lines {
        if let Some(text) = line.strip_prefix("  ") {
            match part {
                "message" => message.push(text),
                "added" | "modified" | "removed" | "renamed" | "kind changed" => touched.push(without_id(text)),
                _ => {}
            }
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.trim();
        part = name;
        match name {
            "revno" => number = value.split(' ').next().unwrap_or_default(),
            "revision-id" => id = Some(value),
            "committer" => committer = Some(value),
            "author" | "authors" => author = Some(value),
            _ => {}
        }
    }
    let mut change = repository.bare(Vcs::Bzr, None, format!("{number} {}", id?).trim());
    change.author = author.or(committer).map(str::to_owned);
    change.comment = comment(&message.join("\n"));
    change.files = files(touched);
    Some(change)
}

/// A file's path without the identifier that follows it.
fn without_id(text: &str) -> String {
    text.trim_end().rsplit_once(' ').map_or(text, |(path, _)| path).trim_end().to_owned()
}
