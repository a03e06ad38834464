//! The format of a step template.

use indexmap::IndexMap;
use serde::Deserialize;

use crate::model::DeclaredOptions;
use crate::plan::{OnFailure, Phase};

/// A step template: the options that it reads, and the steps that it makes.
///
/// Strings of its steps are filled in twice: `{{ expression }}` when the farm is compiled, `${name}` when the plan is
/// bound to a slave or run (see [`crate::plan::placeholder`]).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Template {
    /// Its name.
    #[serde(rename = "template")]
    pub name: String,
    /// What it does, one line.
    pub help: String,
    /// Where it may stand.
    pub place: Use,
    /// Names that it had once: they are read, with a notice.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The options that it reads.
    #[serde(default)]
    pub options: DeclaredOptions,
    /// Its steps.
    #[serde(default)]
    pub steps: Vec<StepTemplate>,
    /// Steps that are run at the end whatever happened, in the reverse order of the templates.
    #[serde(default)]
    pub clean_up: Vec<StepTemplate>,
}

/// Where a template may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// It is brought by a capability.
    Capability,
    /// It is one of `db-steps`.
    #[serde(rename = "db-steps")]
    Db,
    /// It is part of every build.
    Every,
    /// It is one of `post-buildout-steps`.
    #[serde(rename = "post-buildout-steps")]
    PostBuildout,
    /// It is one of `post-dl-steps`.
    #[serde(rename = "post-dl-steps")]
    PostDl,
    /// It fetches a kind of source.
    Source,
}

impl Use {
    /// The option that lists such templates.
    pub fn option(self) -> Option<&'static str> {
        match self {
            Self::Db => Some("db-steps"),
            Self::PostBuildout => Some("post-buildout-steps"),
            Self::PostDl => Some("post-dl-steps"),
            Self::Capability | Self::Every | Self::Source => None,
        }
    }

    /// The phase of the steps.
    pub fn phase(self, template: &str) -> Phase {
        match self {
            Self::Capability => Phase::Prepare,
            Self::Db => Phase::Db,
            Self::Every if template == "bootstrap" => Phase::Bootstrap,
            Self::Every => Phase::Buildout,
            Self::PostBuildout => Phase::PostBuildout,
            Self::PostDl => Phase::PostDl,
            Self::Source => Phase::Fetch,
        }
    }
}

/// A step of a template. See [`crate::plan::Step`] for what the fields do.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StepTemplate {
    /// The step's name.
    pub name: String,
    /// What it is for, one line.
    pub help: String,
    /// An expression; the step is there only if it is true.
    #[serde(default)]
    pub when: Option<String>,
    /// The command.
    #[serde(default)]
    pub run: Vec<Argument>,
    /// Write the files of the build.
    #[serde(default)]
    pub write: bool,
    /// The working directory.
    #[serde(default)]
    pub directory: Option<String>,
    /// Environment on top of the plan's.
    #[serde(default)]
    pub environment: IndexMap<String, String>,
    /// The lock that it holds.
    #[serde(default)]
    pub lock: Option<String>,
    /// Seconds without output.
    #[serde(default)]
    pub idle_timeout: Option<u64>,
    /// Seconds in all.
    #[serde(default)]
    pub timeout: Option<u64>,
    /// What its failure does.
    #[serde(default)]
    pub on_failure: Option<OnFailure>,
    /// The property that its last line becomes.
    #[serde(default)]
    pub property: Option<String>,
}

/// A part of a command.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Argument {
    /// One argument.
    One(String),
    /// Arguments that are there only if an expression is true.
    When {
        /// The expression.
        when: String,
        /// The arguments.
        arguments: Vec<String>,
    },
    /// The items of a list, an argument each.
    Each {
        /// An expression that makes the list.
        each: String,
    },
}
