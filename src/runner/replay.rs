//! The entries of a journal in, the result of the run out: the same, whether the run has just ended, is at work, or was
//! killed and cleaned up by another.

use camino::Utf8PathBuf;

use super::event::{Entry, Event, Planned};
use super::result::{BuilderResult, Outcome, RunResult};

/// What the entries add up to; none if they do not begin with the beginning of a run.
///
/// Where they tell of a run that has not ended, what has not ended has no outcome. `folder` is where the run is now.
pub fn replay<'a>(entries: impl IntoIterator<Item = &'a Entry>, folder: Utf8PathBuf) -> Option<RunResult> {
    let mut entries = entries.into_iter();
    let mut result = entries.find_map(|entry| begin(entry, folder.clone()))?;
    for entry in entries {
        take(&mut result, entry);
        if result.outcome.is_none() {
            result.seconds = result.seconds.max(entry.at);
        }
    }
    Some(result)
}

fn begin(entry: &Entry, folder: Utf8PathBuf) -> Option<RunResult> {
    let Event::RunStarted { run, slave, jobs, builders, trigger, .. } = &entry.event else { return None };
    let pending = |planned: &Planned| BuilderResult::pending(&planned.builder, &planned.build, &planned.directory);
    Some(RunResult {
        run: run.clone(),
        folder,
        slave: slave.clone(),
        jobs: *jobs,
        outcome: None,
        started: entry.time,
        seconds: 0.0,
        builders: builders.iter().map(pending).collect(),
        trigger: trigger.clone(),
    })
}

/// Adds what one more entry tells.
pub(super) fn take(run: &mut RunResult, entry: &Entry) {
    match &entry.event {
        Event::BuilderStarted { builder, .. } => {
            if let Some(builder) = find(run, builder) {
                builder.at = entry.at;
            }
        }
        Event::StepFinished { builder, result } => {
            if let Some(builder) = find(run, builder) {
                builder.steps.push(result.clone());
            }
        }
        Event::BuilderFinished { builder, outcome, seconds, reason, properties } => {
            if let Some(builder) = find(run, builder) {
                // A later runner that cleaned up has the last word.
                builder.outcome = Some(*outcome);
                builder.reason.clone_from(reason);
                builder.seconds = *seconds;
                builder.properties.clone_from(properties);
            }
        }
        Event::RunFinished { outcome, seconds } => {
            run.outcome = Some(*outcome);
            run.seconds = *seconds;
        }
        Event::RunStarted { .. }
        | Event::Recovering { .. }
        | Event::Recovered { .. }
        | Event::Interrupted { .. }
        | Event::Waiting { .. }
        | Event::StepStarted { .. }
        | Event::ProcessStarted { .. }
        | Event::Output { .. }
        | Event::StepRetried { .. }
        | Event::DatabaseKept { .. } => {}
    }
}

fn find<'a>(run: &'a mut RunResult, builder: &str) -> Option<&'a mut BuilderResult> {
    run.builders.iter_mut().find(|result| result.builder == builder)
}

/// How a run ended whose builders ended so, and whether the user stopped it.
pub(super) fn outcome(builders: &[BuilderResult], interrupted: bool) -> Outcome {
    if interrupted {
        return Outcome::Interrupted;
    }
    let outcomes = builders.iter().filter_map(|builder| builder.outcome);
    outcomes.filter(|outcome| *outcome != Outcome::Skipped).fold(Outcome::Success, Outcome::and)
}
