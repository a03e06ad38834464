//! Mirrors brought up to date: repositories in, what came of each and what changed out. Several at a time; what is wrong with one
//! is told, and stops no other.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use jiff::Timestamp;
use serde::Serialize;

use super::bzr::Bzr;
use super::call::{Caller, Surroundings, Trouble};
use super::git::Git;
use super::hg::Hg;
use super::layout::{Held, Mirrors, Places, size};
use super::state::{Problem, State};
use super::url::is_whole;
use super::watched::Repository;
use super::{Change, watched};
use crate::interrupt::Interrupts;
use crate::model::Vcs;
use crate::tool::fetch::{bazaar, mercurial};

/// How many at a time, and how long each may take.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How many repositories at a time.
    pub jobs: NonZeroUsize,
    /// How long one may take; of Bazaar, a branch.
    pub limit: Duration,
    /// How long where all of it is yet to be fetched.
    pub first_limit: Duration,
}

/// What came of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Something of it did not work; the rest is up to date.
    Failed,
    /// The mirror was made.
    Made,
    /// A branch changed.
    Changed,
    /// Nothing did.
    Unchanged,
    /// It was left because farmout was asked to stop.
    Stopped,
}

/// A repository after an update.
#[derive(Debug)]
pub struct Updated<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// Where its mirror is.
    pub mirror: camino::Utf8PathBuf,
    /// What came of it.
    pub outcome: Outcome,
    /// Why the mirror was made although there was one.
    pub afresh: Option<String>,
    /// What changed, by branch.
    pub changes: IndexMap<String, Change>,
    /// Where its branches are, as far as is known.
    pub heads: IndexMap<String, String>,
    /// What did not work.
    pub problems: Vec<Problem>,
    /// What the mirror takes, in bytes.
    pub size: u64,
    /// Whether all branches were looked at: what is wrong then is with them, and not with the way to them.
    complete: bool,
    /// How long that took.
    pub took: Duration,
}

/// An update.
#[derive(Debug)]
pub struct Report<'a> {
    /// The repositories, in their order.
    pub updated: Vec<Updated<'a>>,
    /// Whether farmout was asked to stop.
    pub interrupted: bool,
    /// How long it took.
    pub took: Duration,
}

/// What a client found and did.
#[derive(Debug, Default)]
pub(super) struct Fetched {
    /// The branches of which something is known now.
    pub(super) branches: IndexMap<String, Seen>,
    /// What did not work.
    pub(super) problems: Vec<Problem>,
    /// Whether the mirror was made.
    pub(super) made: Option<Made>,
    /// Whether its files changed otherwise.
    pub(super) touched: bool,
}

/// A mirror was made.
#[derive(Debug)]
pub(super) struct Made {
    /// Why, although there was one.
    pub(super) why: Option<String>,
}

/// A branch that was looked at.
#[derive(Debug)]
pub(super) enum Seen {
    At {
        revision: String,
        /// Whether what it was before does not lead there.
        rewritten: bool,
    },
    Gone,
}

/// Who is told while mirrors are brought up to date.
pub struct Observer<'a> {
    /// Of each that is about to be made.
    pub first: &'a (dyn Fn(&Repository) + Sync),
    /// Of each that has changed, before that is remembered: what it cannot take is found, and told, again.
    pub changed: &'a (dyn Fn(&Updated<'_>) -> Result<(), String> + Sync),
}

/// Brings the mirrors of these repositories up to date.
///
/// # Errors
/// Signals cannot be listened to.
pub fn update<'a>(
    mirrors: &Mirrors,
    _held: &Held,
    repositories: &'a [Repository],
    pace: Pace,
    surroundings: &Surroundings,
    observer: &Observer<'_>,
) -> std::io::Result<Report<'a>> {
    let began = Instant::now();
    let interrupts = Interrupts::listen()?;
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Updated<'a>)>> = Mutex::new(Vec::with_capacity(repositories.len()));
    let site = Site { mirrors, pace, surroundings, interrupts: &interrupts };
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(repository) = repositories.get(index) else { break };
            let updated = site.one(repository, observer);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((index, updated));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..pace.jobs.get().min(repositories.len()) {
            scope.spawn(work);
        }
        work();
    });
    let mut updated = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    updated.sort_unstable_by_key(|(index, _)| *index);
    let updated = updated.into_iter().map(|(_, updated)| updated).collect();
    Ok(Report { updated, interrupted: interrupts.count() > 0, took: began.elapsed() })
}

struct Site<'a> {
    mirrors: &'a Mirrors,
    pace: Pace,
    surroundings: &'a Surroundings,
    interrupts: &'a Interrupts,
}

impl Site<'_> {
    fn one<'r>(&self, repository: &'r Repository, observer: &Observer<'_>) -> Updated<'r> {
        let began = Instant::now();
        let places = self.mirrors.places(repository);
        let new = || State::new(repository.vcs, &repository.identity);
        let mut state = State::read(&places.state).unwrap_or_else(new);
        let known = state.heads.clone();
        let mut updated = Updated {
            repository,
            mirror: places.mirror.clone(),
            outcome: Outcome::Stopped,
            afresh: None,
            changes: IndexMap::new(),
            heads: IndexMap::new(),
            problems: Vec::new(),
            size: state.size,
            complete: false,
            took: Duration::ZERO,
        };
        if self.interrupts.count() == 0 {
            if !places.mirror.exists() {
                (observer.first)(repository);
            }
            match self.fetch(repository, &places, &known) {
                Ok(fetched) => take(&mut updated, fetched, &mut state, &places),
                Err(Trouble::Failed(problem)) => fail(&mut updated, vec![problem]),
                Err(Trouble::Interrupted) => {}
            }
        }
        if !updated.changes.is_empty()
            && let Err(why) = (observer.changed)(&updated)
        {
            state.heads = known;
            updated.changes.clear();
            updated.problems.push(Problem::new(why, None));
            updated.outcome = Outcome::Failed;
        }
        if updated.outcome != Outcome::Stopped {
            note(&updated, &mut state);
            if let Err(error) = state.write(&places.state) {
                let message = format!("cannot write {}: {error}", places.state);
                fail(&mut updated, vec![Problem::new(message, None)]);
            }
        }
        updated.heads = state.heads;
        updated.took = began.elapsed();
        updated
    }

    fn fetch(
        &self,
        repository: &Repository,
        places: &Places,
        known: &IndexMap<String, String>,
    ) -> Result<Fetched, Trouble> {
        let (vcs, address) = (repository.vcs, repository.address());
        if let Some(part) = repository.branches.iter().find(|branch| !is_whole(vcs, branch.address.expose())) {
            let message = format!("`{}` is an address that depends on where it is read", part.address.shown());
            let help = "write a path from the root on, or an address with `://`";
            return Err(Trouble::Failed(Problem::new(message, Some(help.to_owned()))));
        }
        let Self { pace, surroundings, interrupts, .. } = *self;
        let caller = Caller { surroundings, interrupts, vcs, pace, directory: self.mirrors.of(vcs) };
        let is_first = !places.mirror.exists();
        match vcs {
            Vcs::Git => {
                let (calls, ssh) = (caller.calls(address, is_first), surroundings.ssh.as_deref());
                Git { calls, ssh, repository, places, known }.update()
            }
            Vcs::Hg => {
                let (address, private) = (address.plain(false)?, caller.private()?);
                mercurial::configure(&private, &address)?;
                let calls = caller.calls(&address, is_first);
                Hg { calls, address: &address, private: &private, repository, places, known }.update()
            }
            Vcs::Bzr => {
                let program = bazaar::program();
                Bzr { program, branches: &repository.branches, places, known, caller: &caller }.update()
            }
        }
    }
}

/// Notes what was fetched.
fn take(updated: &mut Updated<'_>, fetched: Fetched, state: &mut State, places: &Places) {
    updated.complete = fetched.branches.len() == updated.repository.branches.len();
    for (branch, seen) in fetched.branches {
        let before = state.heads.get(&branch).cloned();
        let change = match (before, seen) {
            (Some(from), Seen::Gone) => {
                state.heads.shift_remove(&branch);
                Some(Change::Disappeared { from })
            }
            (None, Seen::Gone) => None,
            (before, Seen::At { revision, rewritten }) => {
                state.heads.insert(branch.clone(), revision.clone());
                match before {
                    None => Some(Change::Appeared { to: revision }),
                    Some(from) if from == revision => None,
                    Some(from) if rewritten => Some(Change::Rewritten { from, to: revision }),
                    Some(from) => Some(Change::Moved { from, to: revision }),
                }
            }
        };
        updated.changes.extend(change.map(|change| (branch, change)));
    }
    if fetched.touched || fetched.made.is_some() {
        updated.size = size(&places.mirror);
    }
    updated.outcome = match &fetched.made {
        Some(_) => Outcome::Made,
        None if updated.changes.is_empty() => Outcome::Unchanged,
        None => Outcome::Changed,
    };
    updated.afresh = fetched.made.and_then(|made| made.why);
    if !fetched.problems.is_empty() {
        fail(updated, fetched.problems);
    }
}

fn fail(updated: &mut Updated<'_>, problems: Vec<Problem>) {
    updated.outcome = Outcome::Failed;
    updated.problems = problems;
}

/// What is remembered of an update.
fn note(updated: &Updated<'_>, state: &mut State) {
    let now = Timestamp::now();
    state.tried = now;
    state.size = updated.size;
    if !updated.changes.is_empty() {
        state.changed = Some(now);
        state.changes.clone_from(&updated.changes);
    }
    if updated.complete {
        state.updated = Some(now);
    }
    state.failing = (updated.outcome == Outcome::Failed).then(|| state.failing.unwrap_or(now));
    state.problems.clone_from(&updated.problems);
}

impl Updated<'_> {
    /// The builds that a change of the branch concerns.
    pub fn watchers(&self, branch: &str) -> &[watched::Watcher] {
        let mut branches = self.repository.branches.iter();
        branches.find(|it| it.name == branch).map_or(&[], |branch| &branch.watchers)
    }
}
