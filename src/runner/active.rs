//! The record of a builder at work, `active/RUN--DIRECTORY.json`: what a later runner needs to know to clean up after
//! this one, should it be killed. Which steps it had come to is in the run's journal.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::save::Readers;
use super::site::StepUser;
use crate::group::ProcessId;

/// The version of the records that this farmout writes and reads.
pub(super) const FORMAT: u32 = 2;

/// What is known of a builder at work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Record {
    pub(super) format: u32,
    /// The run it is part of.
    pub(super) run: String,
    pub(super) builder: String,
    /// Its directory, on the slave and in the run's folder.
    pub(super) directory: String,
    /// Where its plan is, absolute.
    pub(super) plan: Utf8PathBuf,
    /// The slave's base directory, absolute.
    pub(super) basedir: Utf8PathBuf,
    pub(super) account: Option<StepUser>,
    /// The runner at work.
    pub(super) runner: ProcessId,
    /// The runner lives, but will not clean up: the user wanted it to end at once.
    #[serde(default)]
    pub(super) abandoned: bool,
    /// The folder for sockets.
    pub(super) sockets: Option<Utf8PathBuf>,
    /// The templates of which an earlier run left something on purpose, that this run uses and cleans up.
    #[serde(default)]
    pub(super) inherited: Vec<String>,
    /// The templates whose clean-up is left to the next run of the builder, because the user wants to look at its database.
    #[serde(default)]
    pub(super) kept: Vec<String>,
    /// The templates whose clean-up failed: the next run tries it again.
    #[serde(default)]
    pub(super) left: Vec<String>,
    /// What steps have reported.
    pub(super) properties: IndexMap<String, String>,
    /// How often cleaning up was tried.
    #[serde(default)]
    pub(super) attempts: u32,
}

/// A record and the file that holds it.
#[derive(Debug)]
pub(super) struct Active {
    path: Utf8PathBuf,
    pub(super) record: Record,
}

impl Active {
    /// Begins a record in the folder `active`.
    pub(super) fn create(active: &Utf8Path, record: Record) -> io::Result<Self> {
        let path = active.join(format!("{}--{}.json", record.run, record.directory));
        let active = Self { path, record };
        Readers::None.save_json(&active.path, &active.record)?;
        Ok(active)
    }

    /// Reads one back; none if it is gone meanwhile.
    pub(super) fn read(path: &Utf8Path) -> io::Result<Option<Self>> {
        let bytes = match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            bytes => bytes?,
        };
        let record: Record = serde_json::from_slice(&bytes)?;
        if record.format != FORMAT {
            let message = format!("it has format {}, and this farmout reads {FORMAT}", record.format);
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
        Ok(Some(Self { path: path.to_owned(), record }))
    }

    /// Changes the record. One that cannot be written stays as it was: the work goes on, and a full disk ends it soon
    /// enough.
    pub(super) fn update(&mut self, change: impl FnOnce(&mut Record)) {
        change(&mut self.record);
        let _ = Readers::None.save_json(&self.path, &self.record);
    }

    /// Ends the record: nothing is left to clean up.
    pub(super) fn remove(self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}
