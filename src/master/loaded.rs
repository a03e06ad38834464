//! What Buildbot makes of a master's configuration. In: a Buildbot and a copy of the directory. Out: what the programs in `python/`
//! write, which that Buildbot's Python runs. They decide nothing: words and severities are given by [`super::facts`].

use std::fs::{self, File};
use std::io;
use std::process::{Command, Output, Stdio};
use std::thread;

use camino::Utf8Path;
use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::copy::Copy;
use super::facts::Fact;
use super::finding::Place;
use super::program::Buildbot;
use crate::plan::{AT_RUN_TIME, Phase};

/// The programs, the first of which is started.
const PROGRAMS: [(&str, &str); 3] = [
    ("farmout_inspect.py", include_str!("python/farmout_inspect.py")),
    ("farmout_rules.py", include_str!("python/farmout_rules.py")),
    ("farmout_steps.py", include_str!("python/farmout_steps.py")),
];

/// A builder and a worker.
pub(super) type Pair = (String, String);

/// A configuration.
#[derive(Debug, Deserialize)]
pub(super) struct Loaded {
    /// Buildbot's version.
    pub(super) buildbot: String,
    /// What Buildbot has against it.
    pub(super) refused: Vec<Refusal>,
    /// What Buildbot has nothing against, and is to be told all the same.
    pub(super) facts: Vec<Fact>,
    /// The names of the secrets that are asked for.
    pub(super) secrets: Vec<String>,
    pub(super) builders: usize,
    pub(super) workers: usize,
    pub(super) schedulers: usize,
    pub(super) pollers: usize,
    /// Whether the farm is in it.
    pub(super) farm: bool,
    /// Builders of the farm that are not in it.
    pub(super) lacking: Vec<String>,
    /// What builders do on workers.
    pub(super) plans: Vec<LoadedPlan>,
}

/// An error of Buildbot's.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal {
    pub(super) message: String,
    pub(super) place: Option<Place>,
}

/// What a builder does on a worker.
#[derive(Debug, Deserialize)]
pub(super) struct LoadedPlan {
    pub(super) builder: String,
    pub(super) worker: String,
    /// Whether the configuration has the builder on the worker.
    pub(super) there: bool,
    #[serde(default)]
    pub(super) directory: String,
    #[serde(default)]
    pub(super) database: String,
    #[serde(default)]
    pub(super) properties: IndexMap<String, String>,
    #[serde(default)]
    pub(super) secrets: Vec<String>,
    #[serde(default)]
    pub(super) path: Vec<String>,
    #[serde(default)]
    pub(super) environment: IndexMap<String, String>,
    #[serde(default)]
    pub(super) files: Vec<LoadedFile>,
    pub(super) steps: Vec<LoadedStep>,
    /// How many builders and workers it stands for.
    #[serde(default)]
    pub(super) count: usize,
}

/// A file that a builder carries.
#[derive(Debug, Deserialize)]
pub(super) struct LoadedFile {
    pub(super) path: String,
    pub(super) executable: bool,
    /// The SHA-256 of what it holds.
    pub(super) content: String,
}

/// A step.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct LoadedStep {
    pub(super) name: String,
    pub(super) place: Option<Place>,
    pub(super) class: String,
    pub(super) run: Vec<String>,
    pub(super) on_failure: String,
    pub(super) always_run: bool,
    #[serde(flatten)]
    pub(super) kind: StepKind,
}

/// Whose a step is.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum StepKind {
    /// A plan's.
    Plan(Box<PlanStep>),
    /// One of those around a plan, or an admin's.
    Other,
}

/// What a step of a plan has besides.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct PlanStep {
    pub(super) problem: Option<String>,
    pub(super) write: bool,
    pub(super) directory: String,
    pub(super) path: Vec<String>,
    /// All of it: the worker's part and the step's.
    pub(super) environment: IndexMap<String, String>,
    /// The names that are the step's own.
    pub(super) own: Vec<String>,
    pub(super) locks: Vec<String>,
    /// Whether it is there under the conditions of its plan, and no others.
    pub(super) wanted: bool,
    pub(super) phase: Phase,
    pub(super) template: String,
    pub(super) help: String,
    pub(super) infrastructure: bool,
    pub(super) permanent: Vec<u8>,
    pub(super) idle_timeout: Option<u64>,
    pub(super) timeout: Option<u64>,
    pub(super) property: Option<String>,
    pub(super) keep: Option<String>,
    pub(super) follow: Vec<String>,
}

/// What came of loading.
pub(super) struct Loading {
    /// The configuration, or why it could not be looked at.
    pub(super) loaded: Result<Loaded, String>,
    /// What `buildbot checkconfig` said, if it did not like it.
    pub(super) checkconfig: Option<String>,
}

/// Has Buildbot load the configuration, and beside that check it by itself; with pairs, to learn of these alone.
pub(super) fn load(buildbot: &Buildbot, copy: &Copy, pairs: Option<&[Pair]>) -> io::Result<Loading> {
    let mut checkconfig = command(&buildbot.program, copy);
    checkconfig.arg("checkconfig").arg(&copy.directory);
    let (loaded, checked) = thread::scope(|scope| {
        let checking = scope.spawn(|| if pairs.is_none() { checkconfig.output().map(Some) } else { Ok(None) });
        let loaded = ask(buildbot, copy, &json!({ "later": AT_RUN_TIME, "pairs": pairs, "plain": false }));
        (loaded, checking.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    let checkconfig = checked?.filter(|checked| !checked.status.success());
    let said = |checked: Output| said(copy, &checked.stderr) + &said(copy, &checked.stdout);
    Ok(Loading { loaded: loaded?, checkconfig: checkconfig.map(said) })
}

/// What farm.py makes of these pairs by itself, whatever the configuration does with it.
pub(super) fn plain(buildbot: &Buildbot, copy: &Copy, pairs: &[Pair]) -> io::Result<Result<Vec<LoadedPlan>, String>> {
    #[derive(Deserialize)]
    struct Plain {
        plans: Vec<LoadedPlan>,
    }
    let plain: Result<Plain, String> =
        ask(buildbot, copy, &json!({ "later": AT_RUN_TIME, "pairs": pairs, "plain": true }))?;
    Ok(plain.map(|plain| plain.plans))
}

/// Has Buildbot's Python answer a request.
fn ask<T: DeserializeOwned>(buildbot: &Buildbot, copy: &Copy, request: &Value) -> io::Result<Result<T, String>> {
    let programs = copy.other("programs");
    fs::create_dir_all(&programs)?;
    for (name, text) in PROGRAMS {
        fs::write(programs.join(name), text)?;
    }
    let (asked, result) = (copy.other("request.json"), copy.other("result.json"));
    serde_json::to_writer(File::create(&asked)?, request)?;
    let mut inspect = command(&buildbot.python, copy);
    inspect.arg(programs.join(PROGRAMS[0].0)).arg(&copy.directory).arg(&asked).arg(&result);
    let output = inspect.output()?;
    Ok(match fs::read(&result) {
        Ok(text) if output.status.success() => {
            serde_json::from_str(&said(copy, &text)).map_err(|error| error.to_string())
        }
        _ => {
            let stderr = said(copy, &output.stderr);
            let last = stderr.lines().rev().find(|line| !line.trim().is_empty());
            Err(last.map_or_else(|| output.status.to_string(), ToOwned::to_owned))
        }
    })
}

/// A program that runs the configuration, in the copy.
fn command(program: &Utf8Path, copy: &Copy) -> Command {
    let mut command = Command::new(program);
    command.current_dir(&copy.directory).stdin(Stdio::null()).env("PYTHONDONTWRITEBYTECODE", "1");
    // The same words every time, whatever order a set has.
    command.env("PYTHONHASHSEED", "0");
    command
}

fn said(copy: &Copy, stream: &[u8]) -> String {
    copy.real(&String::from_utf8_lossy(stream))
}
