//! What is begun with a checkout, on the disk before it is: what a farmout that is killed leaves, the next one takes up.

use std::io;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use crate::tool::files;

const FILE: &str = "pull.json";
/// How names of the directories begin that are made aside.
const PREFIX: &str = "farmout-pull-";

/// What is begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// The directory of what is made aside.
    pub temporary: Utf8PathBuf,
    /// From which revision to which one the checkout is brought, once it is.
    pub way: Option<(String, String)>,
}

impl Begun {
    /// Something new, with a directory that does not exist yet.
    pub fn new() -> Self {
        let folder = Utf8PathBuf::from_path_buf(std::env::temp_dir()).unwrap_or_else(|_| "/tmp".into());
        let folder = folder.canonicalize_utf8().unwrap_or(folder);
        let now = jiff::Timestamp::now().as_nanosecond();
        Self { temporary: folder.join(format!("{PREFIX}{}-{now}", std::process::id())), way: None }
    }

    /// What was begun and not ended, in the folder of the scheduler.
    pub fn read(folder: &Utf8Path) -> Option<Self> {
        let begun: Self = serde_json::from_slice(&std::fs::read(folder.join(FILE)).ok()?).ok()?;
        // Revisions become arguments.
        let is_way = |(from, to): &(String, String)| ![from, to].iter().any(|it| it.is_empty() || it.starts_with('-'));
        begun.way.as_ref().is_none_or(is_way).then_some(begun)
    }

    /// Notes it.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn write(&self, folder: &Utf8Path) -> io::Result<()> {
        files::save(folder.join(FILE).as_std_path(), serde_json::to_string(self)?.as_bytes())
    }

    /// Notes that nothing is begun.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn forget(folder: &Utf8Path) -> io::Result<()> {
        files::remove(folder.join(FILE).as_std_path())
    }

    /// Removes the directory, if it is one of ours.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn sweep(&self) -> io::Result<()> {
        let named = self.temporary.file_name().is_some_and(|name| name.starts_with(PREFIX));
        let seen = self.temporary.symlink_metadata();
        let is_ours = seen.is_ok_and(|seen| seen.is_dir() && seen.uid() == geteuid().as_raw());
        if named && is_ours { files::remove(self.temporary.as_std_path()) } else { Ok(()) }
    }
}

impl Default for Begun {
    fn default() -> Self {
        Self::new()
    }
}
