//! What earlier runs tell about a builder: how long it and its steps took, and what its steps reported. It outlives the runs
//! themselves, in `history.jsonl` of the state folder, a line for each builder that ended.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;

use camino::Utf8Path;
use indexmap::IndexMap;
use jiff::Timestamp;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::result::{BuilderResult, Outcome};
use super::save::Readers;

/// The file's name in the state folder.
const NAME: &str = "history.jsonl";
/// What is read of it, from its end: some ten thousand builders.
const READ: u64 = 8 << 20;
/// How many ends of each builder outlive cleaning.
const KEPT: usize = 50;
/// From how many runs a duration is expected.
const SAMPLE: usize = 5;

/// A builder that ended, as `history.jsonl` has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ended {
    /// The run.
    pub run: String,
    /// The builder.
    pub builder: String,
    /// How it ended.
    pub outcome: Outcome,
    /// When it did.
    pub ended: Timestamp,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How long its steps took that went well, in seconds.
    #[serde(default)]
    pub steps: IndexMap<String, f64>,
    /// What its steps reported.
    #[serde(default)]
    pub properties: IndexMap<String, String>,
}

/// What is known of one builder from before.
#[derive(Debug, Clone, Default)]
pub(super) struct Before {
    /// How long it takes, in seconds, if it ever came to a good end.
    pub(super) expected: Option<f64>,
    /// How long its steps take.
    pub(super) steps: IndexMap<String, f64>,
    /// What its steps have reported last.
    pub(super) properties: IndexMap<String, String>,
}

/// Reads the history, oldest first. Lines that are none are left out.
///
/// # Errors
/// It is there, and cannot be read.
pub fn history(state: &Utf8Path) -> io::Result<Vec<Ended>> {
    let mut file = match File::open(state.join(NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(READ)))?;
    let (mut reader, mut line, mut pasts) = (BufReader::new(file.take(READ)), Vec::new(), Vec::new());
    while reader.read_until(b'\n', &mut line)? > 0 {
        pasts.extend(serde_json::from_slice(&line));
        line.clear();
    }
    Ok(pasts)
}

/// Adds a builder that ended.
///
/// # Errors
/// It cannot be written.
pub(super) fn remember(state: &Utf8Path, readers: Readers, run: &str, result: &BuilderResult) -> io::Result<()> {
    let fine = |outcome| matches!(outcome, Outcome::Success | Outcome::Warnings);
    let Some(outcome) = result.outcome.filter(|outcome| *outcome != Outcome::Skipped) else { return Ok(()) };
    let steps = result.steps.iter().filter(|step| fine(step.outcome));
    let past = Ended {
        run: run.to_owned(),
        builder: result.builder.clone(),
        outcome,
        ended: Timestamp::now(),
        seconds: result.seconds,
        steps: steps.map(|step| (step.name.clone(), step.seconds)).collect(),
        properties: result.properties.clone(),
    };
    let mut line = serde_json::to_vec(&past)?;
    line.push(b'\n');
    // In one piece, so that two runs at a time do not mix their lines.
    own(state, readers)?.write_all(&line)
}

/// The history, open for more, with nobody else at it.
fn own(state: &Utf8Path, readers: Readers) -> io::Result<Flock<File>> {
    let path = state.join(NAME);
    loop {
        let file = readers.append(&path)?;
        let file = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, error)| io::Error::from(error))?;
        // Whoever had it before may have put a shorter one in its place.
        let own = file.metadata()?;
        match path.metadata() {
            Ok(there) if (there.dev(), there.ino()) == (own.dev(), own.ino()) => return Ok(file),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
}

/// Leaves out what is old: of each builder its last ends and its last failure stay. How many lines that were.
///
/// # Errors
/// It cannot be read or written; then it is as it was.
pub(super) fn compact(state: &Utf8Path, readers: Readers) -> io::Result<usize> {
    if !state.join(NAME).exists() {
        return Ok(0);
    }
    let _own = own(state, readers)?;
    let text = std::fs::read(state.join(NAME))?;
    let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    let mut seen: HashMap<String, (usize, bool)> = HashMap::new();
    let mut stays = |line: &&[u8]| {
        let Ok(ended) = serde_json::from_slice::<Ended>(line) else { return false };
        let (count, failed) = seen.entry(ended.builder).or_default();
        *count += 1;
        let last_failure = ended.outcome == Outcome::Failure && !std::mem::replace(failed, true);
        // The one that came to an end last is needed too; of so many, one is.
        *count <= KEPT || last_failure
    };
    let mut kept: Vec<&[u8]> = lines.iter().rev().copied().filter(|line| stays(line)).collect();
    let forgotten = lines.len() - kept.len();
    if forgotten > 0 {
        kept.reverse();
        readers.save(&state.join(NAME), &kept.concat())?;
    }
    Ok(forgotten)
}

/// What a history tells of each of its builders.
pub(super) fn summary(history: &[Ended]) -> HashMap<&str, Before> {
    let mut times: HashMap<&str, Vec<f64>> = HashMap::new();
    let mut summary: HashMap<&str, Before> = HashMap::new();
    for past in history.iter().rev() {
        let before = summary.entry(&past.builder).or_default();
        for (step, seconds) in &past.steps {
            before.steps.entry(step.clone()).or_insert(*seconds);
        }
        for (name, value) in &past.properties {
            before.properties.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let times = times.entry(&past.builder).or_default();
        if matches!(past.outcome, Outcome::Success | Outcome::Warnings) && times.len() < SAMPLE {
            times.push(past.seconds);
        }
    }
    for (builder, mut times) in times {
        times.sort_by(f64::total_cmp);
        if let (Some(before), Some(median)) = (summary.get_mut(builder), times.get(times.len() / 2)) {
            before.expected = Some(*median);
        }
    }
    summary
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(builder: &str, outcome: Outcome, seconds: f64, steps: &[(&str, f64)]) -> Ended {
        let steps = steps.iter().map(|(name, seconds)| ((*name).to_owned(), *seconds)).collect();
        let properties = IndexMap::from([("revision".to_owned(), seconds.to_string())]);
        let (run, ended, builder) = (String::new(), Timestamp::UNIX_EPOCH, builder.to_owned());
        Ended { run, builder, outcome, ended, seconds, steps, properties }
    }

    #[test]
    fn what_went_well_is_expected_again() {
        let history = [
            past("a", Outcome::Success, 99.0, &[("fetch", 9.0), ("old", 1.0)]),
            past("a", Outcome::Success, 10.0, &[("fetch", 1.0)]),
            past("a", Outcome::Warnings, 12.0, &[("fetch", 2.0)]),
            past("a", Outcome::Failure, 1.0, &[("fetch", 3.0)]),
            past("b", Outcome::Failure, 1.0, &[]),
        ];
        let summary = summary(&history);
        assert_eq!(summary["a"].expected, Some(12.0));
        assert_eq!(summary["a"].steps, IndexMap::from([("fetch".to_owned(), 3.0), ("old".to_owned(), 1.0)]));
        assert_eq!(summary["a"].properties["revision"], "1");
        assert_eq!(summary["b"].expected, None);
    }

    /// Each opens the file for itself, so that to the system's locks they are as different as processes are.
    #[test]
    fn nothing_that_is_added_is_lost_to_whoever_makes_the_history_shorter() {
        let folder = tempfile::tempdir().unwrap();
        let state = Utf8Path::from_path(folder.path()).unwrap();
        let ended = |builder: &str| {
            let mut result = BuilderResult::pending(builder, "b", builder);
            result.outcome = Some(Outcome::Success);
            result
        };
        let remember = |builder: &str| remember(state, Readers::None, "run", &ended(builder)).unwrap();
        (0..KEPT).for_each(|_| remember("old"));
        std::thread::scope(|scope| {
            let adders: Vec<_> =
                ["a", "b", "c"].map(|builder| scope.spawn(move || (0..KEPT).for_each(|_| remember(builder)))).into();
            let mut forgotten = 0;
            while forgotten < 5 || !adders.iter().all(std::thread::ScopedJoinHandle::is_finished) {
                remember("old");
                forgotten += compact(state, Readers::None).unwrap();
            }
        });
        let history = history(state).unwrap();
        for builder in ["a", "b", "c", "old"] {
            assert_eq!(history.iter().filter(|ended| ended.builder == builder).count(), KEPT, "{builder}");
        }
    }

    #[test]
    fn whoever_waited_for_a_history_that_was_replaced_adds_to_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let state = Utf8Path::from_path(folder.path()).unwrap();
        let held = own(state, Readers::None).unwrap();
        std::thread::scope(|scope| {
            let adder = scope.spawn(|| own(state, Readers::None).unwrap().write_all(b"new\n").unwrap());
            // It has the old one open by then, as a rule.
            std::thread::sleep(std::time::Duration::from_millis(100));
            Readers::None.save(&state.join(NAME), b"short\n").unwrap();
            drop(held);
            adder.join().unwrap();
        });
        assert_eq!(std::fs::read_to_string(state.join(NAME)).unwrap(), "short\nnew\n");
    }
}
