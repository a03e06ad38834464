//! What a push brought: what a hook is told in, and the repository that it is told by; the changes out, in the order in which
//! they were made. It reads repositories and changes none. A repository that does not say more in time loses no change: then
//! its revision alone is told.

mod bzr;
mod git;
mod hg;

use std::ffi::OsString;
use std::time::Duration;

use camino::Utf8PathBuf;
use jiff::Timestamp;

use super::Came;
use crate::host::probe::Probe;
use crate::model::{Change, Vcs};

pub use bzr::bzr;
pub use git::{git, refs};
pub use hg::{changegroup, hg};

/// More changes than this of one branch are not told at once: the newest are.
const CHANGES: usize = 1000;
/// More files than this of one change are not told.
const FILES: usize = 1000;
/// A longer comment is cut, in bytes.
const COMMENT: usize = 16 << 10;
/// Whoever pushes waits no longer than this for one question to the repository.
const LIMIT: Duration = Duration::from_secs(15);

/// The repository that something came into.
#[derive(Debug, Clone)]
pub struct Repository {
    /// Where it is on this machine.
    pub directory: Utf8PathBuf,
    /// The address by which it is watched.
    pub url: String,
    /// Its other addresses.
    pub other_urls: Vec<String>,
    /// When it came.
    pub time: Timestamp,
    /// The home of who reads it, where it is another than that of who started farmout.
    pub home: Option<OsString>,
}

impl Repository {
    /// A change that nothing more is known of.
    pub fn bare(&self, vcs: Vcs, branch: Option<&str>, revision: &str) -> Change {
        Change {
            vcs,
            url: self.url.clone(),
            other_urls: self.other_urls.clone(),
            branch: branch.map(str::to_owned),
            revision: revision.to_owned(),
            author: None,
            comment: None,
            files: Vec::new(),
            time: self.time,
        }
    }

    /// Asks the system's client.
    fn ask(&self, program: &str, arguments: &[&str]) -> Result<String, String> {
        let probe = Probe::new(None, LIMIT).within(&self.directory);
        let probe = self.home.iter().fold(probe, |probe, home| probe.with("HOME", home));
        match probe.run(program, arguments) {
            Ok(output) => Ok(output.stdout),
            Err(why) => Err(format!("{program} {why}")),
        }
    }
}

impl Came {
    /// Takes what the repository says of a branch; where it says nothing, its revision alone.
    fn take(&mut self, said: Result<Vec<Change>, String>, last: impl FnOnce() -> Change) {
        match said {
            Ok(changes) if !changes.is_empty() => self.changes.extend(changes),
            Ok(_) => self.changes.push(last()),
            Err(why) => {
                let change = last();
                let branch = change.branch.clone().unwrap_or_else(|| "the branch".to_owned());
                self.warnings.push(format!("of {branch} only the revision is told: {why}"));
                self.changes.push(change);
            }
        }
    }
}

/// A comment as it is told.
pub fn comment(text: &str) -> Option<String> {
    let text = text.trim();
    let end = (0..=text.len().min(COMMENT)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    Some(text[..end].to_owned()).filter(|text| !text.is_empty())
}

/// Files as they are told.
pub fn files(paths: impl IntoIterator<Item = String>) -> Vec<String> {
    paths.into_iter().filter(|path| !path.is_empty()).take(FILES).collect()
}
