//! The bundled runner: plans and a site in, events while it works, a result out. It runs the commands of plans and
//! keeps their logs; it knows nothing of farms, of what a step is for, or of who reads its events.
//!
//! It writes in two places: the site's state folder (`runs/` with logs and results, `active/` with what is needed to
//! clean up after a killed runner), and the slave's base directory. It may be killed at any moment.

mod active;
mod builder;
mod check;
mod environment;
mod event;
mod files;
mod folder;
mod interrupt;
mod keep;
mod lock;
mod log;
mod mask;
mod past;
mod process;
mod recover;
mod result;
mod save;
mod session;
mod site;
mod state;
mod step;
mod workspace;

use std::io;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use jiff::Timestamp;

pub use event::{Event, Stream};
pub use past::Past;
pub use recover::recover;
pub use result::{BuilderResult, Outcome, RunResult, StepResult};
pub use site::{Site, StepUser};

use crate::diagnostic::{Failure, other_state};
use crate::plan::Plan;
use builder::Place;
use mask::Mask;
use save::Readers;
use session::{Session, listen};
use state::State;

/// Runs plans one after the other on this machine, all on the same slave, and tells `observer` what happens.
///
/// Before them it cleans up after killed runners, as [`recover`] does. `SIGINT`, `SIGTERM` and `SIGHUP` end the current
/// step and skip what is left, but for steps that always run; a second one ends those too. While it works these
/// signals are its own, and after it they do nothing.
///
/// # Errors
/// A plan that cannot be executed, an account that needs root, or a state folder that cannot be written to. What goes
/// wrong in a builder is no error but part of the result.
pub fn run(plans: &[Plan], site: &Site, observer: &mut dyn FnMut(&Event)) -> Result<RunResult, Failure> {
    check::check(plans)?;
    check_account(site)?;
    let began = Instant::now();
    let started = Timestamp::now();
    let (mask, interrupts) = (Mask::new(&site.secrets), listen()?);
    let mut session = Session::new(site, &mask, &interrupts, observer);
    let readers = Readers::of(site.account.as_ref());
    let state = State::open(&site.state, readers)?;
    recover::recover_all(&mut session, &state)?;

    let told = |error: io::Error| {
        Failure::error(format!("cannot keep the run in {}: {error}", site.state)).help(other_state(&error))
    };
    let id = state.begin(started).map_err(told)?;
    let folder = state.run(&id);
    let builders = plans.iter().map(|plan| BuilderResult::pending(&plan.builder, &plan.directory)).collect();
    let mut result =
        RunResult { run: id.clone(), folder: folder.clone(), outcome: None, started, seconds: 0.0, builders };
    readers.save_json(&folder.join("result.json"), &result).map_err(told)?;
    let builders = plans.iter().map(|plan| plan.builder.clone()).collect();
    session.emit(&Event::RunStarted { run: id.clone(), folder: folder.clone(), builders });

    for (index, plan) in plans.iter().enumerate() {
        result.builders[index] = if session.requests() >= 1 {
            skipped(&mut session, plan)
        } else {
            let (builder, total) = (plan.builder.clone(), plans.len());
            session.emit(&Event::BuilderStarted { builder, index: index + 1, total });
            let place = folder.join(&plan.directory);
            keep_plan(&place, plan, readers).map_err(told)?;
            builder::run(&mut session, &Place { run: &id, active: &state.active(), folder: &place }, plan)
        };
        result.seconds = result::seconds(began.elapsed());
        readers.save_json(&folder.join("result.json"), &result).map_err(told)?;
    }

    let outcomes = result.builders.iter().filter_map(|builder| builder.outcome);
    let outcome = outcomes.filter(|outcome| *outcome != Outcome::Skipped).fold(Outcome::Success, Outcome::and);
    let outcome = if session.requests() >= 1 { Outcome::Interrupted } else { outcome };
    result.outcome = Some(outcome);
    let duration = began.elapsed();
    result.seconds = result::seconds(duration);
    readers.save_json(&folder.join("result.json"), &result).map_err(told)?;
    session.emit(&Event::RunFinished { run: id, outcome, duration, folder });
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

fn keep_plan(folder: &Utf8Path, plan: &Plan, readers: Readers) -> io::Result<()> {
    readers.make_folder(folder)?;
    let text = serde_yaml::to_string(plan).map_err(io::Error::other)?;
    readers.save(&folder.join("plan.yaml"), text.as_bytes())
}

fn skipped(session: &mut Session<'_>, plan: &Plan) -> BuilderResult {
    let mut result = BuilderResult::pending(&plan.builder, &plan.directory);
    let (outcome, reason) = (Outcome::Skipped, "interrupted".to_owned());
    result.outcome = Some(outcome);
    result.reason = Some(reason.clone());
    let (builder, reason) = (plan.builder.clone(), Some(reason));
    session.emit(&Event::BuilderFinished { builder, outcome, duration: Duration::ZERO, reason, folder: None });
    result
}
