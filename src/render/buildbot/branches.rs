//! The branches that builds watch, each once, with all that a change in them may be told by.

use std::collections::{BTreeSet, HashMap};

use indexmap::IndexMap;

use super::document::Branch;
use super::names::watch_secret;
use crate::model::{Vcs, Watch};
use crate::resolve::Rewrite;
use crate::watch::address::{branch_name, place};

/// The watched branches, each once however its repository's address is spelled.
pub(super) struct Branches<'a> {
    pub(super) rewrites: &'a [Rewrite],
    pub(super) all: IndexMap<(Vcs, String, String), Branch>,
    /// Each repository as it is read: the first spelling that knows a password, else the first.
    repositories: HashMap<(Vcs, String), &'a Watch>,
}

impl<'a> Branches<'a> {
    pub(super) fn new(rewrites: &'a [Rewrite]) -> Self {
        Self { rewrites, all: IndexMap::new(), repositories: HashMap::new() }
    }

    pub(super) fn number(&mut self, watch: &'a Watch) -> usize {
        let (place, name) = (place(watch.vcs, &watch.url), branch_name(watch.vcs, watch.branch.as_deref()));
        let read = self.repositories.entry((watch.vcs, place.clone())).or_insert(watch);
        if read.credentials.is_empty() && !watch.credentials.is_empty() {
            *read = watch;
        }
        let mut others = self.addresses_before(&watch.url);
        others = others.iter().map(|url| crate::watch::address::place(watch.vcs, url)).collect();
        others.insert(bare(&watch.url).to_owned());
        let entry = self.all.entry((watch.vcs, place.clone(), name.to_owned()));
        let number = entry.index();
        let branch = entry.or_insert_with(|| Branch {
            vcs: watch.vcs,
            url: String::new(),
            branch: watch.branch.is_some().then(|| name.to_owned()),
            place,
            other_places: BTreeSet::new(),
            secret: None,
        });
        branch.other_places.append(&mut others);
        number
    }

    /// All of them, with the address of their repository.
    pub(super) fn finish(self) -> Vec<Branch> {
        let Self { all, repositories, .. } = self;
        let finished = all.into_values().map(|branch| {
            let read = repositories[&(branch.vcs, branch.place.clone())];
            let known = |place: &String| *place != branch.place && place != bare(&read.url);
            Branch {
                other_places: branch.other_places.iter().filter(|place| known(place)).cloned().collect(),
                url: read.url.clone(),
                secret: (!read.credentials.is_empty()).then(|| watch_secret(&read.url)),
                ..branch
            }
        });
        finished.collect()
    }
}

/// An address without the endings that servers add or leave out, as whoever tells of a change may spell it.
fn bare(url: &str) -> &str {
    let url = url.trim_end_matches('/');
    url.strip_suffix(".git").unwrap_or(url).trim_end_matches('/')
}

impl Branches<'_> {
    /// What may have been rewritten to an address: whoever tells of changes need not know the farm's rewrites.
    fn addresses_before(&self, url: &str) -> BTreeSet<String> {
        let mut addresses = BTreeSet::from([url.to_owned()]);
        for Rewrite { from, to } in self.rewrites.iter().rev() {
            let before =
                addresses.iter().filter_map(|address| Some(format!("{from}{}", address.strip_prefix(to.as_str())?)));
            addresses.extend(before.collect::<Vec<_>>());
        }
        addresses.remove(url);
        addresses
    }
}
