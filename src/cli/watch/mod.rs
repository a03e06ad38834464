//! `farmout watch`: the scheduler. Deliveries of the spool and looks at mirrors in; runs out, by the same runner as all others.

mod farm;
mod news;
mod poll;
mod pull;
mod work;

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, TryLockError};
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;

use super::Exit;
use super::farm::FarmArguments;
use super::machine::{Embedded, look, state};
use super::property::PropertyArguments;
use crate::diagnostic::{Failure, plain};
use crate::host::{Account, account};
use crate::report::duration;
use crate::runner::{Outcome, Recorded, RunResult, runs};
use crate::watch::{Book, End, Heads, Order, Taken};
use farm::{Farm, Site, Stamp};
use news::News;
use poll::Poll;
use pull::Pull;
use work::{Manner, carry_out};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    farm: FarmArguments,
    /// The slave that this machine is [default: the farm's only one]
    #[arg(long, value_name = "NAME")]
    slave: Option<String>,
    #[command(flatten)]
    properties: PropertyArguments,
    /// Where builds, logs and what waits are kept [default: .farmout in the farm's directory]
    #[arg(long, value_name = "DIR")]
    state: Option<Utf8PathBuf>,
    /// The user that servers and steps run as, where root starts them
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// How many builds are at work at a time [default: max_builds of the slave, else 1]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Try steps that depend on other machines again when they fail: the fetch, the bootstrap, the buildout
    #[arg(long, value_name = "N", default_value_t = 0)]
    retries: u32,
    /// Bring the mirrors up to date this often, such as 90s, 5m or 2h; 0 leaves it to hooks, and to whoever calls `farmout mirror update`
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = poll::interval)]
    poll: Duration,
    /// Bring the checkout that the farm's manifests are in up to date this often, such as 1m; what does not compile is rejected
    ///
    /// The checkout may be the farm's directory, `buildouts` alone, or a directory above; of git, hg or bzr. It goes forward to what
    /// its upstream has once that compiles with the farm's other files as they are; commits and edits of its own are never
    /// thrown away.
    #[arg(long, value_name = "TIME", value_parser = super::mirror::time)]
    pull: Option<Duration>,
    /// Where the mirrors are [default: .farmout/mirrors in the farm's directory]
    #[arg(long, value_name = "DIR")]
    mirrors: Option<Utf8PathBuf>,
    /// Look once, run what is due, and end: for cron. What has to wait for quiet is left to the next call
    #[arg(long)]
    once: bool,
}

/// Between two looks at the farm's files.
const FARM: Duration = Duration::from_secs(5);
/// Before a build that could not begin is tried again.
const PAUSE: Duration = Duration::from_secs(300);

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let layout = arguments.farm.layout();
    let state = state(arguments.state.as_ref(), Some(&layout.root));
    let mut site = Site { layout, slave: arguments.slave.as_deref(), machine: None };
    let account = std::cell::OnceCell::new();
    let choose = || -> Result<Option<Account>, Failure> {
        if account.get().is_none() {
            let _ = account.set(account::choose(arguments.user.as_deref())?);
        }
        Ok(account.get().cloned().flatten())
    };
    let mut machine = || {
        let embedded = Embedded { majors: &[], fallback: true, state: &state };
        look(&embedded, choose()?.as_ref(), &mut |text| say!("{text}"))
    };
    // Before the farm is read: it may have been left half-way.
    let pull = arguments.pull.map(|interval| Pull::new(&site.layout, &state, interval)).transpose()?;
    let farm = Farm::read(&mut site, &mut machine)?;
    let account = choose()?;
    let owner = account.as_ref().map(|account| (account.uid, account.gid));
    let book = match Book::open(&state, owner)? {
        Ok(book) => book,
        Err(holder) => {
            say!("nothing done: another `farmout watch` ({holder}) is at work in {state}");
            return Ok(Exit::Fine);
        }
    };
    let poll = if arguments.poll.is_zero() {
        None
    } else {
        Some(Poll::new(&site.layout.root, &state, arguments.mirrors.as_ref(), account.as_ref())?)
    };
    let (sender, receiver) = channel();
    news::watch_signals(sender.clone())?;
    news::watch_spool(book.spool().folder(), sender.clone())?;
    let manner = Manner {
        state: state.clone(),
        account,
        properties: arguments.properties.clone(),
        retries: arguments.retries,
        jobs: arguments.jobs,
    };
    let stamp = Stamp::of(&site.layout.root, farm.files());
    let mut watcher = Watcher {
        arguments,
        farm: Arc::new(farm),
        stamp,
        looked: Some(Instant::now()),
        book,
        manner,
        sender,
        orders: HashMap::new(),
        poll,
        known: Heads::new(),
        polling: false,
        polled: None,
        pull,
        stopping: false,
        worst: Exit::Fine,
    };
    watcher.begin()?;
    watcher.watch(&receiver, &mut site, &mut machine)
}

/// The scheduler at work.
struct Watcher<'a> {
    arguments: &'a Arguments,
    farm: Arc<Farm>,
    /// The farm's files as they were when it was compiled.
    stamp: Stamp,
    looked: Option<Instant>,
    book: Book,
    manner: Manner,
    sender: Sender<News>,
    /// The orders that are carried out, by build.
    orders: HashMap<String, Order>,
    /// Who looks at the repositories, if somebody does.
    poll: Option<Poll>,
    /// What was known when the look at work was begun.
    known: Heads,
    polling: bool,
    polled: Option<Instant>,
    /// Who brings the farm up to date, if somebody does.
    pull: Option<Pull>,
    stopping: bool,
    worst: Exit,
}

impl Watcher<'_> {
    /// Takes up what an earlier one has left.
    fn begin(&mut self) -> Result<(), Failure> {
        let state = self.manner.state.clone();
        let dropped = self.book.reload(self.farm.terms()).map_err(|error| self.unwritable(&error))?;
        self.tell_dropped(&dropped);
        let again = self.book.recover(&|request| ended(&state, request)).map_err(|error| self.unwritable(&error))?;
        for build in again {
            tell(&format!("{build}: it was at work when farmout ended, and is begun again"));
        }
        let (builds, slave) = (self.farm.builds(), self.farm.slave());
        let plural = if builds == 1 { "" } else { "s" };
        tell(&format!(
            "watching for {builds} build{plural} on {slave}, changes arrive in {}",
            self.book.spool().folder()
        ));
        Ok(())
    }

    fn watch(
        &mut self,
        receiver: &Receiver<News>,
        site: &mut Site<'_>,
        machine: &mut dyn FnMut() -> Result<crate::host::Machine, Failure>,
    ) -> Result<Exit, Failure> {
        loop {
            self.poll()?;
            self.pull()?;
            self.take()?;
            self.judge(site, machine)?;
            let pulling = self.pull.as_ref().is_some_and(Pull::is_at_work);
            if !self.stopping {
                self.reload(site, machine)?;
                // The only look is at the farm as it should be.
                if !(pulling && self.arguments.once) {
                    self.begin_due()?;
                }
            }
            if (self.stopping || self.arguments.once) && !self.polling && !pulling && self.orders.is_empty() {
                return Ok(if self.stopping { Exit::Interrupted } else { self.worst });
            }
            match receiver.recv_timeout(self.nap()) {
                Ok(news) => {
                    self.hear(news)?;
                    // What came at the same time is looked at at once.
                    while let Ok(news) = receiver.try_recv() {
                        self.hear(news)?;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(Failure::error("nobody has any news any more")),
            }
        }
    }

    fn hear(&mut self, news: News) -> Result<(), Failure> {
        match news {
            News::Arrival => {}
            News::Stop if self.stopping => tell("asked to stop again: the next call will clean up"),
            News::Stop => {
                self.stopping = true;
                let works = if self.orders.is_empty() { "" } else { ": ending what is at work" };
                tell(&format!("asked to stop{works}; what waits is kept"));
                self.poll.iter().for_each(Poll::stop);
                self.pull.iter().for_each(Pull::stop);
            }
            News::Ended(build, result) => self.ended(&build, *result)?,
            News::Polled(found) => self.found(found)?,
            News::Pulled(pulled) => self.pulled(pulled),
        }
        Ok(())
    }

    /// How long nothing can happen that nobody tells of.
    fn nap(&self) -> Duration {
        let free = self.orders.len() < self.most();
        let due = self.book.next().filter(|_| free && !self.stopping);
        let poll = self.polled.filter(|_| !self.polling && !self.arguments.poll.is_zero());
        let poll = poll.map(|polled| self.arguments.poll.saturating_sub(polled.elapsed()));
        let pull = self.pull.as_ref().and_then(Pull::rest);
        [due, poll, pull].into_iter().flatten().fold(FARM, Duration::min)
    }

    fn most(&self) -> usize {
        self.arguments.jobs.map_or_else(|| self.farm.jobs(), NonZeroUsize::get)
    }

    fn take(&mut self) -> Result<(), Failure> {
        let farm = Arc::clone(&self.farm);
        match self.book.take(&|change| farm.branches_of(change)) {
            Ok(taken) => self.tell_taken(&taken),
            Err(error) => return Err(self.unwritable(&error)),
        }
        Ok(())
    }

    fn tell_taken(&self, taken: &Taken) {
        for (path, why) in &taken.rejected {
            tell(&format!("warning: {path} is no delivery, and is left there: {why}"));
        }
        for change in &taken.unwatched {
            let branch = change.branch.as_deref().unwrap_or_default();
            tell(&format!("nothing watches {} {branch}, which has changed", change.url).replace("  ", " "));
        }
        for build in &taken.unknown {
            tell(&format!("warning: somebody wants the build {build}, which this slave does not have"));
        }
        for (build, by) in &taken.forced {
            let by = by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
            tell(&format!("{build}: asked for{by}"));
        }
        let terms = if taken.told.is_empty() { Default::default() } else { self.farm.terms() };
        for (build, count) in &taken.told {
            let plural = if *count == 1 { "" } else { "s" };
            let quiet = terms.get(build).map_or(Duration::ZERO, |terms| terms.quiet);
            let when = match (self.orders.contains_key(build), quiet.is_zero()) {
                (true, _) => "; begins after the run at work".to_owned(),
                (false, true) => String::new(),
                (false, false) => format!("; begins after {} without another", duration(quiet)),
            };
            tell(&format!("{build}: {count} change{plural}{when}"));
        }
    }

    fn begin_due(&mut self) -> Result<(), Failure> {
        let room = self.most().saturating_sub(self.orders.len());
        let orders = self.book.begin(room).map_err(|error| self.unwritable(&error))?;
        for order in orders {
            let (build, farm, manner, news) =
                (order.build.clone(), Arc::clone(&self.farm), self.manner.clone(), self.sender.clone());
            self.orders.insert(build.clone(), order.clone());
            news::thread("build", move || {
                let result = carry_out(&order, &farm, &manner);
                // Nobody who listens: the process ends.
                let _ = news.send(News::Ended(build, Box::new(result)));
            })?;
        }
        Ok(())
    }

    fn ended(&mut self, build: &str, result: Result<RunResult, Failure>) -> Result<(), Failure> {
        self.orders.remove(build);
        let end = match result {
            Ok(result) => {
                if result.exit() == Exit::Errors {
                    self.worst = Exit::Errors;
                }
                end_of(&result)
            }
            Err(failure) => {
                tell(&format!("{build}: it cannot begin, and is tried again in {}", duration(PAUSE)));
                failure.print();
                self.worst = Exit::Errors;
                End::Later(PAUSE)
            }
        };
        self.book.end(build, end).map_err(|error| self.unwritable(&error))
    }

    /// Compiles the farm if its files have changed. A farm with a mistake is not taken over.
    fn reload(
        &mut self,
        site: &mut Site<'_>,
        machine: &mut dyn FnMut() -> Result<crate::host::Machine, Failure>,
    ) -> Result<(), Failure> {
        // Whatever is about to begin is of the farm as it is now.
        if self.looked.is_some_and(|looked| looked.elapsed() < FARM) && self.book.next() != Some(Duration::ZERO) {
            return Ok(());
        }
        let files = self.pull.as_ref().map(Pull::files);
        let held = files.as_ref().map(|files| files.try_lock());
        if matches!(held, Some(Err(TryLockError::WouldBlock))) {
            return Ok(());
        }
        self.looked = Some(Instant::now());
        let now = self.stamp.again();
        if now == self.stamp {
            return Ok(());
        }
        match Farm::read(site, machine) {
            Ok(farm) => {
                self.stamp = Stamp::of(&site.layout.root, farm.files());
                self.farm = Arc::new(farm);
                let dropped = self.book.reload(self.farm.terms()).map_err(|error| self.unwritable(&error))?;
                tell("the farm has changed");
                self.tell_dropped(&dropped);
            }
            Err(failure) => {
                self.stamp = now;
                failure.print();
                tell("warning: THE FARM HAS CHANGED AND DOES NOT COMPILE: builds go on with what it was before");
            }
        }
        Ok(())
    }

    fn tell_dropped(&self, dropped: &[String]) {
        for build in dropped {
            tell(&format!("warning: {build} waited, and the farm has it no more on {}", self.farm.slave()));
        }
    }

    fn unwritable(&self, error: &std::io::Error) -> Failure {
        let error = plain(&error.to_string());
        Failure::error(format!("cannot keep what waits in {}: {error}", crate::watch::folder(&self.manner.state)))
            .help("nothing is lost: what came stays in the spool, and the next call takes it")
    }
}

/// How a run ended, for the book.
fn end_of(result: &RunResult) -> End {
    match result.outcome {
        Some(Outcome::Interrupted) | None => End::Stopped,
        Some(outcome) => End::Done { run: result.run.clone(), outcome: outcome.word().to_owned() },
    }
}

/// How the run of a request ended that an earlier watcher began, if there is such a run.
fn ended(state: &camino::Utf8Path, request: &str) -> Option<End> {
    let folders = runs(state).ok()?;
    let mut found = folders.iter().filter_map(|folder| Recorded::read(folder).ok());
    let run = found.find(|run| run.result.trigger.as_ref().is_some_and(|trigger| trigger.request == request))?;
    Some(end_of(&run.result))
}

/// Says a line with the time.
fn tell(text: &str) {
    say!("{} {text}", jiff::Zoned::now().strftime("%H:%M:%S"));
}
