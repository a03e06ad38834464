//! The scheduler's book: what waits, what is at work and what was built, on the disk before anybody acts on it. Deliveries of
//! the spool and the ends of runs come in, orders go out. A process that is killed at any moment loses no change, and what
//! it had finished is not begun again.

use std::collections::{HashMap, HashSet};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::{IndexMap, IndexSet};
use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::kept::Kept;
use super::scheduler::{End, Moment, Order, Scheduler, Terms};
use super::spool::{Delivery, Spool};
use crate::diagnostic::{Failure, plain};
use crate::model::{Change, WatchedBranch};

/// The version of the file.
const FORMAT: u32 = 1;
const FILE: &str = "state.json";
const LOCK: &str = "lock";
/// So many deliveries are remembered that were taken: one whose file could not be removed is not taken again.
const REMEMBERED: usize = 10_000;
/// The moment at which a book is opened: long after the last change that it remembers.
const OPENED: Moment = Duration::from_secs(1_000_000_000);

/// The folder of all that belongs to the scheduler, in the state folder.
pub fn folder(state: &Utf8Path) -> Utf8PathBuf {
    state.join("watch")
}

/// The folder of the spool, in the state folder.
pub fn spool(state: &Utf8Path) -> Utf8PathBuf {
    folder(state).join("spool")
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Written {
    format: u32,
    /// When.
    time: Timestamp,
    /// Deliveries that are in it.
    taken: IndexSet<String>,
    #[serde(flatten)]
    kept: Kept,
}

/// The book as anybody may read it.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Page {
    /// The version of this form, for programs.
    pub format: u32,
    /// When it was written.
    pub time: Option<Timestamp>,
    /// What is in it.
    pub kept: Kept,
    /// Who has it open, if somebody has.
    pub holder: Option<String>,
    /// What waits in the spool, and is not in the book yet.
    pub deliveries: Vec<Delivery>,
}

impl Page {
    /// Reads the book of a state folder. Where there is none, nothing waits.
    ///
    /// # Errors
    /// It cannot be read, or a later farmout has written it.
    pub fn read(state: &Utf8Path) -> Result<Self, Failure> {
        let folder = folder(state);
        let written = read(&folder)?;
        let waiting =
            Spool::open_existing(&spool(state)).and_then(|spool| spool.map_or(Ok(Vec::new()), |spool| spool.waiting()));
        let waiting = waiting.map_err(|error| unusable(&folder, &error))?;
        let taken = written.as_ref().map(|written| written.taken.clone()).unwrap_or_default();
        let deliveries = waiting.into_iter().filter(|waiting| !taken.contains(&waiting.name));
        Ok(Self {
            format: FORMAT,
            holder: holder(&folder),
            deliveries: deliveries.map(|waiting| waiting.delivery).collect(),
            time: written.as_ref().map(|written| written.time),
            kept: written.map(|written| written.kept).unwrap_or_default(),
        })
    }
}

/// What came of a look into the spool.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// For each build the number of changes that it now waits with besides those that it had.
    pub told: IndexMap<String, usize>,
    /// The builds that somebody wants, and who.
    pub forced: Vec<(String, Option<String>)>,
    /// Builds that somebody wants and that are none.
    pub unknown: Vec<String>,
    /// Changes of branches that no build watches.
    pub unwatched: Vec<Change>,
    /// Files that are no deliveries: where they are now, and what is wrong.
    pub rejected: Vec<(Utf8PathBuf, String)>,
}

/// An open book. There is one at a time for a state folder.
#[derive(Debug)]
pub struct Book {
    folder: Utf8PathBuf,
    spool: Spool,
    scheduler: Scheduler,
    taken: IndexSet<String>,
    opened: Instant,
    _lock: Flock<File>,
}

impl Book {
    /// Opens the book of a state folder; somebody else's note if they have it open. Files are the `owner`'s, who may write
    /// into the spool.
    ///
    /// # Errors
    /// It cannot be read or written, or a later farmout has written it.
    pub fn open(state: &Utf8Path, owner: Option<(u32, u32)>) -> Result<Result<Self, String>, Failure> {
        let folder = folder(state);
        let opened = || -> io::Result<_> {
            DirBuilder::new().recursive(true).mode(0o755).create(state)?;
            DirBuilder::new().recursive(true).mode(0o755).create(&folder)?;
            let spool = Spool::open(&spool(state))?;
            if let Some((user, group)) = owner {
                std::os::unix::fs::lchown(spool.folder(), Some(user), Some(group))?;
            }
            Ok((spool, lock(&folder)?))
        };
        let (spool, lock) = opened().map_err(|error| unusable(&folder, &error))?;
        let lock = match lock {
            Ok(lock) => lock,
            Err(holder) => return Ok(Err(holder)),
        };
        let (kept, taken, ago) = match read(&folder)? {
            Some(written) => {
                let ago = Timestamp::now().duration_since(written.time);
                // A clock that was set back says nothing of how long ago it was.
                (written.kept, written.taken, Duration::try_from(ago).unwrap_or_default())
            }
            None => (Kept::default(), IndexSet::new(), Duration::ZERO),
        };
        let scheduler = Scheduler::restore(kept, ago, OPENED);
        Ok(Ok(Self { folder, spool, scheduler, taken, opened: Instant::now(), _lock: lock }))
    }

    /// What the farm says now. The builds that waited and that it has no more are returned.
    ///
    /// # Errors
    /// The book cannot be written.
    pub fn reload(&mut self, terms: IndexMap<String, Terms>) -> io::Result<Vec<String>> {
        let dropped = self.scheduler.reload(terms);
        self.write()?;
        Ok(dropped)
    }

    /// The folder in which deliveries arrive.
    pub fn spool(&self) -> &Spool {
        &self.spool
    }

    /// What is known of builds and branches.
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }

    /// Takes what has come into the spool. `branches` are those watched ones that a change is of.
    ///
    /// # Errors
    /// The spool cannot be read, or the book not written; then all is there the next time.
    pub fn take(&mut self, branches: &dyn Fn(&Change) -> Vec<WatchedBranch>) -> io::Result<Taken> {
        let found = self.spool.look()?;
        let mut taken = Taken { rejected: found.rejected, ..Taken::default() };
        let names: Vec<String> = found.waiting.iter().map(|waiting| waiting.name.clone()).collect();
        for waiting in found.waiting {
            if self.taken.insert(waiting.name) {
                match waiting.delivery {
                    Delivery::Changes(changes) => self.change(changes, branches, &mut taken),
                    Delivery::Force { build, wish } => {
                        let by = wish.by.clone();
                        if self.scheduler.force(self.now(), &build, wish) {
                            taken.forced.push((build, by));
                        } else {
                            taken.unknown.push(build);
                        }
                    }
                }
            }
        }
        if !names.is_empty() {
            let excess = self.taken.len().saturating_sub(REMEMBERED.max(names.len()));
            self.taken.drain(..excess);
            self.write()?;
            // One that stays is known.
            names.iter().try_for_each(|name| self.spool.remove(name))?;
        }
        Ok(taken)
    }

    /// Takes changes that were found by looking.
    ///
    /// # Errors
    /// The book cannot be written.
    pub fn found(
        &mut self,
        changes: Vec<Change>,
        branches: &dyn Fn(&Change) -> Vec<WatchedBranch>,
    ) -> io::Result<Taken> {
        let mut taken = Taken::default();
        self.change(changes, branches, &mut taken);
        self.write()?;
        Ok(taken)
    }

    /// Notes what revision a branch has of which nothing is known yet: the builds that there are, are of it.
    pub fn begin_with(&mut self, branch: &WatchedBranch, revision: &str) {
        self.scheduler.begin_with(branch, revision);
    }

    fn change(&mut self, changes: Vec<Change>, branches: &dyn Fn(&Change) -> Vec<WatchedBranch>, taken: &mut Taken) {
        let now = self.now();
        let placed: Vec<_> = changes.into_iter().map(|change| (branches(&change), change)).collect();
        // A push that is told again brings nothing, though what it began with is not what the branch is now.
        let mut last = HashMap::new();
        for (branches, change) in &placed {
            last.extend(branches.iter().map(|branch| (branch.clone(), change.id().to_owned())));
        }
        let known: HashSet<WatchedBranch> = last
            .into_iter()
            .filter(|(branch, id)| self.scheduler.head(branch) == Some(id))
            .map(|(branch, _)| branch)
            .collect();
        for (branches, change) in placed {
            if branches.is_empty() {
                taken.unwatched.push(change);
                continue;
            }
            let change = Arc::new(change);
            let mut told = IndexSet::new();
            for branch in branches.iter().filter(|branch| !known.contains(*branch)) {
                told.extend(self.scheduler.change(now, branch, &change));
            }
            for build in told {
                *taken.told.entry(build).or_default() += 1;
            }
        }
    }

    /// Begins at most so many of the builds that are due. They are noted as being at work when this returns.
    ///
    /// # Errors
    /// The book cannot be written; then none is begun.
    pub fn begin(&mut self, most: usize) -> io::Result<Vec<Order>> {
        let before = self.scheduler.clone();
        let mut orders = Vec::new();
        let due = self.scheduler.due(self.now());
        if due.is_empty() {
            return Ok(orders);
        }
        for build in due {
            if orders.len() == most {
                break;
            }
            let request = format!("{}-{build}", Timestamp::now().as_nanosecond());
            orders.extend(self.scheduler.begin(&build, &request));
        }
        if let Err(error) = self.write() {
            self.scheduler = before;
            return Err(error);
        }
        Ok(orders)
    }

    /// A run has ended.
    ///
    /// # Errors
    /// The book cannot be written; it is known all the same for as long as the book is open.
    pub fn end(&mut self, build: &str, end: End) -> io::Result<()> {
        self.scheduler.end(self.now(), build, end);
        self.write()
    }

    /// Says of the builds that were at work when the book was closed how they ended; `find` knows by the request. The farm
    /// comes first, as of builds that it does not have nothing is remembered. Those that are to be begun again are returned.
    ///
    /// # Errors
    /// The book cannot be written.
    pub fn recover(&mut self, find: &dyn Fn(&str) -> Option<End>) -> io::Result<Vec<String>> {
        let running: Vec<_> =
            self.scheduler.running().map(|(build, request)| (build.to_owned(), request.to_owned())).collect();
        let mut again = Vec::new();
        for (build, request) in running {
            let end = find(&request).unwrap_or(End::Stopped);
            if end == End::Stopped {
                again.push(build.clone());
            }
            self.scheduler.end(self.now(), &build, end);
        }
        self.write()?;
        Ok(again)
    }

    /// How long until the next build is due, if nothing happens before.
    pub fn next(&self) -> Option<Duration> {
        Some(self.scheduler.next()?.saturating_sub(self.now()))
    }

    fn now(&self) -> Moment {
        OPENED + self.opened.elapsed()
    }

    fn write(&self) -> io::Result<()> {
        let (time, taken, kept) = (Timestamp::now(), self.taken.clone(), self.scheduler.keep(self.now()));
        let bytes = serde_json::to_vec(&Written { format: FORMAT, time, taken, kept })?;
        let mut aside = tempfile::Builder::new().prefix(".new-").tempfile_in(&self.folder)?;
        aside.write_all(&bytes)?;
        aside.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
        aside.as_file().sync_all()?;
        aside.persist(self.folder.join(FILE)).map_err(|error| error.error)?;
        File::open(&self.folder)?.sync_all()
    }
}

fn read(folder: &Utf8Path) -> Result<Option<Written>, Failure> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let path = folder.join(FILE);
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(|error| unusable(folder, &error))?,
    };
    let damaged = |error: serde_json::Error| {
        Failure::misuse(format!("{path} is damaged: {error}")).help(
            "what waited is lost if you remove it; builds begin anew with the next change, or by `farmout force BUILD`",
        )
    };
    let Version { format } = serde_json::from_slice(&bytes).map_err(damaged)?;
    if format > FORMAT {
        let message = format!("{path} has format {format}, and this farmout reads {FORMAT}");
        return Err(Failure::misuse(message).help("a later farmout made it: use that one"));
    }
    serde_json::from_slice(&bytes).map(Some).map_err(damaged)
}

fn unusable(folder: &Utf8Path, error: &io::Error) -> Failure {
    Failure::misuse(format!("cannot use {folder}: {}", plain(&error.to_string())))
}

/// Takes the lock, or says who has it.
fn lock(folder: &Utf8Path) -> io::Result<Result<Flock<File>, String>> {
    let path = folder.join(LOCK);
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o644).open(path)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut lock) => {
            // For people; a full disk must not keep the lock from being held.
            let note = format!("pid {}\n", std::process::id());
            let _ = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| lock.write_all(note.as_bytes()));
            Ok(Ok(lock))
        }
        Err((mut file, Errno::EWOULDBLOCK)) => {
            let mut holder = String::new();
            let _ = (&mut file).take(100).read_to_string(&mut holder);
            Ok(Err(holder.trim().replace(char::is_control, " ")))
        }
        Err((_, error)) => Err(error.into()),
    }
}

/// Who has the book open that is in this folder, if somebody has.
pub fn holder(folder: &Utf8Path) -> Option<String> {
    let mut file = File::open(folder.join(LOCK)).ok()?;
    match Flock::lock(file.try_clone().ok()?, FlockArg::LockSharedNonblock) {
        Err((_, Errno::EWOULDBLOCK)) => {
            let mut holder = String::new();
            let _ = (&mut file).take(100).read_to_string(&mut holder);
            Some(holder.trim().replace(char::is_control, " "))
        }
        _ => None,
    }
}
