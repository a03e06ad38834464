//! The things that a slave is made of. In: one of them, and what setup made before. Out: whether it is there, the calls that
//! make it, the calls that undo it. Looking runs programs that only answer; nothing is changed here.

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use super::account::SystemUser;
use super::call::Call;
use super::directory::Directory;
use super::packages::Packages;
use super::record::Record;
use super::role::Role;
use super::unit::Unit;
use super::worker::{Environment, Worker};
use crate::diagnostic::Failure;

/// A thing that setup makes, as its record names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Thing {
    /// Packages of the distribution.
    Packages(Packages),
    /// The user that builds run as.
    User(SystemUser),
    /// A directory.
    Directory(Directory),
    /// A role in a PostgreSQL cluster.
    Role(Role),
    /// A Python environment with buildbot-worker.
    Environment(Environment),
    /// A Buildbot worker.
    Worker(Worker),
    /// A unit of systemd.
    Unit(Unit),
}

/// What looking at a thing tells.
#[derive(Debug, PartialEq, Eq)]
pub enum Look {
    /// It is there; perhaps not quite as setup would have made it, which the words tell.
    There(Option<String>),
    /// It is to be made.
    Missing {
        /// What of it will be setup's.
        made: Thing,
        /// How.
        calls: Vec<Call>,
    },
    /// It cannot be made now, and nothing depends on it; the words tell why.
    Left(String),
}

/// What undoing a thing takes.
#[derive(Debug, PartialEq, Eq)]
pub enum Undo {
    /// It is no longer there.
    Gone,
    /// These calls, and what is left to people then.
    Calls(Vec<Call>, Option<String>),
    /// It stays; the words tell why, and what to do about it.
    Kept(String),
}

/// What looking at things goes by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight<'a> {
    /// What setup made before.
    pub(super) record: &'a Record,
    /// Whether root looks; others do not see everything.
    pub(super) root: bool,
    /// Whether what builds left is removed as well.
    pub(super) purge: bool,
    /// What was undone already, or would be.
    pub(super) gone: &'a [Thing],
}

/// Calls the same method of whatever a [`Thing`] is.
macro_rules! each {
    ($thing:expr, $it:ident => $call:expr) => {
        match $thing {
            Thing::Packages($it) => $call,
            Thing::User($it) => $call,
            Thing::Directory($it) => $call,
            Thing::Role($it) => $call,
            Thing::Environment($it) => $call,
            Thing::Worker($it) => $call,
            Thing::Unit($it) => $call,
        }
    };
}

impl Thing {
    /// What people call it.
    pub fn title(&self) -> String {
        each!(self, it => it.title())
    }

    /// What it is for, in one clause.
    pub fn purpose(&self) -> String {
        each!(self, it => it.purpose())
    }

    pub(super) fn look(&self, sight: Sight<'_>) -> Result<Look, Failure> {
        each!(self, it => it.look(sight))
    }

    pub(super) fn undo(&self, sight: Sight<'_>) -> Result<Undo, Failure> {
        each!(self, it => it.undo(sight))
    }

    /// Whether both are one thing on the machine.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Packages(_), Self::Packages(_)) => true,
            (Self::User(one), Self::User(other)) => one.name == other.name,
            (Self::Directory(one), Self::Directory(other)) => one.path == other.path,
            (Self::Role(one), Self::Role(other)) => (&one.cluster, &one.name) == (&other.cluster, &other.name),
            (Self::Environment(one), Self::Environment(other)) => one.path == other.path,
            (Self::Worker(one), Self::Worker(other)) => one.path == other.path,
            (Self::Unit(one), Self::Unit(other)) => one.path == other.path,
            _ => false,
        }
    }

    /// Takes over what another state of the same thing says.
    pub(super) fn absorb(&mut self, other: &Self) {
        match (self, other) {
            (Self::Packages(own), Self::Packages(other)) => own.add(other),
            (own, other) => own.clone_from(other),
        }
    }
}

impl Thing {
    /// Where it is, if it is a file or a directory.
    pub(super) fn path(&self) -> Option<&Utf8Path> {
        match self {
            Self::Directory(it) => Some(&it.path),
            Self::Environment(it) => Some(&it.path),
            Self::Worker(it) => Some(&it.path),
            Self::Unit(it) => Some(&it.path),
            Self::Packages(_) | Self::User(_) | Self::Role(_) => None,
        }
    }
}

impl Sight<'_> {
    /// What setup made and is still there.
    pub(super) fn remaining(&self) -> impl Iterator<Item = &Thing> {
        self.record.things().filter(|thing| !self.gone.iter().any(|gone| gone.is_same(thing)))
    }

    /// Whether setup made this thing, or had begun to.
    pub(super) fn is_ours(&self, thing: &Thing) -> bool {
        self.record.find(thing).is_some()
    }
}
