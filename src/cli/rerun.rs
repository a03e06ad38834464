//! `farmout rerun`: the plans of an earlier run once more.

use super::Exit;
use super::aftermath::Aftermath;
use super::execute::ExecuteArguments;
use super::farm::{FarmArguments, Pick, farm_file, right};
use super::machine::{LOCAL, state};
use super::secret::{SecretArguments, places};
use crate::diagnostic::{Failure, suggest};
use crate::plan::Plan;
use crate::runner::{BuilderResult, Outcome, Past, RunResult};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The run, by its id
    #[arg(value_name = "RUN", default_value = "latest")]
    run: String,
    /// Of its builders only these, by name or by pattern
    #[arg(value_name = "BUILDER")]
    builders: Vec<String>,
    /// Only the builders that did not come to a good end
    #[arg(long)]
    failed: bool,
    #[command(flatten)]
    farm: FarmArguments,
    #[command(flatten)]
    secrets: SecretArguments,
    #[command(flatten)]
    execute: ExecuteArguments,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let layout = arguments.farm.layout();
    let state = state(arguments.execute.state.as_ref(), Some(&layout.root));
    let past = Past::open(&state, &arguments.run)?;
    let run = past.result();
    let pick = Pick::new(&arguments.builders)?;
    let matching: Vec<_> = run.builders.iter().filter(|builder| pick.matches(&builder.builder)).collect();
    if matching.is_empty() {
        let names = suggest::list(run.builders.iter().map(|builder| builder.builder.as_str()));
        return Err(Failure::misuse(format!("the run {} had no such builder", run.run)).help(format!("it had {names}")));
    }
    let chosen: Vec<_> = matching.into_iter().filter(|builder| !arguments.failed || !is_fine(builder)).collect();
    if chosen.is_empty() {
        say!("nothing failed in run {}", run.run);
        return Ok(Exit::Fine);
    }
    let plans = chosen.into_iter().map(|builder| kept_plan(run, builder)).collect::<Result<Vec<_>, _>>()?;
    let needs_secrets = plans.iter().any(|plan| !plan.secrets.is_empty());
    let secrets = arguments.secrets.of(&plans, arguments.execute.dry_run, || {
        // A slave that was found, not declared, has got a new password since; its plans name none.
        let known = plans.iter().all(|plan| plan.slave != LOCAL);
        let farm = (needs_secrets && known).then(|| super::farm::read(&layout).and_then(right)).transpose()?;
        Ok(farm.map(|farm| places(&farm)))
    })?;
    let farm = farm_file(&layout)?;
    let slave = plans.first().map_or("", |plan| plan.slave.as_str());
    let aftermath = Aftermath::of(&layout, &farm.notify, farm.keep).on_slave(slave, &[], &secrets);
    let account = if arguments.execute.dry_run { None } else { arguments.execute.choose()? };
    arguments.execute.execute(&plans, secrets, &state, account, aftermath)
}

fn is_fine(builder: &BuilderResult) -> bool {
    matches!(builder.outcome, Some(Outcome::Success | Outcome::Warnings))
}

/// The plan that the run kept.
pub(super) fn kept_plan(run: &RunResult, builder: &BuilderResult) -> Result<Plan, Failure> {
    let path = run.plan(builder);
    let cannot = |error: &dyn std::fmt::Display| Failure::misuse(format!("cannot read the plan {path}: {error}"));
    let text = std::fs::read_to_string(&path).map_err(|error| cannot(&error))?;
    serde_yaml::from_str(&text).map_err(|error| cannot(&error))
}
