//! Files that steps leave and that are kept with a run's logs: from the step's directory into `kept/` beside the logs, what
//! is secret taken out.

use camino::Utf8Path;

use super::result::{Outcome, StepResult};
use super::save::Readers;
use super::session::Session;
use crate::plan::Step;
use crate::workspace::folder::Folder;

/// Of the largest file that is kept, in bytes.
const LARGEST: u64 = 4 << 20;

/// The folder of kept files, in the builder's.
pub(crate) const FOLDER: &str = "kept";

/// Removes the file that an earlier build left: it must not be taken for this one's.
pub(super) fn forget(step: &Step, directory: &Utf8Path) {
    if let Some(name) = &step.keep {
        // Where it cannot be removed, it cannot be written either, and the step says so.
        let _ = Folder::open(directory).and_then(|folder| folder.remove_file(name));
    }
}

/// Keeps the file that the step left, whatever came of the step: one that went wrong has the most to tell.
pub(super) fn keep(session: &Session<'_>, step: &Step, folder: &Utf8Path, readers: Readers, result: &mut StepResult) {
    let (Some(name), Some(directory)) = (&step.keep, &result.directory) else { return };
    let found = Folder::open(directory.as_ref()).and_then(|folder| folder.read_file(name, LARGEST));
    let kept = found.and_then(|bytes| {
        let Some(bytes) = bytes else { return Ok(false) };
        let mut stream = session.mask.stream();
        let mut masked = stream.push(&bytes).into_owned();
        masked.extend(stream.finish());
        readers.make_folder(&folder.join(FOLDER))?;
        readers.save(&folder.join(FOLDER).join(name), &masked)?;
        Ok(true)
    });
    let problem = match kept {
        Ok(true) => {
            result.kept = Some(format!("{FOLDER}/{name}"));
            return;
        }
        Ok(false) if result.outcome != Outcome::Success => return,
        Ok(false) => format!("it left no {name} to keep"),
        Err(error) => format!("{name} is not kept: {error}"),
    };
    result.outcome = result.outcome.and(Outcome::Warnings);
    result.reason = Some(match result.reason.take() {
        Some(reason) => format!("{reason}; {problem}"),
        None => problem,
    });
}
