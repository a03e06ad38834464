//! What a farm wants of its runs besides their results: that somebody is told, that logs stay short, and that old runs go. Between the farm that asks
//! for it and the runner that knows nothing of it.

use camino::Utf8Path;

use super::clean::{keep, summary};
use super::machine::absolute;
use crate::diagnostic::Failure;
use crate::host::{Account, environment};
use crate::model::{Notification, Retention, Secrets};
use crate::notify::{self, Notifier, Origin};
use crate::resolve::Layout;
use crate::runner::{self, Entry, Site, StepUser};

/// What comes with a run, and after it. The default is nothing.
#[derive(Debug, Default)]
pub(super) struct Aftermath {
    rules: Vec<Notification>,
    keep: Retention,
    origin: Origin,
    notifier: Option<Notifier>,
}

impl Aftermath {
    /// What the farm wants.
    pub(super) fn of(layout: &Layout, rules: &[Notification], keep: Retention) -> Self {
        let origin = Origin { farm: absolute(&layout.root), ..Origin::default() };
        Self { rules: rules.to_vec(), keep, origin, notifier: None }
    }

    /// The same for a slave, and who is told when it cannot be used.
    #[must_use]
    pub(super) fn on_slave(mut self, slave: &str, notify_on_missing: &[String], secrets: &Secrets) -> Self {
        slave.clone_into(&mut self.origin.slave);
        notify_on_missing.clone_into(&mut self.origin.notify_on_missing);
        self.origin.environment = environment::without(environment::clean(None), secrets);
        self.origin.secrets.clone_from(secrets);
        self
    }

    /// Programs run as this account, which has no base directory yet.
    pub(super) fn account(&mut self, account: Option<&Account>) {
        self.origin.environment = environment::without(environment::clean(account), &self.origin.secrets);
        self.origin.account = account.map(|account| StepUser {
            name: account.name.clone(),
            uid: account.uid,
            gid: account.gid,
            home: "/".into(),
        });
    }

    /// How many bytes of a step's output are kept, where the farm says so.
    pub(super) fn log_limit(&self) -> Option<u64> {
        self.keep.log.map(|size| size.0)
    }

    /// A run is about to begin.
    pub(super) fn begin(&mut self, site: &Site) -> Result<(), Failure> {
        if self.rules.is_empty() {
            return Ok(());
        }
        self.origin.account.clone_from(&site.account);
        self.origin.state = Some(site.state.clone());
        // Without it nothing is known to be fixed.
        let history = runner::history(&site.state).unwrap_or_default();
        self.notifier = Some(Notifier::start(&self.rules, self.origin.clone(), &history)?);
        Ok(())
    }

    /// Takes the next event.
    pub(super) fn observe(&mut self, entry: &Entry) {
        if let Some(notifier) = &mut self.notifier {
            notifier.observe(entry);
        }
    }

    /// The run is over, or could not begin. What goes wrong from here on changes no result.
    pub(super) fn end(mut self, state: &Utf8Path, failure: Option<&Failure>) {
        let begun = self.notifier.as_ref().is_some_and(Notifier::has_begun);
        let mut problems = self.notifier.map(Notifier::finish).unwrap_or_default();
        if let Some(failure) = failure.filter(|_| !begun) {
            self.origin.state = Some(state.to_owned());
            problems.extend(notify::missing(&self.rules, self.origin, failure));
        }
        if failure.is_none() && self.keep.is_limited() {
            problems.extend(tidy(self.keep, state));
        }
        let yellow = anstyle::AnsiColor::Yellow.on_default();
        for problem in problems {
            note!("{yellow}warning{yellow:#}: {problem}");
        }
    }
}

/// Removes the runs that the farm does not want to keep. What went wrong with it.
fn tidy(retention: Retention, state: &Utf8Path) -> Vec<String> {
    match runner::clean(state, &keep(&retention), false) {
        Ok(cleaned) => {
            if !cleaned.removed.is_empty() {
                say!("{}", summary(&cleaned, false));
            }
            cleaned.troubles().collect()
        }
        Err(failure) => vec![format!("old runs are not removed: {}", failure.message)],
    }
}
