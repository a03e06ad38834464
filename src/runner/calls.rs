//! Calls of programs that are no steps, such as those that are told of a run: noted in `active/` while they last, so that the
//! next run ends what a killed farmout has left of them. It calls nothing itself.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::save::Readers;
use super::session::Session;
use super::state::State;
use crate::group::{self, ProcessId};
use crate::workspace::stray::{self, Mark};

/// How the names of notes end.
const ENDING: &str = ".call";

/// A call that is at work, until this is dropped.
#[derive(Debug)]
pub(crate) struct Call {
    mark: Mark,
    record: Record,
    /// None where it could not be noted.
    note: Option<Utf8PathBuf>,
}

/// What the next run needs to end it.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    /// This process.
    caller: ProcessId,
    number: usize,
    /// The program, which leads a group of its own.
    leader: Option<ProcessId>,
}

impl Call {
    /// Notes a call in the state folder, if there is one. Where that cannot be done it is made all the same.
    ///
    /// # Errors
    /// The system does not tell about processes.
    pub(crate) fn begin(state: Option<&Utf8Path>) -> io::Result<Self> {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        let (caller, number) = (ProcessId::own()?, CALLS.fetch_add(1, Ordering::Relaxed));
        let mark = Mark::call(&caller, number);
        let name = format!("{}-{}-{number}{ENDING}", caller.pid, caller.start);
        let record = Record { caller, number, leader: None };
        let note = state.map(|state| state.join("active").join(name));
        let note = note.filter(|note| Readers::None.save_json(note, &record).is_ok());
        Ok(Self { mark, record, note })
    }

    /// By which its processes are found.
    pub(crate) fn mark(&self) -> &Mark {
        &self.mark
    }

    /// Notes the program, which leads the group of this number.
    pub(crate) fn started(&mut self, group: i32) {
        self.record.leader = ProcessId::of(group);
        if let Some(note) = &self.note {
            let _ = Readers::None.save_json(note, &self.record);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(note) = &self.note {
            let _ = std::fs::remove_file(note);
        }
    }
}

/// Ends what is left of calls whose callers are dead. What cannot be ended is tried again by the next run.
pub(super) fn end_all(session: &Session<'_>, state: &State) {
    let Ok(folder) = state.active().read_dir_utf8() else { return };
    for path in folder.flatten().map(camino::Utf8DirEntry::into_path) {
        if !path.as_str().ends_with(ENDING) {
            continue;
        }
        // What a later farmout wrote is that one's to end.
        let record = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Record>(&text).ok());
        let Some(record) = record.filter(|record| !record.caller.is_alive()) else { continue };
        // Nothing outlives the machine.
        let ended = record.caller.boot != group::boot() || end(session, &record);
        if ended {
            let _ = std::fs::remove_file(&path);
        }
    }
}

fn end(session: &Session<'_>, record: &Record) -> bool {
    let mark = Mark::call(&record.caller, record.number);
    let ended = stray::end(&mark, record.leader.as_ref(), session.site.grace, session.interrupts);
    ended.is_ok_and(|ended| ended.survivors.is_empty())
}
