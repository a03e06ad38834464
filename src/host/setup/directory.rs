//! Directories of the slave: the one that they are all in, which is root's, and those that belong to builds.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::account;
use super::call::Call;
use super::record::DIRECTORY;
use super::thing::{Look, Sight, Thing, Undo};
use crate::diagnostic::Failure;

/// A directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// Its path.
    pub path: Utf8PathBuf,
    /// Whose it is, where that is not root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Its mode.
    pub mode: u32,
    /// Whether builds keep things in it, which go only with `--purge`.
    pub keeps: bool,
    /// What it is for.
    pub purpose: String,
}

impl Directory {
    pub(super) fn title(&self) -> String {
        format!("the directory {}", self.path)
    }

    pub(super) fn purpose(&self) -> String {
        self.purpose.clone()
    }

    pub(super) fn look(&self, _: Sight<'_>) -> Result<Look, Failure> {
        let look = match self.path.symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Look::Missing { made: Thing::Directory(self.clone()), calls: vec![self.creation()] });
            }
            Err(error) => return Err(Failure::misuse(format!("cannot use {}: {error}", self.path))),
            Ok(look) => look,
        };
        let help = "move it away, or choose another directory with --base DIR";
        if !look.is_dir() {
            let what = if look.is_symlink() { "is a link" } else { "is no directory" };
            return Err(Failure::misuse(format!("{} {what}", self.path)).help(help));
        }
        let wanted = match &self.owner {
            Some(owner) => account::find(owner)?.map(|user| user.uid.as_raw()),
            None => Some(0),
        };
        let owner = self.owner.as_deref().unwrap_or("root");
        if wanted != Some(look.uid()) {
            return Err(Failure::misuse(format!("{} is there, and does not belong to {owner}", self.path)).help(help));
        }
        if self.owner.is_none() && look.mode() & 0o022 != 0 {
            return Err(Failure::misuse(format!("others than root can write to {}", self.path))
                .help(format!("builds could put links in the way of root there; {help}")));
        }
        Ok(Look::There(None))
    }

    fn creation(&self) -> Call {
        let mode = format!("{:04o}", self.mode);
        match &self.owner {
            Some(owner) => Call::run(["install", "-d", "-m", &mode, "-o", owner, "-g", owner, self.path.as_str()]),
            None => Call::run(["install", "-d", "-m", &mode, self.path.as_str()]),
        }
    }

    pub(super) fn undo(&self, sight: Sight<'_>) -> Result<Undo, Failure> {
        if !self.path.symlink_metadata().is_ok_and(|look| look.is_dir()) {
            return Ok(Undo::Gone);
        }
        if self.path == DIRECTORY && sight.remaining().count() > 1 {
            return Ok(Undo::Kept("the record of what stays is in it".to_owned()));
        }
        if !self.holds_more(sight) {
            return Ok(Undo::Calls(vec![Call::run(["rmdir", self.path.as_str()])], None));
        }
        if self.keeps && sight.purge {
            let call = Call::run(["rm", "-r", "-f", "--one-file-system", "--", self.path.as_str()]);
            return Ok(Undo::Calls(vec![call], None));
        }
        let advice = if self.keeps { "; --purge removes it with all that is in it" } else { "" };
        Ok(Undo::Kept(format!("it is not empty{advice}")))
    }

    /// Whether something is in it besides setup's record and what was undone already.
    pub(super) fn holds_more(&self, sight: Sight<'_>) -> bool {
        let Ok(entries) = fs::read_dir(&self.path) else { return false };
        let gone = |path: &Path| {
            path == sight.record.path().as_std_path()
                || sight.gone.iter().any(|thing| thing.path().is_some_and(|gone| gone.as_std_path() == path))
        };
        entries.flatten().any(|entry| !gone(&entry.path()))
    }
}
