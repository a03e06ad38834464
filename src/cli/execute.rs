//! Plans to a run of this machine's: whom steps run as, where, with which secrets, and how. For the commands that build.

use std::num::NonZeroUsize;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::Exit;
use super::aftermath::Aftermath;
use super::compile::print;
use super::report::{Wanted, coloured, write_all};
use crate::diagnostic::Failure;
use crate::host::{Account, account, environment, place};
use crate::model::Secrets;
use crate::plan::Plan;
use crate::render::preview;
use crate::report::{Aside, Manner, Style, Terminal};
use crate::runner::{self, Event, Requests, Site, StepUser};
use crate::say;

/// How long a run that was asked to stop waits for somebody who does not read what is said.
const PATIENCE: Duration = Duration::from_secs(2);

/// How builders are run.
#[derive(Debug, clap::Args)]
pub(super) struct ExecuteArguments {
    /// Where builds, logs and downloads are kept [default: .farmout in the farm's directory]
    #[arg(long, value_name = "DIR")]
    pub(super) state: Option<Utf8PathBuf>,
    /// The user that servers and steps run as, where root starts them
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// How many builders run at a time [default: max_builds of the slave, else 1]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Begin no other builder once one has failed
    #[arg(long)]
    fail_fast: bool,
    /// Run all builders, whatever fails: the opposite of --fail-fast, and the default
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
    /// Say what would be done, in which order, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Show the output of every step
    #[arg(short, long, conflicts_with = "dry_run")]
    verbose: bool,
    /// Write a report after the run, also where it is interrupted, such as junit=report.xml (may be repeated)
    #[arg(long, value_name = "FORMAT=FILE", conflicts_with = "dry_run")]
    report: Vec<Wanted>,
}

impl ExecuteArguments {
    fn options(&self) -> runner::Options {
        runner::Options {
            jobs: self.jobs,
            fail_fast: self.fail_fast,
            retries: self.retries,
            from: self.from.clone(),
            only: self.only.clone(),
            keep_db: self.keep_db,
            output: self.verbose,
            sync: !self.no_sync,
            trigger: None,
        }
    }

    /// The account that steps run as, made known.
    pub(super) fn choose(&self) -> Result<Option<Account>, Failure> {
        let account = account::choose(self.user.as_deref())?;
        account.as_ref().inspect(|account| introduce(account));
        Ok(account)
    }

    /// Runs plans, all of the same slave, or says what would be done.
    pub(super) fn execute(
        &self,
        plans: &[Plan],
        secrets: Secrets,
        state: &Utf8Path,
        account: Option<Account>,
        mut aftermath: Aftermath,
    ) -> Result<Exit, Failure> {
        let options = self.options();
        self.report.iter().try_for_each(Wanted::check)?;
        // What is wrong with the plans is said before anything is made for them.
        let previewed = runner::preview(plans, state, &options)?;
        if self.dry_run {
            print(&preview(plans, &previewed))?;
            return Ok(Exit::Fine);
        }
        let ran = self.run(plans, secrets, state, account, &options, &mut aftermath);
        aftermath.end(state, ran.as_ref().err());
        ran
    }

    fn run(
        &self,
        plans: &[Plan],
        secrets: Secrets,
        state: &Utf8Path,
        account: Option<Account>,
        options: &runner::Options,
        aftermath: &mut Aftermath,
    ) -> Result<Exit, Failure> {
        aftermath.account(account.as_ref());
        let slave = plans.first().map_or("", |plan| plan.slave.as_str());
        let longest = plans.iter().map(|plan| plan.directory.as_str()).max_by_key(|directory| directory.len());
        place::check(state, slave, longest.unwrap_or_default(), account.as_ref())?;
        let mut site = site(secrets, state, slave, account)?;
        site.log_limit = aftermath.log_limit().or(site.log_limit);
        aftermath.begin(&site)?;
        let manner = Manner { verbose: self.verbose, colour: coloured(), style: Style::of_output(true) };
        let told = Told::start(manner)?;
        let mut begun = None;
        let result = runner::run(plans, &site, options, &mut |entry| {
            if let Event::RunStarted { folder, .. } = &entry.event {
                begun = Some(folder.clone());
            }
            told.report.observe(entry);
            aftermath.observe(entry);
        });
        // What is at work is off the screen before anything else is said.
        let heard = told.finish();
        let reported = begun.map_or(Ok(()), |folder| write_all(&self.report, &folder));
        let result = result?;
        reported.map(|()| if heard { result.exit() } else { Exit::Interrupted })
    }
}

/// What is said of a run on standard output while it is at work.
struct Told {
    report: Aside,
    requests: Requests,
}

impl Told {
    fn start(manner: Manner) -> Result<Self, Failure> {
        let started = || {
            let requests = Requests::listen()?;
            let mut terminal = Terminal::new(std::io::stdout(), manner);
            Ok(Self { report: Aside::start(move |entry| terminal.observe(entry))?, requests })
        };
        started().map_err(|error: std::io::Error| Failure::error(format!("cannot report what happens: {error}")))
    }

    /// Waits until all is said. Where nobody reads it, the next request to stop ends that, and one that came before does after
    /// a while. Whether all is said; if not, nothing is from now on.
    fn finish(self) -> bool {
        let Self { report, requests } = self;
        let before = requests.count();
        let give_up = |stalled| requests.count() > before || (before > 0 && stalled >= PATIENCE);
        let heard = report.finish(&give_up);
        if !heard {
            say::give_up();
        }
        heard
    }
}

pub(super) fn introduce(account: &Account) {
    let made =
        if account.created { format!(", made just now; `userdel {}` removes it", account.name) } else { String::new() };
    say!("running as root: servers and steps run as the user {} (uid {}{made})", account.name, account.uid);
}

/// Where and as whom the plans run.
pub(super) fn site(secrets: Secrets, state: &Utf8Path, slave: &str, account: Option<Account>) -> Result<Site, Failure> {
    let place = place::basedir(state, slave, account.as_ref())?;
    if let Some(account) = account.as_ref().filter(|_| place.moved) {
        let closed = place::closed(state, account);
        say!("the user {} cannot enter {closed}, so builds are in {} instead of {state}", account.name, place.basedir);
    }
    site_at(secrets, state, place, account)
}

/// The site of a slave that lives in this place.
pub(super) fn site_at(
    secrets: Secrets,
    state: &Utf8Path,
    place: place::Place,
    account: Option<Account>,
) -> Result<Site, Failure> {
    let program = place::program(&place, account.as_ref())?;
    let mut site = Site::new(state, place.basedir.clone());
    site.environment = environment::without(environment::clean(account.as_ref()), &secrets);
    site.program = program;
    site.secrets = secrets;
    site.account = account.map(|account| StepUser {
        name: account.name.clone(),
        uid: account.uid,
        gid: account.gid,
        home: place.home(),
    });
    Ok(site)
}
