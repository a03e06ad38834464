//! Who offers what: the slaves of each version of each capability as a set of bits, so that a filter is asked once about
//! a version and never about a slave.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use fixedbitset::FixedBitSet;

use super::slaves::Ranking;
use super::split::MOST_BITS;
use crate::model::{Build, Requirement, Slave, Version};

/// The capabilities of all slaves by version. Sets are by rank.
#[derive(Debug)]
pub(crate) struct Offers {
    pub(super) ranking: Arc<Ranking>,
    /// The versions of each capability, as places in `versions`.
    capabilities: HashMap<String, Range<usize>>,
    /// Those of a capability stand together, the lowest first.
    versions: Vec<Offered>,
    /// The slaves that take only builds that require all of these capabilities.
    reserved: HashMap<Vec<String>, FixedBitSet>,
    /// There are too many slaves and versions for sets of them: only some are here.
    pub(super) is_too_much: bool,
}

/// A version, and who offers it.
#[derive(Debug, Default)]
pub(super) struct Offered {
    /// The capability.
    pub(super) capability: String,
    /// It, in each of its spellings: `9.3` and `09.3` are one version. Most often there is one.
    spellings: Vec<(Option<Version>, FixedBitSet)>,
    /// The slaves that offer it in any spelling.
    pub(super) slaves: FixedBitSet,
}

impl Offers {
    pub(super) fn new(slaves: &[Slave]) -> Self {
        let ranking = Arc::new(Ranking::new(slaves));
        let none = FixedBitSet::with_capacity(slaves.len());
        let mut found: BTreeMap<&str, BTreeMap<Option<&Version>, Offered>> = BTreeMap::new();
        let mut reserved: HashMap<Vec<String>, FixedBitSet> = HashMap::new();
        let is_too_much = |sets: usize| sets.saturating_mul(slaves.len()) > MOST_BITS;
        let mut sets = 0;
        for (index, slave) in slaves.iter().enumerate() {
            if is_too_much(sets) {
                break;
            }
            let rank = ranking.rank(index);
            if !slave.only_if_requires.is_empty() {
                let mut names = slave.only_if_requires.clone();
                names.sort();
                names.dedup();
                reserved.entry(names).or_insert_with(|| none.clone()).insert(rank);
            }
            for (capability, offers) in &slave.capabilities {
                let versions = found.entry(capability).or_default();
                for offer in offers {
                    sets += usize::from(!versions.contains_key(&offer.version.as_ref()));
                    versions.entry(offer.version.as_ref()).or_default().add(offer.version.as_ref(), rank, &none);
                }
            }
        }
        let (mut capabilities, mut versions) = (HashMap::new(), Vec::new());
        for (capability, offered) in found {
            let start = versions.len();
            versions
                .extend(offered.into_values().map(|offered| Offered { capability: capability.to_owned(), ..offered }));
            capabilities.insert(capability.to_owned(), start..versions.len());
        }
        Self { ranking, capabilities, versions, reserved, is_too_much: is_too_much(sets) }
    }

    /// A version by its place.
    pub(super) fn version(&self, place: usize) -> &Offered {
        &self.versions[place]
    }

    /// The places of the versions of a capability that pass, the lowest version first.
    pub(super) fn passing(&self, capability: &str, passes: impl Fn(Option<&Version>) -> bool) -> Vec<usize> {
        let places = self.capabilities.get(capability).cloned().unwrap_or_default();
        places.filter(|place| passes(self.versions[*place].version())).collect()
    }

    /// The slaves that would take a build before it is dispatched: those that [`super::refusal`] does not refuse.
    pub(super) fn able(&self, build: &Build) -> FixedBitSet {
        let mut able = FixedBitSet::with_capacity(self.ranking.len());
        able.insert_range(..);
        let required = |name: &String| build.requires.iter().any(|requirement| requirement.capability == *name);
        for (names, slaves) in &self.reserved {
            if !names.iter().all(required) {
                able.difference_with(slaves);
            }
        }
        for requirement in &build.requires {
            let mut meet = FixedBitSet::with_capacity(self.ranking.len());
            for place in self.passing(&requirement.capability, |version| requirement.filter.allows(version)) {
                meet.union_with(&self.versions[place].slaves);
            }
            able.intersect_with(&meet);
        }
        able
    }

    /// The ranks of the slaves that offer several versions of a required capability that will do.
    pub(crate) fn several(&self, requires: &[Requirement], capability: &str) -> FixedBitSet {
        let mut once = FixedBitSet::with_capacity(self.ranking.len());
        let mut several = once.clone();
        let will_do = |version: Option<&Version>| version.is_some() && super::allowed(requires, capability, version);
        for place in self.passing(capability, will_do) {
            let slaves = &self.versions[place].slaves;
            several.union_with(&(&once & slaves));
            once.union_with(slaves);
        }
        several
    }

    /// The rank of a slave.
    pub(crate) fn rank(&self, slave: usize) -> usize {
        self.ranking.rank(slave)
    }

    /// The slave at a rank.
    pub(crate) fn slave(&self, rank: usize) -> usize {
        self.ranking.slave(rank)
    }
}

impl Offered {
    fn add(&mut self, version: Option<&Version>, rank: usize, none: &FixedBitSet) {
        if self.spellings.is_empty() {
            self.slaves = none.clone();
        }
        if self.slaves.put(rank) {
            return;
        }
        let text = |version: Option<&Version>| version.map(|version| version.as_str().to_owned());
        let same = self.spellings.iter_mut().find(|(known, _)| text(known.as_ref()) == text(version));
        match same {
            Some((_, slaves)) => slaves.insert(rank),
            None => {
                let mut slaves = none.clone();
                slaves.insert(rank);
                self.spellings.push((version.cloned(), slaves));
            }
        }
    }

    /// The version, in one of its spellings.
    fn version(&self) -> Option<&Version> {
        self.spellings.first().and_then(|(version, _)| version.as_ref())
    }

    /// Its spelling, by place: the shortest of those that these slaves use, so that the name of a builder does not depend
    /// on the order of the fragments.
    pub(super) fn spelling(&self, slaves: &FixedBitSet) -> usize {
        let used = |at: &usize| !self.spellings[*at].1.is_disjoint(slaves);
        let text = |at: &usize| self.spellings[*at].0.as_ref().map_or("", Version::as_str);
        let places = (0..self.spellings.len()).filter(used);
        places.min_by(|one, two| (text(one).len(), text(one)).cmp(&(text(two).len(), text(two)))).unwrap_or(0)
    }

    /// The version in a spelling.
    pub(super) fn spelled(&self, spelling: usize) -> Option<&Version> {
        self.spellings.get(spelling).and_then(|(version, _)| version.as_ref())
    }
}
