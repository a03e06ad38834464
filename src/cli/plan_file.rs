//! Plans that were made before: files or standard input in, plans and the secrets that they need out.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize as _;

use crate::diagnostic::{Failure, suggest};
use crate::model::{Secret, Secrets};
use crate::plan::Plan;

/// What stands for standard input.
const STDIN: &str = "-";
/// More than this is no plan: the files that it may carry have a limit each.
const LARGEST: u64 = 256 << 20;

/// Files with plans.
#[derive(Debug)]
pub(super) struct PlanFiles(Vec<Utf8PathBuf>);

impl PlanFiles {
    /// The arguments, if they are files with plans; none if they are names of builders.
    ///
    /// # Errors
    /// Some are the one, some the other.
    pub(super) fn among(arguments: &[String]) -> Result<Option<Self>, Failure> {
        let is_file = |argument: &&String| {
            let extension = Utf8Path::new(argument.as_str()).extension();
            *argument == STDIN || argument.contains('/') || matches!(extension, Some("yaml" | "yml" | "json"))
        };
        let (files, builders): (Vec<&String>, Vec<&String>) = arguments.iter().partition(is_file);
        match (files.as_slice(), builders.as_slice()) {
            ([], _) => Ok(None),
            (_, []) => Ok(Some(Self(files.into_iter().map(Utf8PathBuf::from).collect()))),
            ([file, ..], [builder, ..]) => {
                Err(Failure::misuse(format!("{file} is a file with plans, and `{builder}` the name of a builder"))
                    .help("a file is taken whole: `farmout plan` writes the plans of the builders that it is given"))
            }
        }
    }

    /// All plans in all of them.
    ///
    /// # Errors
    /// A file that cannot be read, or has something else in it.
    pub(super) fn read(&self) -> Result<Vec<Plan>, Failure> {
        let mut plans = Vec::new();
        for path in &self.0 {
            let name = if path == STDIN { "standard input" } else { path.as_str() };
            let text = read_text(path).map_err(|error| Failure::misuse(format!("cannot read {name}: {error}")))?;
            let found = plans_in(&text).map_err(|error| not_a_plan(name, &text, &error))?;
            if found.is_empty() {
                return Err(Failure::misuse(format!("there is no plan in {name}")).help(HOW));
            }
            plans.extend(found);
        }
        Ok(plans)
    }
}

const HOW: &str = "`farmout plan --format yaml` writes what `farmout run` takes";

fn read_text(path: &Utf8Path) -> std::io::Result<String> {
    let mut text = String::new();
    let read = if path == STDIN {
        std::io::stdin().lock().take(LARGEST + 1).read_to_string(&mut text)?
    } else {
        std::fs::File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?
    };
    if read as u64 > LARGEST {
        return Err(std::io::Error::other("it is larger than 256 MiB"));
    }
    Ok(text)
}

/// YAML documents, or JSON documents one after the other.
fn plans_in(text: &str) -> Result<Vec<Plan>, String> {
    if text.trim_start().starts_with('{') {
        let plans = serde_json::Deserializer::from_str(text).into_iter();
        // YAML may begin so, too, and says better what is wrong.
        if let Ok(plans) = plans.collect::<Result<Vec<Plan>, _>>() {
            return Ok(plans);
        }
    }
    let mut plans = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let plan: Option<Plan> = Option::deserialize(document).map_err(|error| error.to_string())?;
        plans.extend(plan);
    }
    Ok(plans)
}

fn not_a_plan(name: &str, text: &str, error: &str) -> Failure {
    if !text.contains("farmout-plan") {
        return Failure::misuse(format!("{name} is no plan: it has no `farmout-plan`")).help(HOW);
    }
    Failure::misuse(format!("{name} is no plan of this farmout's: {error}"))
}

/// Where secrets come from that plans only name.
#[derive(Debug, clap::Args)]
pub(super) struct SecretArguments {
    /// A YAML file with the secrets that plans name, a line NAME: VALUE each; for its owner's eyes only [default: the farm of
    /// --farm has them]
    #[arg(long, value_name = "FILE")]
    secrets: Option<Utf8PathBuf>,
}

impl SecretArguments {
    /// For a command that has a farm.
    ///
    /// # Errors
    /// A file was given.
    pub(super) fn refuse(&self) -> Result<(), Failure> {
        self.secrets.as_ref().map_or(Ok(()), |_| {
            Err(Failure::misuse("--secrets is for files with plans").help("a farm has its secrets in slaves.cfg"))
        })
    }

    /// The secrets that the plans need: those of the file, else those of the farm, if there is one.
    ///
    /// # Errors
    /// The file cannot be read, others can read it too, or a secret is in neither.
    pub(super) fn of(
        &self,
        plans: &[Plan],
        farm: impl FnOnce() -> Result<Option<Secrets>, Failure>,
    ) -> Result<Secrets, Failure> {
        let mut secrets = farm()?.unwrap_or_default();
        if let Some(path) = &self.secrets {
            secrets.extend(read_secrets(path)?);
        }
        let wanted: BTreeSet<&str> = plans.iter().flat_map(|plan| &plan.secrets).map(String::as_str).collect();
        let lacking: Vec<&str> = wanted.into_iter().filter(|name| !secrets.contains_key(*name)).collect();
        if lacking.is_empty() {
            return Ok(secrets);
        }
        let plural = if lacking.len() == 1 { "the secret" } else { "the secrets" };
        let message = format!("these plans need {plural} {}", suggest::list(lacking.iter().copied()));
        Err(Failure::misuse(message).help(format!(
            "name their farm with --farm, or give them in a file of yours: --secrets FILE, with lines such as `{}: VALUE`",
            lacking[0]
        )))
    }
}

fn read_secrets(path: &Utf8Path) -> Result<Secrets, Failure> {
    let cannot = |error: std::io::Error| Failure::misuse(format!("cannot read {path}: {error}"));
    let mut file = std::fs::File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    // A pipe is nobody's to read but ours.
    if metadata.is_file() && metadata.mode() & 0o077 != 0 {
        return Err(Failure::misuse(format!("others can read the secrets in {path}")).help(format!("chmod 600 {path}")));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(cannot)?;
    // What is wrong is said without a word of what stands there.
    let values: indexmap::IndexMap<String, String> = serde_yaml::from_str(&text).map_err(|error| {
        let place = error.location().map(|place| format!(", line {}", place.line())).unwrap_or_default();
        Failure::misuse(format!("{path}{place}: not a line `NAME: VALUE`"))
            .help("a value that is a number needs quotes")
    })?;
    Ok(values.into_iter().map(|(name, value)| (name, Secret::new(value))).collect())
}
