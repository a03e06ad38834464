//! `farm.json`: what a Buildbot master has to know of a farm. Plain data that can be written; what many builders share is
//! there once, and others name it by its number.

use std::collections::BTreeSet;
use std::io::{self, Write};

use indexmap::IndexMap;
use serde::Serialize;

use crate::model::Vcs;
use crate::plan::placeholder::Piece;
use crate::plan::{OnFailure, Phase};

/// The version of the format. The loader takes no other.
pub const FORMAT: u32 = 1;

/// A text with placeholders, taken apart: a plain string where it has none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum Text {
    /// Without placeholders.
    Plain(String),
    /// With some.
    Pieces(Vec<Piece>),
}

/// All of it.
#[derive(Debug)]
pub struct Document {
    /// Which of several masters it is for.
    pub master: Option<Master>,
    /// The slaves that take any builder, by name.
    pub workers: IndexMap<String, Worker>,
    /// What workers make of the builders that get the same capabilities there.
    pub settings: Vec<Setting>,
    /// Which workers take a builder, the best first, and the setting that it has there.
    pub offers: Vec<IndexMap<String, usize>>,
    /// What files hold that builders carry, by the SHA-256 of it.
    pub files: IndexMap<String, String>,
    /// Steps.
    pub steps: Vec<Step>,
    /// What builders do.
    pub procedures: Vec<Procedure>,
    /// The builders, in the farm's order.
    pub builders: Vec<Builder>,
    /// The builds that have builders, in the farm's order.
    pub builds: Vec<Build>,
    /// Those that other masters have.
    pub elsewhere: Vec<Build>,
    /// The branches that builds watch.
    pub branches: Vec<Branch>,
    /// The names of all secrets, which are files in the master's directory `secrets`.
    pub secrets: Vec<String>,
}

/// One of several masters that have a farm between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Master {
    /// Its number, from 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

/// A slave.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Worker {
    /// The slave's name, where Buildbot takes no worker of that name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slave: Option<String>,
    /// How many builds it runs at a time, if its owner says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_builds: Option<u64>,
    /// Who is told when it is away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notify_on_missing: Vec<String>,
    /// The highest is taken first.
    pub priority: serde_json::Number,
    /// The first half of its testing databases' names.
    pub db_prefix: String,
    /// The name of the secret that it shows to the master.
    pub password: String,
    /// Its properties.
    pub properties: IndexMap<String, String>,
}

/// What a worker makes of all builders that get the same capabilities there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Setting {
    /// What placeholders about capabilities stand for.
    pub values: Pairs<Text>,
    /// Directories before `PATH`.
    pub path: Vec<Text>,
    /// Variables of every step.
    pub environment: Pairs<Text>,
    /// Properties of its builds.
    pub properties: Pairs<String>,
    /// Which steps are there that are not there everywhere.
    pub variants: Vec<String>,
}

/// Names and what they stand for, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pairs<T>(pub Vec<(String, T)>);

impl<T: Serialize> Serialize for Pairs<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// What a builder does, on whichever worker.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Procedure {
    /// The numbers of its steps.
    pub steps: Vec<usize>,
    /// The files that it carries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<File>,
}

/// A file that a builder carries.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct File {
    /// Where it goes.
    pub path: String,
    /// Whether it is executable.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
    /// The SHA-256 of what it holds.
    pub content: String,
}

/// A step: [`crate::plan::Step`], with its texts taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Step {
    /// Its name.
    pub name: String,
    /// The phase that it belongs to.
    pub phase: Phase,
    /// The step template that it was made from.
    pub template: String,
    /// What it is for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub help: String,
    /// The command.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub run: Vec<Text>,
    /// Whether it writes the procedure's files instead.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub write: bool,
    /// Files that go from the worker to the master, instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload: Option<Upload>,
    /// An archive that goes from the master to the worker first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub download: Option<Download>,
    /// The working directory.
    pub directory: Text,
    /// Its own variables.
    #[serde(skip_serializing_if = "no_pairs")]
    pub environment: Pairs<Text>,
    /// The lock that it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// Whether another attempt may end better.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub infrastructure: bool,
    /// The exit statuses by which it would not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub permanent: Vec<u8>,
    /// Seconds without output after which it is killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<u64>,
    /// Seconds after which it is killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// What its failure does to the build.
    pub on_failure: OnFailure,
    /// Whether it runs whatever happened before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub always_run: bool,
    /// The property that the last line of its output becomes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// A file that it leaves in its directory, kept as a log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<String>,
    /// Files that it appends to, shown while it does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub follow: Vec<Text>,
    /// It is there only on workers whose setting has this variant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub only_if: Option<String>,
}

fn no_pairs(pairs: &Pairs<Text>) -> bool {
    pairs.0.is_empty()
}

/// What `farmout tool upload` is given, which puts files on the machine that it runs on: with workers, that is to be the master.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Upload {
    /// Files and directories, from the step's directory.
    pub sources: Vec<Text>,
    /// Below which directory they go, if `to` is relative.
    pub base: Text,
    /// The directory that they go into.
    pub to: Text,
    /// Where that can be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<Text>,
}

/// What `farmout tool fetch archive` is given: with workers, the archives are the master's.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Download {
    /// The directory below which archives are.
    pub root: Text,
    /// The directory in it.
    pub directory: Text,
    /// The archive's name, without `.tar.bz2`.
    pub name: Text,
}

/// A builder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Builder {
    /// Its name.
    pub name: String,
    /// Its build.
    pub build: String,
    /// Its directory below the worker's base directory.
    pub directory: String,
    /// The testing database, by the first half of its name.
    pub databases: IndexMap<String, String>,
    /// The build's category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The properties that it has everywhere.
    pub properties: IndexMap<String, String>,
    /// The number of its offer.
    pub offers: usize,
    /// The number of its procedure.
    pub procedure: usize,
}

/// A build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Build {
    /// Its name.
    pub name: String,
    /// Its builders.
    pub builders: Vec<String>,
    /// Seconds of quiet before it starts.
    pub tree_stable_timer: u64,
    /// The numbers of the branches whose changes start it.
    pub watch: Vec<usize>,
    /// What whoever starts it by hand may say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<Property>,
}

/// A property that steps ask for, and that no step and no worker need have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Whether some step has no default for it.
    pub required: bool,
}

/// A branch that builds watch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Branch {
    /// The system.
    pub vcs: Vcs,
    /// The repository's address, without a password.
    pub url: String,
    /// The branch; none for Bazaar.
    pub branch: Option<String>,
    /// The spelling that all addresses of the repository share.
    pub place: String,
    /// Those of other addresses that are told for it: other spellings, and what the farm rewrites to it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub other_places: BTreeSet<String>,
    /// The name of the secret with `USER:PASSWORD` for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

impl Document {
    /// Writes it: JSON with a line for each thing, so that versions can be compared.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        writeln!(out, "{{\"farmout_farm\": {FORMAT},\n\"farmout\": \"{}\",", env!("CARGO_PKG_VERSION"))?;
        if let Some(master) = &self.master {
            write!(out, "\"master\": ")?;
            serde_json::to_writer(&mut out, master)?;
            writeln!(out, ",")?;
        }
        map(&mut out, "workers", &self.workers)?;
        list(&mut out, "settings", &self.settings)?;
        list(&mut out, "offers", &self.offers)?;
        map(&mut out, "files", &self.files)?;
        list(&mut out, "steps", &self.steps)?;
        list(&mut out, "procedures", &self.procedures)?;
        list(&mut out, "builders", &self.builders)?;
        list(&mut out, "builds", &self.builds)?;
        if self.master.is_some() {
            list(&mut out, "elsewhere", &self.elsewhere)?;
        }
        list(&mut out, "branches", &self.branches)?;
        write!(out, "\"secrets\": ")?;
        serde_json::to_writer(&mut out, &self.secrets)?;
        writeln!(out, "}}")
    }
}

fn list<T: Serialize>(out: &mut impl Write, name: &str, items: &[T]) -> io::Result<()> {
    write!(out, "\"{name}\": [")?;
    for (number, item) in items.iter().enumerate() {
        out.write_all(if number == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, item)?;
    }
    writeln!(out, "],")
}

fn map<T: Serialize>(out: &mut impl Write, name: &str, items: &IndexMap<String, T>) -> io::Result<()> {
    write!(out, "\"{name}\": {{")?;
    for (number, (key, item)) in items.iter().enumerate() {
        out.write_all(if number == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut *out, key)?;
        out.write_all(b": ")?;
        serde_json::to_writer(&mut *out, item)?;
    }
    writeln!(out, "}},")
}
