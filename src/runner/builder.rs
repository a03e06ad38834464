//! One builder: its lock, its record, its folders, its steps in order, and the tidying after them.

use std::collections::HashSet;
use std::time::Instant;

use camino::Utf8Path;
use indexmap::IndexMap;

use super::account::owner;
use super::active::{Active, FORMAT, Record};
use super::before::Before;
use super::choice::{self, Providers, cleans_up_after};
use super::environment::mentions;
use super::event::Event;
use super::kept;
use super::result::{BuilderResult, Outcome, StepResult, seconds};
use super::run::PLAN;
use super::session::Session;
use super::step::Work;
use crate::diagnostic::plain;
use crate::group::ProcessId;
use crate::plan::{OnFailure, Phase, Plan, Step};
use crate::workspace::builder::{Workspace, remove_sockets};
use crate::workspace::lock::{Lock, Wish};
use crate::workspace::queue::Turn;
use crate::workspace::stray::{self, Mark};

/// Which steps to perform.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which<'a> {
    /// As far as it goes, all but those with a reason to leave them out.
    All(&'a [Option<String>]),
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
    /// What an earlier run kept or left for this one.
    pub(super) before: &'a Before,
}

/// Runs one builder from beginning to end. What goes wrong with it is part of its result.
pub(super) fn run(session: &Session<'_>, place: &Place<'_>, plan: &Plan) -> BuilderResult {
    let began = Instant::now();
    let mut result = BuilderResult::pending(&plan.builder, &plan.build, &plan.directory);
    result.at = session.now();
    let (outcome, reason) = attempt(session, place, plan, &mut result)
        .unwrap_or_else(|problem| (Outcome::Failure, Some(session.masked(&plain(&problem)))));
    result.outcome = Some(outcome);
    result.reason = reason;
    result.seconds = seconds(began.elapsed());
    session.emit_durably(finished(&result));
    result
}

/// The event of the end of a builder.
pub(super) fn finished(result: &BuilderResult) -> Event {
    Event::BuilderFinished {
        builder: result.builder.clone(),
        outcome: result.outcome.unwrap_or(Outcome::Interrupted),
        seconds: result.seconds,
        reason: result.reason.clone(),
        properties: result.properties.clone(),
    }
}

fn attempt(
    session: &Session<'_>,
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
    // A step that is performed alone may need nothing, and so says itself what it lacks.
    if session.options.from.is_some() && !workspace.builder.join("build").exists() {
        return Err("there is nothing to go on with: it was never built here; run it once without --from".to_owned());
    }
    let earlier = inherit(session, place, plan, &mut workspace)?;
    let inherited = earlier.as_ref().map(|earlier| earlier.record.kept.clone()).unwrap_or_default();
    let mut active = begin_record(session, place, plan, &workspace, inherited)
        .map_err(|error| told("no record of it can be kept", error))?;
    // Not before: whoever is killed in between has two records rather than none.
    earlier.map_or(Ok(()), Active::remove).map_err(|error| told("an earlier record of it is not gone", error))?;
    let prepared = workspace.lay_out().and_then(|()| workspace.tidy()).and_then(|()| {
        if mentions(plan, "socket-dir") && workspace.sockets.is_none() {
            let sockets = workspace.make_sockets()?;
            active.update(|record| record.sockets = Some(sockets));
        }
        Ok(())
    });
    let prepared = prepared.map_err(|error| told("its folders cannot be made", error));
    let mut begun = HashSet::new();
    if prepared.is_ok() {
        let left_out = choice::left_out(plan, session.options, &active.record.inherited);
        let mut work = Work {
            session,
            run: place.run,
            plan,
            workspace: &workspace,
            folder: place.folder,
            suffix: "",
            begun: active.record.inherited.iter().cloned().collect(),
            providers: Providers::of(plan),
            active: &mut active,
            user: site.account.as_ref(),
            expected: &place.before.steps,
        };
        perform(&mut work, Which::All(&left_out), &mut result.steps);
        begun = work.begun;
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
    let mut kept = choice::kept_templates(plan, session.options);
    kept.retain(|template| begun.contains(template));
    let left = not_cleaned_up(plan, &result.steps);
    let tidied = if !left.is_empty() {
        active.update(|record| (record.left, record.abandoned) = (left, true));
        Ok(())
    } else if !kept.is_empty() {
        kept::tell(session, plan, &workspace, &active.record.properties, place.run);
        active.update(|record| record.kept = kept);
        Ok(())
    } else {
        let ended = end_strays(session, &active.record);
        tidy(&workspace, active).and(ended)
    };
    prepared?;
    Ok(match (judge(plan, &result.steps), tidied) {
        ((outcome, reason), Err(problem)) => {
            let reason = reason.map_or_else(|| problem.clone(), |reason| format!("{reason}; {problem}"));
            (outcome.and(Outcome::Warnings), Some(reason))
        }
        (judged, Ok(())) => judged,
    })
}

fn lock<'a>(
    session: &Session<'a>,
    place: &Place<'_>,
    plan: &Plan,
    workspace: &Workspace,
) -> Result<Option<(Lock, Turn<'a>)>, String> {
    let note = format!("pid {}, run {}", std::process::id(), place.run);
    let mut waiting = |holder| {
        let (builder, lock) = (plan.builder.clone(), format!("builder directory {}", plan.directory));
        session.emit(Event::Waiting { builder, lock, holder });
    };
    workspace
        .builder_locks()
        .and_then(|folder| {
            let (name, owner) = (plan.directory.as_str(), workspace.owner());
            let wish = Wish { folder: &folder, name, note: &note, owner, patience: 1 };
            Lock::wait(&wish, session.queues, session.interrupts, &mut waiting)
        })
        .map_err(|error| format!("its directory cannot be locked: {error}"))
}

/// Takes over what an earlier run of the builder kept, where this one goes on with it, or removes it. The record of what was
/// taken over.
fn inherit(
    session: &Session<'_>,
    place: &Place<'_>,
    plan: &Plan,
    workspace: &mut Workspace,
) -> Result<Option<Active>, String> {
    let Some(earlier) = kept::find(place.active, &workspace.basedir, &plan.directory) else { return Ok(None) };
    workspace.sockets.clone_from(&earlier.record.sockets);
    if session.options.goes_on() {
        return Ok(Some(earlier));
    }
    // Where it cannot be removed that was told, and the builder runs all the same.
    let _ = kept::remove(session, earlier, workspace);
    workspace.sockets = None;
    Ok(None)
}

fn begin_record(
    session: &Session<'_>,
    place: &Place<'_>,
    plan: &Plan,
    workspace: &Workspace,
    inherited: Vec<String>,
) -> std::io::Result<Active> {
    let properties = if session.options.goes_on() { place.before.properties.clone() } else { IndexMap::new() };
    let record = Record {
        format: FORMAT,
        run: place.run.to_owned(),
        builder: plan.builder.clone(),
        directory: plan.directory.clone(),
        plan: camino::absolute_utf8(place.folder)?.join(PLAN),
        basedir: workspace.basedir.clone(),
        account: session.site.account.clone(),
        runner: ProcessId::own()?,
        abandoned: false,
        sockets: workspace.sockets.clone(),
        inherited,
        kept: Vec::new(),
        left: Vec::new(),
        properties,
        attempts: 0,
    };
    Active::create(place.active, record)
}

/// Performs steps and appends what came of them to `steps`.
pub(super) fn perform(work: &mut Work<'_>, which: Which<'_>, steps: &mut Vec<StepResult>) {
    let plan = work.plan;
    let mut halted: Option<String> = None;
    for (index, step) in plan.steps.iter().enumerate() {
        let requests = work.session.requests();
        let skip = match which {
            Which::AlwaysRun if !step.always_run || !has_cause(plan, step, &work.begun) => continue,
            _ if requests >= 2 => Some("interrupted".to_owned()),
            Which::All(_) if !step.always_run && requests >= 1 => Some("interrupted".to_owned()),
            Which::All(left_out) if left_out.get(index).is_some_and(Option::is_some) => left_out[index].clone(),
            Which::All(_) if !step.always_run => halted.clone(),
            Which::All(_) if !has_cause(plan, step, &work.begun) => Some("nothing to clean up".to_owned()),
            _ => None,
        };
        if skip.is_none() && work.providers.has(step) {
            work.begun.insert(step.template.clone());
        }
        let result = match skip {
            Some(reason) => work.skip(step, &reason),
            None => work.perform(index, step),
        };
        if result.outcome == Outcome::Failure && step.on_failure == OnFailure::Halt && halted.is_none() {
            halted = Some(format!("step `{}` failed", step.name));
        }
        steps.push(result);
    }
}

/// Whether there can be something to clean up for a step that always runs: an earlier step of its template began, or the
/// template has no other steps.
fn has_cause(plan: &Plan, clean_up: &Step, begun: &HashSet<String>) -> bool {
    begun.contains(&clean_up.template) || !plan.steps.iter().any(|step| cleans_up_after(clean_up, step))
}

/// The templates whose clean-up went wrong, so that something is left.
fn not_cleaned_up(plan: &Plan, steps: &[StepResult]) -> Vec<String> {
    let of_phase = |clean_up: &Step, phase: Phase| {
        plan.steps.iter().any(|step| step.phase == phase && cleans_up_after(clean_up, step))
    };
    let clean_ups = plan.steps.iter().filter(|step| step.always_run);
    let results = clean_ups.filter_map(|step| Some((step, steps.iter().find(|result| result.name == step.name)?)));
    let results: Vec<(&Step, Outcome)> = results.map(|(step, result)| (step, result.outcome)).collect();
    let ended = |outcomes: &[Outcome], phase: Option<Phase>| -> Vec<&Step> {
        let ended = results.iter().filter(|(_, outcome)| outcomes.contains(outcome)).map(|(step, _)| *step);
        ended.filter(|step| phase.is_none_or(|phase| of_phase(step, phase))).collect()
    };
    let mut left = ended(&[Outcome::Failure, Outcome::Warnings], None);
    if !ended(&[Outcome::Success], Some(Phase::Prepare)).is_empty() {
        // A database that could not be dropped is gone with the private cluster that it was in.
        left.retain(|step| !of_phase(step, Phase::Db));
    }
    left.into_iter().map(|step| step.template.clone()).collect()
}

/// Ends the processes that the builder's steps left running.
///
/// # Errors
/// Which these were, in a sentence: it is for clean-up steps to stop servers.
pub(super) fn end_strays(session: &Session<'_>, record: &Record) -> Result<(), String> {
    let mark = Mark::builder(&record.run, &record.directory);
    let ended = stray::end(&mark, None, session.site.grace, session.interrupts)
        .map_err(|error| format!("what its steps left running cannot be ended: {error}"))?;
    ended.told().map_or(Ok(()), |told| Err(session.masked(&plain(&told))))
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
