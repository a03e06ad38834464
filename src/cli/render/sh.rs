//! `farmout render sh`.

use camino::{Utf8Path, Utf8PathBuf};

use super::super::plan::PlansArguments;
use super::output::{self, Output};
use crate::Compilation;
use crate::cli::Exit;
use crate::diagnostic::Failure;
use crate::plan::Plan;
use crate::render::sh::{Program, Script, ScriptError};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    wanted: PlansArguments,
    /// Leave the farmout program out, which the steps call: the script then looks for one where it runs
    #[arg(long)]
    bare: bool,
    /// The script; or a directory, which gets a script for each builder [default: standard output]
    #[arg(short, long, value_name = "FILE|DIR")]
    output: Option<Utf8PathBuf>,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let compilation = arguments.wanted.compile()?;
    let plans = arguments.wanted.plans(&compilation)?;
    let program = if arguments.bare { None } else { Some(own()?) };
    let own = own_properties(&compilation);
    let script = |plans: &[Plan]| Script::new(plans, program.as_ref(), &own).map_err(failure);
    match arguments.output.as_deref() {
        Some(path) if path.is_dir() || path.as_str().ends_with('/') => {
            output::directory(path)?;
            for plan in &plans {
                let path = path.join(format!("{}.sh", plan.directory));
                write(&script(std::slice::from_ref(plan))?, Some(&path))?;
            }
        }
        path => write(&script(&plans)?, path)?,
    }
    Ok(Exit::Fine)
}

fn write(script: &Script<'_>, path: Option<&Utf8Path>) -> Result<(), Failure> {
    Output { path, mode: 0o755 }.write(&mut |out| script.write(out))
}

fn own() -> Result<Program, Failure> {
    Program::own().map_err(|error| {
        Failure::misuse(format!("this farmout cannot read its own program: {error}")).help("--bare leaves it out")
    })
}

/// The properties that say what a builder is for.
fn own_properties(compilation: &Compilation) -> Vec<String> {
    let declarations = &compilation.graph.farm.declarations;
    let versions = declarations.iter().map(|known| declarations.version_property(&known.name));
    versions.chain(["build_requires".to_owned()]).collect()
}

fn failure(error: ScriptError) -> Failure {
    Failure::error(error.to_string())
}
