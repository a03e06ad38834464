//! Which builds are due, and for which changes. Changes, wishes and the ends of runs come in, each at its moment; builds to
//! begin come out. Nothing here knows a clock, a file or a process: time is what the caller says it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::kept::{Kept, KeptBuild, KeptPending, KeptRunning, Last, Table};
use crate::model::{Change, WatchedBranch, Wish};

/// Time since a moment that is the same for all calls, longer ago than anything that is waited for, by a clock that nobody
/// sets.
pub type Moment = Duration;

/// The revisions of the branches that a build watches, as far as they are known: what it would build.
pub type Heads = BTreeMap<WatchedBranch, String>;

/// What the farm says of when a build is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Without a change for so long.
    pub quiet: Duration,
    /// The branches whose changes count.
    pub branches: Vec<WatchedBranch>,
}

/// What a build waits with.
#[derive(Debug, Clone)]
struct Pending {
    changes: Vec<Arc<Change>>,
    /// The last change.
    quiet_since: Moment,
    /// Without regard to that.
    wish: Option<Wish>,
    /// But not before: the last try could not begin.
    not_before: Moment,
}

impl Pending {
    fn new(now: Moment) -> Self {
        Self { changes: Vec::new(), quiet_since: now, wish: None, not_before: Duration::ZERO }
    }

    fn due(&self, quiet: Duration) -> Moment {
        let due = if self.wish.is_some() { Duration::ZERO } else { self.quiet_since + quiet };
        due.max(self.not_before)
    }
}

/// A build at work.
#[derive(Debug, Clone)]
struct Running {
    request: String,
    heads: Heads,
    changes: Vec<Arc<Change>>,
    wish: Option<Wish>,
}

#[derive(Debug, Clone, Default)]
struct State {
    pending: Option<Pending>,
    running: Option<Running>,
    last: Option<Last>,
}

/// What a build is begun with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The build.
    pub build: String,
    /// What tells this order apart from all others.
    pub request: String,
    /// The changes since the last time, in the order in which they came.
    pub changes: Vec<Arc<Change>>,
    /// Who wanted it, if it was not for the changes alone.
    pub wish: Option<Wish>,
    /// What is built.
    pub heads: Heads,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It came to an end, whatever came of it.
    Done {
        /// The run.
        run: String,
        /// Its outcome, in a word.
        outcome: String,
    },
    /// It was stopped: its changes wait again.
    Stopped,
    /// It could not begin: its changes wait again, at least so long.
    Later(Duration),
}

/// All builds of a farm that somebody may want, and what they wait for.
#[derive(Debug, Clone, Default)]
pub struct Scheduler {
    terms: IndexMap<String, Terms>,
    states: IndexMap<String, State>,
    heads: Heads,
}

impl Scheduler {
    /// Takes on what the farm says now. What is known of builds that it still has stays; the names of those that waited, and
    /// that it has no more, are returned.
    pub fn reload(&mut self, terms: IndexMap<String, Terms>) -> Vec<String> {
        self.terms = terms;
        let mut dropped = Vec::new();
        self.states.retain(|build, state| {
            let stays = self.terms.contains_key(build);
            if !stays && state.pending.take().is_some() {
                dropped.push(build.clone());
            }
            // Whoever waits for its end still tells of it.
            stays || state.running.is_some()
        });
        let watched: BTreeSet<WatchedBranch> = self.branches().cloned().collect();
        self.heads.retain(|branch, _| watched.contains(branch));
        dropped
    }

    /// The branches that any build watches, each once.
    pub fn branches(&self) -> impl Iterator<Item = &WatchedBranch> {
        let all: BTreeSet<&WatchedBranch> = self.terms.values().flat_map(|terms| &terms.branches).collect();
        all.into_iter()
    }

    /// The revisions of all branches, as far as they are known.
    pub fn heads(&self) -> &Heads {
        &self.heads
    }

    /// The revision that the branch is known to have.
    pub fn head(&self, branch: &WatchedBranch) -> Option<&str> {
        self.heads.get(branch).map(String::as_str)
    }

    /// Says what revision a branch has, where nothing is known of it: that is no change.
    pub fn begin_with(&mut self, branch: &WatchedBranch, revision: &str) {
        self.heads.entry(branch.clone()).or_insert_with(|| revision.to_owned());
    }

    /// A branch that builds watch has changed. The builds that wait for its sake from now on; none if the branch is known to
    /// have this revision.
    pub fn change(&mut self, now: Moment, branch: &WatchedBranch, change: &Arc<Change>) -> Vec<String> {
        if self.head(branch) == Some(change.id()) {
            return Vec::new();
        }
        self.heads.insert(branch.clone(), change.id().to_owned());
        let mut names = Vec::new();
        for (name, terms) in &self.terms {
            if terms.branches.contains(branch) {
                let state = self.states.entry(name.clone()).or_default();
                let pending = state.pending.get_or_insert(Pending::new(now));
                pending.changes.push(Arc::clone(change));
                pending.quiet_since = now;
                names.push(name.clone());
            }
        }
        names
    }

    /// Somebody wants a build now. False if there is no such build.
    pub fn force(&mut self, now: Moment, build: &str, wish: Wish) -> bool {
        if !self.terms.contains_key(build) {
            return false;
        }
        let state = self.states.entry(build.to_owned()).or_default();
        let pending = state.pending.get_or_insert(Pending::new(now));
        pending.wish.get_or_insert(wish);
        true
    }

    /// The builds to begin now, in the farm's order. A build that is at work waits for its own end.
    pub fn due(&self, now: Moment) -> Vec<String> {
        let due = self.terms.keys().filter(|name| self.moment(name).is_some_and(|moment| moment <= now));
        due.cloned().collect()
    }

    /// When the next build is due, if nothing happens before.
    pub fn next(&self) -> Option<Moment> {
        self.terms.keys().filter_map(|name| self.moment(name)).min()
    }

    /// When a build that waits, and is not at work, is due.
    fn moment(&self, build: &str) -> Option<Moment> {
        let (terms, state) = (self.terms.get(build)?, self.states.get(build)?);
        let pending = state.pending.as_ref().filter(|_| state.running.is_none())?;
        Some(pending.due(terms.quiet))
    }

    /// Begins a build that is due. None if there is nothing to build: the branches are again as they were the last time, and
    /// nobody wants it all the same.
    pub fn begin(&mut self, build: &str, request: &str) -> Option<Order> {
        let terms = self.terms.get(build)?;
        let known = |branch: &WatchedBranch| Some((branch.clone(), self.heads.get(branch)?.clone()));
        let heads: Heads = terms.branches.iter().filter_map(known).collect();
        let state = self.states.get_mut(build).filter(|state| state.running.is_none())?;
        let Pending { changes, wish, .. } = state.pending.take()?;
        if wish.is_none() && state.last.as_ref().is_some_and(|last| last.heads == heads) {
            return None;
        }
        let request = request.to_owned();
        state.running = Some(Running {
            request: request.clone(),
            heads: heads.clone(),
            changes: changes.clone(),
            wish: wish.clone(),
        });
        Some(Order { build: build.to_owned(), request, changes, wish, heads })
    }

    /// The build that is at work has ended.
    pub fn end(&mut self, now: Moment, build: &str, end: End) {
        let quiet = self.terms.get(build).map_or(Duration::ZERO, |terms| terms.quiet);
        let gone = !self.terms.contains_key(build);
        let Some(state) = self.states.get_mut(build) else { return };
        let Some(running) = state.running.take() else { return };
        match end {
            End::Done { run, outcome } => {
                state.last = Some(Last { run, outcome, heads: running.heads });
            }
            End::Stopped | End::Later(_) => {
                let not_before = if let End::Later(pause) = end { now + pause } else { Duration::ZERO };
                // What came meanwhile has its own time of quiet; what was due is due.
                let due = now.saturating_sub(quiet);
                let later = state.pending.take();
                let (more, quiet_since, wish) = match later {
                    Some(later) => (later.changes, later.quiet_since, running.wish.or(later.wish)),
                    None => (Vec::new(), due, running.wish),
                };
                let changes = running.changes.into_iter().chain(more).collect();
                state.pending = Some(Pending { changes, quiet_since, wish, not_before });
            }
        }
        if gone {
            self.states.shift_remove(build);
        }
    }

    /// The builds that are at work, and by which request.
    pub fn running(&self) -> impl Iterator<Item = (&str, &str)> {
        self.states.iter().filter_map(|(name, state)| Some((name.as_str(), state.running.as_ref()?.request.as_str())))
    }

    /// What must not be forgotten, at this moment.
    pub fn keep(&self, now: Moment) -> Kept {
        let mut table = Table::default();
        let mut builds = IndexMap::new();
        for (name, state) in &self.states {
            let quiet = self.terms.get(name).map_or(Duration::ZERO, |terms| terms.quiet);
            let pending = state.pending.as_ref().map(|pending| KeptPending {
                changes: table.indices(&pending.changes),
                quiet: now.saturating_sub(pending.quiet_since).as_secs_f64(),
                left: pending.due(quiet).saturating_sub(now).as_secs_f64(),
                wish: pending.wish.clone(),
            });
            let running = state.running.as_ref().map(|running| KeptRunning {
                request: running.request.clone(),
                heads: running.heads.iter().map(|(branch, revision)| (branch.clone(), revision.clone())).collect(),
                changes: table.indices(&running.changes),
                wish: running.wish.clone(),
            });
            builds.insert(name.clone(), KeptBuild { pending, running, last: state.last.clone() });
        }
        let heads = self.heads.iter().map(|(branch, revision)| (branch.clone(), revision.clone())).collect();
        Kept { heads, builds, changes: table.into_changes() }
    }

    /// Goes on with what was kept `ago`. The builds that were at work then are at work still, until their end is told.
    pub fn restore(kept: Kept, ago: Duration, now: Moment) -> Self {
        let Kept { heads, builds, changes } = kept;
        let changes: Vec<Arc<Change>> = changes.into_iter().map(Arc::new).collect();
        let named = |indices: Vec<usize>| indices.into_iter().filter_map(|index| changes.get(index).cloned()).collect();
        let state = |kept: KeptBuild| State {
            pending: kept.pending.map(|pending| {
                let quiet = Duration::try_from_secs_f64(pending.quiet).unwrap_or_default() + ago;
                let quiet_since = now.saturating_sub(quiet);
                // Whatever kept it from beginning may be mended by now.
                let not_before = Duration::ZERO;
                Pending { changes: named(pending.changes), quiet_since, wish: pending.wish, not_before }
            }),
            running: kept.running.map(|running| Running {
                request: running.request,
                heads: running.heads.into_iter().collect(),
                changes: named(running.changes),
                wish: running.wish,
            }),
            last: kept.last,
        };
        let states = builds.into_iter().map(|(name, build)| (name, state(build))).collect();
        Self { terms: IndexMap::new(), states, heads: heads.into_iter().collect() }
    }
}
