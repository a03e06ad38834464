//! Runs that a state folder has: their journals in, what happened in them out, whether they have ended, are at work now, or
//! were killed. Reads only, and so works beside a runner, and where nothing can be written.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};

use camino::{Utf8Path, Utf8PathBuf};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::before::{Ended, history};
use super::event::{Entry, Event};
use super::journal::{NAME, check_format};
use super::log;
use super::past::find;
use super::replay::replay;
use super::result::{BuilderResult, Outcome, RunResult};
use crate::diagnostic::{Failure, suggest};

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Its journal ends with its end.
    Ended,
    /// A runner has its journal open.
    AtWork,
    /// It has no end, and nobody works on it: its runner was killed, or the machine.
    Killed,
}

/// A run as its journal tells of it.
#[derive(Debug)]
pub struct Recorded {
    /// What it adds up to.
    pub result: RunResult,
    /// What happened, with folders where they are now.
    pub entries: Vec<Entry>,
    /// Where the run is.
    pub progress: Progress,
    /// How many lines are none of a journal's. What they told is lost.
    pub damaged: usize,
}

impl Recorded {
    /// Reads the run of this id, or the `latest` one.
    ///
    /// # Errors
    /// There is no such run, or its journal cannot be read, or is one of a later farmout's.
    pub fn open(state: &Utf8Path, run: &str) -> Result<Self, Failure> {
        Self::read(&find(state, run)?)
    }

    /// Reads the run in this folder.
    ///
    /// # Errors
    /// Its journal cannot be read, or is one of a later farmout's.
    pub fn read(folder: &Utf8Path) -> Result<Self, Failure> {
        let mut journal = JournalReader::open(folder)?;
        // Whether somebody writes comes first: what they write meanwhile is then there to be read.
        let at_work = journal.is_written();
        let entries = journal.read()?;
        let damaged = journal.damaged + usize::from(!at_work && !journal.line.is_empty());
        let result = replay(&entries, journal.folder.clone()).ok_or_else(|| {
            let failure = Failure::misuse(format!("{} is no journal of a run", folder.join(NAME)));
            if at_work { failure.help("the run has only just begun: try again") } else { failure }
        })?;
        let progress = match (result.outcome, at_work) {
            (Some(_), _) => Progress::Ended,
            (None, true) => Progress::AtWork,
            (None, false) => Progress::Killed,
        };
        Ok(Self { result, entries, progress, damaged })
    }

    /// What is remembered of builders that ended, in this run and others.
    pub fn past(&self) -> Vec<Ended> {
        let state = self.result.folder.parent().and_then(Utf8Path::parent);
        // Where it is not there, there is nothing to compare with.
        state.and_then(|state| history(state).ok()).unwrap_or_default()
    }

    /// The logs of a builder's steps so far, in the order in which they were begun; of those that were tried again, all.
    pub fn logs(&self, builder: &str) -> Vec<Log> {
        let mut logs = Logs::new(builder);
        self.entries.iter().for_each(|entry| logs.take(entry));
        logs.logs
    }
}

/// The folders of all runs, the last one first.
///
/// # Errors
/// The state folder cannot be read. One that is not there has no runs.
pub fn runs(state: &Utf8Path) -> io::Result<Vec<Utf8PathBuf>> {
    let entries = match state.join("runs").read_dir_utf8() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let folders = entries.map(|entry| entry.map(|entry| entry.path().to_owned()));
    let mut folders: Vec<_> = folders.collect::<Result<_, _>>()?;
    // One that has only just begun, or was killed that early, has nothing to tell yet.
    folders.retain(|folder| has_begun(folder));
    // Ids begin with the time.
    folders.sort_by(|left, right| right.file_name().cmp(&left.file_name()));
    Ok(folders)
}

/// Whether the journal has a first line.
fn has_begun(folder: &Utf8Path) -> bool {
    let Ok(file) = File::open(folder.join(NAME)) else { return folder.join(NAME).exists() };
    BufReader::new(file).skip_until(b'\n').is_ok_and(|count| count > 0)
}

/// A journal that is read as far as it goes, and on from there once there is more.
#[derive(Debug)]
pub struct JournalReader {
    reader: BufReader<File>,
    /// The run's folder, where it is now.
    folder: Utf8PathBuf,
    /// The beginning of a line whose end is not there yet.
    line: Vec<u8>,
    begun: bool,
    damaged: usize,
}

impl JournalReader {
    /// Opens the journal of the run in this folder.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(folder: &Utf8Path) -> Result<Self, Failure> {
        let file = File::open(folder.join(NAME)).map_err(|error| unreadable(folder, &error))?;
        let (reader, line, folder) = (BufReader::new(file), Vec::new(), folder.to_owned());
        Ok(Self { reader, folder, line, begun: false, damaged: 0 })
    }

    /// What was added since the last time.
    ///
    /// # Errors
    /// It cannot be read, or is one of a later farmout's.
    pub fn read(&mut self) -> Result<Vec<Entry>, Failure> {
        let mut entries = Vec::new();
        let failed = |error: io::Error| unreadable(&self.folder, &error);
        while self.reader.read_until(b'\n', &mut self.line).map_err(failed)? > 0 && self.line.ends_with(b"\n") {
            if !std::mem::replace(&mut self.begun, true) {
                check_format(&self.line).map_err(failed)?;
            }
            match serde_json::from_slice(&self.line) {
                Ok(entry) => entries.push(at_home(entry, &self.folder)),
                Err(_) => self.damaged += 1,
            }
            self.line.clear();
        }
        Ok(entries)
    }

    /// Whether somebody writes it now.
    pub fn is_written(&self) -> bool {
        // Another handle, so that the lock is nobody's after this.
        let Ok(file) = File::open(self.folder.join(NAME)) else { return false };
        matches!(Flock::lock(file, FlockArg::LockSharedNonblock), Err((_, Errno::EWOULDBLOCK)))
    }
}

fn unreadable(folder: &Utf8Path, error: &io::Error) -> Failure {
    let failure = Failure::misuse(format!("cannot read {}: {error}", folder.join(NAME)));
    match error.kind() {
        io::ErrorKind::Unsupported => failure.help("a later farmout made it: use that one"),
        io::ErrorKind::PermissionDenied => {
            failure.help("logs and results are for whoever ran it, and for the group of the account that steps run as")
        }
        _ => failure,
    }
}

/// The entry with the folders of its run where they are now: a state folder can be moved, or read from elsewhere.
fn at_home(mut entry: Entry, home: &Utf8Path) -> Entry {
    match &mut entry.event {
        Event::RunStarted { folder, .. } => *folder = home.to_owned(),
        Event::BuilderStarted { folder, .. } | Event::Recovering { folder, .. } => {
            *folder = home.join(folder.file_name().unwrap_or_default());
        }
        _ => {}
    }
    entry
}

/// The log of one step of a builder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The step.
    pub step: String,
    /// Its place in the plan, from 1.
    pub index: usize,
    /// Which attempt at it, from 1.
    pub attempt: u32,
    /// Whether it belongs to the clean-up after a runner that was killed.
    pub recovery: bool,
    /// Whether nothing more will be written to it.
    pub ended: bool,
}

impl Log {
    /// The file's name in the builder's folder.
    pub fn name(&self) -> String {
        log::name(self.index, &self.step, self.attempt, if self.recovery { log::RECOVERY } else { "" })
    }
}

/// The logs of a builder, as the events tell of them one by one.
#[derive(Debug)]
pub struct Logs {
    builder: String,
    recovery: bool,
    /// Those begun so far.
    pub logs: Vec<Log>,
    /// Whether the builder has ended.
    pub ended: bool,
    /// The steps that have ended, or were skipped.
    done: Vec<(String, Outcome)>,
    outcome: Option<Outcome>,
}

impl Logs {
    /// None yet.
    pub fn new(builder: &str) -> Self {
        Self {
            builder: builder.to_owned(),
            recovery: false,
            logs: Vec::new(),
            ended: false,
            done: Vec::new(),
            outcome: None,
        }
    }

    /// Whether nothing more will come of a step.
    pub fn is_done(&self, step: &str) -> bool {
        self.ended || self.done.iter().any(|(name, _)| name == step)
    }

    /// How a step ended, or the builder, if it has.
    pub fn outcome(&self, step: Option<&str>) -> Option<Outcome> {
        match step {
            Some(step) => self.done.iter().rfind(|(name, _)| name == step).map(|(_, outcome)| *outcome),
            None => self.outcome,
        }
    }

    /// Takes the next event.
    pub fn take(&mut self, entry: &Entry) {
        let (of, recovery) = (self.builder.clone(), self.recovery);
        let own = |builder: &String| *builder == of;
        match &entry.event {
            Event::Recovering { builder, .. } if own(builder) => (self.recovery, self.ended) = (true, false),
            Event::StepStarted { builder, step, index, .. } if own(builder) => {
                self.end_last();
                let (step, index) = (step.clone(), *index);
                self.logs.push(Log { step, index, attempt: 1, recovery, ended: false });
            }
            Event::StepRetried { builder, attempt, .. } if own(builder) => {
                self.end_last();
                if let Some(last) = self.logs.last() {
                    let next = Log { attempt: *attempt, ended: false, ..last.clone() };
                    self.logs.push(next);
                }
            }
            Event::StepFinished { builder, result } if own(builder) => {
                self.end_last();
                self.done.push((result.name.clone(), result.outcome));
            }
            Event::BuilderFinished { builder, outcome, .. } if own(builder) => {
                self.end_last();
                self.outcome = Some(*outcome);
                self.ended = true;
            }
            Event::RunFinished { .. } => {
                self.end_last();
                self.ended = true;
            }
            _ => {}
        }
    }

    fn end_last(&mut self) {
        if let Some(last) = self.logs.last_mut() {
            last.ended = true;
        }
    }
}

/// The builder of this name in a run's result.
///
/// # Errors
/// It had none of this name.
pub fn builder<'a>(result: &'a RunResult, name: &str) -> Result<&'a BuilderResult, Failure> {
    result.builders.iter().find(|builder| builder.builder == name).ok_or_else(|| {
        let names = || result.builders.iter().map(|builder| builder.builder.as_str());
        let failure = Failure::misuse(format!("the run {} had no builder `{name}`", result.run));
        failure.help(match suggest::nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it had {}", suggest::list(names())),
        })
    })
}
