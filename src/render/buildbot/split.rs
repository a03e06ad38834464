//! A farm for several masters: the document of the whole farm comes in, one for each master goes out.
//!
//! All builders of a build are on one master, which schedules them. Which one it is follows from the build's name and from how
//! full the masters are, and from nothing that was there before: the same farm is always split in the same way, and a build
//! that is added or removed moves few others.

use std::collections::HashSet;
use std::num::NonZeroUsize;

use indexmap::{IndexMap, IndexSet};
use sha2::{Digest as _, Sha256};

use super::document::{Build, Document, Master, Procedure};

/// How many builders a master may have above its share, in percent. The more it is, the fewer builds move when one is added.
const ABOVE: usize = 10;

/// The secret with the address of the masters' database, in which there may be a password.
const DATABASE: &str = "database-url";

/// Splits a farm among so many masters.
pub fn split(document: &Document, masters: NonZeroUsize) -> Vec<Document> {
    let builds: Vec<(&str, usize)> =
        document.builds.iter().map(|build| (build.name.as_str(), build.builders.len())).collect();
    let masters_of = assign(&builds, masters);
    let mut parts: Vec<_> = (0..masters.get()).map(|master| part(document, &masters_of, master, masters)).collect();
    divide(document, &mut parts);
    parts
}

/// The master of each build, given with the number of its builders; from 0.
///
/// Each build prefers the masters in an order of its own, and takes the first that has room: rendezvous hashing with bounded
/// loads. That the bound grows in leaps keeps it from moving builds whenever the farm grows by one.
fn assign(builds: &[(&str, usize)], masters: NonZeroUsize) -> Vec<usize> {
    let total: usize = builds.iter().map(|(_, builders)| builders).sum();
    let bound = leap(total.div_ceil(masters.get())) * (100 + ABOVE) / 100;
    let mut loads = vec![0; masters.get()];
    let mut order: Vec<usize> = (0..builds.len()).collect();
    order.sort_by_cached_key(|&build| (digest(builds[build].0, 0), build));
    let mut assigned = vec![0; builds.len()];
    for build in order {
        let (name, builders) = builds[build];
        let mut preferred: Vec<usize> = (0..masters.get()).collect();
        preferred.sort_by_cached_key(|&master| digest(name, master + 1));
        let room = |master: &usize| loads[*master] + builders <= bound;
        let least = || preferred.iter().copied().min_by_key(|&master| loads[master]).unwrap_or(0);
        let master = preferred.iter().copied().find(room).unwrap_or_else(least);
        loads[master] += builders;
        assigned[build] = master;
    }
    assigned
}

/// The number or a little more: one of those that have at most four binary digits before zeros.
fn leap(number: usize) -> usize {
    let step = 1 << number.checked_ilog2().unwrap_or(0).saturating_sub(3);
    number.div_ceil(step) * step
}

/// The same for all time, on every machine.
fn digest(name: &str, number: usize) -> [u8; 32] {
    Sha256::digest(format!("{number} {name}").as_bytes()).into()
}

/// What one master gets.
fn part(document: &Document, masters_of: &[usize], master: usize, masters: NonZeroUsize) -> Document {
    let (own, elsewhere): (Vec<_>, Vec<_>) = document.builds.iter().zip(masters_of).partition(|(_, of)| **of == master);
    let builds = |of: Vec<(&Build, &usize)>| of.into_iter().map(|(build, _)| build.clone()).collect::<Vec<_>>();
    let (own, elsewhere) = (builds(own), builds(elsewhere));
    let names: HashSet<&str> = own.iter().map(|build| build.name.as_str()).collect();
    let mut builders: Vec<_> =
        document.builders.iter().filter(|builder| names.contains(builder.build.as_str())).cloned().collect();
    let mut offers = Kept::new(&document.offers);
    let mut procedures = Kept::new(&document.procedures);
    for builder in &mut builders {
        builder.offers = offers.number(builder.offers);
        builder.procedure = procedures.number(builder.procedure);
    }
    let mut settings = Kept::new(&document.settings);
    let offers: Vec<_> = offers
        .items()
        .map(|offer| offer.iter().map(|(worker, setting)| (worker.clone(), settings.number(*setting))).collect())
        .collect();
    let mut steps = Kept::new(&document.steps);
    let procedures: Vec<_> = procedures
        .items()
        .map(|Procedure { steps: own, files }| Procedure {
            steps: own.iter().map(|step| steps.number(*step)).collect(),
            files: files.clone(),
        })
        .collect();
    let files: HashSet<&str> =
        procedures.iter().flat_map(|procedure| &procedure.files).map(|file| file.content.as_str()).collect();
    let workers: HashSet<&String> = offers.iter().flat_map(IndexMap::keys).collect();
    Document {
        master: Some(Master { number: master + 1, of: masters.get() }),
        workers: kept(&document.workers, |name| workers.contains(name)),
        settings: settings.items().cloned().collect(),
        files: kept(&document.files, |digest| files.contains(digest.as_str())),
        steps: steps.items().cloned().collect(),
        branches: document.branches.clone(),
        secrets: document.secrets.iter().cloned().chain([DATABASE.to_owned()]).collect(),
        builds: own,
        offers,
        procedures,
        builders,
        elsewhere,
    }
}

fn kept<T: Clone>(map: &IndexMap<String, T>, keep: impl Fn(&String) -> bool) -> IndexMap<String, T> {
    map.iter().filter(|(name, _)| keep(name)).map(|(name, item)| (name.clone(), item.clone())).collect()
}

/// Divides what a worker may build at a time among the masters that use it: none of them knows of the others' builds. One at a
/// time is the least.
fn divide(document: &Document, parts: &mut [Document]) {
    for (index, (name, worker)) in document.workers.iter().enumerate() {
        let Some(most) = worker.max_builds else { continue };
        let mut shares: Vec<_> = parts.iter_mut().filter_map(|part| part.workers.get_mut(name)).collect();
        let masters = shares.len();
        // Not always the same masters get what cannot be divided.
        shares.rotate_left(index % masters.max(1));
        let (each, more) = (most / masters.max(1) as u64, most % masters.max(1) as u64);
        for (share, number) in shares.into_iter().zip(0..) {
            share.max_builds = Some((each + u64::from(number < more)).max(1));
        }
    }
}

/// The workers that may build more at a time than they should: those that more masters use than they may have builds.
pub fn overloaded<'a>(document: &'a Document, parts: &[Document]) -> Vec<&'a str> {
    let most = |name: &str| parts.iter().filter_map(|part| part.workers.get(name)?.max_builds).sum::<u64>();
    let workers = document.workers.iter();
    let workers = workers.filter(|(name, worker)| worker.max_builds.is_some_and(|max_builds| most(name) > max_builds));
    workers.map(|(name, _)| name.as_str()).collect()
}

/// Those of a list that are asked for, with new numbers.
struct Kept<'a, T> {
    list: &'a [T],
    numbers: IndexSet<usize>,
}

impl<'a, T> Kept<'a, T> {
    fn new(list: &'a [T]) -> Self {
        Self { list, numbers: IndexSet::new() }
    }

    fn number(&mut self, old: usize) -> usize {
        self.numbers.insert_full(old).0
    }

    fn items(&self) -> impl Iterator<Item = &'a T> {
        self.numbers.iter().map(|&number| &self.list[number])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masters(number: usize) -> NonZeroUsize {
        NonZeroUsize::new(number).unwrap()
    }

    /// Builds with one to eight builders.
    fn farm(builds: usize) -> Vec<(String, usize)> {
        (0..builds).map(|build| (format!("project-{build}"), 1 + build * 5 % 8)).collect()
    }

    fn assigned(farm: &[(String, usize)], number: usize) -> Vec<usize> {
        let farm: Vec<(&str, usize)> = farm.iter().map(|(name, builders)| (name.as_str(), *builders)).collect();
        assign(&farm, masters(number))
    }

    #[test]
    fn masters_have_about_the_same_number_of_builders() {
        for (builds, number) in [(10, 2), (40, 3), (200, 4), (1000, 8)] {
            let farm = farm(builds);
            let mut loads = vec![0; number];
            for ((_, builders), master) in farm.iter().zip(assigned(&farm, number)) {
                loads[master] += builders;
            }
            let share = loads.iter().sum::<usize>() as f64 / number as f64;
            // What is allowed above the share, the leap that the share makes, and a build that fits nowhere.
            let most = share * 1.1 * 1.125 + 8.0;
            assert!(loads.iter().all(|&load| load > 0 && load as f64 <= most), "{builds} builds: {loads:?}");
        }
    }

    #[test]
    fn a_build_that_comes_or_goes_moves_few_others() {
        for (builds, number) in [(40, 3), (200, 4), (1000, 8)] {
            let mut farm = farm(builds);
            let mut moved = Vec::new();
            let additions = 20_000 / builds.max(200);
            for new in 0..additions {
                let before = assigned(&farm, number);
                // In the middle of the manifest.
                farm.insert(builds / 2, (format!("new-{new}"), 5));
                let mut after = assigned(&farm, number);
                after.remove(builds / 2);
                moved.push(before.iter().zip(&after).filter(|(before, after)| before != after).count());
            }
            let mean = moved.iter().sum::<usize>() as f64 / additions as f64;
            // More only when the bound leaps.
            let most = 6 + builds / 50;
            assert!(mean <= 1.0 && moved.iter().all(|&moved| moved <= most), "{builds} builds: {mean} {moved:?}");
        }
    }

    #[test]
    fn one_master_more_takes_from_each_of_the_others() {
        let farm = farm(1000);
        let (before, after) = (assigned(&farm, 4), assigned(&farm, 5));
        let moved = before.iter().zip(&after).filter(|(before, after)| before != after).count();
        assert!((150..300).contains(&moved), "{moved} of 1000 builds moved");
    }

    #[test]
    fn leaps_are_of_an_eighth_at_most() {
        assert_eq!([0, 1, 7, 8, 15, 16, 17, 31, 33, 250, 257].map(leap), [0, 1, 7, 8, 15, 16, 18, 32, 36, 256, 288]);
    }
}
