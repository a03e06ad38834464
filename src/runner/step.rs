//! One step of a plan: prepared, run or written, and judged. Its output goes to its log and to the observer.

use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::Command;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use jiff::Timestamp;
use nix::sys::signal::Signal;

use super::active::Active;
use super::environment::{Environment, Values, differences};
use super::event::{Event, Stream};
use super::files;
use super::keep;
use super::lock::Lock;
use super::log::StepLog;
use super::process::{Ended, Happening, Limits, Stopped, supervise};
use super::result::{Outcome, StepResult, seconds};
use super::save::Readers;
use super::session::Session;
use super::site::{Site, StepUser};
use super::workspace::Workspace;
use crate::diagnostic::plain;
use crate::group::ProcessId;
use crate::plan::{OnFailure, Plan, Step};

/// A builder at work, as its steps see it.
pub(super) struct Work<'a> {
    pub(super) site: &'a Site,
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
}

impl Work<'_> {
    /// A step that does not run.
    pub(super) fn skip(&self, session: &mut Session<'_>, step: &Step, reason: &str) -> StepResult {
        let mut result = begun(step);
        result.outcome = Outcome::Skipped;
        result.reason = Some(reason.to_owned());
        self.finished(session, &result, Duration::ZERO);
        result
    }

    /// Runs the step, which is the plan's number `index` from 0.
    pub(super) fn perform(&mut self, session: &mut Session<'_>, index: usize, step: &Step) -> StepResult {
        let (builder, total) = (self.plan.builder.clone(), self.plan.steps.len());
        session.emit(&Event::StepStarted { builder, step: step.name.clone(), index: index + 1, total });
        let mut result = begun(step);
        let name = format!("{:02}-{}{}.log", index + 1, step.name, self.suffix);
        let mut log =
            StepLog::create(&self.folder.join(&name), Readers::of(self.user), session.mask, step.property.is_some());
        result.log = Some(name);

        // An always-run step leaves things behind if it is ended, so that takes a second request.
        let patience = if step.always_run { 2 } else { 1 };
        let lock = self.lock(session, step, patience);
        let began = Instant::now();
        result.started = Timestamp::now();
        let verdict = match &lock {
            Err(verdict) => Err(verdict.clone()),
            Ok(_) => self.prepare(step).map_err(Verdict::Failed),
        };
        let verdict = match verdict {
            Err(verdict) => verdict,
            Ok(prepared) => self.execute(session, step, prepared, patience, &mut log, &mut result),
        };
        drop(lock);
        for (stream, bytes) in log.finish() {
            self.output(session, step, stream, bytes);
        }
        let took = began.elapsed();
        self.judge(session, step, verdict, &mut log, &mut result);
        keep::keep(session, step, self.folder, Readers::of(self.user), &mut result);
        result.seconds = seconds(took);
        self.finished(session, &result, took);
        result
    }

    fn lock(&self, session: &mut Session<'_>, step: &Step, patience: usize) -> Result<Option<Lock>, Verdict> {
        let Some(name) = &step.lock else { return Ok(None) };
        let note = format!("pid {}, run {}, builder {}", std::process::id(), self.run, self.plan.builder);
        let (builder, lock) = (self.plan.builder.clone(), name.clone());
        let interrupts = session.interrupts;
        let mut waiting =
            |holder| session.emit(&Event::Waiting { builder: builder.clone(), lock: lock.clone(), holder });
        let lock = self.workspace.locks().and_then(|locks| {
            Lock::wait(&locks, name, &note, self.workspace.owner(), interrupts, patience, &mut waiting)
        });
        match lock {
            Ok(Some(lock)) => Ok(Some(lock)),
            Ok(None) => Err(Verdict::Interrupted(format!("interrupted while it waited for the lock `{name}`"))),
            Err(error) => Err(Verdict::Failed(format!("the lock `{name}` cannot be taken: {error}"))),
        }
    }

    fn prepare(&self, step: &Step) -> Result<Prepared, String> {
        let properties = &self.active.record.properties;
        let values = Values { site: self.site, run: self.run, plan: self.plan, workspace: self.workspace, properties };
        let run = step.run.iter().map(|argument| values.fill("an argument", argument)).collect::<Result<_, _>>()?;
        let directory = Utf8PathBuf::from(values.fill("the working directory", &step.directory)?);
        let environment = values.environment(step, self.user)?;
        Ok(Prepared { run, directory: self.workspace.builder.join("build").join(directory), environment })
    }

    fn execute(
        &mut self,
        session: &mut Session<'_>,
        step: &Step,
        prepared: Prepared,
        patience: usize,
        log: &mut StepLog<'_>,
        result: &mut StepResult,
    ) -> Verdict {
        result.directory = Some(session.masked(prepared.directory.as_str()));
        if step.write {
            return match files::write(self.workspace, &prepared.directory, &self.plan.files) {
                Ok(lines) => {
                    let text: String = lines.into_iter().map(|line| line + "\n").collect();
                    let shown = log.write(Stream::Out, text.as_bytes());
                    self.output(session, step, Stream::Out, shown);
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
        let ended = supervise(self.command(&prepared), &limits, interrupts, &mut |happening| match happening {
            Happening::Started(group) => self.active.update(|record| {
                record.step = Some(step.name.clone());
                record.leader = ProcessId::of(group);
            }),
            Happening::Output(stream, bytes) => {
                let shown = log.write(stream, bytes);
                self.output(session, step, stream, shown);
            }
            Happening::Requests(requests) => session.tell(requests),
        });
        match ended {
            Ok(ended) => {
                result.exit = ended.status.and_then(|status| status.code());
                result.signal = ended.status.and_then(|status| status.signal());
                verdict(&ended, step)
            }
            Err(error) => Verdict::Failed(why_not_started(&error, &prepared, self.user)),
        }
    }

    fn command(&self, prepared: &Prepared) -> Command {
        let (program, arguments) =
            prepared.run.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
        // A program given as a path is sought from the working directory, whatever the runner's own is.
        let mut command =
            if program.contains('/') { Command::new(prepared.directory.join(program)) } else { Command::new(program) };
        command.args(arguments).env_clear().envs(&prepared.environment).current_dir(&prepared.directory);
        if let Some((user, group)) = self.workspace.owner() {
            command.uid(user).gid(group);
        }
        command
    }

    fn judge(
        &mut self,
        session: &Session<'_>,
        step: &Step,
        verdict: Verdict,
        log: &mut StepLog<'_>,
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
        reasons.extend(log.problem().map(str::to_owned));
        result.reason = (!reasons.is_empty()).then(|| session.masked(&plain(&reasons.join("; "))));
    }

    fn output(&self, session: &mut Session<'_>, step: &Step, stream: Stream, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            let (builder, step) = (self.plan.builder.clone(), step.name.clone());
            session.emit(&Event::Output { builder, step, stream, bytes });
        }
    }

    fn finished(&self, session: &mut Session<'_>, result: &StepResult, duration: Duration) {
        session.emit(&Event::StepFinished {
            builder: self.plan.builder.clone(),
            step: result.name.clone(),
            outcome: result.outcome,
            duration,
            reason: result.reason.clone(),
            log: result.log.as_ref().map(|log| self.folder.join(log)),
        });
    }
}

fn begun(step: &Step) -> StepResult {
    StepResult {
        name: step.name.clone(),
        phase: step.phase,
        outcome: Outcome::Success,
        reason: None,
        started: Timestamp::now(),
        seconds: 0.0,
        exit: None,
        signal: None,
        command: Vec::new(),
        directory: None,
        environment: IndexMap::new(),
        log: None,
        kept: None,
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
