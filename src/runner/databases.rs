//! Testing databases that the user wanted to keep, removed on request: the records of them in, what came of each out.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::active::Active;
use super::event::Entry;
use super::kept;
use super::mask::Mask;
use super::options::Options;
use super::recover::{open, records};
use super::save::Readers;
use super::session::{Session, listen, shared};
use super::site::Site;
use super::state::State;
use crate::diagnostic::{Failure, plain};
use crate::workspace::queue::Queues;

/// A database that was kept on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Database {
    /// The run that kept it.
    pub run: String,
    /// The builder that it is of.
    pub builder: String,
    /// The base directory of its slave.
    pub basedir: Utf8PathBuf,
    /// Why it is there still, if it should not be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The databases that are kept, in the order of their runs. Records that cannot be read are none of them.
///
/// # Errors
/// The state folder cannot be read.
pub fn databases(state: &Utf8Path) -> io::Result<Vec<Database>> {
    let records = match records(&state.join("active")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        records => records?,
    };
    let kept = records.iter().filter_map(|path| Active::read(path).ok().flatten());
    Ok(kept.filter(|active| !active.record.kept.is_empty()).map(|active| database(&active)).collect())
}

fn database(active: &Active) -> Database {
    let record = &active.record;
    let (run, builder, basedir) = (record.run.clone(), record.builder.clone(), record.basedir.clone());
    Database { run, builder, basedir, problem: None }
}

/// Removes the databases that are kept on the site's slave, as the next run of their builders would, and tells what came of
/// each.
///
/// # Errors
/// The state folder cannot be used.
pub fn remove_databases(site: &Site, observer: &mut (dyn FnMut(&Entry) + Send)) -> Result<Vec<Database>, Failure> {
    let state = State::open(&site.state, Readers::of(site.account.as_ref()))?;
    let (mask, (interrupts, _adopting), queues) = (Mask::new(&site.secrets), listen()?, Queues::default());
    let (observer, options) = (shared(observer), Options::default());
    let session = Session::new(site, &options, &mask, (&interrupts, &queues), &observer);
    let told = |error: io::Error| Failure::error(format!("the records in {} cannot be used: {error}", state.active()));
    let mut removed = Vec::new();
    for path in records(&state.active()).map_err(told)? {
        if session.requests() >= 1 {
            break;
        }
        // One that cannot be read is told of by the next run.
        let Some(active) = Active::read(&path).ok().flatten() else { continue };
        if active.record.kept.is_empty() || active.record.basedir != site.basedir {
            continue;
        }
        let mut database = database(&active);
        let outcome = match open(&active) {
            Ok(Some((workspace, _lock))) => match Active::read(&path) {
                // A run of the builder may have been faster than the lock.
                Ok(Some(active)) if !active.record.kept.is_empty() => kept::remove(&session, active, &workspace),
                _ => Ok(()),
            },
            Ok(None) => Err("its builder is at work".to_owned()),
            Err(problem) => Err(problem),
        };
        database.problem = outcome.err().map(|problem| session.masked(&plain(&problem)));
        removed.push(database);
    }
    Ok(removed)
}
