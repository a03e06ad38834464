//! GitLab's push event, and Heptapod's, which has Mercurial's branches and topics among its names.

use jiff::Timestamp;
use serde::Deserialize;

use super::{Commit, Moved, in_order, json, moved, other, template};
use crate::model::{Change, Vcs};
use crate::watch::Came;

#[derive(Deserialize)]
struct Push {
    #[serde(rename = "ref")]
    reference: String,
    after: String,
    #[serde(default)]
    commits: Vec<Commit>,
    project: Project,
}

#[derive(Deserialize)]
struct Project {
    #[serde(default)]
    git_http_url: Option<String>,
    #[serde(default)]
    git_ssh_url: Option<String>,
    #[serde(default)]
    hg_http_url: Option<String>,
    #[serde(default)]
    hg_ssh_url: Option<String>,
    #[serde(default)]
    web_url: Option<String>,
    #[serde(default)]
    vcs_type: Option<String>,
}

pub(super) fn read(event: &str, body: &[u8], time: Timestamp) -> Result<Came, String> {
    event_told(event, body, time, Kind::Unsaid)
}

/// As [`read`], where every project is Mercurial's that does not say otherwise.
pub(super) fn heptapod(event: &str, body: &[u8], time: Timestamp) -> Result<Came, String> {
    event_told(event, body, time, Kind::Mercurial)
}

/// What a project is that does not say it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Git's, unless its branches have the names that Heptapod gives to Mercurial's.
    Unsaid,
    Mercurial,
}

fn event_told(event: &str, body: &[u8], time: Timestamp, kind: Kind) -> Result<Came, String> {
    match event {
        "Push Hook" => json::<Push>(body)?.told(time, kind),
        "Tag Push Hook" => {
            let push = json::<Push>(body)?;
            let tag = push.reference.strip_prefix(super::TAGS).unwrap_or(&push.reference);
            Ok(Came::ignored(format!("{tag} is a tag")))
        }
        // Of a whole server, the push of each project is told by itself.
        "System Hook" => match json::<System>(body)?.object_kind.as_deref() {
            Some("push") => json::<Push>(body)?.told(time, kind),
            name => Ok(other(name.unwrap_or_default())),
        },
        _ => Ok(other(event)),
    }
}

#[derive(Deserialize)]
struct System {
    #[serde(default)]
    object_kind: Option<String>,
}

impl Push {
    fn told(self, time: Timestamp, kind: Kind) -> Result<Came, String> {
        let Self { reference, after, commits, project } = self;
        let ignored = |why| Ok(Came::ignored(why));
        let name = match moved(&reference, &after) {
            Moved::Ignored(why) => return ignored(why),
            Moved::Branch(name) => name,
        };
        let said = project.vcs_type.as_deref();
        let named_so = name.starts_with("branch/") && project.hg_http_url.is_some();
        let is_mercurial = match said {
            Some(said) => said.starts_with("hg"),
            None => kind == Kind::Mercurial || named_so,
        };
        let (vcs, branch) = if is_mercurial {
            match mercurial(name) {
                Ok(branch) => (Vcs::Hg, branch),
                Err(why) => return ignored(why),
            }
        } else {
            (Vcs::Git, name)
        };
        let Project { git_http_url, git_ssh_url, hg_http_url, hg_ssh_url, web_url, .. } = project;
        let mut urls = vec![hg_http_url, hg_ssh_url, git_http_url, git_ssh_url, web_url];
        if is_mercurial {
            // The addresses of one project, but for an ending that means nothing to Mercurial.
            let bare = |url: &Option<String>| url.as_deref()?.strip_suffix(".git").map(str::to_owned);
            let others: Vec<_> = urls.iter().map(bare).filter(Option::is_some).collect();
            urls.splice(2..2, others);
        }
        let like = template(vcs, &urls, time)?;
        let like = Change { branch: Some(branch.to_owned()), ..like };
        let changes = commits.into_iter().map(|commit| commit.change(&like)).collect();
        Ok(Came { changes: in_order(changes, &after, &like), ..Came::default() })
    }
}

/// Mercurial's name of a branch, by Heptapod's.
fn mercurial(name: &str) -> Result<&str, String> {
    match name.split_once('/') {
        Some(("branch", branch)) => Ok(branch),
        Some(("topic", _)) => Err(format!("{name} is a topic, which is no branch yet")),
        Some(("wild", _)) => Err(format!("{name} is another head of its branch")),
        _ => Ok(name),
    }
}
