//! Bitbucket's pushes: those of its cloud, and those of Bitbucket Server and Data Center, which have nothing in common but the
//! name.

use jiff::Timestamp;
use serde::Deserialize;

use super::{Moved, in_order, json, moved, other, template};
use crate::model::{Change, Vcs};
use crate::watch::Came;
use crate::watch::history;

#[derive(Deserialize)]
struct Cloud {
    push: Changes,
    repository: CloudRepository,
}

#[derive(Deserialize)]
struct Changes {
    changes: Vec<CloudChange>,
}

#[derive(Deserialize)]
struct CloudChange {
    #[serde(default)]
    new: Option<State>,
    #[serde(default)]
    old: Option<State>,
    #[serde(default)]
    commits: Option<Vec<CloudCommit>>,
}

#[derive(Deserialize)]
struct State {
    #[serde(rename = "type", default)]
    kind: String,
    name: String,
    #[serde(default)]
    target: Option<CloudCommit>,
}

#[derive(Deserialize)]
struct CloudCommit {
    hash: String,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    author: Option<CloudAuthor>,
}

#[derive(Deserialize)]
struct CloudAuthor {
    #[serde(default)]
    raw: Option<String>,
}

#[derive(Deserialize)]
struct CloudRepository {
    full_name: String,
    #[serde(default)]
    links: Option<CloudLinks>,
}

#[derive(Deserialize)]
struct CloudLinks {
    #[serde(default)]
    html: Option<Link>,
}

#[derive(Deserialize)]
struct Link {
    href: String,
    #[serde(default)]
    name: Option<String>,
}

pub(super) fn cloud(event: &str, body: &[u8], time: Timestamp) -> Result<Came, String> {
    if event != "repo:push" {
        return Ok(other(event));
    }
    let Cloud { push, repository } = json(body)?;
    let name = &repository.full_name;
    let html = repository.links.and_then(|links| links.html).map(|link| link.href);
    let web = html.unwrap_or_else(|| format!("https://bitbucket.org/{name}"));
    let ssh = format!("git@bitbucket.org:{name}.git");
    let like = template(Vcs::Git, &[Some(web), Some(ssh)], time)?;
    let mut told = Came::default();
    for change in push.changes {
        let Some(new) = change.new else {
            let name = change.old.map_or_else(|| "something".to_owned(), |old| old.name);
            told.ignored.push(format!("{name} was deleted"));
            continue;
        };
        let (Some(target), true) = (new.target, new.kind == "branch" || new.kind == "named_branch") else {
            told.ignored.push(format!("{} is a {}", new.name, if new.kind.is_empty() { "tag" } else { &new.kind }));
            continue;
        };
        let like = Change { branch: Some(new.name), ..like.clone() };
        let head = target.hash.clone();
        let commits = change.commits.filter(|commits| !commits.is_empty()).unwrap_or_else(|| vec![target]);
        let changes = commits.into_iter().map(|commit| commit.change(&like)).collect();
        told.changes.extend(in_order(changes, &head, &like));
    }
    Ok(told)
}

impl CloudCommit {
    fn change(self, like: &Change) -> Change {
        Change {
            revision: self.hash,
            author: self.author.and_then(|author| author.raw),
            comment: self.message.as_deref().and_then(history::comment),
            ..like.clone()
        }
    }
}

#[derive(Deserialize)]
struct Server {
    repository: ServerRepository,
    #[serde(default)]
    changes: Vec<ServerChange>,
    #[serde(default)]
    commits: Option<Vec<ServerCommit>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServerChange {
    ref_id: String,
    to_hash: String,
    #[serde(rename = "type", default)]
    kind: String,
}

#[derive(Deserialize)]
struct ServerCommit {
    id: String,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    author: Option<ServerAuthor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServerAuthor {
    name: String,
    #[serde(default)]
    email_address: Option<String>,
}

#[derive(Deserialize)]
struct ServerRepository {
    #[serde(default)]
    links: Option<ServerLinks>,
}

#[derive(Deserialize)]
struct ServerLinks {
    #[serde(default)]
    clone: Vec<Link>,
    #[serde(rename = "self", default)]
    own: Vec<Link>,
}

impl ServerLinks {
    /// The addresses to clone from; older servers tell only that of the repository's page.
    fn urls(self) -> Vec<Option<String>> {
        let mut clone = self.clone;
        clone.sort_by_key(|link| link.name.as_deref() != Some("http"));
        let pages = self.own.iter().filter_map(|link| by_page(&link.href));
        clone.into_iter().map(|link| link.href).chain(pages).map(Some).collect()
    }
}

/// `https://HOST/projects/KEY/repos/NAME/browse` is the page of `https://HOST/scm/key/NAME.git`.
fn by_page(page: &str) -> Option<String> {
    let (host, rest) = page.split_once("/projects/")?;
    let mut parts = rest.split('/');
    let (project, repos, name) = (parts.next()?, parts.next()?, parts.next()?);
    (repos == "repos" && !name.is_empty()).then(|| format!("{host}/scm/{}/{name}.git", project.to_lowercase()))
}

pub(super) fn server(event: &str, body: &[u8], time: Timestamp) -> Result<Came, String> {
    match event {
        "repo:refs_changed" | "mirror:repo_synchronized" => {}
        "diagnostics:ping" => return Ok(Came::ignored("a ping")),
        _ => return Ok(other(event)),
    }
    let Server { repository, changes, commits } = json(body)?;
    let urls = repository.links.map(ServerLinks::urls).unwrap_or_default();
    let like = template(Vcs::Git, &urls, time)?;
    // Newer servers list commits; whose branch they are of is clear where only one has moved.
    let mut commits = commits.filter(|_| changes.len() == 1).unwrap_or_default();
    let mut told = Came::default();
    for change in changes {
        let new = if change.kind == "DELETE" { "0" } else { &change.to_hash };
        match moved(&change.ref_id, new) {
            Moved::Ignored(why) => told.ignored.push(why),
            Moved::Branch(branch) => {
                let like = Change { branch: Some(branch.to_owned()), ..like.clone() };
                let listed = std::mem::take(&mut commits).into_iter().map(|commit| commit.change(&like)).collect();
                told.changes.extend(in_order(listed, &change.to_hash, &like));
            }
        }
    }
    Ok(told)
}

impl ServerCommit {
    fn change(self, like: &Change) -> Change {
        let author = self.author.map(|author| match author.email_address {
            Some(email) => format!("{} <{email}>", author.name),
            None => author.name,
        });
        let comment = self.message.as_deref().and_then(history::comment);
        Change { revision: self.id, author, comment, ..like.clone() }
    }
}
