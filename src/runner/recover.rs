//! Cleaning up after runners that were killed: from their records, their stray processes are ended, the steps that
//! always run are run, and their results say what happened.

use std::io;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::active::Active;
use super::builder::{Which, perform, tidy};
use super::event::Event;
use super::folder::Folder;
use super::lock::Lock;
use super::mask::Mask;
use super::result::{Outcome, RunResult, StepResult};
use super::save::Readers;
use super::session::{Session, listen};
use super::site::Site;
use super::state::State;
use super::step::Work;
use super::workspace::{Workspace, owner, remove_sockets};
use crate::diagnostic::{Failure, plain};
use crate::group;
use crate::plan::Plan;

/// After as many tries a record is given up: what it needs will not come back.
const ATTEMPTS: u32 = 5;
/// What results say of a builder whose runner was killed.
const KILLED: &str = "the runner was killed";

/// Cleans up after all runners with records in the site's state folder that are dead. [`super::run`] does it first.
///
/// Records of live runners are left alone, and so are all if another process is cleaning up already. A record that
/// cannot be dealt with is told of in [`Event::Recovered`] and kept; that is no failure. Steps get this site's
/// environment and secrets, and the base directory and account that the killed runner had.
///
/// # Errors
/// The state folder cannot be used.
pub fn recover(site: &Site, observer: &mut dyn FnMut(&Event)) -> Result<(), Failure> {
    let state = State::open(&site.state, Readers::of(site.account.as_ref()))?;
    let (mask, interrupts) = (Mask::new(&site.secrets), listen()?);
    recover_all(&mut Session::new(site, &mask, &interrupts, observer), &state)
}

pub(super) fn recover_all(session: &mut Session<'_>, state: &State) -> Result<(), Failure> {
    let unusable =
        |error: io::Error| Failure::error(format!("the records in {} cannot be used: {error}", state.active()));
    let folder = Folder::open(state.folder()).map_err(unusable)?;
    let note = format!("pid {}", std::process::id());
    let Ok(_lock) = Lock::attempt(&folder, "recover", &note, None).map_err(unusable)? else { return Ok(()) };
    let mut paths: Vec<Utf8PathBuf> = Vec::new();
    for entry in state.active().read_dir_utf8().map_err(unusable)? {
        let path = entry.map_err(unusable)?.into_path();
        if path.extension() == Some("json") {
            paths.push(path);
        }
    }
    paths.sort();
    for path in paths {
        if session.requests() >= 1 {
            break;
        }
        recover_one(session, state, &path);
    }
    Ok(())
}

fn recover_one(session: &mut Session<'_>, state: &State, path: &Utf8Path) {
    let mut active = match Active::read(path) {
        Ok(Some(active)) => active,
        Ok(None) => return,
        Err(error) => {
            let run = path.file_stem().unwrap_or_default();
            let (run, builder) = run.split_once("--").unwrap_or((run, ""));
            let (run, builder) = (run.to_owned(), builder.to_owned());
            let problem = Some(plain(&format!("the record {path} cannot be read: {error}")));
            return session.emit(&Event::Recovered { run, builder, problem });
        }
    };
    let record = &active.record;
    if record.runner.is_alive() && !record.abandoned {
        return;
    }
    let (run, builder, directory) = (record.run.clone(), record.builder.clone(), record.directory.clone());
    let (workspace, _lock) = match open(&active) {
        Ok(Some(opened)) => opened,
        // Somebody works there: another runner in a container of its own, whose processes cannot be seen from here.
        Ok(None) => return,
        Err(problem) => {
            let problem = Some(session.masked(&problem));
            return session.emit(&Event::Recovered { run, builder, problem });
        }
    };
    session.emit(&Event::Recovering { run: run.clone(), builder: builder.clone() });
    active.update(|record| record.attempts += 1);
    let last = active.record.attempts >= ATTEMPTS;
    let mut steps = Vec::new();
    let outcome = clean_up(session, state, &mut active, workspace, &mut steps);
    if session.requests() >= 2 {
        return;
    }
    let readers = Readers::of(active.record.account.as_ref());
    let outcome = match outcome {
        Ok(workspace) => tidy(&workspace, active),
        Err(problem) if last => {
            let sockets = active.record.sockets.clone();
            let gone = sockets.map_or(Ok(()), |sockets| remove_sockets(&sockets)).and_then(|()| active.remove());
            Err(format!(
                "{problem}; given up after {ATTEMPTS} tries{}",
                gone.err().map(|error| format!(": {error}")).unwrap_or_default()
            ))
        }
        Err(problem) => Err(problem),
    };
    let noted = note_result(state, readers, &run, &directory, steps)
        .map_err(|error| format!("the result of run {run} cannot be changed: {error}"));
    let problem = outcome.and(noted).err().map(|problem| session.masked(&plain(&problem)));
    session.emit(&Event::Recovered { run, builder, problem });
}

/// Opens the builder's folders and takes its lock; none if somebody has it.
fn open(active: &Active) -> Result<Option<(Workspace, Lock)>, String> {
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

/// Ends what is left of the step that ran, then runs the steps that always run.
fn clean_up(
    session: &mut Session<'_>,
    state: &State,
    active: &mut Active,
    workspace: Workspace,
    steps: &mut Vec<StepResult>,
) -> Result<Workspace, String> {
    end_strays(session, active).map_err(|error| format!("its processes cannot be ended: {error}"))?;
    let record = &active.record;
    let (run, user) = (record.run.clone(), record.account.clone());
    let told = |error: &dyn std::fmt::Display| format!("its plan {} cannot be read: {error}", record.plan);
    let text = std::fs::read_to_string(&record.plan).map_err(|error| told(&error))?;
    let plan: Plan = serde_yaml::from_str(&text).map_err(|error| told(&error))?;
    super::check::check(std::slice::from_ref(&plan)).map_err(|failure| failure.message)?;
    let folder = state.run(&run).join(&record.directory);
    Readers::of(user.as_ref()).make_folder(&folder).map_err(|error| format!("its logs cannot be written: {error}"))?;
    // It may have been killed before it made them. What it had in its temporary directory may be what a step needs to
    // clean up, so that is emptied last.
    workspace.lay_out().map_err(|error| format!("its folders cannot be made: {error}"))?;
    let site = session.site;
    let mut work = Work {
        site,
        run: &run,
        plan: &plan,
        workspace: &workspace,
        folder: &folder,
        suffix: ".recovery",
        active,
        user: user.as_ref(),
    };
    perform(session, &mut work, Which::AlwaysRun, steps);
    match steps.iter().find(|step| step.outcome != Outcome::Success) {
        None => Ok(workspace),
        Some(step) => {
            let reason = step.reason.as_deref().unwrap_or_default();
            Err(format!("step `{}`: {reason}; see {}", step.name, folder))
        }
    }
}

/// Ends the process group of the step that ran, if it surely is that one.
fn end_strays(session: &Session<'_>, active: &Active) -> io::Result<()> {
    let Some(leader) = active.record.leader.as_ref().filter(|leader| leader.leads_a_live_group()) else {
        return Ok(());
    };
    group::terminate(leader.pid);
    wait_for_end(session, leader, session.site.grace)?;
    if leader.leads_a_live_group() {
        group::kill(leader.pid);
        wait_for_end(session, leader, Duration::from_secs(5))?;
    }
    Ok(())
}

fn wait_for_end(session: &Session<'_>, leader: &group::ProcessId, time: Duration) -> io::Result<()> {
    let end = Instant::now() + time;
    while leader.leads_a_live_group() && Instant::now() < end && session.interrupts.count() < 2 {
        // They are nobody's children here, so no signal tells of their end.
        session.interrupts.pause(Duration::from_millis(20), 2)?;
    }
    Ok(())
}

/// Makes the killed run's result say so. A run whose result is gone has none to change.
fn note_result(
    state: &State,
    readers: Readers,
    run: &str,
    directory: &str,
    recovered: Vec<StepResult>,
) -> io::Result<()> {
    let folder = state.run(run);
    let path = folder.join("result.json");
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        bytes => bytes?,
    };
    let mut result: RunResult = serde_json::from_slice(&bytes)?;
    for builder in &mut result.builders {
        if builder.directory == directory {
            if builder.steps.is_empty() {
                let lines = std::fs::read_to_string(folder.join(directory).join("steps.jsonl")).unwrap_or_default();
                // The recovered ones are there too.
                builder.steps = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            } else {
                builder.steps.extend(recovered.iter().cloned());
            }
            // One that the user ended says already what happened.
            if builder.outcome.is_none() {
                builder.reason = Some(KILLED.to_owned());
            }
            builder.outcome = Some(Outcome::Interrupted);
        } else if builder.outcome.is_none() {
            builder.outcome = Some(Outcome::Skipped);
            builder.reason = Some(KILLED.to_owned());
        }
    }
    result.outcome = Some(Outcome::Interrupted);
    readers.save_json(&path, &result)
}
