//! Looks at the repositories: the mirrors are brought up to date by `farmout mirror update`, in a process of its own, and what
//! their branches are is told, for whoever compares it with what is known.

use std::process::{Command, Stdio};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use nix::sys::signal::Signal;

use super::news::{News, thread};
use super::{Watcher, tell};
use crate::diagnostic::Failure;
use crate::group::Handle;
use crate::host::{Account, place};
use crate::mirror::{self, Mirrors, Status};
use crate::model::{Change, Vcs, WatchedBranch};
use crate::watch;

/// What a look has found.
#[derive(Debug)]
pub(super) struct Found {
    /// The revisions of the branches of all repositories that could be reached.
    pub(super) heads: Vec<(WatchedBranch, String)>,
    /// Why there was no look, if there was none.
    pub(super) problem: Option<String>,
}

/// Who looks, and where.
#[derive(Debug, Clone)]
pub(super) struct Poll {
    program: Utf8PathBuf,
    farm: Utf8PathBuf,
    mirrors: Utf8PathBuf,
    user: Option<String>,
    /// Where the mirrors shall hand over what comes, if they are nobody else's.
    spool: Option<Utf8PathBuf>,
    /// The process that is at work.
    child: Arc<Mutex<Option<Handle>>>,
}

impl Poll {
    /// Prepares the directory of mirrors.
    ///
    /// # Errors
    /// It cannot be made, or the account cannot reach it.
    pub(super) fn new(
        farm: &Utf8Path,
        state: &Utf8Path,
        mirrors: Option<&Utf8PathBuf>,
        account: Option<&Account>,
    ) -> Result<Self, Failure> {
        let (mirrors, own) = match mirrors {
            Some(directory) => (place::mirrors_at(directory, account)?, false),
            None => (place::mirrors(state, account)?, true),
        };
        let program = std::env::current_exe().ok().and_then(|path| Utf8PathBuf::from_path_buf(path).ok());
        let program = program.ok_or_else(|| Failure::error("farmout cannot find its own executable"))?;
        let user = account.map(|account| account.name.clone());
        let spool = own.then(|| watch::spool(state));
        Ok(Self { program, farm: farm.to_owned(), mirrors, user, spool, child: Arc::default() })
    }

    /// Begins a look, whose end is told.
    pub(super) fn begin(&self, news: Sender<News>) -> Result<(), Failure> {
        let poll = self.clone();
        thread("poll", move || {
            // Nobody who listens: the process ends.
            let _ = news.send(News::Polled(poll.look()));
        })
    }

    /// Asks the update that is at work to end.
    pub(super) fn stop(&self) {
        if let Some(child) = &*self.child.lock().unwrap_or_else(PoisonError::into_inner) {
            child.signal(Signal::SIGTERM);
        }
    }

    fn look(&self) -> Found {
        let began = Timestamp::now();
        // They tell more of a change than that there is one. What goes wrong with it they say themselves.
        let hooks = self.spool.iter().map(|spool| self.call("hooks", &["--spool", spool.as_str()], Stdio::null()));
        let update =
            hooks.chain([self.call("update", &["--quiet"], Stdio::inherit())]).collect::<std::io::Result<()>>();
        let problem = update.err().map(|error| format!("the mirrors cannot be brought up to date: {error}"));
        match mirror::status(&Mirrors::new(self.mirrors.clone())) {
            Ok(all) => Found { heads: all.iter().flat_map(|mirror| heads(mirror, began)).collect(), problem },
            Err(error) => Found { heads: Vec::new(), problem: Some(format!("{}: {error}", self.mirrors)) },
        }
    }

    /// Calls `farmout mirror` to its end.
    fn call(&self, what: &str, arguments: &[&str], said: Stdio) -> std::io::Result<()> {
        let mut command = Command::new(&self.program);
        command.args(["mirror", what, "--farm", self.farm.as_str(), "--mirrors", self.mirrors.as_str()]);
        command.args(self.user.iter().flat_map(|user| ["--user", user])).args(arguments);
        command.stdin(Stdio::null()).stdout(said);
        let mut child = command.spawn()?;
        let hold = |handle| *self.child.lock().unwrap_or_else(PoisonError::into_inner) = handle;
        hold(Handle::of_child(child.id().cast_signed()));
        // What did not work it has said itself.
        let waited = child.wait();
        hold(None);
        waited.map(drop)
    }
}

impl Watcher<'_> {
    /// Begins a look at the repositories when it is time.
    pub(super) fn poll(&mut self) -> Result<(), Failure> {
        let Some(poll) = self.poll.as_ref().filter(|_| !self.polling && !self.stopping) else { return Ok(()) };
        let again = !self.arguments.once && self.polled.is_none_or(|polled| polled.elapsed() >= self.arguments.poll);
        if self.polled.is_none() || again {
            self.known = self.book.scheduler().heads().clone();
            poll.begin(self.sender.clone())?;
            self.polling = true;
            self.polled = Some(Instant::now());
        }
        Ok(())
    }

    /// Takes what a look has found that no hook has told.
    pub(super) fn found(&mut self, found: Found) -> Result<(), Failure> {
        self.polling = false;
        if let Some(problem) = found.problem {
            tell(&format!("warning: {problem}"));
        }
        // A hook knows more of a change, and is as fast.
        self.take()?;
        let mut changes = Vec::new();
        // A mirror may have branches that another farm watches.
        for (branch, revision) in found.heads.into_iter().filter(|(branch, _)| self.farm.watches(branch)) {
            let known = self.book.scheduler().head(&branch).map(str::to_owned);
            match known {
                None => self.book.begin_with(&branch, &revision),
                // What was told meanwhile may be newer.
                Some(known) if known == revision || self.known.get(&branch) != Some(&known) => {}
                Some(_) => changes.push(Change {
                    vcs: branch.vcs,
                    url: branch.url,
                    other_urls: Vec::new(),
                    branch: branch.branch,
                    revision,
                    author: None,
                    comment: None,
                    files: Vec::new(),
                    time: jiff::Timestamp::now(),
                }),
            }
        }
        let farm = Arc::clone(&self.farm);
        let taken =
            self.book.found(changes, &|change| farm.branches_of(change)).map_err(|error| self.unwritable(&error))?;
        self.tell_taken(&taken);
        Ok(())
    }
}

/// The branches of a mirror that was brought up to date since then. What another has of them may be older than what a hook
/// has told.
fn heads(mirror: &Status, since: Timestamp) -> Vec<(WatchedBranch, String)> {
    let state = &mirror.state;
    if state.updated.is_none_or(|updated| updated < since) {
        return Vec::new();
    }
    // Their addresses are in the one spelling that stands for all.
    let branch = |url: String, branch: Option<&String>| WatchedBranch { vcs: state.vcs, url, branch: branch.cloned() };
    let head = |(name, revision): (&String, &String)| match state.vcs {
        // There a repository is the directory of its branches, and a revision has its number before it.
        Vcs::Bzr => {
            let revision = revision.split_once(' ').map_or(revision.as_str(), |(_, id)| id);
            (branch(format!("{}/{name}", state.repository), None), revision.to_owned())
        }
        Vcs::Git | Vcs::Hg => (branch(state.repository.clone(), Some(name)), revision.clone()),
    };
    state.heads.iter().map(head).collect()
}

/// Reads a time.
pub(super) fn interval(text: &str) -> Result<Duration, String> {
    if text == "0" { Ok(Duration::ZERO) } else { super::super::mirror::time(text) }
}
