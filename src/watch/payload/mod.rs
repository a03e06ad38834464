//! What hosting services say of a push: a request's body in, changes and what is ignored out. A file a service, with only those
//! fields that tell something; a service may add others.

mod bitbucket;
mod gitea;
mod github;
mod gitlab;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Came, history};
use crate::model::{Change, Vcs, without_credentials};

/// More changes than this of one push are not told; the newest are.
const CHANGES: usize = 1000;
const HEADS: &str = "refs/heads/";
const TAGS: &str = "refs/tags/";

/// A service whose requests are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Bitbucket Cloud.
    Bitbucket,
    /// Bitbucket Server and Data Center.
    BitbucketServer,
    /// Gitea, and Forgejo.
    Gitea,
    /// GitHub.
    GitHub,
    /// GitLab.
    GitLab,
    /// Heptapod: a GitLab that has Mercurial too.
    Heptapod,
}

/// Reads a request's body.
///
/// # Errors
/// Why it is no such service's, or lacks something, in a clause.
pub fn read(service: Service, event: &str, body: &[u8], time: Timestamp) -> Result<Came, String> {
    let handler = match service {
        Service::Bitbucket => bitbucket::cloud,
        Service::BitbucketServer => bitbucket::server,
        Service::Gitea => gitea::read,
        Service::GitHub => github::read,
        Service::GitLab => gitlab::read,
        Service::Heptapod => gitlab::heptapod,
    };
    handler(event, body, time)
}

/// The events that tell of a push; of others nothing is read.
fn other(event: &str) -> Came {
    let ignored = if event.is_empty() { "an event without a name".to_owned() } else { format!("the event {event}") };
    Came::ignored(ignored)
}

fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body is not what is sent of a push: {error}"))
}

/// A person, as most services have them.
#[derive(Deserialize)]
struct Person {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    email: Option<String>,
}

impl Person {
    fn shown(self) -> Option<String> {
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        match (filled(self.name), filled(self.email)) {
            (Some(name), Some(email)) => Some(format!("{name} <{email}>")),
            (name, email) => name.or(email),
        }
    }
}

/// A commit, as GitHub, GitLab and Gitea have it.
#[derive(Deserialize)]
struct Commit {
    id: String,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    author: Option<Person>,
    #[serde(default)]
    added: Option<Vec<String>>,
    #[serde(default)]
    modified: Option<Vec<String>>,
    #[serde(default)]
    removed: Option<Vec<String>>,
}

impl Commit {
    fn change(self, like: &Change) -> Change {
        let files = [self.added, self.modified, self.removed].into_iter().flatten().flatten();
        Change {
            revision: self.id,
            author: self.author.and_then(Person::shown),
            comment: self.message.as_deref().and_then(history::comment),
            files: history::files(files),
            ..like.clone()
        }
    }
}

/// A change of which only the repository is known. Of the addresses, the first that there is is the change's own.
fn template(vcs: Vcs, urls: &[Option<String>], time: Timestamp) -> Result<Change, String> {
    let mut known: Vec<String> = Vec::new();
    for url in urls.iter().flatten().map(|url| without_credentials(url)) {
        if !url.is_empty() && !known.contains(&url) {
            known.push(url);
        }
    }
    if known.is_empty() {
        return Err("it has no address of the repository".to_owned());
    }
    Ok(Change {
        vcs,
        url: known.remove(0),
        other_urls: known,
        branch: None,
        revision: String::new(),
        author: None,
        comment: None,
        files: Vec::new(),
        time,
    })
}

/// What became of a reference.
enum Moved<'a> {
    /// A branch is at another revision.
    Branch(&'a str),
    /// It is of no concern, for a reason.
    Ignored(String),
}

/// What a full name of a reference, and its new revision, say.
fn moved<'a>(reference: &'a str, new: &str) -> Moved<'a> {
    match reference.strip_prefix(HEADS) {
        Some(branch) if is_nothing(new) => Moved::Ignored(format!("{branch} was deleted")),
        Some(branch) => Moved::Branch(branch),
        None => match reference.strip_prefix(TAGS) {
            Some(tag) => Moved::Ignored(format!("{tag} is a tag")),
            None => Moved::Ignored(format!("{reference} is no branch")),
        },
    }
}

fn is_nothing(revision: &str) -> bool {
    revision.bytes().all(|byte| byte == b'0')
}

/// The changes of a branch, as they were made, the last with the branch's new revision: services list some commits of a push, some
/// of them the newest first.
fn in_order(mut changes: Vec<Change>, new: &str, like: &Change) -> Vec<Change> {
    if changes.last().is_some_and(|last| last.revision != new) && changes.first().is_some_and(|it| it.revision == new) {
        changes.reverse();
    }
    if changes.last().is_none_or(|last| last.revision != new) {
        changes.retain(|change| change.revision != new);
        changes.push(Change { revision: new.to_owned(), ..like.clone() });
    }
    let more = changes.len().saturating_sub(CHANGES);
    changes.drain(..more);
    changes
}
