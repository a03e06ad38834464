//! Old runs: what is to be kept in, what was removed and how much room that made out. Parallel to runs at work, and killed at
//! any moment, it leaves whole runs or none: a run is first moved to `trash/`, where nothing is taken for a run.

use std::collections::{HashMap, HashSet};
use std::io;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::Serialize;

use super::active::Active;
use super::before::{self, Ended};
use super::journal;
use super::recover::records;
use super::result::Outcome;
use super::save::Readers;
use super::state::State;
use crate::diagnostic::{Failure, plain};
use crate::workspace::folder::Folder;
use crate::workspace::lock::Lock;

/// What is moved here is on its way out.
const TRASH: &str = "trash";
/// How long a run may take from the making of its folder to the beginning of its journal.
const BIRTH: Duration = Duration::from_secs(3600);

/// Which runs are kept: those within all limits that are set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// How many.
    pub runs: Option<u64>,
    /// How old ones.
    pub age: Option<Duration>,
    /// As many as fit into so many bytes.
    pub size: Option<u64>,
    /// Whether the last failure of each builder may go as well.
    pub failures: bool,
}

/// What became of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Removed {
    /// The run.
    pub run: String,
    /// How much room it took, in bytes.
    pub size: u64,
    /// Which limit it was beyond.
    pub why: String,
    /// Why it is there still, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A run beyond a limit that is kept all the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Spared {
    /// The run.
    pub run: String,
    /// Why.
    pub why: String,
}

/// What came of cleaning.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Cleaned {
    /// Whether nothing was done, because another process was at it.
    pub busy: bool,
    /// The runs that were removed, oldest first.
    pub removed: Vec<Removed>,
    /// The runs that were kept against the limits, oldest first.
    pub spared: Vec<Spared>,
    /// How many runs there are still.
    pub kept: usize,
    /// How much room these take, in bytes.
    pub size: u64,
    /// What earlier cleaning had not come to an end with, in bytes.
    pub leftovers: u64,
    /// How many lines of the history were left out.
    pub forgotten: usize,
    /// What else went wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

impl Cleaned {
    /// How much room was made, in bytes.
    pub fn freed(&self) -> u64 {
        let gone = self.removed.iter().filter(|removed| removed.problem.is_none());
        gone.map(|removed| removed.size).sum::<u64>() + self.leftovers
    }

    /// What went wrong, in sentences.
    pub fn troubles(&self) -> impl Iterator<Item = String> {
        let told =
            |removed: &Removed| Some(format!("run {} is not removed: {}", removed.run, removed.problem.as_ref()?));
        self.removed.iter().filter_map(told).chain(self.problems.iter().cloned())
    }
}

/// Removes runs of the state folder `state` that are beyond the limits, and shortens the history. With `rehearse` it only
/// says what it would remove.
///
/// Never removed is a run at work, the latest one, one whose builders are still to be cleaned up, and, unless the limits say
/// otherwise, the last failure of each builder.
///
/// # Errors
/// The state folder cannot be used.
pub fn clean(state: &Utf8Path, keep: &Keep, rehearse: bool) -> Result<Cleaned, Failure> {
    let told = |error: io::Error| Failure::misuse(plain(&format!("cannot clean up {state}: {error}")));
    if !state.join("runs").exists() {
        return Ok(Cleaned::default());
    }
    let folder = Folder::open(state).map_err(told)?;
    // Who may read what is there does not change by cleaning.
    let readers = Readers::of_file(&state.join("format"));
    let opened = State::open(state, readers)?;
    let note = format!("pid {}", std::process::id());
    let Ok(_lock) = Lock::attempt(&folder, "clean", &note, None).map_err(told)? else {
        return Ok(Cleaned { busy: true, ..Cleaned::default() });
    };
    let mut cleaned = Cleaned::default();
    // What is not removed here is left by one that was killed.
    if let Ok(trash) = folder.enter(TRASH) {
        let names = trash.names().map_err(told)?;
        let sizes = names.iter().map(|name| trash.enter(name).and_then(|run| run.size()));
        cleaned.leftovers = sizes.sum::<io::Result<u64>>().map_err(told)?;
        if !rehearse {
            trash.empty().map_err(told)?;
        }
    }
    let runs = folder.enter("runs").map_err(told)?;
    let found = found(&runs).map_err(told)?;
    let history = before::history(state).map_err(told)?;
    let mut sparing = Sparing::new(&opened, &folder, &history, keep).map_err(told)?;
    let total: u64 = found.iter().map(|run| run.size).sum();
    (cleaned.kept, cleaned.size) = (found.len(), total);
    let now = Timestamp::now();
    let limits = beyond(keep, &found, now);
    for (run, why) in found.into_iter().zip(limits) {
        let Some(why) = why else { continue };
        let why = why.to_owned();
        if let Some(reason) = sparing.spares(&run, now) {
            cleaned.spared.push(Spared { run: run.id, why: reason });
            continue;
        }
        let problem = if rehearse { None } else { remove(&opened, &folder, &runs, &run).err() };
        match problem {
            Some(Kept::AtWork) => cleaned.spared.push(Spared { run: run.id, why: AT_WORK.to_owned() }),
            Some(Kept::Broken(error)) => {
                let problem = Some(plain(&error.to_string()));
                cleaned.removed.push(Removed { run: run.id, size: run.size, why, problem });
            }
            None => {
                cleaned.kept -= 1;
                cleaned.size -= run.size;
                cleaned.removed.push(Removed { run: run.id, size: run.size, why, problem: None });
            }
        }
    }
    if !rehearse {
        match before::compact(state, readers) {
            Ok(forgotten) => cleaned.forgotten = forgotten,
            Err(error) => cleaned.problems.push(plain(&format!("the history is not shortened: {error}"))),
        }
    }
    Ok(cleaned)
}

const AT_WORK: &str = "it is at work";

/// A run's folder.
#[derive(Debug)]
struct Found {
    id: String,
    began: Timestamp,
    size: u64,
}

/// The runs, oldest first. A link, and what has no name of a run, is somebody else's.
fn found(runs: &Folder) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for id in runs.names()? {
        let Some(began) = began(&id).filter(|_| !runs.is_link(&id)) else { continue };
        match runs.enter(&id).and_then(|folder| folder.size()) {
            Ok(size) => found.push(Found { id, began, size }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    found.sort_by(|one, other| (one.began, &one.id).cmp(&(other.began, &other.id)));
    Ok(found)
}

/// When the run of this id began.
fn began(id: &str) -> Option<Timestamp> {
    let (time, suffix) = id.rsplit_once('-')?;
    let plain = !suffix.is_empty() && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let time = DateTime::strptime("%Y%m%d-%H%M%S", time).ok().filter(|_| plain)?;
    time.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp())
}

/// How old a run is. One of the future, as a clock was wrong, is new.
fn age(run: &Found, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(run.began)).unwrap_or_default()
}

/// Which limit each run is beyond. It is counted from the newest, so that an old run that is spared pushes out none that is
/// newer.
fn beyond(keep: &Keep, runs: &[Found], now: Timestamp) -> Vec<Option<&'static str>> {
    let (mut count, mut size) = (0, 0_u64);
    let limit = |run: &Found| {
        count += 1;
        size = size.saturating_add(run.size);
        if keep.age.is_some_and(|limit| age(run, now) > limit) {
            return Some("age");
        }
        if keep.runs.is_some_and(|limit| count > limit) {
            return Some("number");
        }
        keep.size.is_some_and(|limit| size > limit).then_some("size")
    };
    let mut limits: Vec<_> = runs.iter().rev().map(limit).collect();
    limits.reverse();
    limits
}

/// What must stay.
struct Sparing<'a> {
    latest: Option<String>,
    /// Runs that records of builders point to; none if a record cannot be read.
    recorded: Option<HashSet<String>>,
    failures: HashMap<&'a str, &'a str>,
    runs: Utf8PathBuf,
}

impl<'a> Sparing<'a> {
    fn new(state: &State, folder: &Folder, history: &'a [Ended], keep: &Keep) -> io::Result<Self> {
        let latest = std::fs::read_link(folder.path().join("latest")).ok();
        let latest = latest.and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
        let failures = history.iter().filter(|ended| ended.outcome == Outcome::Failure && !keep.failures);
        let failures: IndexMap<_, _> = failures.map(|ended| (ended.builder.as_str(), ended.run.as_str())).collect();
        // By run: one of the builders that need it is said.
        let failures = failures.into_iter().rev().map(|(builder, run)| (run, builder)).collect();
        Ok(Self { latest, recorded: recorded(state)?, failures, runs: folder.path().join("runs") })
    }

    /// Why a run stays, if it does.
    fn spares(&mut self, run: &Found, now: Timestamp) -> Option<String> {
        let id = run.id.as_str();
        if self.latest.as_deref() == Some(id) {
            return Some("it is the latest".to_owned());
        }
        match &self.recorded {
            None => return Some("a record in active/ cannot be read, and may need it".to_owned()),
            Some(recorded) if recorded.contains(id) => {
                return Some("a builder of it is at work, or still to be cleaned up".to_owned());
            }
            Some(_) => {}
        }
        if is_at_work(&self.runs.join(id), age(run, now)) {
            return Some(AT_WORK.to_owned());
        }
        self.failures.get(id).map(|builder| format!("it has the last failure of {builder}"))
    }
}

/// The runs that records of builders point to; none if a record cannot be read.
fn recorded(state: &State) -> io::Result<Option<HashSet<String>>> {
    // Runs at work, and those that were and are still to be ended, are noted by their names.
    let notes = Folder::open(&state.active())?.names()?;
    let mut runs: HashSet<String> =
        notes.iter().filter_map(|name| name.strip_suffix(".run").map(ToOwned::to_owned)).collect();
    for path in records(&state.active())? {
        match Active::read(&path) {
            Ok(Some(active)) => {
                // Its plan and its logs are what a later run cleans up with.
                let plan = active.record.plan.parent().and_then(Utf8Path::parent).and_then(Utf8Path::file_name);
                runs.extend(plan.map(ToOwned::to_owned));
                runs.insert(active.record.run);
            }
            Ok(None) => {}
            Err(_) => return Ok(None),
        }
    }
    Ok(Some(runs))
}

/// Whether a runner works on the run in this folder: it holds the journal.
fn is_at_work(folder: &Utf8Path, age: Duration) -> bool {
    hold(folder, age).is_err()
}

/// Takes the journal, as nobody does who works on the run. None where there is none, and never will be.
fn hold(folder: &Utf8Path, age: Duration) -> Result<Option<Flock<std::fs::File>>, Kept> {
    let file = match std::fs::File::open(folder.join(journal::NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && age > BIRTH => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Kept::AtWork),
        file => file.map_err(Kept::Broken)?,
    };
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(lock)),
        Err((_, Errno::EWOULDBLOCK)) => Err(Kept::AtWork),
        Err((_, error)) => Err(Kept::Broken(error.into())),
    }
}

/// Why a run is not removed.
#[derive(Debug)]
enum Kept {
    AtWork,
    Broken(io::Error),
}

fn remove(state: &State, folder: &Folder, runs: &Folder, run: &Found) -> Result<(), Kept> {
    let trash = folder.make(TRASH, 0o700, None).map_err(Kept::Broken)?;
    // Held until it is out of the way: nobody begins to work on it meanwhile, but by a record.
    let held = hold(&runs.path().join(&run.id), age(run, Timestamp::now()))?;
    match recorded(state).map_err(Kept::Broken)? {
        Some(runs) if !runs.contains(&run.id) => {}
        _ => return Err(Kept::AtWork),
    }
    runs.move_to(&run.id, &trash).map_err(Kept::Broken)?;
    drop(held);
    trash.remove_all(&run.id).map_err(Kept::Broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_counted_from_the_newest() {
        let now = "2026-11-22T12:00:00Z".parse::<Timestamp>().unwrap();
        let run = |days: i64, size| Found {
            id: String::new(),
            began: now - jiff::SignedDuration::from_hours(24 * days),
            size,
        };
        let runs = [run(9, 10), run(3, 10), run(2, 100), run(1, 10), run(-1, 10)];
        let limits = |keep| beyond(&keep, &runs, now);
        assert_eq!(limits(Keep::default()), [None; 5]);
        let two = limits(Keep { runs: Some(2), ..Keep::default() });
        assert_eq!(two, [Some("number"), Some("number"), Some("number"), None, None]);
        let days = limits(Keep { age: Some(Duration::from_secs(2 * 86_400)), ..Keep::default() });
        assert_eq!(days, [Some("age"), Some("age"), None, None, None]);
        let size = limits(Keep { size: Some(125), ..Keep::default() });
        assert_eq!(size, [Some("size"), Some("size"), None, None, None]);
    }

    #[test]
    fn runs_are_told_by_their_names() {
        let time = "2026-11-22T18:15:00Z".parse::<Timestamp>().unwrap();
        assert_eq!(began("20261122-181500-k3f9"), Some(time));
        for name in
            ["20261122-181500", "20261322-181500-k3f9", "notes", "20261122-181500-", "20261122-181500-a.b", ".x"]
        {
            assert_eq!(began(name), None, "{name}");
        }
    }
}
