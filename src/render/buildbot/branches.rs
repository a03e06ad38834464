//! The branches that builds watch, each once, with all that a change in them may be told by.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::document::Branch;
use super::names::watch_secret;
use crate::model::Watch;
use crate::resolve::Rewrite;
use crate::watch::address::place;

/// The watched branches, each once.
pub(super) struct Branches<'a> {
    pub(super) rewrites: &'a [Rewrite],
    pub(super) all: IndexMap<&'a Watch, Branch>,
}

impl<'a> Branches<'a> {
    pub(super) fn number(&mut self, watch: &'a Watch) -> usize {
        let others = self.addresses_before(&watch.url).into_iter().map(|url| place(watch.vcs, &url));
        let entry = self.all.entry(watch);
        let number = entry.index();
        let branch = entry.or_insert_with(|| Branch {
            vcs: watch.vcs,
            url: watch.url.clone(),
            branch: watch.branch.clone(),
            place: place(watch.vcs, &watch.url),
            other_places: others.collect(),
            secret: None,
        });
        if branch.secret.is_none() && !watch.credentials.is_empty() {
            branch.secret = Some(watch_secret(&watch.url));
        }
        number
    }
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
