//! Plans that were made before: files or standard input in, plans out.

use std::io::Read as _;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize as _;

use crate::diagnostic::Failure;
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
