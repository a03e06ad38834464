//! One builder: its lock, its record, its folders, its steps in order, and the tidying after them.

use std::io::Write as _;
use std::time::Instant;

use camino::Utf8Path;
use indexmap::IndexMap;

use super::active::{Active, FORMAT, Record};
use super::environment::mentions;
use super::event::Event;
use super::lock::Lock;
use super::result::{BuilderResult, Outcome, StepResult, seconds};
use super::save::Readers;
use super::session::Session;
use super::step::Work;
use super::workspace::{Workspace, owner, remove_sockets};
use crate::diagnostic::plain;
use crate::group::ProcessId;
use crate::plan::{OnFailure, Plan, Step};

/// Which steps to perform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// All of them, as far as it goes.
    All,
    /// Those that always run; nothing is said of the others.
    AlwaysRun,
}

/// Where a builder's run keeps things.
pub(super) struct Place<'a> {
    /// The run's id.
    pub(super) run: &'a str,
    /// The folder of records.
    pub(super) active: &'a Utf8Path,
    /// The builder's folder in the run's, absolute.
    pub(super) folder: &'a Utf8Path,
}

/// Runs one builder from beginning to end. What goes wrong with it is part of its result.
pub(super) fn run(session: &mut Session<'_>, place: &Place<'_>, plan: &Plan) -> BuilderResult {
    let began = Instant::now();
    let mut result = BuilderResult::pending(&plan.builder, &plan.directory);
    let (outcome, reason) = attempt(session, place, plan, &mut result)
        .unwrap_or_else(|problem| (Outcome::Failure, Some(session.masked(&plain(&problem)))));
    result.outcome = Some(outcome);
    result.reason = reason;
    let took = began.elapsed();
    result.seconds = seconds(took);
    session.emit(&Event::BuilderFinished {
        builder: plan.builder.clone(),
        outcome,
        duration: took,
        reason: result.reason.clone(),
        folder: Some(place.folder.to_owned()),
    });
    result
}

fn attempt(
    session: &mut Session<'_>,
    place: &Place<'_>,
    plan: &Plan,
    result: &mut BuilderResult,
) -> Result<(Outcome, Option<String>), String> {
    let site = session.site;
    let told = |what: &str, error: std::io::Error| format!("{what}: {error}");
    let mut workspace = Workspace::open(&site.basedir, &plan.directory, owner(site.account.as_ref()))
        .map_err(|error| told("the slave's base directory cannot be used", error))?;
    let Some(_lock) = lock(session, place, plan, &workspace)? else {
        return Ok((Outcome::Interrupted, Some("interrupted while another run had its directory".to_owned())));
    };
    let mut active =
        begin_record(session, place, plan, &workspace).map_err(|error| told("no record of it can be kept", error))?;
    let prepared = workspace.lay_out().and_then(|()| workspace.tidy()).and_then(|()| {
        if mentions(plan, "socket-dir") {
            let sockets = workspace.make_sockets()?;
            active.update(|record| record.sockets = Some(sockets));
        }
        Ok(())
    });
    let prepared = prepared.map_err(|error| told("its folders cannot be made", error));
    if prepared.is_ok() {
        let user = site.account.as_ref();
        let (run, folder) = (place.run, place.folder);
        let mut work = Work { site, run, plan, workspace: &workspace, folder, suffix: "", active: &mut active, user };
        perform(session, &mut work, Which::All, &mut result.steps);
    }
    let properties = active.record.properties.iter();
    result.properties = properties.map(|(name, value)| (name.clone(), session.masked(value))).collect();
    if session.requests() >= 2 {
        // The next run does what is left to do here.
        active.update(|record| record.abandoned = true);
        return Ok((
            Outcome::Interrupted,
            Some("interrupted before it was cleaned up; the next run does that".to_owned()),
        ));
    }
    let tidied = tidy(&workspace, active);
    prepared?;
    Ok(match (judge(plan, &result.steps), tidied) {
        ((outcome, None), Err(problem)) => (outcome.and(Outcome::Warnings), Some(problem)),
        (judged, _) => judged,
    })
}

fn lock(
    session: &mut Session<'_>,
    place: &Place<'_>,
    plan: &Plan,
    workspace: &Workspace,
) -> Result<Option<Lock>, String> {
    let note = format!("pid {}, run {}", std::process::id(), place.run);
    let interrupts = session.interrupts;
    let mut waiting = |holder| {
        let (builder, lock) = (plan.builder.clone(), format!("builder directory {}", plan.directory));
        session.emit(&Event::Waiting { builder, lock, holder });
    };
    workspace
        .builder_locks()
        .and_then(|locks| Lock::wait(&locks, &plan.directory, &note, workspace.owner(), interrupts, 1, &mut waiting))
        .map_err(|error| format!("its directory cannot be locked: {error}"))
}

fn begin_record(
    session: &Session<'_>,
    place: &Place<'_>,
    plan: &Plan,
    workspace: &Workspace,
) -> std::io::Result<Active> {
    let record = Record {
        format: FORMAT,
        run: place.run.to_owned(),
        builder: plan.builder.clone(),
        directory: plan.directory.clone(),
        plan: camino::absolute_utf8(place.folder)?.join("plan.yaml"),
        basedir: workspace.basedir.clone(),
        account: session.site.account.clone(),
        runner: ProcessId::own()?,
        abandoned: false,
        sockets: None,
        step: None,
        leader: None,
        begun: Vec::new(),
        properties: IndexMap::new(),
        attempts: 0,
    };
    Active::create(place.active, record)
}

/// Performs steps and appends what came of them to `steps` and to `steps.jsonl`.
pub(super) fn perform(session: &mut Session<'_>, work: &mut Work<'_>, which: Which, steps: &mut Vec<StepResult>) {
    let plan = work.plan;
    let mut halted: Option<String> = None;
    for (index, step) in plan.steps.iter().enumerate() {
        let requests = session.requests();
        let skip = match which {
            Which::AlwaysRun if !step.always_run || !has_cause(plan, step, &work.active.record.begun) => continue,
            _ if requests >= 2 => Some("interrupted".to_owned()),
            Which::All if !step.always_run && requests >= 1 => Some("interrupted".to_owned()),
            Which::All if !step.always_run => halted.clone(),
            Which::All if !has_cause(plan, step, &work.active.record.begun) => Some("nothing to clean up".to_owned()),
            _ => None,
        };
        if skip.is_none() && !step.always_run && plan.steps.iter().any(|other| cleans_up_after(other, step)) {
            // Before it begins: a kill a moment later must not lose what it made.
            work.active.update(|record| record.begun.push(step.template.clone()));
        }
        let result = match skip {
            Some(reason) => work.skip(session, step, &reason),
            None => work.perform(session, index, step),
        };
        if result.outcome == Outcome::Failure && step.on_failure == OnFailure::Halt && halted.is_none() {
            halted = Some(format!("step `{}` failed", step.name));
        }
        note(work.folder, &result, Readers::of(work.user));
        steps.push(result);
    }
}

fn cleans_up_after(clean_up: &Step, step: &Step) -> bool {
    clean_up.always_run && !step.always_run && clean_up.template == step.template
}

/// Whether there can be something to clean up for a step that always runs: an earlier step of its template began, or the
/// template has no other steps.
fn has_cause(plan: &Plan, clean_up: &Step, begun: &[String]) -> bool {
    begun.contains(&clean_up.template) || !plan.steps.iter().any(|step| cleans_up_after(clean_up, step))
}

/// Appends a line to `steps.jsonl`. The same is in `result.json` later, so that nothing is lost if it fails.
fn note(folder: &Utf8Path, result: &StepResult, readers: Readers) {
    let file = readers.append(&folder.join("steps.jsonl"));
    if let (Ok(mut file), Ok(mut line)) = (file, serde_json::to_vec(result)) {
        line.push(b'\n');
        let _ = file.write_all(&line);
    }
}

/// Leaves nothing behind, and ends the record then.
///
/// # Errors
/// What is left behind, in a sentence. The record is there still if it is needed to try again.
pub(super) fn tidy(workspace: &Workspace, active: Active) -> Result<(), String> {
    let emptied = workspace.tidy().map_err(|error| format!("its temporary files are not all gone: {error}"));
    if let Some(sockets) = &active.record.sockets {
        remove_sockets(sockets).map_err(|error| format!("its folder for sockets is not gone: {error}"))?;
    }
    active.remove().map_err(|error| format!("its record is not gone: {error}"))?;
    emptied
}

/// What a builder's steps make of it, and which of them decided that.
fn judge(plan: &Plan, steps: &[StepResult]) -> (Outcome, Option<String>) {
    let interrupted = |step: &&StepResult| {
        step.outcome == Outcome::Interrupted
            || (step.outcome == Outcome::Skipped && step.reason.as_deref() == Some("interrupted"))
    };
    if let Some(step) = steps.iter().find(interrupted) {
        let when = if step.outcome == Outcome::Interrupted { "in" } else { "before" };
        return (Outcome::Interrupted, Some(format!("interrupted {when} step `{}`", step.name)));
    }
    let outcome = steps.iter().map(|step| step.outcome).filter(|outcome| *outcome != Outcome::Skipped);
    let outcome = outcome.fold(Outcome::Success, Outcome::and);
    if outcome == Outcome::Success {
        return (outcome, None);
    }
    let decisive = steps.iter().find(|step| step.outcome == outcome);
    let reason = decisive.map(|step| match &step.reason {
        Some(reason) => format!("step `{}`: {reason}", step.name),
        None => format!("step `{}`", step.name),
    });
    debug_assert!(plan.steps.len() == steps.len());
    (outcome, reason)
}
