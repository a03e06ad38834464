//! A process beside this one that cleans up after it where this one cannot, as it was killed. In: a pipe, whose end is the end of
//! whoever posted the guard, and through it what there is to clean up. Out: the processes of a demonstration are ended, those of builds
//! included, and its directory is gone, unless it is to be kept. It is no part of what it cleans up, and lasts longer.

use std::io::{self, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::{as_account, stuck};
use crate::diagnostic::{Failure, plain};
use crate::group::ProcessId;
use crate::host::workshop;
use crate::interrupt::Interrupts;
use crate::tool::workspace::left_behind;
use crate::workspace::stray::{self, Mark};

/// How long what is asked to end may take for it.
const GRACE: Duration = Duration::from_secs(10);

/// A guard at its post, dismissed when this is dropped.
pub struct Guard {
    child: Child,
    process: ProcessId,
}

/// What is to be cleaned up.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Orders {
    /// Whose processes end.
    pub(super) process: ProcessId,
    pub(super) directory: Utf8PathBuf,
    pub(super) workers: Vec<Utf8PathBuf>,
    /// Whom the workers' directories belong to, if that is not the caller.
    pub(super) account: Option<(u32, u32)>,
    /// Whether the directory stays.
    pub(super) keep: bool,
}

impl Guard {
    /// Posts one, by a call of this very program with these arguments, which must lead to [`stand`].
    ///
    /// # Errors
    /// It cannot be started.
    pub fn post(arguments: &[&str]) -> Result<Self, Failure> {
        let posted = || -> io::Result<Self> {
            // The kernel's link works even after a new build replaced the file. In a group of its own no key of the terminal
            // reaches it, nor what ends this process's group.
            let mut command = Command::new("/proc/self/exe");
            command.arg0("farmout").args(arguments).current_dir("/").process_group(0);
            command.stdin(Stdio::piped()).stdout(Stdio::null());
            Ok(Self { process: ProcessId::own()?, child: command.spawn()? })
        };
        posted().map_err(|error| failed(&error))
    }

    /// Its number.
    pub(crate) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Whom it cleans up after.
    pub(super) fn process(&self) -> &ProcessId {
        &self.process
    }

    /// What the programs of a demonstration carry, and hand down.
    pub(super) fn mark(&self) -> Mark {
        mark(&self.process)
    }

    /// Tells what to do if this process is killed.
    pub(super) fn order(&self, orders: &Orders) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(orders).map_err(|error| failed(&error.into()))?;
        line.push(b'\n');
        let Some(mut pipe) = self.child.stdin.as_ref() else { return Ok(()) };
        pipe.write_all(&line).map_err(|error| failed(&error))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Before its pipe is closed, which would have it begin.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn failed(error: &io::Error) -> Failure {
    let error = plain(&error.to_string());
    Failure::error(format!("farmout cannot start what would clean up after it: {error}"))
}

fn mark(process: &ProcessId) -> Mark {
    Mark::call(process, 0)
}

/// Stands guard until who has posted it has ended, and cleans up then.
///
/// # Errors
/// What is left; orders that are none.
pub fn stand() -> Result<(), Failure> {
    let broken = |error: io::Error| Failure::error(format!("farmout cannot stand guard: {error}"));
    // Not ended by what others ask all processes of a service, as it is needed after them.
    let interrupts = Interrupts::listen().map_err(broken)?;
    let mut said = String::new();
    io::stdin().read_to_string(&mut said).map_err(broken)?;
    // There was nothing to clean up yet.
    let Some((line, _)) = said.split_once('\n') else { return Ok(()) };
    let orders: Orders =
        serde_json::from_str(line).map_err(|error| Failure::misuse(format!("these are no orders: {error}")))?;
    note!("farmout demo-master was killed: what it has started is ended");
    let ended = stray::end(&mark(&orders.process), None, GRACE, &interrupts).map_err(broken)?;
    let tidied = orders.workers.iter().try_for_each(|worker| tidy(worker, orders.account));
    let removed = if orders.keep { Ok(()) } else { workshop::remove(&orders.directory) };
    match ended.survivors.len() {
        0 => tidied.and(removed),
        left => Err(stuck(left, &orders.directory)),
    }
}

/// Ends what interrupted builds of a worker have left, and removes what they have elsewhere: folders for sockets.
pub(super) fn tidy(worker: &Utf8Path, account: Option<(u32, u32)>) -> Result<(), Failure> {
    if !worker.join(".farmout").exists() {
        return Ok(());
    }
    let failed =
        |error| Failure::error(format!("what builds have left of {worker} elsewhere cannot be found: {error}"));
    as_account(account, || {
        left_behind(worker).map_err(failed)?.iter().try_for_each(|build| Ok(build.end().map(drop)?))
    })?
}
