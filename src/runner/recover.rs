//! Cleaning up after runners that were killed: from their records, their stray processes are ended, the steps that
//! always run are run, and their results say what happened.

use std::collections::HashMap;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;

use super::account::owner;
use super::active::Active;
use super::builder::{Which, end_strays, perform, tidy};
use super::calls;
use super::choice::Providers;
use super::event::{Cause, Entry, Event};
use super::journal;
use super::killed;
use super::log::RECOVERY;
use super::mask::Mask;
use super::options::Options;
use super::result::Outcome;
use super::save::Readers;
use super::session::{Session, listen, shared};
use super::site::Site;
use super::state::State;
use super::step::Work;
use crate::diagnostic::{Failure, plain};
use crate::group::ProcessId;
use crate::plan::Plan;
use crate::workspace::builder::{Workspace, remove_sockets};
use crate::workspace::folder::Folder;
use crate::workspace::lock::Lock;
use crate::workspace::queue::Queues;
use crate::workspace::stray::{self, Mark};

/// After as many tries a record is given up: what it needs will not come back.
pub(super) const ATTEMPTS: u32 = 5;

/// Cleans up after all runners with records in the site's state folder that are dead. [`super::run`] does it first.
///
/// Records of live runners are left alone, and so are all if another process is cleaning up already. A record that
/// cannot be dealt with is told of in [`Event::Recovered`] and kept; that is no failure. Steps get this site's
/// environment and secrets, and the base directory and account that the killed runner had.
///
/// # Errors
/// The state folder cannot be used.
pub fn recover(site: &Site, observer: &mut (dyn FnMut(&Entry) + Send)) -> Result<(), Failure> {
    let state = State::open(&site.state, Readers::of(site.account.as_ref()))?;
    let (mask, (interrupts, _adopting), queues) = (Mask::new(&site.secrets), listen()?, Queues::default());
    let (observer, options) = (shared(observer), Options::default());
    recover_all(&Session::new(site, &options, &mask, (&interrupts, &queues), &observer), &state)
}

pub(super) fn recover_all(session: &Session<'_>, state: &State) -> Result<(), Failure> {
    let unusable =
        |error: io::Error| Failure::error(format!("the records in {} cannot be used: {error}", state.active()));
    let folder = Folder::open(state.folder()).map_err(unusable)?;
    let note = format!("pid {}", std::process::id());
    let Ok(_lock) = Lock::attempt(&folder, "recover", &note, None).map_err(unusable)? else { return Ok(()) };
    for path in records(&state.active()).map_err(unusable)? {
        if session.requests() >= 1 {
            break;
        }
        recover_one(session, state, &path);
    }
    calls::end_all(session, state);
    killed::end_all(session, state);
    Ok(())
}

fn recover_one(session: &Session<'_>, state: &State, path: &Utf8Path) {
    let mut active = match Active::read(path) {
        Ok(Some(active)) => active,
        Ok(None) => return,
        Err(error) => {
            let run = path.file_stem().unwrap_or_default();
            let (run, builder) = run.split_once("--").unwrap_or((run, ""));
            let (run, builder) = (run.to_owned(), builder.to_owned());
            let problem = Some(plain(&format!("the record {path} cannot be read: {error}")));
            return session.tell_only(Event::Recovered { run, builder, problem });
        }
    };
    let record = &active.record;
    // What was kept on purpose stays until the builder runs again.
    if !record.kept.is_empty() || (record.runner.is_alive() && !record.abandoned) {
        return;
    }
    let (run, builder) = (record.run.clone(), record.builder.clone());
    let (workspace, _lock) = match open(&active) {
        Ok(Some(opened)) => opened,
        // Somebody works there: another runner in a container of its own, whose processes cannot be seen from here.
        Ok(None) => return,
        Err(problem) => {
            let problem = Some(session.masked(&problem));
            return session.tell_only(Event::Recovered { run, builder, problem });
        }
    };
    active.update(|record| record.attempts += 1);
    let folder = state.run(&run);
    let entries = journal::read(&folder).unwrap_or_default();
    let readers = Readers::of(active.record.account.as_ref());
    let journal = killed::resume(&folder, &entries, readers);
    let with_journal = journal.as_ref().map(|journal| session.with(journal));
    let session = with_journal.as_ref().unwrap_or(session);
    let cause = if active.record.left.is_empty() { Cause::Killed } else { Cause::Failed };
    session.emit(Event::Recovering { run: run.clone(), builder: builder.clone(), folder: logs(&active), cause });
    let left = Left::behind(&active, &entries);
    let ended = clean_up(session, &mut active, &workspace, left);
    if session.requests() >= 2 {
        return;
    }
    let attempts = active.record.attempts;
    let outcome = match ended {
        Ok(()) => {
            // After the steps that always run: they may need a server that is among these. That there were some is no
            // problem here.
            let _ = end_strays(session, &active.record);
            tidy(&workspace, active)
        }
        Err(problem) if attempts >= ATTEMPTS => {
            let _ = end_strays(session, &active.record);
            let sockets = active.record.sockets.clone();
            let gone = sockets.map_or(Ok(()), |sockets| remove_sockets(&sockets)).and_then(|()| active.remove());
            Err(format!(
                "{problem}; given up after {ATTEMPTS} tries{}",
                gone.err().map(|error| format!(": {error}")).unwrap_or_default()
            ))
        }
        Err(problem) => Err(problem),
    };
    let noted = match &journal {
        Some(journal) => killed::end(journal, state, readers, &run, Some(&builder)).map(drop),
        // A run whose journal is gone has no result to change.
        None => Ok(()),
    };
    let noted = noted.map_err(|error| format!("the result of run {run} cannot be changed: {error}"));
    let problem = outcome.and(noted).err().map(|problem| session.masked(&plain(&problem)));
    session.tell_only(Event::Recovered { run, builder, problem });
}

/// The records in the folder, in the order of their runs.
///
/// # Errors
/// The folder cannot be read.
pub(super) fn records(active: &Utf8Path) -> io::Result<Vec<Utf8PathBuf>> {
    let paths = active.read_dir_utf8()?.map(|entry| entry.map(camino::Utf8DirEntry::into_path));
    let mut paths = paths.collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension() == Some("json"));
    paths.sort();
    Ok(paths)
}

/// Where the logs of the record's builder are.
fn logs(active: &Active) -> Utf8PathBuf {
    active.record.plan.parent().map(Utf8Path::to_owned).unwrap_or_default()
}

/// What a runner has left behind in one builder.
#[derive(Debug)]
pub(super) struct Left {
    /// The templates that have something to clean up.
    begun: Vec<String>,
    /// The step that ran, and the leader of its process group.
    step: Option<(String, Option<ProcessId>)>,
}

impl Left {
    /// What is cleaned up by steps of these templates.
    pub(super) fn of(begun: Vec<String>) -> Self {
        Self { begun, step: None }
    }

    /// What the journal tells of a builder whose runner is dead.
    fn behind(active: &Active, entries: &[Entry]) -> Self {
        let record = &active.record;
        if !record.left.is_empty() {
            return Self::of(record.left.clone());
        }
        let mut left = Self::of(record.inherited.clone());
        let templates = read_plan(active).map(|plan| {
            plan.steps.into_iter().map(|step| (step.name, step.template)).collect::<HashMap<String, String>>()
        });
        let templates = templates.unwrap_or_default();
        for entry in entries {
            match &entry.event {
                Event::StepStarted { builder, step, .. } if *builder == record.builder => {
                    left.begun.extend(templates.get(step).cloned());
                }
                Event::ProcessStarted { builder, step, leader } if *builder == record.builder => {
                    left.step = Some((step.clone(), leader.clone()));
                }
                Event::StepFinished { builder, .. } if *builder == record.builder => left.step = None,
                _ => {}
            }
        }
        left
    }
}

/// Opens the builder's folders and takes its lock; none if somebody has it.
pub(super) fn open(active: &Active) -> Result<Option<(Workspace, Lock)>, String> {
    let record = &active.record;
    let uid = nix::unistd::Uid::effective();
    if let Some(account) = record.account.as_ref().filter(|account| !uid.is_root() && account.uid != uid.as_raw()) {
        return Err(format!("only root can clean up what ran as {}", account.name));
    }
    let mut workspace = Workspace::open(&record.basedir, &record.directory, owner(record.account.as_ref()))
        .map_err(|error| format!("its folders cannot be used: {error}"))?;
    workspace.sockets.clone_from(&record.sockets);
    let note = format!("pid {}, cleaning up run {}", std::process::id(), record.run);
    let lock = workspace
        .builder_locks()
        .and_then(|locks| Lock::attempt(&locks, &record.directory, &note, workspace.owner()))
        .map_err(|error| format!("its directory cannot be locked: {error}"))?;
    Ok(lock.ok().map(|lock| (workspace, lock)))
}

/// Ends what is left of the step that ran, then runs the steps that always run, with the logs of the record's run.
///
/// # Errors
/// What is not cleaned up, in a sentence.
pub(super) fn clean_up(
    session: &Session<'_>,
    active: &mut Active,
    workspace: &Workspace,
    left: Left,
) -> Result<(), String> {
    end_step(session, active, left.step).map_err(|error| format!("its processes cannot be ended: {error}"))?;
    let plan = read_plan(active)?;
    super::check::check(std::slice::from_ref(&plan)).map_err(|failure| failure.message)?;
    let (run, user, folder) = (active.record.run.clone(), active.record.account.clone(), logs(active));
    Readers::of(user.as_ref()).make_folder(&folder).map_err(|error| format!("its logs cannot be written: {error}"))?;
    // It may have been killed before it made them. What it had in its temporary directory may be what a step needs to
    // clean up, so that is emptied last.
    workspace.lay_out().map_err(|error| format!("its folders cannot be made: {error}"))?;
    let mut work = Work {
        session,
        run: &run,
        plan: &plan,
        workspace,
        folder: &folder,
        suffix: RECOVERY,
        active,
        user: user.as_ref(),
        begun: left.begun.into_iter().collect(),
        providers: Providers::of(&plan),
        expected: &IndexMap::new(),
    };
    let mut steps = Vec::new();
    perform(&mut work, Which::AlwaysRun, &mut steps);
    match steps.iter().find(|step| step.outcome != Outcome::Success) {
        None => Ok(()),
        Some(step) => {
            let reason = step.reason.as_deref().unwrap_or_default();
            Err(format!("step `{}`: {reason}; see {}", step.name, folder))
        }
    }
}

fn read_plan(active: &Active) -> Result<Plan, String> {
    let path = &active.record.plan;
    let told = |error: &dyn std::fmt::Display| format!("its plan {path} cannot be read: {error}");
    let text = std::fs::read_to_string(path).map_err(|error| told(&error))?;
    serde_yaml::from_str(&text).map_err(|error| told(&error))
}

/// Ends the step that ran, and all that it started. What earlier steps left running may be what a clean-up needs.
fn end_step(session: &Session<'_>, active: &Active, step: Option<(String, Option<ProcessId>)>) -> io::Result<()> {
    let Some((step, leader)) = step else { return Ok(()) };
    let mark = Mark::step(&active.record.run, &active.record.directory, &step);
    stray::end(&mark, leader.as_ref(), session.site.grace, session.interrupts).map(drop)
}
