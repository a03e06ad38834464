//! What a run kept in, the model of its page out: its result, the plans of its builders, and how builders ended before.
//! Logs are only named here.

use std::collections::HashMap;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use serde::Deserialize;

use super::model::{Attempt, Builder, Followed, Past, Run, Step};
use crate::runner::{self, BuilderResult, Ended, Outcome, RunResult, StepResult};

/// The property that has the version of PostgreSQL, as the built-in capability declares it.
const POSTGRESQL: &str = "pg_version";
/// More earlier runs than these say nothing about today.
const MOST_PAST: usize = 40;

/// What a page takes from a plan. The rest of it may be of another farmout's format.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Planned {
    properties: IndexMap<String, String>,
}

impl Run {
    /// The run with this result, whose folder is where it says. Of `past`, in any order, those builders count that ended
    /// before it began. A plan that cannot be read is done without.
    pub fn new(result: &RunResult, past: &[Ended]) -> Self {
        let mut past: Vec<_> = past.iter().filter(|ended| ended.ended <= result.started).collect();
        past.sort_by(|one, other| (one.ended, &one.run).cmp(&(other.ended, &other.run)));
        let mut past = by_builder(&past);
        let builders = result.builders.iter().map(|builder| {
            let past = past.remove(builder.builder.as_str()).unwrap_or_default();
            read_builder(result, builder, past)
        });
        Self {
            id: result.run.clone(),
            slave: (!result.slave.is_empty()).then(|| result.slave.clone()),
            trigger: result.trigger.as_ref().map(super::super::trigger::lines).unwrap_or_default(),
            jobs: result.jobs,
            outcome: result.outcome,
            started: result.started,
            seconds: result.seconds,
            builders: builders.collect(),
        }
    }
}

/// How each builder fared in earlier runs.
fn by_builder<'a>(past: &[&'a Ended]) -> HashMap<&'a str, Vec<Past>> {
    let mut builders: HashMap<_, Vec<_>> = HashMap::new();
    // One that was skipped tells nothing of how it fares.
    for ended in past.iter().filter(|ended| ended.outcome != Outcome::Skipped) {
        let past = Past { run: ended.run.clone(), outcome: ended.outcome, seconds: ended.seconds };
        builders.entry(ended.builder.as_str()).or_default().push(past);
    }
    builders
}

fn read_builder(run: &RunResult, result: &BuilderResult, mut past: Vec<Past>) -> Builder {
    let folder = inside(&run.folder, &result.directory);
    let planned = folder.as_ref().and_then(|_| fs::read_to_string(run.plan(result)).ok());
    let planned: Planned = planned.and_then(|text| serde_yaml::from_str(&text).ok()).unwrap_or_default();
    let mut properties = planned.properties;
    properties.extend(result.properties.clone());
    properties.retain(|_, value| !value.is_empty());
    past.drain(..past.len().saturating_sub(MOST_PAST));
    Builder {
        name: result.builder.clone(),
        build: if result.build.is_empty() { &result.builder } else { &result.build }.clone(),
        postgresql: properties.get(POSTGRESQL).cloned(),
        outcome: result.outcome,
        reason: result.reason.clone(),
        seconds: result.seconds,
        properties,
        steps: result.steps.iter().map(|step| read_step(folder.as_deref(), step)).collect(),
        past,
    }
}

fn read_step(folder: Option<&Utf8Path>, result: &StepResult) -> Step {
    let path = |log: &Option<String>| log.as_ref().and_then(|log| inside(folder?, log));
    let followed = |all: &[runner::Followed]| {
        let all =
            all.iter().filter_map(|one| Some(Followed { file: one.file.clone(), log: inside(folder?, &one.log)? }));
        all.collect::<Vec<_>>()
    };
    let attempt = |attempt: &runner::Attempt| Attempt {
        reason: attempt.reason.clone(),
        seconds: attempt.seconds,
        log: path(&attempt.log),
        followed: followed(&attempt.followed),
    };
    Step {
        name: result.name.clone(),
        phase: result.phase,
        outcome: result.outcome,
        reason: result.reason.clone(),
        started: result.started,
        at: result.at,
        waited: result.waited,
        seconds: result.seconds,
        retried: result.retried.iter().map(attempt).collect(),
        exit: result.exit,
        signal: result.signal,
        command: result.command.clone(),
        directory: result.directory.clone(),
        log: path(&result.log),
        followed: followed(&result.followed),
    }
}

/// The path of what has this name in a folder. A run may come from elsewhere: nothing in it leads out of its folder.
fn inside(folder: &Utf8Path, name: &str) -> Option<Utf8PathBuf> {
    (Utf8Path::new(name).file_name() == Some(name)).then(|| folder.join(name))
}
