//! What this machine offers. In: where to look, and the account that must be able to use it. Out: a [`Machine`], and
//! from that a fragment for `slaves.cfg`, new or brought up to date. Programs are run to ask their version; nothing is written.

mod clusters;
mod fragment;
mod offer;
mod password;
mod ports;
mod postgresql;
mod programs;
mod python;
mod remarks;
mod search;
mod servers;
mod supplies;
mod update;

use std::thread;

use camino::Utf8Path;
use serde::Serialize;

use super::Account;
use super::probe::Probe;

pub use password::password;
pub use ports::Ports;
pub use postgresql::{PgInstall, bin_of};
pub use programs::{Kind, Program};
pub use python::{Buildout, OutOfReach, Python};
pub use search::Search;
pub(super) use search::{directories, natural, step};
pub use servers::Server;
pub use supplies::Supply;
pub use update::{Change, Refused, Updated, sections, update};

/// What was found. All lists are in a fixed order: versions upwards, then as found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Machine {
    /// What the machine calls itself.
    pub host: Option<String>,
    /// Its distribution: `Debian GNU/Linux 12 (bookworm)`.
    pub system: Option<String>,
    /// The user that builds run as; none where only capabilities were looked for.
    pub user: Option<String>,
    /// PostgreSQL's programs, one installation for each version of the capability.
    pub postgresql: Vec<PgInstall>,
    /// PostgreSQL servers, and Debian's clusters.
    pub servers: Vec<Server>,
    /// Pythons that builds can use, one for each minor version.
    pub pythons: Vec<Python>,
    /// Pythons that are there, but not for the account, of versions that `pythons` lacks.
    pub out_of_reach: Vec<OutOfReach>,
    /// Clients of version control systems and whatever else builds call.
    pub programs: Vec<Program>,
    /// What eggs and parts need from the system.
    pub supplies: Vec<Supply>,
    /// The command that installs what of that is missing, but for what only some builds want.
    pub install: Option<String>,
    /// Ports for servers of tests.
    pub ports: Vec<Ports>,
    /// What the reader should know besides: one sentence each, without a full stop.
    pub notes: Vec<String>,
}

/// Looks at the machine: at what the capabilities of a slave need.
///
/// Comes in: where to look; the account that builds run as, if that is not the caller. Goes out: what works for that
/// account. What does not answer in time or fails is left out with a note; there are no errors.
pub fn detect(search: &Search, account: Option<&Account>) -> Machine {
    let probe = Probe::new(account, search.limit);
    let probe = &probe;
    thread::scope(|scope| {
        let pythons = scope.spawn(|| python::find(search, account, probe));
        let postgresql = scope.spawn(|| postgresql::find(search, account, probe));
        let (programs, mut notes) = programs::find(programs::FIRST, search, account, probe);
        let (pythons, out_of_reach, more) = joined(pythons);
        notes.extend(more);
        let (postgresql, more) = joined(postgresql);
        notes.extend(more);
        Machine { postgresql, pythons, out_of_reach, programs, notes, ..Machine::default() }
    })
}

impl Machine {
    /// Looks at the rest: servers, and what the account may do there; programs that only some builds call; free ports.
    ///
    /// Comes in: where to look, the account, and the farmout that is to ask the servers as that account.
    pub fn survey(&mut self, search: &Search, account: Option<&Account>, farmout: &Utf8Path) {
        let probe = Probe::new(account, search.limit);
        // LibreOffice and browsers take their time to start.
        let patient = Probe::new(account, search.limit * 3);
        let (programs, notes) = thread::scope(|scope| {
            let programs = scope.spawn(|| programs::find(programs::MORE, search, account, &patient));
            self.servers = servers::find(search, account);
            servers::ask(&mut self.servers, farmout, &probe);
            self.ports = ports::find();
            joined(programs)
        });
        self.programs.extend(programs);
        self.notes.extend(notes);
        let caller = || Some(nix::unistd::User::from_uid(nix::unistd::geteuid()).ok()??.name);
        let supplies = supplies::find(search, account);
        self.supplies = supplies.all;
        self.install = supplies.install;
        self.system = Some(supplies.system).filter(|system| !system.is_empty());
        self.host =
            std::fs::read_to_string(search.placed("/proc/sys/kernel/hostname")).ok().map(|name| name.trim().to_owned());
        self.user = account.map(|account| account.name.clone()).or_else(caller);
    }

    /// Adds an installation that was not found but made, unless its version is there already. Keeps the order.
    pub fn add_postgresql(&mut self, install: PgInstall) {
        if self.postgresql.iter().all(|known| known.major != install.major) {
            self.postgresql.push(install);
            postgresql::sort(&mut self.postgresql);
        }
    }

    /// The programs of a kind.
    pub fn programs(&self, kind: Kind) -> impl Iterator<Item = &Program> {
        self.programs.iter().filter(move |program| program.kind == kind)
    }
}

/// A panic in a thread goes on in this one.
fn joined<T>(handle: thread::ScopedJoinHandle<'_, T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Whether the account, or else the caller, can start a program.
fn executable(path: &Utf8Path, account: Option<&Account>) -> bool {
    match account {
        Some(account) => account.can_execute(path),
        None => nix::unistd::access(path.as_std_path(), nix::unistd::AccessFlags::X_OK).is_ok(),
    }
}
