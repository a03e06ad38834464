//! The checkout that a farm's manifests are in. In: its directory. Out: what its upstream has and it has not, as files beside it,
//! and the checkout brought there. It goes forward only, and nothing that somebody did in it is thrown away.
//!
//! All that is done in the checkout is done by the client of its version control system, or by the system's own programs, as
//! the user whom it belongs to: nothing of it may be run, or be followed, with root's rights.

mod begun;
mod bzr;
mod call;
mod git;
mod hg;
mod preview;

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::{Uid, User, geteuid};

use crate::host::Account;
use crate::model::Vcs;
use crate::source::is_unseen;
pub use begun::Begun;
use call::Caller;
pub use preview::Preview;
use preview::{Both, differing, is_ours};

/// How long all calls of a look may take together.
const LIMIT: Duration = Duration::from_secs(120);
/// How long a client that outlived its farmout is given to end.
const PATIENCE: Duration = Duration::from_secs(3);

/// What a client did not do, and why, in one clause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble(pub String);

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A revision, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// As the system calls it.
    pub id: String,
    /// Who made it.
    pub author: String,
    /// The first line of what they said of it.
    pub subject: String,
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_hash = self.id.len() >= 40 && self.id.bytes().all(|byte| byte.is_ascii_hexdigit());
        // What those of Bazaar end in is what tells them apart.
        let id = if is_hash { &self.id[..12] } else { &self.id };
        // Whoever pushes writes what they like.
        let text = format!("{id} of {} ({})", self.author, self.subject);
        f.write_str(&text.replace(is_unseen, "\u{fffd}"))
    }
}

/// What a look at the upstream has found.
#[derive(Debug)]
pub enum Look {
    /// Nothing that the checkout has not.
    Same,
    /// Something new, that the checkout can go forward to.
    New(Revision),
    /// Both have what the other has not.
    Diverged(Revision),
}

/// What the clients of all systems can be asked for.
trait System: fmt::Debug + Send + Sync {
    /// The revision that the files are of.
    fn current(&self, calls: &Caller) -> Result<String, Trouble>;
    /// What the upstream has.
    fn look(&self, calls: &Caller) -> Result<Look, Trouble>;
    /// Writes the files of a revision to a directory that does not exist, as they would be in the checkout.
    fn export(&self, calls: &Caller, revision: &str, into: &Utf8Path) -> Result<(), Trouble>;
    /// Brings the checkout forward.
    fn bring(&self, calls: &Caller, revision: &str) -> Result<(), Trouble>;
    /// What a client holds while it is at work, and leaves when it is killed.
    fn locks(&self, calls: &Caller) -> Vec<Utf8PathBuf>;
    /// Makes the client's notes of these files fit them again.
    fn settle(&self, calls: &Caller, paths: &[Utf8PathBuf]) -> Result<(), Trouble>;
}

/// A checkout.
#[derive(Debug)]
pub struct Checkout {
    top: Utf8PathBuf,
    vcs: Vcs,
    system: Box<dyn System>,
    owner: Option<Account>,
    stop: Arc<AtomicBool>,
}

impl Checkout {
    /// The checkout that a directory is in: that of the nearest directory upwards that is one.
    pub fn find(directory: &Utf8Path) -> Option<Self> {
        let directory = directory.canonicalize_utf8().ok()?;
        let systems: [(&str, Vcs); 3] = [(".git", Vcs::Git), (".hg", Vcs::Hg), (".bzr", Vcs::Bzr)];
        let (top, control, vcs) = directory.ancestors().find_map(|top| {
            let here = |(control, vcs): &(&str, Vcs)| {
                // Bazaar also has shared repositories, above its branches.
                let tree = if *vcs == Vcs::Bzr { ".bzr/checkout" } else { control };
                top.join(tree).exists().then(|| (top.to_owned(), top.join(control), *vcs))
            };
            systems.iter().find_map(here)
        })?;
        let system: Box<dyn System> = match vcs {
            Vcs::Git => Box::new(git::Git),
            Vcs::Hg => Box::new(hg::Hg),
            Vcs::Bzr => Box::new(bzr::Bzr::new(&top)),
        };
        Some(Self { owner: owner(&control), top, vcs, system, stop: Arc::default() })
    }

    /// Its directory.
    pub fn top(&self) -> &Utf8Path {
        &self.top
    }

    /// Its system.
    pub fn vcs(&self) -> Vcs {
        self.vcs
    }

    /// Has whoever waits for the upstream wait no longer.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Asks the upstream. Files stay as they are.
    ///
    /// # Errors
    /// It does not answer, or there is none.
    pub fn look(&self) -> Result<Look, Trouble> {
        self.system.look(&self.calls(true))
    }

    /// Makes the farm at `root` as it would be after the checkout was brought to the revision. It is gone once the preview is
    /// dropped.
    ///
    /// # Errors
    /// Files cannot be written, or what is edited is in the way.
    pub fn preview(&self, root: &Utf8Path, to: &Revision, temporary: &Utf8Path) -> Result<Preview, Trouble> {
        let calls = self.calls(true);
        let both = Both::make(temporary, self.owner.as_ref())?;
        let from = self.system.current(&calls)?;
        self.system.export(&calls, &from, &both.old)?;
        self.system.export(&calls, &to.id, &both.new)?;
        Preview::lay(both, &self.top, root, from, to.clone())
    }

    /// Brings the checkout to a revision that a look has found.
    ///
    /// # Errors
    /// It is as it was: something is in the way.
    pub fn bring(&self, revision: &str) -> Result<(), Trouble> {
        self.system.bring(&self.calls(false), revision)
    }

    /// Takes up what a farmout that was killed has left: the checkout is what it was before, or what it should have become.
    /// Files that somebody has edited since are left as they are.
    ///
    /// # Errors
    /// A client does not do what it should.
    pub fn recover(&self, begun: &Begun) -> Result<(), Trouble> {
        let calls = self.calls(false);
        let end = Instant::now() + PATIENCE;
        let held = || self.system.locks(&calls).into_iter().filter(|lock| lock.symlink_metadata().is_ok());
        while held().next().is_some() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
        }
        for lock in held() {
            calls.succeed(calls.command("rm").args(["-rf", "--"]).arg(lock))?;
        }
        let Some((from, to)) = &begun.way else { return Ok(()) };
        let both = Both::make(&begun.temporary, self.owner.as_ref())?;
        self.system.export(&calls, from, &both.old)?;
        self.system.export(&calls, to, &both.new)?;
        let (is, other) =
            if self.system.current(&calls)? == *to { (&both.new, &both.old) } else { (&both.old, &both.new) };
        let mut paths = Vec::new();
        for path in differing(is, other)? {
            let place = self.top.join(&path);
            if !is_ours(&place, &is.join(&path), &other.join(&path))? {
                continue;
            }
            calls.succeed(calls.command("rm").args(["-f", "--"]).arg(&place))?;
            if is.join(&path).symlink_metadata().is_ok() {
                let above = place.parent().unwrap_or(&self.top);
                calls.succeed(calls.command("mkdir").args(["-p", "--"]).arg(above))?;
                calls.succeed(calls.command("cp").args(["-P", "-p", "--"]).arg(is.join(&path)).arg(&place))?;
            }
            paths.push(path);
        }
        self.system.settle(&calls, &paths)
    }

    fn calls(&self, ends: bool) -> Caller {
        Caller::new(&self.top, self.owner.clone(), LIMIT, ends.then(|| Arc::clone(&self.stop)))
    }
}

/// The user whom a checkout belongs to, where root asks and it is not root's.
fn owner(control: &Utf8Path) -> Option<Account> {
    let seen = control.symlink_metadata().ok()?;
    if !geteuid().is_root() || seen.uid() == 0 {
        return None;
    }
    let user = User::from_uid(Uid::from_raw(seen.uid())).ok().flatten();
    let home = user.as_ref().and_then(|user| Utf8PathBuf::from_path_buf(user.dir.clone()).ok());
    Some(Account {
        gid: user.as_ref().map_or(seen.gid(), |user| user.gid.as_raw()),
        name: user.map_or_else(|| seen.uid().to_string(), |user| user.name),
        uid: seen.uid(),
        home: home.unwrap_or_else(|| "/nonexistent".into()),
        created: false,
    })
}
