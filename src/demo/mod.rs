//! A farm shown on Buildbot: a master and some of its workers on loopback, for a while. In: an environment with Buildbot in it,
//! and what writes the farm for a master. Out: a master that answers, what happens there, and in the end nothing: no process and
//! no file. It knows nothing of farms but the names of workers and builders.

mod again;
mod follow;
mod guard;
mod layout;
mod program;
mod web;

use std::time::{Duration, Instant};

use camino::Utf8Path;

use crate::diagnostic::{Failure, plain};
use crate::host::{Account, Buildbot, Workshop};
use crate::interrupt::Interrupts;
use crate::model::Secret;
use crate::offspring::{end_all, interrupted};
use crate::runner::{Adopting, adopt, with_rights_of};
use crate::workspace::stray;

pub use again::again;
pub use follow::Follower;
pub use guard::{Guard, stand};
use guard::{Orders, tidy};
use layout::{Layout, Ports};
use program::Program;
pub use web::Web;

/// How long a master or a worker may take to start. Machines are slow, and others use them too.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at what is started.
const GLANCE: Duration = Duration::from_millis(100);
/// How often ports are chosen that somebody else then takes.
const TRIES: usize = 5;

/// What a demonstration is made of.
pub struct Setting<'a> {
    /// The programs.
    pub buildbot: &'a Buildbot,
    /// Whom they run as, if that is not the caller.
    pub account: Option<&'a Account>,
    /// The workers that are there, by their names on the master, with what they show to it.
    pub workers: &'a [(String, Secret)],
    /// The port of the web pages, if it must be a certain one.
    pub port: Option<u16>,
    /// Variables that are not for builds, as they hold secrets.
    pub hidden: &'a [String],
    /// Who cleans up if this process is killed.
    pub guard: &'a Guard,
    /// Whether the workshop stays.
    pub keep: bool,
}

/// A master and workers that run. They end when this is dropped; [`Demonstration::end`] says how that went.
pub struct Demonstration<'a> {
    web: Web,
    workers: &'a [(String, Secret)],
    account: Option<(u32, u32)>,
    layout: Layout,
    programs: Vec<Program>,
    interrupts: &'a Interrupts,
    guard: &'a Guard,
    adopting: Option<Adopting>,
    workshop: Option<Workshop>,
}

impl<'a> Demonstration<'a> {
    /// Starts a master and its workers in a workshop, and waits until they have found each other.
    ///
    /// Comes in, besides: what writes the farm into the master's directory, with the rights of the account.
    ///
    /// # Errors
    /// They do not start, or not in time; the port is taken; a request to stop. Nothing is left of them then.
    pub fn start(
        setting: &Setting<'a>,
        workshop: Workshop,
        write: &dyn Fn(&Utf8Path) -> Result<(), Failure>,
        interrupts: &'a Interrupts,
    ) -> Result<Self, Failure> {
        let account = setting.account.map(|account| (account.uid, account.gid));
        let layout = Layout::new(workshop.path());
        let mut demonstration = Self {
            web: Web::new(0),
            workers: setting.workers,
            account,
            layout,
            programs: Vec::new(),
            interrupts,
            guard: setting.guard,
            adopting: None,
            workshop: Some(workshop),
        };
        demonstration.set_up(setting, write)?;
        Ok(demonstration)
    }

    fn set_up(
        &mut self,
        setting: &Setting<'_>,
        write: &dyn Fn(&Utf8Path) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Some(workshop) = &self.workshop else { return Ok(()) };
        setting.guard.order(&Orders {
            process: setting.guard.process().clone(),
            directory: workshop.path().to_owned(),
            workers: setting.workers.iter().map(|(name, _)| self.layout.worker(name)).collect(),
            account: self.account,
            keep: setting.keep,
        })?;
        let probe = workshop.probe(PATIENCE).without(setting.hidden);
        let probe = probe.with(stray::VARIABLE, setting.guard.mark().value());
        let farmout = workshop.program.clone();
        let [python, buildbot] = setting.buildbot.program("buildbot");
        let master = self.layout.master.clone();
        probe
            .run(&python, &[buildbot.as_str(), "create-master", "--quiet", "-r", master.as_str()])
            .map_err(|problem| Failure::error(format!("`buildbot create-master` {problem}")))?;
        as_account(self.account, || self.layout.write_master().and_then(|()| write(&master)))??;
        let mut tries = 0;
        loop {
            tries += 1;
            let ports = Ports::choose(setting.port)?;
            as_account(self.account, || self.layout.write_settings(&ports, &farmout, setting.workers))??;
            self.web = Web::new(ports.www);
            self.programs = vec![Program::start(&probe, [&python, &buildbot], &master, "the master")?];
            match self.attend("the master answers", |web| Ok(!web.builders()?.is_empty())) {
                Ok(()) => break,
                // Somebody else was faster.
                Err(_) if tries < TRIES && self.programs[0].lacks_port(self.account) => {}
                Err(failure) => return Err(failure),
            }
        }
        let [python, worker] = setting.buildbot.program("buildbot-worker");
        for (name, _) in self.workers {
            let told = format!("the worker {name}");
            self.programs.push(Program::start(&probe, [&python, &worker], &self.layout.worker(name), &told)?);
        }
        let workers = self.workers;
        self.attend("the workers are attached", |web| {
            let attached = web.workers()?;
            let attached: Vec<_> = attached.iter().filter(|state| state.is_attached()).collect();
            Ok(workers.iter().all(|(name, _)| attached.iter().any(|state| state.name == *name)))
        })
    }

    /// Waits until something holds.
    fn attend(&mut self, what: &str, holds: impl Fn(&Web) -> Result<bool, String>) -> Result<(), Failure> {
        let began = Instant::now();
        loop {
            self.check()?;
            let problem = match holds(&self.web) {
                Ok(true) => return Ok(()),
                Ok(false) => None,
                Err(problem) => Some(problem),
            };
            if began.elapsed() >= PATIENCE {
                let why = problem.map(|problem| format!(" ({problem})")).unwrap_or_default();
                let failure = Failure::error(format!("in vain for {} s: {what}{why}", PATIENCE.as_secs()));
                let said: Vec<_> = self.programs.iter().map(|program| program.last_words(self.account)).collect();
                return Err(failure.help(said.join("\n")));
            }
            self.pause(GLANCE)?;
        }
    }

    /// Fails where one of the programs has ended, or there is a request to stop.
    ///
    /// # Errors
    /// Which program, and what it said last.
    pub fn check(&mut self) -> Result<(), Failure> {
        if self.interrupts.count() > 0 {
            return Err(interrupted());
        }
        let account = self.account;
        self.programs.iter_mut().try_for_each(|program| program.check(account))
    }

    /// Sleeps, or less where there is a request to stop.
    ///
    /// # Errors
    /// The system does not let this process sleep.
    pub fn pause(&self, time: Duration) -> Result<(), Failure> {
        self.interrupts.pause(time, 1).map_err(|error| Failure::error(format!("farmout cannot wait: {error}")))
    }

    /// Where its files are.
    pub fn directory(&self) -> &Utf8Path {
        self.layout.directory()
    }

    /// The master's web server.
    pub fn web(&self) -> &Web {
        &self.web
    }

    /// Takes care of what loses its parent from now on, such as servers that steps leave behind.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn adopt(&mut self) -> Result<(), Failure> {
        let adopting =
            adopt().map_err(|error| Failure::error(format!("farmout cannot watch what builds start: {error}")))?;
        self.adopting = Some(adopting);
        Ok(())
    }

    /// Asks for builds of builders. Goes out: the numbers by which [`Demonstration::ended`] knows them.
    ///
    /// # Errors
    /// The master does not want to.
    pub fn force(&self, names: &[String]) -> Result<Vec<u64>, Failure> {
        let known = self.web.builders().map_err(|problem| silent(&problem))?;
        let force = |name: &String| {
            let builder = known.iter().find(|builder| builder.name == *name).ok_or("the master does not have it")?;
            self.web.force(builder.id)
        };
        let forced =
            |name| force(name).map_err(|problem| Failure::error(format!("{name} cannot be forced: {problem}")));
        names.iter().map(forced).collect()
    }

    /// Whether all went well, once all that was asked for has ended.
    ///
    /// # Errors
    /// The master does not answer.
    pub fn ended(&self, forced: &[u64]) -> Result<Option<bool>, String> {
        let sets = forced.iter().map(|id| self.web.buildset(*id)).collect::<Result<Vec<_>, _>>()?;
        Ok(sets.iter().all(|set| set.complete).then(|| sets.iter().all(|set| follow::is_green(set.results))))
    }

    /// Ends everything, and removes what was made for it.
    ///
    /// # Errors
    /// What is left.
    pub fn end(mut self) -> Result<(), Failure> {
        self.tear_down()
    }

    fn tear_down(&mut self) -> Result<(), Failure> {
        let Some(workshop) = self.workshop.take() else { return Ok(()) };
        let left = end_all(Some(self.guard.pid()), self.interrupts, self.interrupts.count().max(1));
        // Their ends are known.
        self.programs.clear();
        let tidied = self.workers.iter().try_for_each(|(name, _)| tidy(&self.layout.worker(name), self.account));
        self.adopting = None;
        let path = workshop.path().to_owned();
        let closed = workshop.close();
        if left > 0 {
            return Err(stuck(left, &path));
        }
        tidied.and(closed)
    }
}

impl Drop for Demonstration<'_> {
    fn drop(&mut self) {
        // There is something worse to say.
        let _ = self.tear_down();
    }
}

/// The failure of a master that does not answer.
pub fn silent(problem: &str) -> Failure {
    Failure::error(format!("the master does not answer: {problem}"))
}

/// The failure of processes that even a kill has not ended.
fn stuck(left: usize, path: &Utf8Path) -> Failure {
    Failure::error(format!("{left} processes cannot be ended"))
        .help(format!("look for what works in {path}: ps ax | grep {path}"))
}

/// Does something with the rights of the account.
fn as_account<T>(account: Option<(u32, u32)>, work: impl FnOnce() -> T) -> Result<T, Failure> {
    with_rights_of(account, work).map_err(|error| {
        Failure::error(format!("farmout cannot work as the user that builds run as: {}", plain(&error.to_string())))
    })
}
