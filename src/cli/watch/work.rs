//! An order to a run: the plans of a build, run as `farmout run` does, told of in a few lines.

use camino::Utf8PathBuf;

use super::super::execute::site;
use super::super::property::PropertyArguments;
use super::farm::Farm;
use super::tell;
use crate::diagnostic::Failure;
use crate::host::{Account, place};
use crate::model::{Secrets, Trigger};
use crate::report::duration;
use crate::runner::{self, Event, Options, Outcome, RunResult};
use crate::watch::Order;

/// How orders are carried out.
#[derive(Debug, Clone)]
pub(super) struct Manner {
    pub(super) state: Utf8PathBuf,
    pub(super) account: Option<Account>,
    pub(super) properties: PropertyArguments,
    pub(super) retries: u32,
    pub(super) jobs: Option<std::num::NonZeroUsize>,
}

/// Runs the build of an order.
///
/// # Errors
/// The run cannot begin.
pub(super) fn carry_out(order: &Order, farm: &Farm, manner: &Manner) -> Result<RunResult, Failure> {
    let plans = farm.plans(&order.build, &manner.properties)?;
    let longest = plans.iter().map(|plan| plan.directory.as_str()).max_by_key(|directory| directory.len());
    place::check(&manner.state, farm.slave(), longest.unwrap_or_default(), manner.account.as_ref())?;
    let secrets = farm.secrets(&plans);
    let mut aftermath = farm.aftermath(secrets.as_ref().unwrap_or(&Secrets::new()));
    aftermath.account(manner.account.as_ref());
    let changes = order.changes.iter().map(|change| change.as_ref().clone()).collect();
    let trigger = Trigger { request: order.request.clone(), changes, wish: order.wish.clone() };
    let (retries, jobs) = (manner.retries, manner.jobs);
    let options = Options { retries, jobs, trigger: Some(trigger), ..Options::default() };
    let place = |secrets| site(secrets, &manner.state, farm.slave(), manner.account.clone());
    let ran = secrets.and_then(place).and_then(|mut site| {
        site.log_limit = aftermath.log_limit().or(site.log_limit);
        aftermath.begin(&site)?;
        runner::run(&plans, &site, &options, &mut |entry| {
            aftermath.observe(entry);
            observe(&order.build, &entry.event);
        })
    });
    aftermath.end(&manner.state, ran.as_ref().err());
    ran
}

/// What there is to say of an event: the rest is in the run's journal.
fn observe(build: &str, event: &Event) {
    match event {
        Event::RunStarted { run, .. } => tell(&format!("{build}: run {run} begins")),
        Event::Recovered { run, builder, problem: Some(problem) } => {
            tell(&format!("warning: {builder} of run {run} is not cleaned up: {problem}"));
        }
        Event::BuilderFinished { builder, outcome, seconds, reason, .. } if *outcome != Outcome::Skipped => {
            let took = duration(std::time::Duration::try_from_secs_f64(*seconds).unwrap_or_default());
            let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            tell(&format!("{builder}: {} after {took}{reason}", outcome.word()));
        }
        _ => {}
    }
}
