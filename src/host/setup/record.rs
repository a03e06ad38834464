//! What setup made on this machine. In: things, as they are begun and done. Out: a file of root's that the next call and the
//! removal go by. Nothing else is changed.
//!
//! A thing is written down before it is made, so that a setup that was killed does not take its own work for somebody else's.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::Thing;
use crate::diagnostic::Failure;

/// Where the record is; its directory is the first thing that setup makes.
pub const DIRECTORY: &str = "/var/lib/farmout";
const FILE: &str = "setup.json";
/// It stays, empty: to remove it would let two hold it at once.
const LOCK: &str = "/run/farmout-setup.lock";
const VERSION: u32 = 1;

/// What setup made, in the order in which it was begun.
#[derive(Debug)]
pub struct Record {
    path: Utf8PathBuf,
    entries: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Form {
    version: u32,
    made: Vec<Entry>,
}

/// A thing that setup made, or had begun to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    #[serde(flatten)]
    pub(super) thing: Thing,
    /// Whether making it came to its end.
    pub(super) done: bool,
}

/// The right to change the machine, for as long as it lives.
#[derive(Debug)]
pub struct Lock {
    _file: nix::fcntl::Flock<File>,
}

impl Lock {
    /// Takes the lock.
    ///
    /// # Errors
    /// Another setup is at work, or the lock cannot be made.
    pub fn take() -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::misuse(format!("cannot use {LOCK}: {error}"));
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(LOCK).map_err(failed)?;
        match nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusiveNonblock) {
            Ok(file) => Ok(Self { _file: file }),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
                Err(Failure::error("another `farmout slave setup` is at work on this machine").help("wait for its end"))
            }
            Err((_, error)) => Err(failed(error.into())),
        }
    }
}

impl Record {
    /// Reads the record; none is an empty one.
    ///
    /// # Errors
    /// It cannot be read, is no record, or another version's; somebody other than root could have written it.
    pub fn read() -> Result<Self, Failure> {
        Self::read_in(Utf8Path::new(DIRECTORY))
    }

    fn read_in(directory: &Utf8Path) -> Result<Self, Failure> {
        let path = directory.join(FILE);
        let failed = |error: io::Error| Failure::misuse(format!("cannot read {path}: {error}"));
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self { path, entries: Vec::new() }),
            Err(error) => return Err(failed(error)),
        };
        // What is in it is removed by root: nobody else may have had a hand in it.
        let look = path.symlink_metadata().map_err(failed)?;
        if !look.is_file() || look.mode() & 0o022 != 0 || look.uid() != 0 {
            return Err(Failure::misuse(format!("{path} is not a file of root's that only root can change"))
                .help("find out who changed it before you let setup go by it"));
        }
        let wrong = |why: String| {
            Failure::misuse(format!("{path} is no record of what setup made: {why}"))
                .help("it was written by another version of farmout, or changed by hand; put it aside to begin anew")
        };
        let form: serde_json::Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let version = form.get("version").and_then(serde_json::Value::as_u64);
        if version != Some(u64::from(VERSION)) {
            return Err(wrong(format!("its version is not {VERSION}")));
        }
        let form: Form = serde_json::from_value(form).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { path, entries: form.made })
    }

    /// Where it is.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Whether setup has made nothing here.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn things(&self) -> impl DoubleEndedIterator<Item = &Thing> {
        self.entries.iter().map(|entry| &entry.thing)
    }

    /// The entry of the same thing, whatever became of it.
    pub(super) fn find(&self, thing: &Thing) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.thing.is_same(thing))
    }

    /// Writes down that a thing is about to be made.
    pub(super) fn begin(&mut self, thing: &Thing) -> Result<(), Failure> {
        match self.entries.iter_mut().find(|entry| entry.thing.is_same(thing)) {
            Some(entry) => {
                entry.thing.absorb(thing);
                entry.done = false;
            }
            None => self.entries.push(Entry { thing: thing.clone(), done: false }),
        }
        self.save()
    }

    /// Writes down that it was made.
    pub(super) fn finish(&mut self, thing: &Thing) -> Result<(), Failure> {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.thing.is_same(thing)) {
            entry.done = true;
        }
        self.save()
    }

    /// Writes down that a thing is gone. The record goes with the last one.
    pub(super) fn forget(&mut self, thing: &Thing) -> Result<(), Failure> {
        self.entries.retain(|entry| !entry.thing.is_same(thing));
        self.save()
    }

    /// Removes the file, before its directory goes.
    pub(super) fn close(&self) -> Result<(), Failure> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed(&error)),
            _ => Ok(()),
        }
    }

    fn save(&self) -> Result<(), Failure> {
        if self.entries.is_empty() {
            return self.close();
        }
        let form = Form { version: VERSION, made: self.entries.clone() };
        self.write(&form).map_err(|error| self.failed(&error))
    }

    fn write(&self, form: &Form) -> io::Result<()> {
        let directory = self.path.parent().unwrap_or(Utf8Path::new("/"));
        DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
        let mut making = tempfile::Builder::new();
        let mut aside = making.prefix(".setup-").permissions(Permissions::from_mode(0o644)).tempfile_in(directory)?;
        serde_json::to_writer_pretty(&mut aside, form)?;
        aside.write_all(b"\n")?;
        aside.as_file().set_permissions(Permissions::from_mode(0o644))?;
        aside.as_file().sync_all()?;
        aside.persist(&self.path).map(drop).map_err(|error| error.error)
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::error(format!("cannot write {}: {error}", self.path)).help("without it nothing could be undone later")
    }
}
