//! The plan file: versioned YAML that is complete in itself.

use camino::Utf8PathBuf;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the plan format that this farmout writes and reads.
pub const FORMAT: u32 = 1;

/// What one builder does on one slave.
///
/// Strings may hold placeholders, `${name}` or `${name:-default}`, for values known only at run time (see
/// [`super::placeholder`]); everything else is literal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plan {
    /// The format's version, [`FORMAT`].
    pub farmout_plan: u32,
    /// The builder's name, unique in the farm.
    pub builder: String,
    /// The build (manifest section) it comes from.
    pub build: String,
    /// The slave it is bound to.
    pub slave: String,
    /// How many builders the slave runs at a time, where its owner says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_builds: Option<usize>,
    /// The manifest that has the build, as the farm spells it.
    #[schemars(with = "String")]
    pub manifest: Utf8PathBuf,
    /// The build's category, free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The builder's directory under the slave's base directory: one path component.
    pub directory: String,
    /// The testing database, at most 63 bytes.
    pub database: String,
    /// Properties: versions of capabilities, the slave's own, the build's.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub properties: IndexMap<String, String>,
    /// Names of the secrets that the steps use; the runner looks them up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Directories put before `PATH`, first one first. Empty ones are left out (an empty element of `PATH` would
    /// be the current directory).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    /// Environment of every step. A variable whose value comes out empty is not set.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub environment: IndexMap<String, String>,
    /// Text files that `write` steps put on the slave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PlanFile>,
    /// The steps, in order; those with `always-run` run whatever happened before.
    pub steps: Vec<Step>,
}

/// A text file that the plan carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PlanFile {
    /// Where it goes, relative to the directory of the step that writes it; never absolute, never with `..`.
    #[schemars(with = "String")]
    pub path: Utf8PathBuf,
    /// Whether it is executable.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
    /// Its text, literal: placeholders are not replaced here.
    pub content: String,
}

/// One command, or one set of files to write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Step {
    /// Unique in the plan; at most 50 characters of `[a-z0-9-]`.
    pub name: String,
    /// The phase it belongs to.
    pub phase: Phase,
    /// The step template it was made from.
    pub template: String,
    /// What it is for, one line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
    /// The command: program and arguments, no shell. Empty where `write` is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub run: Vec<String>,
    /// Replace the contents of `directory` by the plan's files. Exactly one of `run` and `write` is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub write: bool,
    /// The working directory.
    #[serde(default = "build_directory", skip_serializing_if = "is_build_directory")]
    pub directory: String,
    /// Environment on top of the plan's.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub environment: IndexMap<String, String>,
    /// Name of a lock held while the step runs: exclusive on the slave, across processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// It takes out of the way what an earlier run has left, such as a log that would be appended to: it goes before the later
    /// steps of its template, also where a run begins with one of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub makes_way: bool,
    /// It fails for reasons that have nothing to do with what is built, such as another machine that does not answer: it is
    /// worth another attempt.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub infrastructure: bool,
    /// The exit statuses by which it says that another attempt would end in the same way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permanent: Vec<u8>,
    /// Seconds without output after which the step is killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<u64>,
    /// Seconds after which the step is killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// What a failure of the step does to the build.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// Runs even after a step that halted the build, and after an interruption.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub always_run: bool,
    /// The last line of the step's standard output becomes this property of the run, `${property.NAME}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property: Option<String>,
    /// A file that the step leaves in its directory, of at most 4 MiB: it is kept with the run's logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<String>,
    /// Files that the command appends to, from its directory: what is added while it runs is kept with the run's logs, and
    /// counts as output for `idle-timeout`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follow: Vec<String>,
    /// What of the manifest names the step's program, for whoever has to find out why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub named_by: Option<NamedBy>,
}

/// The option that names the program of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NamedBy {
    /// The option.
    pub option: String,
    /// Its value, or that line of it which names the program, literally.
    pub value: String,
    /// Whether that is the option's default.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub default: bool,
}

impl Step {
    /// Its texts, in which there may be placeholders.
    pub fn texts(&self) -> impl Iterator<Item = &String> {
        self.run.iter().chain(self.environment.values()).chain([&self.directory]).chain(&self.follow)
    }
}

fn build_directory() -> String {
    "${build-dir}".to_owned()
}

fn is_build_directory(directory: &str) -> bool {
    directory == "${build-dir}"
}

/// The phases of a build, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// What the slave must have running first, such as a private PostgreSQL cluster.
    Prepare,
    /// Get the buildout's configuration.
    Fetch,
    /// Steps right after it.
    PostDl,
    /// A private Python environment with the right zc.buildout.
    Bootstrap,
    /// `bin/buildout`.
    Buildout,
    /// The testing database.
    Db,
    /// Install and test.
    PostBuildout,
    /// Leave nothing behind.
    CleanUp,
}

/// What a step's failure does to the build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The build fails and stops, but for the steps that always run.
    #[default]
    Halt,
    /// The build fails and goes on.
    Flunk,
    /// The build goes on with a warning.
    Warn,
    /// Nothing; the step's log tells.
    Ignore,
}
