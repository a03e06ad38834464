//! `farmout plan`: the dry run.

use camino::Utf8PathBuf;
use indexmap::IndexMap;

use super::Exit;
use super::compile::print;
use super::farm::{BuilderArguments, FarmArguments, Pick, read, right};
use super::file;
use super::machine::{Embedded, LOCAL, THIS_MACHINE, local, look, state};
use super::property::{self, PropertyArguments};
use crate::Compilation;
use crate::diagnostic::Failure;
use crate::dispatch::{Reason, why_not};
use crate::host::account;
use crate::model::Slave;
use crate::plan::{LowerError, Plan, bind, lower};
use crate::render::{dry_run, summary};
use crate::resolve::Layout;
use crate::runner::Past;

/// Which plans a command is about that runs none of them.
#[derive(Debug, clap::Args)]
pub(super) struct PlansArguments {
    #[command(flatten)]
    farm: FarmArguments,
    #[command(flatten)]
    builders: BuilderArguments,
    #[command(flatten)]
    properties: PropertyArguments,
    /// Where the run of --locked is kept [default: .farmout in the farm's directory]
    #[arg(long, value_name = "DIR", requires = "locked")]
    state: Option<Utf8PathBuf>,
}

impl PlansArguments {
    /// The farm; without slave fragments, with this machine as its only slave.
    pub(super) fn compile(&self) -> Result<Compilation, Failure> {
        let layout = self.farm.layout();
        let compilation = right(read(&layout)?)?;
        if compilation.has_fragments { Ok(compilation) } else { as_found(&layout) }
    }

    /// The builders that were asked for, all of which are there.
    fn pick(&self, compilation: &Compilation) -> Result<Pick, Failure> {
        let pick = self.builders.pick()?;
        pick.check(&compilation.graph.builders)?;
        Ok(pick)
    }

    /// The plans.
    pub(super) fn plans(&self, compilation: &Compilation) -> Result<Vec<Plan>, Failure> {
        let pick = self.pick(compilation)?;
        let (index, slave) = self.builders.slave(compilation)?;
        let state = state(self.state.as_ref(), Some(&self.farm.layout().root));
        let past = self.builders.locked.as_ref().map(|run| Past::open(&state, run)).transpose()?;
        let given = self.properties.given(compilation)?;
        plans(compilation, index, slave, &pick, &Besides { given: &given, locked: past.as_ref() })
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    wanted: PlansArguments,
    /// Say for every builder and build why the slave does or does not take it, and print no plan
    #[arg(long, conflicts_with_all = ["format", "output"])]
    why: bool,
    /// How plans are written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Write a file for each builder into this directory, instead of standard output (YAML unless --format says json); a
    /// device or a pipe gets all of them
    #[arg(short, long, value_name = "DIR")]
    output: Option<Utf8PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For a person
    Text,
    /// The plan file that `farmout run` executes
    Yaml,
    /// The same as JSON
    Json,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let compilation = arguments.wanted.compile()?;
    if arguments.why {
        let pick = arguments.wanted.pick(&compilation)?;
        let (index, slave) = arguments.wanted.builders.slave(&compilation)?;
        print(&why(&compilation, index, slave, &pick))?;
        return Ok(Exit::Fine);
    }
    let plans = arguments.wanted.plans(&compilation)?;
    property::note(&plans);
    match &arguments.output {
        Some(directory) => write(&plans, directory, arguments.format)?,
        None => print(&render(&plans, arguments.format)?)?,
    }
    Ok(Exit::Fine)
}

/// The farm with this machine, as it is found, as its only slave. A dry run makes no account and downloads nothing.
pub(super) fn as_found(layout: &Layout) -> Result<Compilation, Failure> {
    let mut note = |text: &str| note!("{text}");
    let account = account::existing()?;
    let embedded = Embedded { majors: &[], fallback: false, state: "".into() };
    let machine = look(&embedded, account.as_ref(), &mut note)?;
    note(&format!("no slave fragments in this farm: this machine is the slave `{LOCAL}`"));
    right(local(layout, &machine)?)
}

/// What plans depend on beside the farm.
pub(super) struct Besides<'a> {
    /// The properties given on the command line.
    pub given: &'a IndexMap<String, String>,
    /// The run whose builds are to be repeated.
    pub locked: Option<&'a Past>,
}

/// The plans of the picked builders that the slave takes, with these properties on top of those that they have.
///
/// # Errors
/// A builder that cannot be lowered; no builder at all.
pub(super) fn plans(
    compilation: &Compilation,
    index: usize,
    slave: &Slave,
    pick: &Pick,
    besides: &Besides<'_>,
) -> Result<Vec<Plan>, Failure> {
    let graph = &compilation.graph;
    let taken = graph.builders.iter().filter(|builder| builder.slaves.contains(index) && pick.matches(&builder.name));
    let mut plans = Vec::new();
    for builder in taken {
        let failed = |error: LowerError| Failure::error(format!("builder {} cannot be planned: {error}", builder.name));
        let inventory = match besides.locked {
            // What the run did not have is not built unless it is asked for by name, and then there is a message.
            Some(past) if pick.is_all() && !past.builders().any(|name| name == builder.name) => continue,
            Some(past) => Some(past.inventory(&builder.name)?),
            None => None,
        };
        let procedure = lower(compilation, builder, inventory.as_ref()).map_err(failed)?;
        let mut plan = bind(&procedure, slave, &graph.farm.declarations).map_err(failed)?;
        plan.properties.extend(besides.given.clone());
        if let Some(past) = besides.locked {
            // What the run was given, such as a tag, need not be given again.
            let lacking = |name: &String| plan.properties.get(name).is_none_or(String::is_empty);
            let kept = past.properties(&builder.name)?.into_iter();
            let kept: Vec<_> = kept.filter(|(name, _)| lacking(name) && !besides.given.contains_key(name)).collect();
            plan.properties.extend(kept);
        }
        plans.push(plan);
    }
    if plans.is_empty() && graph.builders.is_empty() && graph.farm.builds.iter().all(|build| build.buildout.is_none()) {
        return Err(
            Failure::error("this farm has no builds").help("a build is a section of a manifest with `buildout = …`")
        );
    }
    if plans.is_empty() {
        let reasons = why(compilation, index, slave, pick) + &offering(compilation, slave, pick);
        let failure = Failure::error(format!("the slave `{}` takes none of these builders", slave.name));
        return Err(failure.help(reasons.trim_end()));
    }
    Ok(plans)
}

/// How the slave would offer what the first of the picked builds lacks.
fn offering(compilation: &Compilation, slave: &Slave, pick: &Pick) -> String {
    let graph = &compilation.graph;
    let builds = graph.farm.builds.iter().filter(|build| build.buildout.is_some() && pick.matches(&build.name));
    let Some(Reason::Requires { wanted, .. } | Reason::NotFor { wanted, .. }) =
        builds.filter_map(|build| why_not(build, slave)).next()
    else {
        return String::new();
    };
    let words: Vec<&str> = wanted.split_whitespace().collect();
    let example = match words.as_slice() {
        [name, "==" | ">=" | "<=", version] => format!("{name} {version} bin=PATH"),
        [name, ..] => format!("{name} VERSION bin=PATH"),
        [] => return String::new(),
    };
    if compilation.sources.get(slave.password_span.source).name() == THIS_MACHINE {
        format!(
            "install it where `farmout slave detect` finds it; or name it in a fragment, under `capability`: {example}"
        )
    } else {
        format!("if this machine has it, say so in the fragment of `{}`, under `capability`: {example}", slave.name)
    }
}

/// Why the slave takes each of the picked builders, and why not the others.
fn why(compilation: &Compilation, index: usize, slave: &Slave, pick: &Pick) -> String {
    let graph = &compilation.graph;
    let mut lines = Vec::new();
    for (number, build) in graph.farm.builds.iter().enumerate() {
        if build.buildout.is_none() {
            continue;
        }
        let builders: Vec<_> = graph.builders.iter().filter(|builder| builder.build == number).collect();
        if builders.is_empty() && pick.matches(&build.name) {
            let reason =
                why_not(build, slave).map_or_else(|| "no slave takes it".to_owned(), |reason| reason.to_string());
            lines.push(format!("{}: no builder on {}: {reason}", build.name, slave.name));
        }
        for builder in builders.into_iter().filter(|builder| pick.matches(&builder.name)) {
            let chosen: Vec<_> = builder
                .chosen
                .iter()
                .map(|(name, version)| format!("{name} {}", version.as_ref().map_or("", |version| version.as_str())))
                .chain(build.requires.iter().map(|requirement| format!("{requirement} (required)")))
                .map(|text| text.trim_end().to_owned())
                .collect();
            let line = if builder.slaves.contains(index) {
                let why = match chosen.is_empty() {
                    true => "of which nothing is asked".to_owned(),
                    false => format!("which offers {}", chosen.join(", ")),
                };
                format!("{}: taken by {}, {why}", builder.name, slave.name)
            } else {
                let offers = |(name, version): (&String, &Option<crate::model::Version>)| {
                    slave.offer(name, version.as_ref()).is_none().then(|| {
                        format!("it does not offer {name} {}", version.as_ref().map_or("", |version| version.as_str()))
                    })
                };
                let missing = builder.chosen.iter().find_map(offers);
                let reason = crate::dispatch::refusal(build, slave).map(|reason| reason.to_string()).or(missing);
                format!("{}: not taken by {}: {}", builder.name, slave.name, reason.unwrap_or_default())
            };
            lines.push(line);
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

fn render(plans: &[Plan], format: Format) -> Result<String, Failure> {
    Ok(match format {
        Format::Text => plans.iter().map(dry_run).collect::<Vec<_>>().join("\n"),
        Format::Yaml => plans.iter().map(|plan| Ok(format!("---\n{}", yaml(plan)?))).collect::<Result<_, Failure>>()?,
        Format::Json => plans.iter().map(|plan| Ok(format!("{}\n", json(plan)?))).collect::<Result<_, Failure>>()?,
    })
}

fn yaml(plan: &Plan) -> Result<String, Failure> {
    serde_yaml::to_string(plan).map_err(|error| Failure::error(format!("the plan cannot be written: {error}")))
}

fn json(plan: &Plan) -> Result<String, Failure> {
    serde_json::to_string_pretty(plan).map_err(|error| Failure::error(format!("the plan cannot be written: {error}")))
}

/// Writes one file for each plan, aside first: nobody ever reads half a plan. A device or a pipe is written to as it is.
pub(super) fn write(plans: &[Plan], directory: &Utf8PathBuf, format: Format) -> Result<(), Failure> {
    match std::fs::metadata(directory) {
        Ok(found) if found.is_file() => {
            return Err(Failure::misuse(format!("{directory} is a file, and plans are written into a directory"))
                .help("without -o, all of them are written to standard output: `farmout plan --format yaml > FILE`"));
        }
        Ok(found) if !found.is_dir() => {
            let format = if format == Format::Text { Format::Yaml } else { format };
            let text = render(plans, format)?;
            let written = std::fs::OpenOptions::new().write(true).open(directory);
            return written
                .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
                .map_err(|error| Failure::misuse(format!("cannot write to {directory}: {error}")));
        }
        _ => {}
    }
    let failed = |error: std::io::Error| Failure::misuse(format!("cannot write into {directory}: {error}"));
    std::fs::create_dir_all(directory).map_err(failed)?;
    for plan in plans {
        let (text, suffix) = match format {
            Format::Json => (json(plan)? + "\n", "json"),
            Format::Text | Format::Yaml => (yaml(plan)?, "yaml"),
        };
        let path = directory.join(format!("{}.{suffix}", plan.directory));
        file::write(&path, 0o644, &mut |out| out.write_all(text.as_bytes())).map_err(failed)?;
        note!("{path}: {}", summary(plan));
    }
    Ok(())
}
