//! Testing databases that the user wanted to keep: told of at the end of the run that keeps one, found again and removed by
//! the next run of the builder.

use camino::Utf8Path;
use indexmap::IndexMap;

use super::active::Active;
use super::builder::tidy;
use super::environment::Values;
use super::event::{Cause, Event};
use super::recover::{ATTEMPTS, Left, clean_up, records};
use super::session::Session;
use crate::diagnostic::plain;
use crate::plan::Plan;
use crate::workspace::builder::Workspace;

/// The record of what was kept of the builder that works in `directory`. One that cannot be read is none: whoever recovers
/// tells of it.
pub(super) fn find(active: &Utf8Path, basedir: &Utf8Path, directory: &str) -> Option<Active> {
    let records = records(active).unwrap_or_default();
    let mut records = records.iter().filter_map(|path| Active::read(path).ok().flatten());
    records.find(|active| {
        let record = &active.record;
        !record.kept.is_empty() && record.basedir == basedir && record.directory == directory
    })
}

/// Tells the user how to get to the database.
pub(super) fn tell(
    session: &Session<'_>,
    plan: &Plan,
    workspace: &Workspace,
    properties: &IndexMap<String, String>,
    run: &str,
) {
    let values = Values { site: session.site, run, plan, workspace, properties };
    let of_libpq = plan.environment.iter().filter(|(name, _)| name.starts_with("PG"));
    let filled = of_libpq.filter_map(|(name, value)| Some((name.clone(), values.fill(name, value).ok()?)));
    let environment = filled.filter(|(_, value)| !value.is_empty());
    let environment = environment.map(|(name, value)| (name, session.masked(&value))).collect();
    let (builder, database) = (plan.builder.clone(), plan.database.clone());
    session.emit(Event::DatabaseKept { builder, database, environment });
}

/// Removes what was kept, and tells the observer.
///
/// # Errors
/// It is there still, and why, in a sentence that the observer knows. A later run tries again, but not for ever.
pub(super) fn remove(session: &Session<'_>, mut active: Active, workspace: &Workspace) -> Result<(), String> {
    let record = &active.record;
    let (run, builder, folder) = (record.run.clone(), record.builder.clone(), record.plan.parent());
    let folder = folder.map(Utf8Path::to_owned).unwrap_or_default();
    session.tell_only(Event::Recovering { run: run.clone(), builder: builder.clone(), folder, cause: Cause::Kept });
    let left = Left::of(record.kept.clone());
    active.update(|record| record.attempts += 1);
    let removed = match clean_up(&session.silent(), &mut active, workspace, left) {
        Ok(()) => tidy(workspace, active),
        Err(problem) if active.record.attempts >= ATTEMPTS => {
            let gone = tidy(workspace, active).err().map(|error| format!(": {error}")).unwrap_or_default();
            Err(format!("{problem}; given up after {ATTEMPTS} tries{gone}"))
        }
        Err(problem) => Err(problem),
    };
    let removed = removed.map_err(|problem| session.masked(&plain(&problem)));
    session.tell_only(Event::Recovered { run, builder, problem: removed.clone().err() });
    removed
}
