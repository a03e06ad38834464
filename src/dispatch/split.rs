//! Builds to builders: every combination of versions that some slave offers.

use std::collections::HashMap;
use std::sync::Arc;

use fixedbitset::FixedBitSet;
use indexmap::IndexMap;

use super::offers::Offers;
use super::slaves::Slaves;
use super::{Builder, Chosen, allowed};
use crate::model::{Build, Farm, Requirement, Version};

/// A version by its place among the [`Offers`], and its spelling.
type Pick = (usize, usize);

/// A build of more builders has none: nobody runs so many, and a few lines can ask for billions.
const MOST_OF_BUILD: usize = 10_000;
/// No more sets of slaves are looked at for a build: most may be found empty only at the last of its capabilities.
const MOST_LOOKED_AT: usize = 20 * MOST_OF_BUILD;
/// The farm has no more builders.
const MOST: usize = 1_000_000;
/// All sets of slaves together have no more bits.
pub(super) const MOST_BITS: usize = 1 << 32;

/// What a farm has too many of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// A build has more builders than this.
    OfBuild(usize),
    /// The farm would have more builders than this, or too many different sets of slaves for them.
    OfFarm(usize),
}

/// What splitting a farm's builds has found so far. Builds have versions and slaves in common: each combination of
/// versions is named once, and each set of slaves is made once.
pub(super) struct Split<'a> {
    farm: &'a Farm,
    offers: &'a Offers,
    /// The different sets of slaves; the first is empty.
    sets: Vec<Arc<FixedBitSet>>,
    places: HashMap<Arc<FixedBitSet>, usize>,
    /// Of a set, those that offer a version, and how they spell it.
    parts: HashMap<(usize, usize), (usize, usize)>,
    /// The different combinations of versions.
    chosen: HashMap<Vec<Pick>, (Arc<Chosen>, String)>,
    /// The builders.
    pub(super) builders: Vec<Builder>,
    /// The builds that have no builders because these would be too many.
    pub(super) excess: IndexMap<usize, Excess>,
    /// Nothing more fits into the farm.
    full: bool,
}

impl<'a> Split<'a> {
    pub(super) fn new(farm: &'a Farm, offers: &'a Offers) -> Self {
        let mut split = Self {
            farm,
            offers,
            sets: Vec::new(),
            places: HashMap::new(),
            parts: HashMap::new(),
            chosen: HashMap::new(),
            builders: Vec::new(),
            excess: IndexMap::new(),
            full: offers.is_too_much,
        };
        split.set(FixedBitSet::with_capacity(farm.slaves.len()));
        split
    }

    /// Makes the builders of a build, unless they are too many.
    pub(super) fn build(&mut self, index: usize, build: &'a Build) {
        let before = self.builders.len();
        let fits = !self.full && self.combinations(index, build, before + MOST_OF_BUILD);
        self.full |= self.builders.len() > MOST || self.sets.len().saturating_mul(self.farm.slaves.len()) > MOST_BITS;
        if self.full || !fits {
            self.builders.truncate(before);
            let excess = if self.full { Excess::OfFarm(MOST) } else { Excess::OfBuild(MOST_OF_BUILD) };
            self.excess.insert(index, excess);
        }
    }

    /// Adds a builder for each combination of versions; false if they come to more than `most` in all.
    fn combinations(&mut self, index: usize, build: &'a Build, most: usize) -> bool {
        let over = build.dispatch.iter().filter(|dispatch| !dispatch.not_used).map(|dispatch| &dispatch.requirement);
        let versions: Vec<Vec<usize>> = over
            .map(|Requirement { capability, filter, .. }| {
                // A version that `build-requires` excludes would make a builder that no slave can run.
                let passes =
                    |version: Option<&Version>| filter.allows(version) && allowed(&build.requires, capability, version);
                self.offers.passing(capability, passes)
            })
            .collect();
        if versions.iter().any(Vec::is_empty) {
            return true;
        }
        let mut looked_at = 0;
        let able = self.set(self.offers.able(build));
        let mut picks: Vec<Pick> = Vec::new();
        // Sets that are still to be split by the versions of the capability at `depth`, the first to be split last.
        let mut open: Vec<(usize, usize, Option<Pick>)> = vec![(able, 0, None)];
        while let Some((set, depth, pick)) = open.pop() {
            looked_at += 1;
            if self.builders.len() > most || looked_at > MOST_LOOKED_AT {
                return false;
            }
            if set == 0 {
                continue;
            }
            picks.truncate(depth.saturating_sub(1));
            picks.extend(pick);
            let Some(versions) = versions.get(depth) else {
                self.builder(index, build, &picks, set);
                continue;
            };
            for version in versions.iter().rev() {
                let (part, spelling) = self.part(set, *version);
                open.push((part, depth + 1, Some((*version, spelling))));
            }
        }
        self.builders.len() <= most
    }

    /// Adds the builder of a build at these versions. `build-pg9.0-py2.6` is its name.
    fn builder(&mut self, index: usize, build: &Build, picks: &[Pick], set: usize) {
        if !self.chosen.contains_key(picks) {
            let chosen: Chosen = picks
                .iter()
                .map(|(version, spelling)| {
                    let offered = self.offers.version(*version);
                    (offered.capability.clone(), offered.spelled(*spelling).cloned())
                })
                .collect();
            let suffix = suffix(self.farm, &chosen);
            self.chosen.insert(picks.to_vec(), (Arc::new(chosen), suffix));
        }
        let (chosen, suffix) = &self.chosen[picks];
        self.builders.push(Builder {
            name: [build.name.as_str(), suffix].concat(),
            build: index,
            chosen: Arc::clone(chosen),
            slaves: Slaves::new(Arc::clone(&self.sets[set]), Arc::clone(&self.offers.ranking)),
        });
    }

    /// The place of a set.
    fn set(&mut self, set: FixedBitSet) -> usize {
        if let Some(place) = self.places.get(&set) {
            return *place;
        }
        let set = Arc::new(set);
        self.sets.push(Arc::clone(&set));
        self.places.insert(set, self.sets.len() - 1);
        self.sets.len() - 1
    }

    /// Those of a set that offer a version, and how they spell it.
    fn part(&mut self, set: usize, version: usize) -> (usize, usize) {
        if let Some(known) = self.parts.get(&(set, version)) {
            return *known;
        }
        let offered = self.offers.version(version);
        let slaves = &*self.sets[set] & &offered.slaves;
        let spelling = offered.spelling(&slaves);
        let part = (self.set(slaves), spelling);
        self.parts.insert((set, version), part);
        part
    }
}

/// What the name of a builder adds to that of its build.
fn suffix(farm: &Farm, chosen: &Chosen) -> String {
    let part = |(name, version): (&String, &Option<Version>)| {
        let version = version.as_ref().map_or("", Version::as_str);
        format!("-{}{version}", farm.declarations.abbreviation(name))
    };
    chosen.iter().map(part).collect()
}
