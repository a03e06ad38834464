//! `farmout check-master`: whether a Buildbot master is the farm's, and what its steps would be. In: the arguments. Out: findings,
//! exit 1 where one is an error; or a dry run. The looking is done by [`crate::master`].

use camino::Utf8PathBuf;

use super::Exit;
use super::compile::print;
use super::farm::{FarmArguments, Pick, exit, read, right, slave};
use crate::diagnostic::Failure;
use crate::doctor::Severity;
use crate::master::{Master, Options, share};
use crate::render;
use crate::render::buildbot::{make, worker_name};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The master's directory
    #[arg(value_name = "MASTERDIR")]
    directory: Utf8PathBuf,
    #[command(flatten)]
    farm: FarmArguments,
    /// Buildbot's program, or the environment that it is installed in [default: the one on PATH, or in an environment in or
    /// beside the master's directory]
    #[arg(long, value_name = "PATH")]
    buildbot: Option<Utf8PathBuf>,
    /// Fail where no Buildbot is found
    #[arg(long)]
    require_buildbot: bool,
    /// Show every step that the master would run, as `farmout plan` does, instead of checking
    #[arg(long, conflicts_with = "format")]
    dry_run: bool,
    /// With --dry-run: on this slave alone
    #[arg(long, value_name = "NAME", requires = "dry_run")]
    slave: Option<String>,
    /// With --dry-run: these builders, by name or by pattern such as 'demo-*' [default: all]
    #[arg(value_name = "BUILDER", requires = "dry_run")]
    builders: Vec<String>,
    /// How findings are written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs: one JSON object
    Json,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let compilation = right(read(&arguments.farm.layout())?)?;
    let whole = make(&compilation).map_err(|error| Failure::error(error.to_string()))?;
    let document = share(&arguments.directory, whole);
    let master = Master { directory: &arguments.directory, compilation: &compilation, document: &document };
    let options = Options { buildbot: arguments.buildbot.clone(), required: arguments.require_buildbot };
    if arguments.dry_run {
        return dry_run(arguments, &master, &options);
    }
    let report = master.examine(&options)?;
    match arguments.format {
        Format::Text => say!("{}", report.text()),
        Format::Json => {
            let json =
                report.json().map_err(|error| Failure::error(format!("the report cannot be written: {error}")))?;
            say!("{json}");
        }
    }
    Ok(exit(report.count(Severity::Error) > 0))
}

fn dry_run(arguments: &Arguments, master: &Master<'_>, options: &Options) -> Result<Exit, Failure> {
    let graph = &master.compilation.graph;
    let pick = Pick::new(&arguments.builders)?;
    pick.check(&graph.builders)?;
    let wanted = arguments.slave.as_deref().map(|name| slave(Some(name), master.compilation)).transpose()?;
    let mut pairs = Vec::new();
    for (index, slave) in graph.farm.slaves.iter().enumerate() {
        if wanted.is_some_and(|(wanted, _)| wanted != index) {
            continue;
        }
        let taken =
            graph.builders.iter().filter(|builder| builder.slaves.contains(index) && pick.matches(&builder.name));
        pairs.extend(taken.map(|builder| (builder.name.clone(), worker_name(&slave.name))));
    }
    if pairs.is_empty() {
        return Err(Failure::error("no slave that was asked for takes one of these builders"));
    }
    let (plans, notes) = master.dry_run(options, &pairs)?;
    notes.iter().for_each(|note| note!("{note}"));
    print(&plans.iter().map(render::dry_run).collect::<Vec<_>>().join("\n"))?;
    Ok(Exit::Fine)
}
