//! One step of a plan: prepared, run or written, and judged. Its output goes to its log and to the observer.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use jiff::Timestamp;
use nix::sys::signal::Signal;
use nix::unistd::{AccessFlags, access};

use super::account::with_rights_of;
use super::active::Active;
use super::choice::Providers;
use super::environment::{Environment, Values, differences};
use super::event::{Event, Stream};
use super::follow::Follow;
use super::keep;
use super::log::{self, StepLog};
use super::origin::origin;
use super::process::{Ended, Happening, Job, Limits, Stopped, supervise};
use super::result::{Attempt, Outcome, StepResult, seconds};
use super::save::Readers;
use super::session::Session;
use super::site::StepUser;
use crate::diagnostic::plain;
use crate::group::ProcessId;
use crate::plan::{OnFailure, Plan, Step};
use crate::workspace::builder::Workspace;
use crate::workspace::files;
use crate::workspace::lock::{Lock, Wish};
use crate::workspace::queue::Turn;
use crate::workspace::stray::Mark;

/// A builder at work, as its steps see it.
pub(super) struct Work<'a> {
    pub(super) session: &'a Session<'a>,
    /// The run it belongs to.
    pub(super) run: &'a str,
    pub(super) plan: &'a Plan,
    pub(super) workspace: &'a Workspace,
    /// Where logs go.
    pub(super) folder: &'a Utf8Path,
    /// How the names of logs end.
    pub(super) suffix: &'a str,
    pub(super) active: &'a mut Active,
    /// Whom steps run as, if not as the runner's own user.
    pub(super) user: Option<&'a StepUser>,
    /// The templates of which a step began, or whose work was inherited: the others have nothing to clean up.
    pub(super) begun: HashSet<String>,
    /// The templates of the plan that clean up.
    pub(super) providers: Providers<'a>,
    /// How long the steps took before, in seconds.
    pub(super) expected: &'a IndexMap<String, f64>,
}

/// What came of a step, before its `on-failure` is asked.
#[derive(Debug, Clone)]
enum Verdict {
    Fine,
    Failed(String),
    Interrupted(String),
}

/// What is known of a command before it runs.
struct Prepared {
    run: Vec<String>,
    directory: Utf8PathBuf,
    environment: Environment,
    follow: Vec<Utf8PathBuf>,
}

impl<'a> Work<'a> {
    /// A step that does not run.
    pub(super) fn skip(&self, step: &Step, reason: &str) -> StepResult {
        let mut result = self.begun(step);
        result.outcome = Outcome::Skipped;
        result.reason = Some(reason.to_owned());
        self.finished(&result);
        result
    }

    /// Runs the step, which is the plan's number `index` from 0, and runs it again where it is worth another attempt.
    pub(super) fn perform(&mut self, index: usize, step: &Step) -> StepResult {
        let (builder, total) = (self.plan.builder.clone(), self.plan.steps.len());
        let expected = self.expected.get(&step.name).copied();
        let started = Event::StepStarted { builder, step: step.name.clone(), index: index + 1, total, expected };
        if self.providers.has(step) {
            // A machine that fails a moment later must not lose what it made.
            self.session.emit_durably(started);
        } else {
            self.session.emit(started);
        }
        let mut retried: Vec<Attempt> = Vec::new();
        let mut result = loop {
            let number = u32::try_from(retried.len() + 1).unwrap_or(u32::MAX);
            let result = self.attempt(index, step, number);
            let failed = matches!(result.outcome, Outcome::Failure | Outcome::Warnings);
            let permanent =
                result.exit.is_some_and(|exit| step.permanent.iter().any(|&status| exit == i32::from(status)));
            let left = retried.len() < self.session.options.retries as usize;
            if !failed || !step.infrastructure || permanent || !left {
                break result;
            }
            let reason = result.reason.clone().unwrap_or_default();
            if !self.wait_for_retry(step, retried.len(), &reason) {
                break result;
            }
            let (log, followed) = (result.log, result.followed);
            retried.push(Attempt { reason, seconds: result.seconds, log, followed });
        };
        result.retried = retried;
        self.finished(&result);
        result
    }

    /// Gives other machines time to recover; whether there is to be another attempt.
    fn wait_for_retry(&self, step: &Step, before: usize, reason: &str) -> bool {
        let pause = Duration::from_secs(1 << before.min(5));
        self.session.emit(Event::StepRetried {
            builder: self.plan.builder.clone(),
            step: step.name.clone(),
            attempt: u32::try_from(before + 2).unwrap_or(u32::MAX),
            reason: reason.to_owned(),
            pause: pause.as_secs_f64(),
        });
        self.session.interrupts.pause(pause, 1).is_ok() && self.session.requests() == 0
    }

    fn attempt(&mut self, index: usize, step: &Step, number: u32) -> StepResult {
        let session = self.session;
        let mut result = self.begun(step);
        let name = log::name(index + 1, &step.name, number, self.suffix);
        let mut log = StepLog::create(
            &self.folder.join(&name),
            Readers::of(self.user),
            session.site.log_limit,
            session.mask,
            step.property.is_some(),
        );
        result.log = Some(name);

        // An always-run step leaves things behind if it is ended, so that takes a second request.
        let patience = if step.always_run { 2 } else { 1 };
        let waits = Instant::now();
        let lock = self.lock(step, patience);
        let began = Instant::now();
        result.waited = step.lock.as_ref().map_or(0.0, |_| seconds(began - waits));
        (result.started, result.at) = (Timestamp::now(), session.now());
        let verdict = match &lock {
            Err(verdict) => Err(verdict.clone()),
            Ok(_) => self.prepare(step).map_err(Verdict::Failed),
        };
        let mut follow = Follow::default();
        let verdict = match verdict {
            Err(verdict) => verdict,
            Ok(prepared) => {
                follow = Follow::new(prepared.follow.clone(), self.workspace.owner());
                self.execute(step, prepared, patience, &mut log, &mut follow, &mut result)
            }
        };
        drop(lock);
        for (stream, bytes) in log.finish() {
            self.output(step, stream, bytes.into());
        }
        result.seconds = seconds(began.elapsed());
        let mut problems = Vec::new();
        let name = result.log.clone().unwrap_or_default();
        let name = |number| self.folder.join(log::followed(&name, number));
        let how = (Readers::of(self.user), session.site.log_limit, session.mask);
        result.followed = follow.keep(name, how, &mut problems);
        problems.splice(0..0, log.problem().map(str::to_owned));
        self.judge(step, verdict, (&mut log, problems), &mut result);
        keep::keep(session, step, self.folder, Readers::of(self.user), &mut result);
        result
    }

    fn lock(&self, step: &Step, patience: usize) -> Result<Option<(Lock, Turn<'a>)>, Verdict> {
        let Some(name) = &step.lock else { return Ok(None) };
        let session = self.session;
        let note = format!("pid {}, run {}, builder {}", std::process::id(), self.run, self.plan.builder);
        let mut waiting = |holder| {
            session.emit(Event::Waiting { builder: self.plan.builder.clone(), lock: name.clone(), holder });
        };
        let lock = self.workspace.locks().and_then(|folder| {
            let wish = Wish { folder: &folder, name, note: &note, owner: self.workspace.owner(), patience };
            Lock::wait(&wish, session.queues, session.interrupts, &mut waiting)
        });
        match lock {
            Ok(Some(lock)) => Ok(Some(lock)),
            Ok(None) => Err(Verdict::Interrupted(format!("interrupted while it waited for the lock `{name}`"))),
            Err(error) => Err(Verdict::Failed(format!("the lock `{name}` cannot be taken: {error}"))),
        }
    }

    fn prepare(&self, step: &Step) -> Result<Prepared, String> {
        let properties = &self.active.record.properties;
        let site = self.session.site;
        let values = Values { site, run: self.run, plan: self.plan, workspace: self.workspace, properties };
        let run = step.run.iter().map(|argument| values.fill("an argument", argument)).collect::<Result<_, _>>()?;
        let directory = Utf8PathBuf::from(values.fill("the working directory", &step.directory)?);
        let environment = values.environment(step, self.user)?;
        let directory = self.workspace.builder.join("build").join(directory);
        let file = |file: &String| values.fill("a file to follow", file).map(|file| directory.join(file));
        let follow = step.follow.iter().map(file).collect::<Result<_, _>>()?;
        Ok(Prepared { run, directory, environment, follow })
    }

    fn execute(
        &mut self,
        step: &Step,
        prepared: Prepared,
        patience: usize,
        log: &mut StepLog<'_>,
        follow: &mut Follow,
        result: &mut StepResult,
    ) -> Verdict {
        let session = self.session;
        result.directory = Some(session.masked(prepared.directory.as_str()));
        if step.write {
            return match files::write(self.workspace, &prepared.directory, &self.plan.files) {
                Ok(lines) => {
                    let text: String = lines.into_iter().map(|line| line + "\n").collect();
                    let shown = log.write(Stream::Out, text.as_bytes());
                    self.output(step, Stream::Out, shown);
                    Verdict::Fine
                }
                Err(error) => Verdict::Failed(error.to_string()),
            };
        }
        keep::forget(step, &prepared.directory);
        result.command = prepared.run.iter().map(|argument| session.masked(argument)).collect();
        result.environment = differences(session.site, &prepared.environment, session.mask);
        let limits = Limits {
            idle: step.idle_timeout.map(Duration::from_secs),
            total: step.timeout.map(Duration::from_secs),
            grace: session.site.grace,
            patience,
        };
        let interrupts = session.interrupts;
        let (command, mark) = (self.command(&prepared), Mark::step(self.run, &self.plan.directory, &step.name));
        let job =
            Job { command, account: self.workspace.owner(), mark, apart: step.property.is_some(), limits, follow };
        let ended = supervise(job, interrupts, &mut |happening| match happening {
            Happening::Started(group) => {
                let (builder, step) = (self.plan.builder.clone(), step.name.clone());
                session.emit(Event::ProcessStarted { builder, step, leader: ProcessId::of(group) });
            }
            Happening::Output(stream, bytes) => {
                let shown = log.write(stream, bytes);
                self.output(step, stream, shown);
            }
            Happening::Requests(requests) => session.tell(requests),
        });
        match ended {
            Ok(ended) => {
                result.exit = ended.status.and_then(|status| status.code());
                result.signal = ended.status.and_then(|status| status.signal());
                verdict(&ended, step)
            }
            Err(error) => Verdict::Failed(
                why_not_started(&error, &prepared, self.user) + &origin(self.plan, step, &prepared.directory),
            ),
        }
    }

    fn command(&self, prepared: &Prepared) -> Command {
        let (program, arguments) =
            prepared.run.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        let mut command = if program.contains('/') {
            // Sought from the working directory, whatever the runner's own is.
            Command::new(prepared.directory.join(program))
        } else {
            // One that is named by its path is started faster. What cannot be found here is for the system to judge.
            let mut command = Command::new(self.find(program, prepared).unwrap_or_else(|| program.into()));
            command.arg0(program);
            command
        };
        command.args(arguments).env_clear().envs(&prepared.environment).current_dir(&prepared.directory);
        command
    }

    /// The program of this name that execvp(3) would start.
    fn find(&self, program: &str, prepared: &Prepared) -> Option<PathBuf> {
        let path = prepared.environment.get(OsStr::new("PATH"))?;
        let mut places =
            std::env::split_paths(path).map(|folder| prepared.directory.as_std_path().join(folder).join(program));
        let can_be_started = |place: &PathBuf| access(place, AccessFlags::X_OK).is_ok() && place.is_file();
        with_rights_of(self.workspace.owner(), || places.find(can_be_started)).ok()?
    }

    fn judge(
        &mut self,
        step: &Step,
        verdict: Verdict,
        (log, problems): (&mut StepLog<'_>, Vec<String>),
        result: &mut StepResult,
    ) {
        let mut reasons = Vec::new();
        result.outcome = match verdict {
            Verdict::Fine => {
                if let Some(property) = &step.property {
                    match log.last_line() {
                        Ok(value) => self.active.update(|record| {
                            record.properties.insert(property.clone(), value);
                        }),
                        Err(why) => reasons.push(format!("the property `{property}` {why}")),
                    }
                }
                Outcome::Success
            }
            Verdict::Interrupted(reason) => {
                reasons.push(reason);
                Outcome::Interrupted
            }
            Verdict::Failed(reason) => {
                reasons.push(reason);
                match step.on_failure {
                    OnFailure::Halt | OnFailure::Flunk => Outcome::Failure,
                    OnFailure::Warn => Outcome::Warnings,
                    OnFailure::Ignore => {
                        reasons.push("which does not count".to_owned());
                        Outcome::Success
                    }
                }
            }
        };
        reasons.extend(problems);
        result.reason = (!reasons.is_empty()).then(|| self.session.masked(&plain(&reasons.join("; "))));
    }

    fn output(&self, step: &Step, stream: Stream, bytes: Cow<'_, [u8]>) {
        if self.session.options.output && !bytes.is_empty() {
            let (builder, step) = (self.plan.builder.clone(), step.name.clone());
            self.session.emit(Event::Output { builder, step, stream, bytes: bytes.into_owned() });
        }
    }

    fn finished(&self, result: &StepResult) {
        let event = Event::StepFinished { builder: self.plan.builder.clone(), result: result.clone() };
        // What did not run is not worth the trip to the disk.
        if result.outcome == Outcome::Skipped { self.session.emit(event) } else { self.session.emit_durably(event) }
    }

    fn begun(&self, step: &Step) -> StepResult {
        StepResult {
            name: step.name.clone(),
            phase: step.phase,
            outcome: Outcome::Success,
            reason: None,
            started: Timestamp::now(),
            at: self.session.now(),
            seconds: 0.0,
            waited: 0.0,
            retried: Vec::new(),
            exit: None,
            signal: None,
            command: Vec::new(),
            directory: None,
            environment: IndexMap::new(),
            log: None,
            kept: None,
            followed: Vec::new(),
        }
    }
}

fn verdict(ended: &Ended, step: &Step) -> Verdict {
    let time = |seconds: Option<u64>| crate::report::duration(Duration::from_secs(seconds.unwrap_or(0)));
    match ended.stopped {
        Some(Stopped::Interrupted) => return Verdict::Interrupted("interrupted".to_owned()),
        Some(Stopped::Idle) => {
            return Verdict::Failed(format!("ended after {} without output", time(step.idle_timeout)));
        }
        Some(Stopped::Total) => return Verdict::Failed(format!("ended after {}, its time limit", time(step.timeout))),
        None => {}
    }
    let Some(status) = ended.status else { return Verdict::Failed("it cannot be ended".to_owned()) };
    match (status.code(), status.signal()) {
        (Some(0), _) => Verdict::Fine,
        (Some(code), _) => Verdict::Failed(format!("exit status {code}")),
        (None, signal) => {
            let name = signal.and_then(|number| Signal::try_from(number).ok()).map_or("a signal", Signal::as_str);
            Verdict::Failed(format!("killed by {name}"))
        }
    }
}

/// The system says no more than "not found", of three things that can be.
fn why_not_started(error: &io::Error, prepared: &Prepared, user: Option<&StepUser>) -> String {
    let program = prepared.run.first().map_or("", String::as_str);
    let directory = &prepared.directory;
    if !directory.is_dir() {
        return format!("the working directory {directory} does not exist");
    }
    let path = prepared.environment.get(std::ffi::OsStr::new("PATH"));
    let path = path.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
    if error.kind() != io::ErrorKind::NotFound {
        let user = user.map(|user| format!(" as {}", user.name)).unwrap_or_default();
        return format!("`{program}` cannot be started in {directory}{user}: {error}");
    }
    let found = if program.contains('/') {
        Some(directory.join(program)).filter(|path| path.exists())
    } else {
        path.split(':').map(|folder| Utf8Path::new(folder).join(program)).find(|path| path.is_file())
    };
    match found {
        Some(found) => format!("{found} cannot be started: the interpreter that its first line names does not exist"),
        None if program.contains('/') => format!("there is no program {}", directory.join(program)),
        None => format!("there is no program `{program}` in PATH={path}"),
    }
}
