//! The pid file: who a server is, so that it is told apart from every later process of its number.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Error, failed};
use crate::group::ProcessId;
use crate::tool::files;

/// A server that was started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Running {
    process: ProcessId,
    command: Vec<String>,
}

impl Running {
    /// This process, as the leader of a session that it is about to make, with the command that it will run.
    pub(super) fn own(command: &[String]) -> io::Result<Self> {
        let process = ProcessId::own()?;
        Ok(Self { process: ProcessId { session: process.pid, ..process }, command: command.to_vec() })
    }

    pub(super) fn write(&self, pid_file: &Path) -> io::Result<()> {
        files::save(pid_file, &serde_json::to_vec(self)?)
    }

    /// What a pid file says; none if there is no such file.
    ///
    /// # Errors
    /// It cannot be read, or is no pid file of ours.
    pub fn read(pid_file: &Path) -> Result<Option<Self>, Error> {
        match fs::read(pid_file) {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map(Some).map_err(|_| Error::Foreign(pid_file.display().to_string()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", pid_file)(error)),
        }
    }

    /// Whether it runs, or something of its process group does.
    pub fn is_alive(&self) -> bool {
        self.process.leads_a_live_group()
    }

    pub(super) fn group(&self) -> i32 {
        self.process.pid
    }
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.command.first().map_or("", String::as_str);
        write!(f, "the server `{program}` (process {})", self.process.pid)
    }
}
