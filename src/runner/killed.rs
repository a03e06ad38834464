//! Runs whose runner was killed: their journals are gone on with, and ended once all of their builders are cleaned up.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;

use super::active::Active;
use super::builder::finished;
use super::event::{Entry, Event};
use super::journal::{self, Durability, Journal};
use super::recover::records;
use super::replay::replay;
use super::result::{Outcome, round};
use super::save::Readers;
use super::session::Session;
use super::site::Site;
use super::state::State;
use crate::group::ProcessId;

/// What results say of a builder whose runner was killed.
const KILLED: &str = "the runner was killed";

/// The note that a run is at work, `active/RUN.run`: its runner. Where it is left, the next run ends this one.
#[derive(Debug)]
pub(super) struct AtWork(Utf8PathBuf);

impl AtWork {
    /// Notes that this process works on the run.
    pub(super) fn note(state: &State, run: &str) -> io::Result<Self> {
        let path = state.active().join(format!("{run}.run"));
        Readers::None.save_json(&path, &ProcessId::own()?)?;
        Ok(Self(path))
    }

    /// Takes the note away: the run has ended, or was never begun.
    pub(super) fn end(self) {
        let _ = std::fs::remove_file(self.0);
    }
}

/// Goes on with the journal of a run, of which these are the entries so far; none if there is nothing to go on with.
pub(super) fn resume(folder: &Utf8Path, entries: &[Entry], readers: Readers) -> Option<Journal> {
    let result = replay(entries, folder.to_owned())?;
    let age = (Timestamp::now() - result.started).total(jiff::Unit::Second).unwrap_or(0.0);
    Journal::resume(folder, readers, age.max(result.seconds)).ok()
}

/// Ends all runs whose runner is dead and that have nothing left to clean up. What goes wrong with it is tried again by the
/// next run.
pub(super) fn end_all(session: &Session<'_>, state: &State) {
    let Ok(folder) = state.active().read_dir_utf8() else { return };
    for path in folder.flatten().map(camino::Utf8DirEntry::into_path) {
        let Some(run) = path.file_name().and_then(|name| name.strip_suffix(".run")) else { continue };
        let Ok(text) = std::fs::read(&path) else { continue };
        if serde_json::from_slice::<ProcessId>(&text).is_ok_and(|runner| runner.is_alive()) {
            continue;
        }
        let Site { account, .. } = session.site;
        let (folder, readers) = (state.run(run), Readers::of(account.as_ref()));
        let entries = match journal::read(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            // What a later farmout wrote is that one's to end.
            Err(_) => continue,
            Ok(entries) => entries,
        };
        if entries.is_empty() {
            // Killed before it began: nothing is in it but plans, if it is there at all.
            let _ = std::fs::remove_dir_all(&folder);
            if !folder.exists() {
                let _ = std::fs::remove_file(&path);
            }
            continue;
        }
        let ended =
            resume(&folder, &entries, readers).map_or(Ok(true), |journal| end(&journal, state, readers, run, None));
        if matches!(ended, Ok(true)) {
            let _ = std::fs::remove_file(&path);
        }
    }
}

/// Ends a killed run in its journal, as far as nobody is at work on it, and makes its result of that. `recovered` is the
/// builder that was cleaned up. Whether it is ended now.
///
/// # Errors
/// The journal, or the result, cannot be read or written.
pub(super) fn end(
    journal: &Journal,
    state: &State,
    readers: Readers,
    run: &str,
    recovered: Option<&str>,
) -> io::Result<bool> {
    let folder = state.run(run);
    let entries = journal::read(&folder)?;
    let Some(result) = replay(&entries, folder.clone()) else { return Ok(true) };
    // What its runner did last, before others came.
    let own = entries.iter().take_while(|entry| !matches!(entry.event, Event::Recovering { .. }));
    let died = own.map(|entry| entry.at).fold(0.0, f64::max);
    let at_work: Vec<String> = records(&state.active())?
        .iter()
        .filter_map(|path| Active::read(path).ok().flatten())
        .filter(|active| active.record.run == run && active.record.kept.is_empty())
        .map(|active| active.record.builder)
        .filter(|builder| Some(builder.as_str()) != recovered)
        .collect();
    for mut builder in result.builders {
        if builder.outcome.is_some() || at_work.contains(&builder.builder) {
            continue;
        }
        let began = Some(builder.builder.as_str()) == recovered || !builder.steps.is_empty();
        builder.outcome = Some(if began { Outcome::Interrupted } else { Outcome::Skipped });
        builder.reason = Some(KILLED.to_owned());
        builder.seconds = if began { round(f64::max(died - builder.at, 0.0)) } else { 0.0 };
        // Whoever watches this process watches another run.
        journal.append(finished(&builder), Durability::Written, &|_| {});
    }
    let ends = at_work.is_empty();
    if result.outcome.is_none() && ends {
        let finished = Event::RunFinished { outcome: Outcome::Interrupted, seconds: died };
        journal.append(finished, Durability::OnDisk, &|_| {});
    }
    journal.finish().map_err(io::Error::other)?;
    if let Some(result) = replay(&journal::read(&folder)?, folder.clone()) {
        readers.save_json(&folder.join("result.json"), &result)?;
    }
    Ok(ends)
}
