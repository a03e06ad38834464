//! `farmout slave setup`: a Debian or Ubuntu made into a build slave, and back. In: who builds run as, where, which packages,
//! perhaps a Buildbot master. Out: things (packages, a user, directories, PostgreSQL roles, a worker, a unit), each of which
//! knows how to see that it is there, the commands that make it and those that undo it. Only what setup made is ever undone;
//! nothing that was there before is changed.

mod account;
mod call;
mod directory;
mod metapackage;
mod packages;
mod perform;
mod record;
mod role;
mod template;
mod thing;
mod unit;
mod worker;

use camino::{Utf8Path, Utf8PathBuf};

pub use account::SystemUser;
pub use call::{Call, Content};
pub use directory::Directory;
pub use metapackage::{File, NAME as METAPACKAGE, files as metapackage};
pub use packages::Packages;
pub use perform::{Event, Manner, Summary, make, remove};
pub use record::{DIRECTORY, Lock, Record};
pub use role::Role;
pub use thing::{Look, Thing, Undo};
pub use unit::{NAME as UNIT, Unit, runs as systemd_runs};
pub use worker::{Environment, Worker};

use crate::diagnostic::Failure;
use crate::model::Secret;

/// What a slave is to be made of.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The user that builds run as.
    pub account: String,
    /// The directory that all of the slave's are in.
    pub base: Utf8PathBuf,
    /// Packages that builds need.
    pub packages: Vec<String>,
    /// A Buildbot worker.
    pub worker: Option<Master>,
    /// Whether systemd keeps the worker running.
    pub unit: bool,
}

/// The master that a worker takes builds from.
#[derive(Debug, Clone)]
pub struct Master {
    /// `HOST:PORT`.
    pub address: String,
    /// What it calls the worker.
    pub worker: String,
    /// The password, if it is to be written.
    pub password: Option<Secret>,
}

type Stage = fn(&Setup, &Record, bool) -> Vec<Thing>;

impl Setup {
    /// What is made after what. The record's own directory comes first.
    const STAGES: [Stage; 6] = [Self::base, Self::needs, Self::account, Self::directories, Self::roles, Self::worker];

    /// Checks what was asked for.
    ///
    /// # Errors
    /// The account's name is none that a user and a PostgreSQL role can have; the base directory is relative, or builds
    /// would break in it.
    pub fn check(&self) -> Result<(), Failure> {
        if !account::is_name(&self.account) {
            return Err(Failure::misuse(format!("`{}` cannot be the name of a system user", self.account))
                .help("use lower-case letters, digits, - and _, 32 at most, and begin with a letter or _"));
        }
        if self.account == "root" || self.account == "postgres" {
            return Err(Failure::misuse(format!("builds cannot run as {}", self.account))
                .help("PostgreSQL and OpenERP refuse that; choose a user of its own"));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '~');
        if !self.base.is_absolute() || !self.base.as_str().chars().all(plain) {
            return Err(Failure::misuse(format!("`{}` cannot be the slave's directory", self.base))
                .help("name an absolute path of letters, digits and the characters . _ - + ~"));
        }
        if self.base.parent().is_none() || self.base.components().any(|part| part.as_str() == "..") {
            return Err(Failure::misuse(format!("`{}` cannot be the slave's directory", self.base))
                .help("name a directory of its own, without `..`"));
        }
        Ok(())
    }

    fn base(&self, record: &Record, _: bool) -> Vec<Thing> {
        let directory = |path: &Utf8Path, keeps, purpose: &str| {
            Thing::Directory(Directory {
                path: path.to_owned(),
                owner: None,
                mode: 0o755,
                keeps,
                purpose: purpose.to_owned(),
            })
        };
        let mut things = vec![directory(Utf8Path::new(DIRECTORY), true, "keeps the record of what setup makes")];
        let above = self.base.ancestors().skip(1).map(|path| directory(path, false, "the slave's directory is in it"));
        let mut above: Vec<_> = above.filter(|thing| is_new(thing, record)).collect();
        above.reverse();
        things.extend(above);
        if self.base != DIRECTORY {
            things.push(directory(&self.base, true, "all of the slave's directories are in it"));
        }
        things
    }

    fn needs(&self, _: &Record, _: bool) -> Vec<Thing> {
        let packages = Packages { names: self.packages.clone() };
        vec![Thing::Packages(packages)]
    }

    fn account(&self, _: &Record, _: bool) -> Vec<Thing> {
        vec![Thing::User(SystemUser { name: self.account.clone(), home: account::home(&self.base) })]
    }

    fn directories(&self, _: &Record, _: bool) -> Vec<Thing> {
        vec![self.own(account::home(&self.base), "the user's home, where farms are kept and run")]
    }

    fn roles(&self, _: &Record, dry: bool) -> Vec<Thing> {
        let mut roles: Vec<_> = role::Cluster::all().iter().map(|cluster| cluster.role(&self.account)).collect();
        let packages = Packages { names: self.packages.clone() };
        // Nobody knows its version before it is installed.
        if dry && roles.is_empty() && packages.have_server() {
            let (cluster, administrator) = ("VERSION/main".to_owned(), "postgres".to_owned());
            roles.push(Role { cluster, administrator, name: self.account.clone() });
        }
        roles.into_iter().map(Thing::Role).collect()
    }

    fn worker(&self, record: &Record, _: bool) -> Vec<Thing> {
        let Some(master) = &self.worker else { return Vec::new() };
        let (account, home) = (self.account.clone(), account::home(&self.base));
        let (path, environment) = (worker::directory(&self.base), worker::environment(&self.base));
        let mut things = vec![
            Thing::Environment(Environment { path: environment.clone(), account: account.clone(), home: home.clone() }),
            self.own(path.clone(), "builds of the Buildbot worker"),
            Thing::Worker(Worker {
                path,
                environment,
                account,
                home,
                master: master.address.clone(),
                name: master.worker.clone(),
                password: master.password.clone(),
            }),
        ];
        if self.unit {
            let directory = Thing::Directory(Directory {
                path: unit::DIRECTORY.into(),
                owner: None,
                mode: 0o755,
                keeps: false,
                purpose: "units of this machine's own".to_owned(),
            });
            things.extend(Some(directory).filter(|thing| is_new(thing, record)));
            things.push(Thing::Unit(Unit::new(&self.account, &self.base)));
        }
        things
    }

    fn own(&self, path: Utf8PathBuf, purpose: &str) -> Thing {
        let owner = Some(self.account.clone());
        Thing::Directory(Directory { path, owner, mode: 0o755, keeps: true, purpose: purpose.to_owned() })
    }
}

/// Whether a directory is not there, or setup's.
fn is_new(thing: &Thing, record: &Record) -> bool {
    thing.path().is_some_and(|path| !path.exists()) || record.find(thing).is_some()
}

/// Whether a slave's directory has a worker with a password, so that none needs to be given.
pub fn has_worker(base: &Utf8Path) -> bool {
    worker::directory(base).join("password").exists()
}
