//! What an earlier run kept: a state folder and a run in, its result and its inventories out. Reads only.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use serde::Deserialize;

use super::journal;
use super::keep::FOLDER;
use super::replay::replay;
use super::result::{BuilderResult, RunResult};
use super::run::PLAN;
use crate::diagnostic::{Failure, suggest};
use crate::model::inventory::{FORMAT, Inventory};

/// How many runs a message names.
const NAMED: usize = 5;

/// An earlier run, or one at work.
#[derive(Debug)]
pub struct Past {
    result: RunResult,
}

impl Past {
    /// Finds a run by its id, or `latest`.
    ///
    /// # Errors
    /// There is no such run, or its journal cannot be read.
    pub fn open(state: &Utf8Path, run: &str) -> Result<Self, Failure> {
        Ok(Self { result: read(&find(state, run)?)? })
    }

    /// What came of it so far.
    pub fn result(&self) -> &RunResult {
        &self.result
    }

    /// What a builder was made of in this run.
    ///
    /// # Errors
    /// It was not in the run, or did not come as far as an inventory.
    pub fn inventory(&self, builder: &str) -> Result<Inventory, Failure> {
        let run = &self.result.run;
        let found = self.find(builder)?;
        let path = self.result.folder.join(&found.directory).join(FOLDER).join("inventory.json");
        let text = std::fs::read_to_string(&path).map_err(|error| {
            let failure = Failure::misuse(format!("the run {run} kept no inventory of {builder}"));
            match &found.reason {
                Some(reason) if error.kind() == io::ErrorKind::NotFound => {
                    failure.help(format!("it was not built far enough: {reason}"))
                }
                _ => failure.help(format!("{path}: {error}")),
            }
        })?;
        let inventory: Inventory =
            serde_json::from_str(&text).map_err(|error| Failure::misuse(format!("{path} is no inventory: {error}")))?;
        if inventory.farmout_inventory != FORMAT {
            let (is, reads) = (inventory.farmout_inventory, FORMAT);
            return Err(Failure::misuse(format!("{path} has format {is}, and this farmout reads {reads}")));
        }
        Ok(inventory)
    }

    /// The properties that a builder had when this run began.
    ///
    /// # Errors
    /// It was not in the run, or its plan was not kept.
    pub fn properties(&self, builder: &str) -> Result<IndexMap<String, String>, Failure> {
        /// What is wanted of a plan, of whatever format.
        #[derive(Deserialize)]
        struct Kept {
            #[serde(default)]
            properties: IndexMap<String, String>,
        }
        let path = self.result.folder.join(&self.find(builder)?.directory).join(PLAN);
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|error| Failure::misuse(format!("cannot read {path}: {error}")))?;
        let kept: Kept =
            serde_yaml::from_str(&text).map_err(|error| Failure::misuse(format!("{path} is no plan: {error}")))?;
        Ok(kept.properties)
    }

    fn find(&self, builder: &str) -> Result<&BuilderResult, Failure> {
        let builders = || self.result.builders.iter();
        builders().find(|result| result.builder == builder).ok_or_else(|| {
            let names = suggest::list(builders().map(|result| result.builder.as_str()));
            let failure = Failure::misuse(format!("the run {} had no builder `{builder}`", self.result.run));
            failure.help(format!("it had {names}"))
        })
    }

    /// Its builders.
    pub fn builders(&self) -> impl Iterator<Item = &str> {
        self.result.builders.iter().map(|result| result.builder.as_str())
    }
}

/// What the journal of the run in this folder adds up to.
///
/// # Errors
/// It cannot be read, or does not begin with the beginning of a run.
pub fn read(folder: &Utf8Path) -> Result<RunResult, Failure> {
    let path = folder.join(journal::NAME);
    let entries = journal::read(folder).map_err(|error| Failure::misuse(format!("cannot read {path}: {error}")))?;
    replay(&entries, folder.to_owned()).ok_or_else(|| Failure::misuse(format!("{path} is no journal of a run")))
}

/// The folder of the run of this id, or of the `latest` one.
///
/// # Errors
/// There is no such run, or it cannot be seen.
pub(super) fn find(state: &Utf8Path, run: &str) -> Result<Utf8PathBuf, Failure> {
    let runs = state.join("runs");
    let plain = !run.is_empty() && Utf8Path::new(run).file_name() == Some(run);
    let folder = if run == "latest" {
        let link = state.join(run).read_link_utf8().ok();
        link.and_then(|link| link.file_name().map(|id| runs.join(id)))
    } else {
        plain.then(|| runs.join(run))
    };
    folder.filter(|folder| folder.join(journal::NAME).exists()).ok_or_else(|| unknown(&runs, run))
}

fn unknown(runs: &Utf8Path, run: &str) -> Failure {
    let entries = match runs.read_dir_utf8() {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Failure::misuse(format!("cannot read the runs in {runs}: {error}"));
        }
        entries => entries,
    };
    let mut names: Vec<_> = entries.into_iter().flatten().flatten().map(|entry| entry.file_name().to_owned()).collect();
    names.sort();
    if names.is_empty() && run == "latest" {
        return Failure::misuse(format!("nothing has run yet: there are no runs in {runs}"));
    }
    let failure = Failure::misuse(format!("there is no run `{run}` in {runs}"));
    match suggest::nearest(run, names.iter().map(String::as_str).chain(["latest"])) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None if names.is_empty() => failure.help("a run is named by the id that `farmout run` says when it begins"),
        None => {
            let last = names.iter().rev().take(NAMED).map(String::as_str);
            failure.help(format!("the last ones are {}, or say `latest`", suggest::list(last)))
        }
    }
}
