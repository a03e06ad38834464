//! What is noted of the builds that others perform step by step: one file for each builder's directory, there from the
//! beginning of a build to its end. A directory in, its record out; what was left behind is for [`super`] to decide.

use std::io;

use camino::Utf8PathBuf;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::group;
use crate::workspace::builder::Workspace;
use crate::workspace::folder::Folder;

/// The version of the records that this farmout writes and reads.
const FORMAT: u32 = 1;
/// Where they are, below the base directory.
const PLACE: [&str; 2] = [".farmout", "builds"];
/// How their names end.
const ENDING: &str = ".json";
/// More than this is no record of ours.
const LIMIT: u64 = 1 << 20;
/// How long after its beginning a build may be missing in what another was told of those at work: between the telling and the
/// reading of the record there is no more than a message to the worker.
const YOUNG: SignedDuration = SignedDuration::from_mins(10);

/// A build that has begun.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Record {
    format: u32,
    /// The run that it is.
    pub(super) run: String,
    /// When it began, by this machine's clock.
    began: Timestamp,
    /// Which start of the machine that was.
    boot: String,
    /// The directories in which others were at work, as far as it was told.
    beside: Vec<String>,
    /// Its folder for sockets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sockets: Option<Utf8PathBuf>,
    /// The build that was told to clean up after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) heir: Option<Heir>,
}

/// A build that cleans up after another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Heir {
    pub(super) directory: String,
    pub(super) run: String,
}

impl Record {
    /// The record of a build that begins now.
    pub(super) fn new(run: &str, beside: &[String]) -> Self {
        Self {
            format: FORMAT,
            run: run.to_owned(),
            began: Timestamp::now(),
            boot: group::boot().to_owned(),
            beside: beside.to_vec(),
            sockets: None,
            heir: None,
        }
    }

    /// Stands for a record that cannot be read. No mark begins with its run.
    pub(super) fn unknown() -> Self {
        Self { began: Timestamp::UNIX_EPOCH, ..Self::new("?", &[]) }
    }

    /// Whether the build is over without an end, as the one that begins in `directory` now sees it, which was not told that
    /// it is at work.
    ///
    /// It may be at work all the same: it began after the other was told. But then it was told itself of the other, and
    /// that is not long ago.
    pub(super) fn is_left_behind(&self, directory: &str) -> bool {
        let young = Timestamp::now().duration_since(self.began).abs() < YOUNG;
        let beside = self.beside.iter().any(|other| other == directory);
        !(young && beside && self.boot == group::boot())
    }

    /// Whether the run may end what the record tells of: it is its own, or it has inherited it.
    pub(super) fn is_of(&self, run: &str) -> bool {
        self.run == run || self.heir.as_ref().is_some_and(|heir| heir.run == run)
    }
}

/// The records of a base directory.
#[derive(Debug)]
pub(super) struct Records(Folder);

impl Records {
    /// Opens the folder that holds them, made if missing.
    pub(super) fn open(workspace: &Workspace) -> io::Result<Self> {
        let [above, name] = PLACE;
        let owner = workspace.owner();
        workspace.base().make(above, 0o755, owner)?.make(name, 0o755, owner).map(Self)
    }

    /// The directories that have one.
    pub(super) fn directories(&self) -> io::Result<Vec<String>> {
        let names = self.0.names()?;
        // What is written aside is hidden.
        let visible = names.iter().filter(|name| !name.starts_with('.'));
        Ok(visible.filter_map(|name| name.strip_suffix(ENDING)).map(str::to_owned).collect())
    }

    /// The record of a directory; none if there is none.
    pub(super) fn read(&self, directory: &str) -> io::Result<Option<Record>> {
        let Some(bytes) = self.0.read_file(&name(directory), LIMIT)? else { return Ok(None) };
        let record: Record = serde_json::from_slice(&bytes)?;
        if record.format != FORMAT {
            let message = format!("it has format {}, and this farmout reads {FORMAT}", record.format);
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
        Ok(Some(record))
    }

    /// Replaces the record of a directory.
    pub(super) fn save(&self, directory: &str, record: &Record) -> io::Result<()> {
        self.0.write_file(&name(directory), &serde_json::to_vec_pretty(record)?, 0o644, None)
    }

    /// Removes the record of a directory; none is fine.
    pub(super) fn remove(&self, directory: &str) -> io::Result<()> {
        self.0.remove_file(&name(directory)).map(drop)
    }
}

fn name(directory: &str) -> String {
    format!("{directory}{ENDING}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_of(beside: &str) -> Record {
        Record::new("buildbot-2", &[beside.to_owned()])
    }

    #[test]
    fn a_build_that_began_after_the_list_was_drawn_up_is_at_work() {
        assert!(!told_of("first").is_left_behind("first"));
        assert!(told_of("other").is_left_behind("first"));
        let old = Record { began: Timestamp::now() - YOUNG, ..told_of("first") };
        assert!(old.is_left_behind("first"));
        let restarted = Record { boot: "another".to_owned(), ..told_of("first") };
        assert!(restarted.is_left_behind("first"));
        // A clock that was set back meanwhile is no reason to end a build.
        let ahead = Record { began: Timestamp::now() + YOUNG / 2, ..told_of("first") };
        assert!(!ahead.is_left_behind("first"));
    }

    #[test]
    fn a_record_is_of_its_run_and_of_its_heir() {
        let mut record = told_of("first");
        assert!(record.is_of("buildbot-2") && !record.is_of("buildbot-3"));
        record.heir = Some(Heir { directory: "first".to_owned(), run: "buildbot-3".to_owned() });
        assert!(record.is_of("buildbot-2") && record.is_of("buildbot-3") && !record.is_of("buildbot-4"));
    }
}
