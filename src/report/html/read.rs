//! What a run kept in, the model of its page out: `result.json`, the plans of its builders, and the results of earlier
//! runs. Logs are only named here.

use std::collections::HashMap;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use serde::Deserialize;

use super::model::{Builder, Past, Run, Step};
use crate::diagnostic::Failure;
use crate::runner::{BuilderResult, Outcome, RunResult, StepResult};

/// The property that has the version of PostgreSQL, as the built-in capability declares it.
const POSTGRESQL: &str = "pg_version";
/// More earlier runs than these say nothing about today.
const MOST_PAST: usize = 40;

/// What a page takes from a plan. The rest of it may be of another farmout's format.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Planned {
    build: Option<String>,
    slave: Option<String>,
    properties: IndexMap<String, String>,
}

impl Run {
    /// Reads the run that is kept in `folder`. Of `past`, in any order, those runs count that began before it.
    ///
    /// # Errors
    /// There is no `result.json`, or it is none of farmout's. A plan that cannot be read is done without.
    pub fn read(folder: &Utf8Path, past: &[RunResult]) -> Result<Self, Failure> {
        let path = folder.join("result.json");
        let text =
            fs::read_to_string(&path).map_err(|error| Failure::misuse(format!("cannot read {path}: {error}")))?;
        let result: RunResult = serde_json::from_str(&text)
            .map_err(|error| Failure::misuse(format!("{path} is no result of this farmout's: {error}")))?;
        let mut past: Vec<_> = past.iter().filter(|past| past.started < result.started).collect();
        past.sort_by(|one, other| (one.started, &one.run).cmp(&(other.started, &other.run)));
        let mut past = by_builder(&past);
        let builders = result.builders.iter().map(|builder| {
            let past = past.remove(builder.builder.as_str()).unwrap_or_default();
            read_builder(folder, builder, past)
        });
        let builders = builders.collect();
        Ok(Self { id: result.run, outcome: result.outcome, started: result.started, seconds: result.seconds, builders })
    }
}

/// How each builder fared in earlier runs.
fn by_builder<'a>(past: &[&'a RunResult]) -> HashMap<&'a str, Vec<Past>> {
    let mut builders: HashMap<_, Vec<_>> = HashMap::new();
    for (run, builder) in past.iter().flat_map(|run| run.builders.iter().map(|builder| (&run.run, builder))) {
        // One that was skipped tells nothing of how it fares.
        if let Some(outcome) = builder.outcome.filter(|outcome| *outcome != Outcome::Skipped) {
            let past = Past { run: run.clone(), outcome, seconds: builder.seconds };
            builders.entry(builder.builder.as_str()).or_default().push(past);
        }
    }
    builders
}

fn read_builder(run: &Utf8Path, result: &BuilderResult, mut past: Vec<Past>) -> Builder {
    let folder = inside(run, &result.directory);
    let planned = folder.as_ref().and_then(|folder| fs::read_to_string(folder.join("plan.yaml")).ok());
    let planned: Planned = planned.and_then(|text| serde_yaml::from_str(&text).ok()).unwrap_or_default();
    let mut properties = planned.properties;
    properties.extend(result.properties.clone());
    properties.retain(|_, value| !value.is_empty());
    past.drain(..past.len().saturating_sub(MOST_PAST));
    Builder {
        name: result.builder.clone(),
        build: planned.build.unwrap_or_else(|| result.builder.clone()),
        slave: planned.slave,
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
    Step {
        name: result.name.clone(),
        phase: result.phase,
        outcome: result.outcome,
        reason: result.reason.clone(),
        started: result.started,
        waited: 0.0,
        seconds: result.seconds,
        attempts: 1,
        exit: result.exit,
        signal: result.signal,
        command: result.command.clone(),
        directory: result.directory.clone(),
        log: result.log.as_ref().and_then(|log| inside(folder?, log)),
    }
}

/// The path of what has this name in a folder. A run may come from elsewhere: nothing in it leads out of its folder.
fn inside(folder: &Utf8Path, name: &str) -> Option<Utf8PathBuf> {
    (Utf8Path::new(name).file_name() == Some(name)).then(|| folder.join(name))
}
