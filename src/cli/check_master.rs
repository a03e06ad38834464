//! `farmout check-master`: whether a Buildbot master is the farm's, and what its steps would be. In: the arguments. Out: findings,
//! exit 1 where one is an error; or a dry run. The looking is done by [`crate::master`].

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use camino::Utf8PathBuf;
use shell_words::quote;

use super::compile::print;
use super::farm::{FarmArguments, Pick, exit, read, right, slave};
use super::{Exit, or_interrupted};
use crate::diagnostic::Failure;
use crate::doctor::Severity;
use crate::interrupt::Interrupts;
use crate::master::{Master, Options, share};
use crate::offspring::{end_all, stoppable};
use crate::render;
use crate::render::buildbot::{make, worker_name};
use crate::runner::adopt;

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
    /// Leave the secrets out, where they are not: in a clean checkout, as of a CI job
    ///
    /// They are not looked for, and Buildbot, which has nothing else to do with what is in them before the master runs, is given
    /// empty ones in the copy.
    #[arg(long)]
    without_secrets: bool,
    /// How long Buildbot may take for the configuration, such as 90s or 10m
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = super::mirror::time)]
    timeout: Duration,
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
    or_interrupted(check(arguments))
}

fn check(arguments: &Arguments) -> Result<Exit, Failure> {
    let compilation = right(read(&arguments.farm.layout())?)?;
    let whole = make(&compilation)?;
    let document = share(&arguments.directory, whole);
    let paths = arguments.farm.paths();
    let farm: String = paths.map(|(option, path)| format!(" {option} {}", quote(path.as_str()))).collect();
    let master =
        Master { directory: &arguments.directory, compilation: &compilation, document: &document, farm: &farm };
    let options = Options {
        buildbot: arguments.buildbot.clone(),
        required: arguments.require_buildbot,
        secrets: !arguments.without_secrets,
        limit: arguments.timeout,
    };
    if arguments.dry_run {
        return dry_run(arguments, &master, &options);
    }
    let report = alone(|| master.examine(&options))?;
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

/// Has a configuration run. A request to stop ends it; and however that went, nothing that it started is left.
fn alone<T: Send>(work: impl FnOnce() -> Result<T, Failure> + Send) -> Result<T, Failure> {
    let failed = |error: io::Error| Failure::error(format!("farmout cannot watch over what it starts: {error}"));
    let interrupts = Interrupts::listen().map_err(failed)?;
    let _adopting = adopt().map_err(failed)?;
    let done = stoppable(None, &interrupts, work);
    end_all(None, &interrupts, interrupts.count().max(1));
    done
}

fn dry_run(arguments: &Arguments, master: &Master<'_>, options: &Options) -> Result<Exit, Failure> {
    let graph = &master.compilation.graph;
    let pick = Pick::new(&arguments.builders)?;
    pick.check(&graph.builders)?;
    let wanted = arguments.slave.as_deref().map(|name| slave(Some(name), master.compilation)).transpose()?;
    // Other masters may have some of the farm's.
    let here: HashSet<&str> = master.document.builders.iter().map(|builder| builder.name.as_str()).collect();
    let mut pairs = Vec::new();
    for (index, slave) in graph.farm.slaves.iter().enumerate() {
        if wanted.is_some_and(|(wanted, _)| wanted != index) {
            continue;
        }
        let taken = graph.builders.iter().filter(|builder| {
            builder.slaves.contains(index) && here.contains(builder.name.as_str()) && pick.matches(&builder.name)
        });
        pairs.extend(taken.map(|builder| (builder.name.clone(), worker_name(&slave.name))));
    }
    if pairs.is_empty() {
        return Err(Failure::error("no slave that was asked for takes one of these builders on this master"));
    }
    let (plans, notes) = alone(|| master.dry_run(options, &pairs))?;
    notes.iter().for_each(|note| note!("{note}"));
    print(&plans.iter().map(render::dry_run).collect::<Vec<_>>().join("\n"))?;
    Ok(Exit::Fine)
}
