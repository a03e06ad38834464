//! What this machine offers. In: where to look, and the account that must be able to use it. Out: a [`Machine`], and
//! from that a fragment for `slaves.cfg`. Programs are run to ask their version; nothing is written.

mod fragment;
mod password;
mod postgresql;
mod programs;
mod python;
mod search;
mod servers;

use std::thread;

use camino::Utf8PathBuf;

use super::Account;
use super::probe::Probe;

pub use password::password;
pub use postgresql::PgInstall;
pub use programs::Client;
pub use python::{OutOfReach, Python};
pub use search::Search;
pub(super) use search::{directories, natural, step};
pub use servers::Server;

/// What was found. All lists are in a fixed order: versions upwards, then as found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// PostgreSQL's programs, one installation for each version of the capability.
    pub postgresql: Vec<PgInstall>,
    /// PostgreSQL servers that run.
    pub servers: Vec<Server>,
    /// Pythons that builds can use, one for each minor version.
    pub pythons: Vec<Python>,
    /// Pythons that are there, but not for the account, of versions that `pythons` lacks.
    pub out_of_reach: Vec<OutOfReach>,
    /// Clients of version control systems.
    pub clients: Vec<Client>,
    /// wkhtmltopdf.
    pub wkhtmltopdf: Option<Client>,
    /// What the reader should know besides: one sentence each, without a full stop.
    pub notes: Vec<String>,
}

/// Looks at the machine.
///
/// Comes in: where to look; the account that builds run as, if that is not the caller. Goes out: what works for that
/// account. What does not answer in time or fails is left out with a note; there are no errors.
pub fn detect(search: &Search, account: Option<&Account>) -> Machine {
    let probe = Probe::new(account, search.limit);
    let probe = &probe;
    thread::scope(|scope| {
        let pythons = scope.spawn(|| python::find(search, account, probe));
        let postgresql = scope.spawn(|| postgresql::find(search, account, probe));
        let servers = scope.spawn(|| servers::find(search, probe));
        let (clients, wkhtmltopdf, mut notes) = programs::find(search, account, probe);
        let (pythons, out_of_reach, more) = joined(pythons);
        notes.extend(more);
        let (postgresql, more) = joined(postgresql);
        notes.extend(more);
        let servers = joined(servers);
        Machine { postgresql, servers, pythons, out_of_reach, clients, wkhtmltopdf, notes }
    })
}

impl Machine {
    /// Adds an installation that was not found but made, unless its version is there already. Keeps the order.
    pub fn add_postgresql(&mut self, install: PgInstall) {
        if self.postgresql.iter().all(|known| known.major != install.major) {
            self.postgresql.push(install);
            postgresql::sort(&mut self.postgresql);
        }
    }
}

/// A panic in a thread goes on in this one.
fn joined<T>(handle: thread::ScopedJoinHandle<'_, T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Whether the account, or else the caller, can start a program.
fn executable(path: &Utf8PathBuf, account: Option<&Account>) -> bool {
    match account {
        Some(account) => account.can_execute(path),
        None => nix::unistd::access(path.as_std_path(), nix::unistd::AccessFlags::X_OK).is_ok(),
    }
}
