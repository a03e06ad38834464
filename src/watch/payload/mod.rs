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

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Timestamp = Timestamp::UNIX_EPOCH;

    fn fixture(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/fixtures/payloads/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    fn came(service: Service, event: &str, name: &str) -> Came {
        read(service, event, &fixture(name), TIME).unwrap()
    }

    /// A change as a line.
    fn shown(change: &Change) -> String {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let branch = text(&change.branch);
        let (author, summary) = (text(&change.author), change.summary());
        format!("{:?} {branch} {} {author}: {summary} {:?}", change.vcs, &change.revision[..6], change.files)
    }

    fn lines(service: Service, event: &str, name: &str) -> Vec<String> {
        let came = came(service, event, name);
        let ignored = came.ignored.iter().map(|what| format!("ignored: {what}"));
        came.changes.iter().map(shown).chain(ignored).collect()
    }

    #[test]
    fn githubs_pushes_are_told_commit_by_commit() {
        assert_eq!(
            lines(Service::GitHub, "push", "github-push"),
            [
                "Git 16.0 a0b1c2 Ann Example <ann@shop.example>: Round the tax of each line \
                 [\"tax/tests/test_round.py\", \"tax/models/line.py\"]",
                "Git 16.0 b1c2d3 Bob <bob@shop.example>: Übersetze das Formular [\"tax/i18n/de.po\", \"tax/i18n/old.po\"]",
            ]
        );
        let change = &came(Service::GitHub, "push", "github-push").changes[0];
        assert_eq!(change.url, "https://github.example/shop/addons.git");
        assert_eq!(change.other_urls[0], "git@github.example:shop/addons.git");
        assert_eq!(lines(Service::GitHub, "push", "github-delete"), ["ignored: fix-tax was deleted"]);
        assert_eq!(lines(Service::GitHub, "push", "github-tag"), ["ignored: v16.0.1 is a tag"]);
        assert_eq!(lines(Service::GitHub, "ping", "github-ping"), ["ignored: a ping"]);
        assert_eq!(lines(Service::GitHub, "star", "github-ping"), ["ignored: the event star"]);
    }

    #[test]
    fn gitlabs_and_giteas_pushes_are_told_commit_by_commit() {
        assert_eq!(
            lines(Service::GitLab, "Push Hook", "gitlab-push"),
            [
                "Git main b6568d Ann Example <ann@shop.example>: Read the price from the list \
                 [\"price/list.py\", \"price/__init__.py\"]",
                "Git main da1560 Ann Example <ann@shop.example>: Fix the read-me [\"README.md\"]",
            ]
        );
        assert_eq!(lines(Service::GitLab, "System Hook", "gitlab-push").len(), 2);
        assert_eq!(lines(Service::GitLab, "Tag Push Hook", "gitlab-tag"), ["ignored: v1.0 is a tag"]);
        assert_eq!(lines(Service::GitLab, "System Hook", "gitlab-tag"), ["ignored: the event tag_push"]);
        // The newest come first there.
        assert_eq!(
            lines(Service::Gitea, "push", "gitea-push"),
            [
                "Git develop 1f2e3d Dora: Before it [\"a.py\"]",
                "Git develop bffeb7 Dora <dora@shop.example>: Webhooks Yay! []"
            ]
        );
    }

    #[test]
    fn heptapods_branches_are_mercurials() {
        let line = "Hg default 9c1d0e Carl <carl@shop.example>: Count the moves [\"stock/move.py\"]";
        assert_eq!(lines(Service::Heptapod, "Push Hook", "heptapod-push"), [line]);
        let topic = "ignored: topic/default/count is a topic, which is no branch yet";
        assert_eq!(lines(Service::Heptapod, "Push Hook", "heptapod-topic"), [topic]);
        let change = &came(Service::Heptapod, "Push Hook", "heptapod-push").changes[0];
        assert!(
            std::iter::once(&change.url).chain(&change.other_urls).any(|url| url == "https://hg.example/shop/stock")
        );
        // A project can say what it is.
        let text = String::from_utf8(fixture("heptapod-push")).unwrap();
        let git = text
            .replace("\"id\": 7", "\"vcs_type\": \"git\"")
            .replace("branch/default\",\n  \"checkout", "main\",\n  \"checkout");
        let came = read(Service::Heptapod, "Push Hook", git.as_bytes(), TIME).unwrap();
        assert_eq!((came.changes[0].vcs, came.changes[0].branch.as_deref()), (Vcs::Git, Some("main")));
        let hg = text.replace("\"id\": 7", "\"vcs_type\": \"hg\"");
        assert_eq!(read(Service::GitLab, "Push Hook", hg.as_bytes(), TIME).unwrap().changes[0].vcs, Vcs::Hg);
    }

    #[test]
    fn bitbuckets_pushes_are_told_for_each_branch() {
        assert_eq!(
            lines(Service::Bitbucket, "repo:push", "bitbucket-push"),
            [
                "Git main 03f4a7 Bob: First []",
                "Git main 709d65 Ann Example <ann@shop.example>: Second []",
                "ignored: gone was deleted",
                "ignored: v1 is a tag",
            ]
        );
        assert_eq!(
            lines(Service::BitbucketServer, "repo:refs_changed", "bitbucket-server-push"),
            ["Git main 178864 -:  []", "ignored: old was deleted"]
        );
        let change = &came(Service::BitbucketServer, "repo:refs_changed", "bitbucket-server-push").changes[0];
        assert_eq!(change.url, "https://stash.example/scm/shop/addons.git");
        assert_eq!(change.other_urls, ["ssh://git@stash.example:7999/shop/addons.git"]);
        let change = &came(Service::BitbucketServer, "repo:refs_changed", "bitbucket-server-commits").changes[0];
        assert_eq!(shown(change), "Git main 178864 Ann <ann@shop.example>: Sort the list []");
        assert_eq!(change.url, "https://stash.example/scm/shop/addons.git");
        assert_eq!(lines(Service::BitbucketServer, "diagnostics:ping", "github-ping"), ["ignored: a ping"]);
    }

    #[test]
    fn a_head_that_is_not_listed_is_the_last_change() {
        let text = String::from_utf8(fixture("gitlab-push")).unwrap();
        let text = text.replace("\"after\": \"da1560886d4f", "\"after\": \"ffffffffffff");
        let came = read(Service::GitLab, "Push Hook", text.as_bytes(), TIME).unwrap();
        assert_eq!((came.changes.len(), &came.changes[2].revision[..6]), (3, "ffffff"));
        assert_eq!(came.changes[2].branch.as_deref(), Some("main"));
    }

    #[test]
    fn what_is_no_push_is_an_error_and_no_panic() {
        let services = [
            (Service::Bitbucket, "repo:push", "bitbucket-push"),
            (Service::BitbucketServer, "repo:refs_changed", "bitbucket-server-push"),
            (Service::Gitea, "push", "gitea-push"),
            (Service::GitHub, "push", "github-push"),
            (Service::GitLab, "Push Hook", "gitlab-push"),
            (Service::Heptapod, "Push Hook", "heptapod-push"),
        ];
        for (service, event, name) in services {
            for body in [&b""[..], b"{}", b"[]", b"null", b"\xff", b"{\"ref\":1}"] {
                read(service, event, body, TIME).unwrap_err();
            }
            let whole = fixture(name);
            for end in (0..whole.trim_ascii_end().len()).step_by(97) {
                read(service, event, &whole[..end], TIME).unwrap_err();
            }
            // Without addresses nobody knows what has changed.
            let text = String::from_utf8(whole).unwrap().replace("_url\"", "_none\"").replace("\"links\"", "\"none\"");
            if service != Service::Bitbucket {
                assert!(read(service, event, text.as_bytes(), TIME).unwrap_err().contains("no address"), "{service:?}");
            }
        }
    }
}
