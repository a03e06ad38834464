//! The form of a workflow's file, as far as farmout writes it.

use indexmap::IndexMap;
use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Document {
    pub name: String,
    pub on: Triggers,
    pub permissions: Permissions,
    pub concurrency: Concurrency,
    pub defaults: Defaults,
    pub env: IndexMap<&'static str, String>,
    pub jobs: IndexMap<String, Job>,
}

#[derive(Serialize)]
pub(super) struct Triggers {
    pub push: (),
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Vec<Schedule>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository_dispatch: Option<IndexMap<&'static str, Vec<&'static str>>>,
    /// Written without a value where nothing is asked for.
    pub workflow_dispatch: Option<IndexMap<&'static str, IndexMap<String, Input>>>,
}

#[derive(Serialize)]
pub(super) struct Schedule {
    pub cron: String,
}

#[derive(Serialize)]
pub(super) struct Input {
    pub description: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
}

#[derive(Serialize)]
pub(super) struct Permissions {
    pub contents: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Concurrency {
    pub group: String,
    pub cancel_in_progress: bool,
}

#[derive(Serialize)]
pub(super) struct Defaults {
    pub run: Shell,
}

#[derive(Serialize)]
pub(super) struct Shell {
    pub shell: &'static str,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Job {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    #[serde(rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    pub runs_on: Vec<String>,
    pub timeout_minutes: Minutes,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services: Option<IndexMap<&'static str, Service>>,
    pub steps: Vec<Step>,
}

/// Minutes: a number, or those of the matrix.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Minutes {
    Fixed(u64),
    Matrix(&'static str),
}

impl Default for Minutes {
    fn default() -> Self {
        Self::Fixed(15)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Strategy {
    pub fail_fast: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    pub matrix: Matrix,
}

#[derive(Serialize)]
pub(super) struct Matrix {
    pub include: Vec<Entry>,
}

#[derive(Serialize)]
pub(super) struct Entry {
    pub builder: String,
    pub plan: String,
    pub image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgresql: Option<String>,
    pub minutes: u64,
}

#[derive(Serialize)]
pub(super) struct Container {
    pub image: &'static str,
}

#[derive(Serialize)]
pub(super) struct Service {
    pub image: &'static str,
    pub env: IndexMap<&'static str, String>,
    pub options: String,
}

#[derive(Serialize, Default)]
pub(super) struct Step {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'static str>,
    #[serde(rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uses: Option<&'static str>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub with: IndexMap<&'static str, String>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub env: IndexMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

impl Step {
    /// A step that runs an action with these inputs.
    pub fn uses<T: Into<String>>(action: &'static str, with: impl IntoIterator<Item = (&'static str, T)>) -> Self {
        let with = with.into_iter().map(|(name, value)| (name, value.into())).collect();
        Self { uses: Some(action), with, ..Self::default() }
    }

    /// A step that runs a script.
    pub fn run(name: &'static str, script: &str) -> Self {
        Self { name: Some(name), run: Some(script.to_owned()), ..Self::default() }
    }

    /// The same step, whatever happened before.
    pub fn always(self) -> Self {
        Self { condition: Some("${{ always() }}"), ..self }
    }
}
