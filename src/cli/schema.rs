//! `farmout schema`: the form of a YAML file, for editors.

use clap::ValueEnum;

use super::Exit;
use crate::diagnostic::Failure;
use crate::schema;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The kind of file
    file: File,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum File {
    /// What a template of `farmout render --template` is filled in with
    Context,
    /// farm.yaml
    Farm,
    /// A plan, as `farmout plan --format yaml` writes it
    Plan,
    /// Rules for the analysis of logs
    Rules,
    /// A step template of a farm's own
    Template,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let schema = match arguments.file {
        File::Context => schema::context(),
        File::Farm => schema::farm(),
        File::Plan => schema::plan(),
        File::Rules => schema::rules(),
        File::Template => schema::template(),
    };
    let text = serde_json::to_string_pretty(&schema).map_err(|error| Failure::misuse(error.to_string()))?;
    super::compile::print(&format!("{text}\n"))?;
    Ok(Exit::Fine)
}
