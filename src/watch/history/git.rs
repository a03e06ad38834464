//! What came into a Git repository, by the `old new ref` lines that git gives its hooks.

use super::{CHANGES, Repository, comment, files};
use crate::model::{Change, Vcs};
use crate::watch::Came;

const HEADS: &str = "refs/heads/";
/// What a mirror keeps of the repository's own choice of a branch, which farms watch by this name.
const HEAD: (&str, &str) = ("refs/farmout/head", "HEAD");

/// Reads the lines on the standard input of git's `post-receive` and `reference-transaction`.
///
/// # Errors
/// A line that is none, quoted.
pub fn refs(repository: &Repository, lines: &str) -> Result<Came, String> {
    let mut came = Came::default();
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let mut words = line.splitn(3, ' ');
        let (Some(old), Some(new), Some(name)) = (words.next(), words.next(), words.next()) else {
            return Err(format!("`{}` is not `OLD NEW REF`", line.escape_debug()));
        };
        let branch = if name == HEAD.0 { Some(HEAD.1) } else { name.strip_prefix(HEADS) };
        match branch {
            // What points to another reference moves with that one.
            _ if new.starts_with("ref:") => {}
            _ if !is_revision(new) || !(is_revision(old) || old.starts_with("ref:")) => {
                return Err(format!("`{}` is not `OLD NEW REF`", line.escape_debug()));
            }
            None => came.ignored.push(format!("{name} is no branch")),
            Some(branch) if is_nothing(new) => came.ignored.push(format!("{branch} was deleted")),
            Some(_) if old == new => {}
            Some(branch) => {
                let since = (!is_nothing(old) && is_revision(old)).then_some(old);
                came.take(read(repository, branch, since, new), || repository.bare(Vcs::Git, Some(branch), new));
            }
        }
    }
    Ok(came)
}

/// What a branch got since it had another revision; of a new one, what no other branch has.
pub fn git(repository: &Repository, branch: &str, since: Option<&str>, revision: &str) -> Came {
    let mut came = Came::default();
    let said = [Some(revision), since].into_iter().flatten().all(is_revision);
    let read =
        if said { read(repository, branch, since, revision) } else { Err("it is no full identifier".to_owned()) };
    came.take(read, || repository.bare(Vcs::Git, Some(branch), revision));
    came
}

fn read(repository: &Repository, branch: &str, since: Option<&str>, new: &str) -> Result<Vec<Change>, String> {
    let except = format!("--exclude={}", literal(branch));
    let range = match since {
        Some(old) => vec![new, "--not", old],
        None => vec![new, "--not", &except, "--branches"],
    };
    // After a rewrite the old one may be gone, and a branch that went back has nothing new: the last one is told then.
    let found = match log(repository, branch, CHANGES, &range) {
        Ok(found) if !found.is_empty() => found,
        _ => log(repository, branch, 1, &[new])?,
    };
    if found.last().is_some_and(|last| last.revision == new) { Ok(found) } else { log(repository, branch, 1, &[new]) }
}

fn log(repository: &Repository, branch: &str, most: usize, range: &[&str]) -> Result<Vec<Change>, String> {
    let most = format!("--max-count={most}");
    let ask = |arguments: &[&str]| {
        let common = ["-c", "log.showSignature=false", "log", "-z", "--topo-order", "--encoding=UTF-8", &most];
        let arguments: Vec<&str> = common.iter().chain(arguments).chain(range).chain(&["--"]).copied().collect();
        repository.ask("git", &arguments)
    };
    // The newest come first, so that it is the oldest that an overlong answer lacks.
    let said = ask(&["--no-notes", "--format=tformat:%H%x00%an <%ae>%x00%B"])?;
    let fields: Vec<&str> = said.split('\0').collect();
    let mut changes: Vec<Change> = Vec::new();
    for commit in fields.chunks_exact(3) {
        let mut change = repository.bare(Vcs::Git, Some(branch), commit[0]);
        change.author = Some(commit[1].to_owned());
        change.comment = comment(commit[2]);
        changes.push(change);
    }
    // A comment can hold anything but the byte that ends it, and so can a file's name: each is asked for alone.
    let said = ask(&["--name-only", "--no-renames", "--format=tformat:%H"]).unwrap_or_default();
    let mut at = None;
    let mut next = 0;
    let mut names: Vec<Vec<String>> = vec![Vec::new(); changes.len()];
    for word in said.split_terminator('\0') {
        if changes.get(next).is_some_and(|change| change.revision == word) {
            (at, next) = (Some(next), next + 1);
        } else if let Some(at) = at {
            names[at].push(word.strip_prefix('\n').unwrap_or(word).to_owned());
        }
    }
    for (change, names) in changes.iter_mut().zip(names) {
        change.files = files(names);
    }
    changes.reverse();
    Ok(changes)
}

/// A name in which no character stands for others.
fn literal(name: &str) -> String {
    name.chars().flat_map(|c| matches!(c, '*' | '?' | '[' | '\\').then_some('\\').into_iter().chain([c])).collect()
}

fn is_revision(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_nothing(revision: &str) -> bool {
    revision.bytes().all(|byte| byte == b'0')
}
