//! A builder's folders around steps that somebody else performs one by one, such as Buildbot: made before the first of
//! them, tidied after the last, and cleaned up where a build was interrupted in between. In: a base directory, and which builds
//! are at work. Out: the folders, and the directories of builds that have more to clean up than files and processes.
//!
//! Nothing here runs from the beginning of a build to its end. That it has begun is told by its record, which is there
//! before anything else is made, and goes after all of it. Whoever works on a directory holds the lock of that directory
//! meanwhile, so several may begin and end at once, and be killed at any moment.

mod error;
mod files;
mod record;

use std::collections::HashSet;
use std::env;
use std::ffi::OsString;
use std::io;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

pub use error::Error;
pub use files::write_files;
use record::{Heir, Record, Records};

use super::say;
use crate::host::environment;
use crate::interrupt::Interrupts;
use crate::workspace::builder::{TAKEN, Workspace, is_name, remove_sockets};
use crate::workspace::lock::{Lock, Wish};
use crate::workspace::queue::{Queues, Turn};
use crate::workspace::stray::{self, Mark};

/// One build, and where it takes place.
#[derive(Debug)]
pub struct Build {
    /// The base directory of the worker.
    pub basedir: Utf8PathBuf,
    /// The builder's directory in it.
    pub directory: String,
    /// The run: the marks of its steps begin with it.
    pub run: String,
    /// How long processes that are asked to end may take before they are killed.
    pub grace: Duration,
}

/// What a build gets to work with, and what others have left to clean up.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Begun {
    /// `${tmp-dir}`, empty.
    pub tmp_dir: Utf8PathBuf,
    /// `${socket-dir}`, if one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket_dir: Option<Utf8PathBuf>,
    /// The directories of builds that neither ended nor are at work: their processes, temporary files and sockets are gone,
    /// and what else they made is for their clean-up steps.
    pub left_behind: Vec<String>,
    /// Variables of this process that a step is not to have, since they are about its caller's Python, database or repository.
    pub unset: Vec<String>,
    /// `PATH` for steps: this process's without what is not theirs. None where it cannot be told in UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// What came of a call that is not an error.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome<T> {
    /// All is done.
    Done(T),
    /// It was asked to stop.
    Interrupted,
    /// Something stays, which was told.
    Left,
}

/// What steps are to have otherwise than this process: the variables to unset, and `PATH`.
fn surroundings() -> (Vec<String>, Option<String>) {
    let clean = environment::clean(None);
    let kept: HashSet<&OsString> = clean.iter().map(|(name, _)| name).collect();
    let mut unset: Vec<String> = env::vars_os()
        .filter(|(name, _)| !kept.contains(name))
        .filter_map(|(name, _)| name.into_string().ok())
        .collect();
    unset.sort_unstable();
    let path = clean.iter().find(|(name, _)| name == "PATH").and_then(|(_, value)| value.to_str()).map(str::to_owned);
    (unset, path)
}

impl Build {
    /// Makes the builder's folders, after what an earlier build has left in them is gone, and cleans up after builds of
    /// other directories that are not among those `at_work`.
    ///
    /// # Errors
    /// The folders cannot be made.
    pub fn begin(&self, at_work: &[String], sockets: bool) -> Result<Outcome<Begun>, Error> {
        self.check()?;
        let interrupts = listen()?;
        let mut workspace = self.open(&self.directory).map_err(Error::folders("the base directory cannot be used"))?;
        let queues = Queues::default();
        let Some(_lock) = self.lock(&workspace, &queues, &interrupts)? else { return Ok(Outcome::Interrupted) };
        let records = Records::open(&workspace).map_err(Error::folders("the records of builds cannot be used"))?;
        self.end_earlier(&records, &interrupts);
        if interrupts.count() > 0 {
            return Ok(Outcome::Interrupted);
        }

        let unwritten = Error::folders("no record of the build can be kept");
        let mut record = Record::new(&self.run, at_work);
        records.save(&self.directory, &record).map_err(&unwritten)?;
        workspace
            .lay_out()
            .and_then(|()| workspace.tidy())
            .map_err(Error::folders("the folders of the builder cannot be made"))?;
        if sockets {
            let made = workspace.make_sockets().map_err(Error::folders("no folder for sockets can be made"))?;
            record.sockets = Some(made);
            records.save(&self.directory, &record).map_err(&unwritten)?;
        }
        say(format_args!("made {} ready for run {}", workspace.builder, self.run));

        let others = records.directories().map_err(Error::folders("the records of builds cannot be read"))?;
        let others = others.into_iter().filter(|other| *other != self.directory && !at_work.contains(other));
        let left_behind = others.filter(|other| self.inherit(&records, other, at_work, &interrupts)).collect();
        if interrupts.count() > 0 {
            return Ok(Outcome::Interrupted);
        }
        let tmp_dir = workspace.builder.join("tmp");
        let (unset, path) = surroundings();
        Ok(Outcome::Done(Begun { tmp_dir, socket_dir: workspace.sockets, left_behind, unset, path }))
    }

    /// Ends what the build's steps have left running, and leaves none of its temporary files. What has ended already is
    /// fine, and so is a directory that another build has begun in: that one is left alone.
    ///
    /// # Errors
    /// The base directory cannot be used.
    pub fn end(&self) -> Result<Outcome<()>, Error> {
        self.check()?;
        if !self.basedir.is_dir() {
            return Err(Error::NoBase(self.basedir.clone()));
        }
        let interrupts = listen()?;
        let workspace = self.open(&self.directory).map_err(Error::folders("the base directory cannot be used"))?;
        let queues = Queues::default();
        let Some(_lock) = self.lock(&workspace, &queues, &interrupts)? else { return Ok(Outcome::Interrupted) };
        let records = Records::open(&workspace).map_err(Error::folders("the records of builds cannot be used"))?;
        let record = self.read(&records, &self.directory);
        let mut gone = end_processes(&self.run, &self.directory, self.grace, &interrupts);
        if let Some(record) = &record {
            if !record.is_of(&self.run) {
                say(format_args!("{} is left alone: run {} has begun there", workspace.builder, record.run));
                return Ok(if gone { Outcome::Done(()) } else { Outcome::Left });
            }
            if record.run != self.run {
                gone &= end_processes(&record.run, &self.directory, self.grace, &interrupts);
            }
        }
        gone &= tidy(&workspace, record.as_ref());
        if !gone {
            return Ok(Outcome::Left);
        }
        records.remove(&self.directory).map_err(Error::folders("the record of the build cannot be removed"))?;
        Ok(Outcome::Done(()))
    }

    fn check(&self) -> Result<(), Error> {
        check(&self.directory)?;
        if is_name(&self.run) { Ok(()) } else { Err(Error::Run(self.run.clone())) }
    }

    fn open(&self, directory: &str) -> io::Result<Workspace> {
        Workspace::open(&self.basedir, directory, None)
    }

    fn note(&self) -> String {
        format!("pid {}, run {}", std::process::id(), self.run)
    }

    fn lock<'a>(
        &self,
        workspace: &Workspace,
        queues: &'a Queues,
        interrupts: &Interrupts,
    ) -> Result<Option<(Lock, Turn<'a>)>, Error> {
        let mut waiting = |holder: Option<String>| {
            let holder = holder.map(|holder| format!(" ({holder})")).unwrap_or_default();
            say(format_args!("waiting for who works in {}{holder}", workspace.builder));
        };
        let lock = workspace.builder_locks().and_then(|folder| {
            let wish = Wish { folder: &folder, name: &self.directory, note: &self.note(), owner: None, patience: 1 };
            Lock::wait(&wish, queues, interrupts, &mut waiting)
        });
        lock.map_err(Error::folders("the directory of the builder cannot be locked"))
    }

    /// Ends what an earlier build of this directory has left. Its other remains are in the way of nobody.
    fn end_earlier(&self, records: &Records, interrupts: &Interrupts) {
        let Some(earlier) = self.read(records, &self.directory) else { return };
        say(format_args!("run {} was interrupted in {}", earlier.run, self.directory));
        end_processes(&earlier.run, &self.directory, self.grace, interrupts);
        remove_earlier_sockets(&earlier);
    }

    /// Cleans up after the build of another directory if it was left behind; whether it was.
    fn inherit(&self, records: &Records, other: &str, at_work: &[String], interrupts: &Interrupts) -> bool {
        if interrupts.count() > 0 || check(other).is_err() {
            return false;
        }
        let opened = self.open(other).and_then(|workspace| {
            let lock = Lock::attempt(&workspace.builder_locks()?, other, &self.note(), None)?;
            Ok((workspace, lock))
        });
        let (workspace, _lock) = match opened {
            Ok((workspace, Ok(lock))) => (workspace, lock),
            // It begins or ends at this moment.
            Ok((_, Err(_))) => return false,
            Err(error) => {
                say(format_args!("what may be left in {other} cannot be looked at: {error}"));
                return false;
            }
        };
        // What is known of it from before the lock may be over.
        let Some(mut record) = self.read(records, other) else { return false };
        let cleaned_up = |heir: &Heir| {
            let at_work = at_work.contains(&heir.directory);
            at_work && records.read(&heir.directory).is_ok_and(|of_it| of_it.is_some_and(|of_it| of_it.run == heir.run))
        };
        if !record.is_left_behind(&self.directory) || record.heir.as_ref().is_some_and(cleaned_up) {
            return false;
        }
        say(format_args!("run {} was interrupted in {other}, and nobody has cleaned up after it", record.run));
        end_processes(&record.run, other, self.grace, interrupts);
        tidy(&workspace, Some(&record));
        record.sockets = None;
        record.heir = Some(Heir { directory: self.directory.clone(), run: self.run.clone() });
        if let Err(error) = records.save(other, &record) {
            say(format_args!("that it is cleaned up for run {} cannot be noted: {error}", self.run));
        }
        true
    }

    /// The record of a directory. One that cannot be read tells of a build all the same, of an unknown run.
    fn read(&self, records: &Records, directory: &str) -> Option<Record> {
        records.read(directory).unwrap_or_else(|error| {
            say(format_args!(
                "the record of {directory} cannot be read, nor what its build has left be found: {error}"
            ));
            Some(Record::unknown())
        })
    }
}

/// The builds in a base directory that have begun and not ended, for whoever knows that none of them is at work. Processes that
/// must be ended get no time for it.
///
/// # Errors
/// The base directory or its records cannot be read.
pub fn left_behind(basedir: &Utf8Path) -> io::Result<Vec<Build>> {
    let workspace = Workspace::open(basedir, "build", None)?;
    let records = Records::open(&workspace)?;
    let build = |directory: String| {
        let record = records.read(&directory)?;
        let (basedir, grace) = (basedir.to_owned(), Duration::ZERO);
        Ok(record.map(|Record { run, .. }| Build { basedir, directory, run, grace }))
    };
    records.directories()?.into_iter().filter_map(|directory| build(directory).transpose()).collect()
}

fn check(directory: &str) -> Result<(), Error> {
    if is_name(directory) && !TAKEN.contains(&directory) { Ok(()) } else { Err(Error::Directory(directory.to_owned())) }
}

fn listen() -> Result<Interrupts, Error> {
    Interrupts::listen().map_err(Error::folders("farmout cannot listen for signals"))
}

/// Ends the processes that carry the marks of a run's steps in a directory, and names them; whether all are gone.
fn end_processes(run: &str, directory: &str, grace: Duration, interrupts: &Interrupts) -> bool {
    match stray::end(&Mark::builder(run, directory), None, grace, interrupts) {
        Ok(ended) => {
            let (survivors, strays) = (&ended.survivors, &ended.strays);
            for stray in strays.iter().filter(|stray| !survivors.contains(stray)) {
                say(format_args!("run {run} left a process running in {directory}, which was ended: {stray}"));
            }
            for stray in survivors {
                say(format_args!("run {run} left a process running in {directory} that cannot be ended: {stray}"));
            }
            survivors.is_empty()
        }
        Err(error) => {
            say(format_args!("what run {run} left running in {directory} cannot be ended: {error}"));
            false
        }
    }
}

/// Empties the temporary directory and removes the folder for sockets; whether they are gone.
fn tidy(workspace: &Workspace, record: Option<&Record>) -> bool {
    let emptied = match workspace.tidy() {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            say(format_args!("the temporary files are not all gone: {error}"));
            false
        }
        _ => true,
    };
    record.is_none_or(remove_earlier_sockets) && emptied
}

fn remove_earlier_sockets(record: &Record) -> bool {
    let removed = record.sockets.as_deref().map_or(Ok(()), |sockets: &Utf8Path| remove_sockets(sockets));
    removed.inspect_err(|error| say(format_args!("the folder for sockets is not gone: {error}"))).is_ok()
}
