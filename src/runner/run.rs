//! A whole run: recovery first, then the builders, as many at a time as there is room for, and the result at the end.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use camino::Utf8Path;
use jiff::Timestamp;

use super::before::{self, Before, history};
use super::builder::{self, Place, finished};
use super::event::{Entry, Event, FORMAT, Planned};
use super::journal::{self, Journal};
use super::killed::AtWork;
use super::mask::Mask;
use super::options::Options;
use super::replay::{outcome, replay};
use super::result::{BuilderResult, Outcome, RunResult, seconds};
use super::save::Readers;
use super::schedule::{Room, Work, order, slot};
use super::session::{Session, listen, shared};
use super::site::Site;
use super::state::State;
use super::{check, choice, recover};
use crate::diagnostic::{Failure, other_state};
use crate::plan::Plan;
use crate::workspace::queue::Queues;

/// The name of a plan in its builder's folder.
pub(super) const PLAN: &str = "plan.yaml";

/// Runs plans on this machine, all of the same slave, and tells `observer` what happens, from whatever thread it happens in:
/// all builders wait until it returns.
///
/// Before them it cleans up after killed runners, as [`super::recover`] does. `SIGINT`, `SIGTERM`, `SIGHUP` and `SIGQUIT` end
/// the current steps and skip what is left, but for steps that always run; a second one ends those too. While it works
/// these signals are its own, and after it they do nothing.
///
/// # Errors
/// A plan that cannot be executed, an account that needs root, or a state folder that cannot be written to. What goes
/// wrong in a builder is no error but part of the result.
pub fn run(
    plans: &[Plan],
    site: &Site,
    options: &Options,
    observer: &mut (dyn FnMut(&Entry) + Send),
) -> Result<RunResult, Failure> {
    check::check(plans)?;
    choice::check(plans, options)?;
    check_account(site)?;
    let (mask, (interrupts, _adopting), queues, observer) =
        (Mask::new(&site.secrets), listen()?, Queues::default(), shared(observer));
    let session = Session::new(site, options, &mask, (&interrupts, &queues), &observer);
    let readers = Readers::of(site.account.as_ref());
    let state = State::open(&site.state, readers)?;
    recover::recover_all(&session, &state)?;

    let told = |error: io::Error| {
        Failure::error(format!("cannot keep the run in {}: {error}", site.state)).help(other_state(&error))
    };
    let began = (Instant::now(), Timestamp::now());
    let id = state.begin(began.1).map_err(told)?;
    let folder = state.run(&id);
    let begun = begin(&state, &id, plans, readers, options);
    let (at_work, journal) = begun.map_err(|error| {
        // What could not begin must not be taken for a run, nor take the room of one.
        let _ = std::fs::remove_dir_all(&folder);
        told(error)
    })?;
    let session = session.with(&journal);
    // Without it everything takes as long as it takes.
    let history = history(&site.state).unwrap_or_default();
    let befores = before::summary(&history);
    let room = Room::new(plans, options.jobs.map(Into::into));
    let expected: Vec<_> = plans.iter().map(|plan| befores.get(plan.builder.as_str())?.expected).collect();
    let order = order(&expected, room.jobs);
    let planned = |&index: &usize| {
        let Plan { builder, build, directory, steps, .. } = &plans[index];
        let (builder, build, directory) = (builder.clone(), build.clone(), directory.clone());
        Planned { builder, build, directory, steps: steps.len(), expected: expected[index] }
    };
    session.emit_durably(Event::RunStarted {
        format: FORMAT,
        farmout: env!("CARGO_PKG_VERSION").to_owned(),
        run: id.clone(),
        folder: folder.clone(),
        slave: plans.first().map(|plan| plan.slave.clone()).unwrap_or_default(),
        jobs: room.jobs,
        builders: order.iter().map(planned).collect(),
        trigger: options.trigger.clone(),
    });
    if let Err(error) = state.point_at(&id) {
        // As if it had not begun.
        let _ = std::fs::remove_dir_all(&folder);
        at_work.end();
        return Err(told(error));
    }
    let run = Run { session: &session, state: &state, readers, id: &id, plans, order: &order, befores: &befores, room };
    let results = run.perform();
    let interrupted = session.requests() >= 1;
    let (outcome, took) = (outcome(&results, interrupted), seconds(began.0.elapsed()));
    session.emit_durably(Event::RunFinished { outcome, seconds: took });
    let written = journal.finish();
    let result = match journal::read(&folder).ok().filter(|_| written.is_ok()) {
        Some(entries) => replay(&entries, folder.clone()),
        None => None,
    };
    let result = result.unwrap_or_else(|| RunResult {
        run: id,
        folder: folder.clone(),
        slave: plans.first().map(|plan| plan.slave.clone()).unwrap_or_default(),
        jobs: room.jobs,
        outcome: Some(outcome),
        started: began.1,
        seconds: took,
        builders: results,
        trigger: options.trigger.clone(),
    });
    readers.save_json(&folder.join("result.json"), &result).map_err(told)?;
    at_work.end();
    written
        .map_err(|problem| Failure::error(format!("the journal of the run in {folder} is incomplete: {problem}")))?;
    Ok(result)
}

fn check_account(site: &Site) -> Result<(), Failure> {
    let own = nix::unistd::Uid::effective();
    match &site.account {
        Some(account) if !own.is_root() && account.uid != own.as_raw() => {
            Err(Failure::misuse(format!("only root can run steps as {}", account.name)))
        }
        _ => Ok(()),
    }
}

/// What the threads of a run share.
struct Run<'a> {
    session: &'a Session<'a>,
    state: &'a State,
    readers: Readers,
    id: &'a str,
    plans: &'a [Plan],
    /// The order in which the plans are begun.
    order: &'a [usize],
    befores: &'a HashMap<&'a str, Before>,
    room: Room,
}

impl Run<'_> {
    /// Runs all builders, and returns what came of them in the order in which they were begun.
    fn perform(&self) -> Vec<BuilderResult> {
        let pending = |&index: &usize| {
            let Plan { builder, build, directory, .. } = &self.plans[index];
            BuilderResult::pending(builder, build, directory)
        };
        let results = Mutex::new(self.order.iter().map(pending).collect::<Vec<_>>());
        let work = Work::new();
        let threads = self.room.jobs.min(self.plans.len());
        std::thread::scope(|scope| {
            // This thread is one of them; where the system has no more, fewer do as well, only later.
            for _ in 1..threads {
                if std::thread::Builder::new().spawn_scoped(scope, || self.work_off(&work, &results)).is_err() {
                    break;
                }
            }
            self.work_off(&work, &results);
        });
        results.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one builder after the other until none is left.
    fn work_off(&self, work: &Work, results: &Mutex<Vec<BuilderResult>>) {
        loop {
            let place = work.next();
            let Some(&index) = self.order.get(place) else { return };
            let plan = &self.plans[index];
            let result = self.builder(work, place, plan);
            if self.session.options.fail_fast && result.outcome == Some(Outcome::Failure) {
                work.stop(format!("builder {} failed", plan.builder));
            }
            // Nothing hangs on it but what the next run expects.
            let _ = before::remember(self.state.folder(), self.readers, self.id, &result);
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results[place] = result;
        }
    }

    fn builder(&self, work: &Work, place: usize, plan: &Plan) -> BuilderResult {
        let session = self.session;
        let ended = |outcome: Outcome, reason: String| {
            let mut result = BuilderResult::pending(&plan.builder, &plan.build, &plan.directory);
            (result.outcome, result.reason) = (Some(outcome), Some(session.masked(&reason)));
            session.emit_durably(finished(&result));
            result
        };
        let interrupted = || ended(Outcome::Skipped, "interrupted".to_owned());
        if session.requests() >= 1 {
            return interrupted();
        }
        if let Some(reason) = work.stopped() {
            return ended(Outcome::Skipped, reason);
        }
        let _slot = match slot(session, self.room, plan, self.id) {
            Ok(Some(slot)) => slot,
            Ok(None) => return interrupted(),
            Err(problem) => return ended(Outcome::Failure, problem),
        };
        // It may have waited for long.
        if let Some(reason) = work.stopped() {
            return ended(Outcome::Skipped, reason);
        }
        let folder = self.state.run(self.id).join(&plan.directory);
        session.emit(Event::BuilderStarted {
            builder: plan.builder.clone(),
            index: place + 1,
            total: self.plans.len(),
            folder: folder.clone(),
        });
        // Whoever cleans up after this one needs it, whatever becomes of the machine.
        if let Err(error) = File::open(folder.join(PLAN)).and_then(|plan| plan.sync_all()) {
            return ended(Outcome::Failure, format!("its plan is not kept: {error}"));
        }
        let none = Before::default();
        let before = self.befores.get(plan.builder.as_str()).unwrap_or(&none);
        builder::run(session, &Place { run: self.id, active: &self.state.active(), folder: &folder, before }, plan)
    }
}

/// Makes what a run needs before its first event.
fn begin(
    state: &State,
    id: &str,
    plans: &[Plan],
    readers: Readers,
    options: &Options,
) -> io::Result<(AtWork, Journal)> {
    let folder = state.run(id);
    let at_work = AtWork::note(state, id)?;
    let made = Journal::create(&folder, readers, options.sync).and_then(|journal| {
        plans.iter().try_for_each(|plan| keep_plan(&folder.join(&plan.directory), plan, readers))?;
        Ok(journal)
    });
    match made {
        Ok(journal) => Ok((at_work, journal)),
        Err(error) => {
            at_work.end();
            Err(error)
        }
    }
}

fn keep_plan(folder: &Utf8Path, plan: &Plan, readers: Readers) -> io::Result<()> {
    readers.make_folder(folder)?;
    let text = serde_yaml::to_string(plan).map_err(io::Error::other)?;
    readers.create(&folder.join(PLAN))?.write_all(text.as_bytes())
}
