//! The graphs of farms in; the repositories that their builds watch out: each once, however many farms and builds watch it, with
//! the branches that are needed and who watches each.

use indexmap::IndexMap;
use serde::Serialize;

use super::url::{beside, directory, identity};
use crate::dispatch::Graph;
use crate::model::{Vcs, Watch};
use crate::tool::fetch::Address;

/// A build that a change of a branch concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Watcher {
    /// The farm's directory, as it was named.
    pub farm: String,
    /// The build.
    pub build: String,
}

/// A branch that is watched.
#[derive(Debug, Clone)]
pub struct Branch {
    /// Its name; a Bazaar branch's is the last part of its address.
    pub name: String,
    /// Where it is read: for Git and Mercurial the repository's address.
    pub address: Address,
    /// Who watches it.
    pub watchers: Vec<Watcher>,
}

/// A repository of which there is one mirror; for Bazaar, branches that are beside each other.
#[derive(Debug, Clone)]
pub struct Repository {
    /// The system.
    pub vcs: Vcs,
    /// What tells it apart, which is also what people are shown.
    pub identity: String,
    /// The name of its mirror's directory.
    pub directory: String,
    /// The branches that are watched, at least one.
    pub branches: Vec<Branch>,
}

/// What all builds of these farms watch, by system and address.
pub fn watched<'a>(farms: impl IntoIterator<Item = (&'a str, &'a Graph)>) -> Vec<Repository> {
    let mut repositories: IndexMap<(Vcs, String), Repository> = IndexMap::new();
    for (farm, graph) in farms {
        for build in &graph.farm.builds {
            for watch in &build.watch {
                let watcher = Watcher { farm: farm.to_owned(), build: build.name.clone() };
                add(&mut repositories, watch, watcher);
            }
        }
    }
    repositories.sort_unstable_keys();
    repositories.into_values().collect()
}

fn add(repositories: &mut IndexMap<(Vcs, String), Repository>, watch: &Watch, watcher: Watcher) {
    let whole = identity(watch.vcs, &watch.url);
    let (identity, name) = match (watch.vcs, watch.branch.as_deref().unwrap_or_default()) {
        (Vcs::Bzr, _) => {
            let (above, name) = beside(&whole);
            (above.to_owned(), name.to_owned())
        }
        (Vcs::Git, branch) => (whole, branch.strip_prefix("refs/heads/").unwrap_or(branch).to_owned()),
        (Vcs::Hg, branch) => (whole, branch.to_owned()),
    };
    let new = |key: &(Vcs, String)| Repository {
        vcs: key.0,
        identity: key.1.clone(),
        directory: directory(&key.1),
        branches: Vec::new(),
    };
    let entry = repositories.entry((watch.vcs, identity));
    let key = entry.key().clone();
    let repository = entry.or_insert_with(|| new(&key));
    // Another spelling may be the one that knows the password.
    let address = Address::with_credentials(&watch.url, watch.credentials.expose());
    match repository.branches.iter_mut().find(|branch| branch.name == name) {
        Some(branch) => {
            if branch.address.login().is_none() && address.login().is_some() {
                branch.address = address;
            }
            if !branch.watchers.contains(&watcher) {
                branch.watchers.push(watcher);
            }
        }
        None => repository.branches.push(Branch { name, address, watchers: vec![watcher] }),
    }
}

impl Repository {
    /// Where it is read: the first address that knows a password, else the first.
    pub(super) fn address(&self) -> &Address {
        let mut addresses = self.branches.iter().map(|branch| &branch.address);
        let known = addresses.clone().find(|address| address.login().is_some());
        known.or_else(|| addresses.next()).expect("a repository is there because a branch of it is watched")
    }

    /// What people call it: the system and the address.
    pub fn shown(&self) -> String {
        format!("{} {}", word(self.vcs), self.identity)
    }
}

/// The system as manifests call it.
pub(super) fn word(vcs: Vcs) -> &'static str {
    match vcs {
        Vcs::Bzr => "bzr",
        Vcs::Git => "git",
        Vcs::Hg => "hg",
    }
}
