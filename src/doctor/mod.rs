//! Whether this machine can do what a slave's fragment promises. In: a compiled farm, one of its slaves, and the machine, seen
//! with the eyes of the account that builds run as. Out: findings, each with what mends it. Servers, Pythons and repositories
//! are really tried, in a directory that is gone afterwards; nothing else is changed, but by [`fix`], which is asked to.

mod account;
mod disk;
mod finding;
pub mod fix;
pub mod kind;
mod needs;
mod postgresql;
mod python;
mod surroundings;
mod telling;
mod vcs;

use std::thread;

use camino::{Utf8Path, Utf8PathBuf};

use crate::Compilation;
use crate::diagnostic::Failure;
use crate::dispatch::{Builder, required};
use crate::host::needs::{Distribution, Places};
use crate::host::{Account, Workshop};
use crate::model::{Build, Offer, OfferValue, Slave, Version};

pub use finding::{Checked, Finding, Mend, Place};
pub use kind::{Family, Kind, Severity};
pub use telling::Report;

/// A slave, and the machine that is to be it.
#[derive(Debug)]
pub struct Patient<'a> {
    compilation: &'a Compilation,
    index: usize,
    slave: &'a Slave,
    account: Option<Account>,
    state: Utf8PathBuf,
    places: Places,
    distribution: Distribution,
    workshop: Workshop,
}

impl<'a> Patient<'a> {
    /// Prepares the examination of a slave.
    ///
    /// Comes in: the farm, the slave with its index, the account that builds run as if that is not the caller, and the state
    /// directory, which need not exist.
    ///
    /// # Errors
    /// There is no directory for trying things out.
    pub fn new(
        compilation: &'a Compilation,
        (index, slave): (usize, &'a Slave),
        account: Option<Account>,
        state: &Utf8Path,
    ) -> Result<Self, Failure> {
        let places = Places::of_this_machine(account.as_ref());
        let distribution = Distribution::of_this_machine(Utf8Path::new("/"));
        let workshop = Workshop::open(account.as_ref())?;
        Ok(Self { compilation, index, slave, account, state: state.to_owned(), places, distribution, workshop })
    }

    /// Looks at the families that are asked for, all at once.
    pub fn examine(&self, families: &[Family]) -> Vec<Checked> {
        thread::scope(|scope| {
            let begun: Vec<_> = families.iter().map(|family| scope.spawn(|| self.check(*family))).collect();
            let joined = |handle: thread::ScopedJoinHandle<'_, Checked>| {
                handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            begun.into_iter().map(joined).collect()
        })
    }

    fn check(&self, family: Family) -> Checked {
        let (summary, mut findings) = match family {
            Family::Account => account::check(self),
            Family::Surroundings => surroundings::check(self),
            Family::Disk => disk::check(self),
            Family::PostgreSql => postgresql::check(self),
            Family::Python => python::check(self),
            Family::Needs => needs::check(self),
            Family::Vcs => vcs::check(self),
        };
        findings.sort_by_key(Finding::severity);
        Checked { family, summary, findings }
    }

    /// The builders that the slave takes, with their builds.
    fn builders(&self) -> impl Iterator<Item = (&'a Builder, &'a Build)> + '_ {
        let graph = &self.compilation.graph;
        let taken = graph.builders.iter().filter(|builder| builder.slaves.contains(self.index));
        taken.map(|builder| (builder, graph.build(builder)))
    }

    /// The builds that the slave takes, each once.
    fn builds(&self) -> Vec<&'a Build> {
        let mut builds: Vec<&Build> = self.builders().map(|(_, build)| build).collect();
        builds.dedup_by_key(|build| std::ptr::from_ref(*build));
        builds
    }

    /// The builds that get a capability at a version on this slave; at none, those that get none.
    fn builds_with(&self, capability: &str, version: Option<&Version>) -> Vec<&'a Build> {
        let gets = |(builder, build): &(&Builder, &Build)| {
            let chosen = builder.chosen.get(capability).cloned();
            let chosen =
                chosen.or_else(|| required(&build.requires, &builder.chosen, self.slave).swap_remove(capability));
            chosen.flatten().as_ref() == version
        };
        let mut builds: Vec<&Build> = self.builders().filter(gets).map(|(_, build)| build).collect();
        builds.dedup_by_key(|build| std::ptr::from_ref(*build));
        builds
    }

    /// Whom builds run as.
    fn user(&self) -> String {
        match &self.account {
            Some(account) => account.name.clone(),
            None => account::caller().map_or_else(|| "this user".to_owned(), |user| user.name),
        }
    }

    /// Whether the caller can install packages.
    fn is_root(&self) -> bool {
        nix::unistd::geteuid().is_root()
    }

    /// What installs packages here; for the distributions that farmout knows, else in words.
    fn install(&self, needs: &[&crate::host::needs::Need]) -> Mend {
        needs::install(self, needs)
    }
}

/// What is found where root has no account for builds: nothing else can be looked at honestly.
pub fn without_account(failure: &Failure) -> Checked {
    let mend = failure.help.as_ref().map_or_else(Mend::default, Mend::advice);
    let finding = Finding::new(&kind::ACCOUNT_NONE, failure.message.clone(), mend);
    let summary = "builds have no account; the rest was not looked at".to_owned();
    Checked { family: Family::Account, summary, findings: vec![finding] }
}

/// The value of an option of an offer that may be seen.
fn option<'o>(offer: &'o Offer, name: &str) -> Option<&'o str> {
    match &offer.options.get(name)?.value {
        OfferValue::Plain(value) if !value.is_empty() => Some(value),
        _ => None,
    }
}

/// An offer for people: `postgresql 15`.
fn named(capability: &str, offer: &Offer) -> String {
    let version = offer.version.as_ref().map_or("", Version::as_str);
    format!("{capability} {version}").trim_end().to_owned()
}

/// Whether what is there is of the version that is promised: `3.11.2` and `3.11rc1` are of 3.11, `15.8` is of 15.
fn is_of(promised: &Version, real: &str) -> bool {
    let split = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let numbers: Vec<u64> = text[..end].split('.').filter_map(|part| part.parse().ok()).collect();
        (numbers, text[end..].trim_start_matches('-').to_owned())
    };
    let (promised, real) = (split(promised.as_str()), split(real));
    real.0.starts_with(&promised.0) && (promised.1.is_empty() || promised.1 == real.1)
}

/// What farmout's own commands say of a failure on standard error: the clause, and the help.
fn failure_of(stderr: &str) -> (String, Option<String>) {
    let (message, help) = stderr.trim().split_once("\n  help: ").map_or((stderr.trim(), None), |(m, h)| (m, Some(h)));
    let message = message.rsplit("error: ").next().unwrap_or(message);
    let help = help.map(|help| help.lines().map(str::trim).collect::<Vec<_>>().join("\n"));
    (message.trim().to_owned(), help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minor_releases_are_of_the_version_that_is_promised() {
        for (promised, real, is) in [
            ("15", "15.20", true),
            ("15", "16.2", false),
            ("9.6", "9.6.24", true),
            ("9.6", "9.5.1", false),
            ("3.1", "3.11.2", false),
            ("3.11", "3.11.2", true),
            ("3.11.2", "3.11.4", false),
            ("17rc1", "17rc1", true),
            ("17rc1", "17.0", false),
            ("9.2-devel", "9.2devel", true),
            ("09.6", "9.6.1", true),
        ] {
            assert_eq!(is_of(&Version::parse(promised).unwrap(), real), is, "{promised} {real}");
        }
    }

    #[test]
    fn failures_of_commands_are_taken_apart() {
        let (message, help) = failure_of("Waiting\nerror: it broke\n  help: do this\n        and that\n");
        assert_eq!((message.as_str(), help.as_deref()), ("it broke", Some("do this\nand that")));
        assert_eq!(failure_of("").0, "");
    }
}
