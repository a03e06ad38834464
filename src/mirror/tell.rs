//! What an update of a mirror brought, as hooks would tell it: an updated mirror in, the changes of its branches out, read from the
//! mirror itself.

use jiff::Timestamp;

use super::url::others;
use super::{Change, Outcome, Surroundings, Updated, bzr};
use crate::model::Vcs;
use crate::watch::Came;
use crate::watch::history::{self, Repository};

/// What came. To a mirror that was made just now its branches did not come: they are as they were.
pub fn came(updated: &Updated<'_>, surroundings: &Surroundings) -> Came {
    let mut came = Came::default();
    let repository = updated.repository;
    for (branch, change) in &updated.changes {
        let (from, to) = match change {
            Change::Appeared { .. } if updated.outcome == Outcome::Made => continue,
            Change::Appeared { to } => (None, to),
            Change::Moved { from, to } | Change::Rewritten { from, to } => (Some(from), to),
            Change::Disappeared { .. } => {
                came.ignored.push(format!("{branch} was deleted"));
                continue;
            }
        };
        let mut place = Repository {
            directory: updated.mirror.clone(),
            url: repository.identity.clone(),
            other_urls: others(&repository.identity),
            time: Timestamp::now(),
            home: surroundings.home(),
        };
        let told = match repository.vcs {
            Vcs::Git => history::git(&place, branch, from.map(String::as_str), to),
            Vcs::Hg => match from {
                Some(from) => history::hg(&place, branch, from, to),
                None => Came { changes: vec![place.bare(Vcs::Hg, Some(branch), to)], ..Came::default() },
            },
            Vcs::Bzr => {
                place.directory = place.directory.join(bzr::named(branch));
                place.url = format!("{}/{branch}", place.url);
                place.other_urls = others(&place.url);
                let id = |revision: &str| revision.split_once(' ').map_or(revision, |(_, id)| id).to_owned();
                // All that a branch that is new here has was there before.
                let to = id(to);
                history::bzr(&place, &from.map_or_else(|| to.clone(), |from| id(from)), &to)
            }
        };
        came.changes.extend(told.changes);
        came.ignored.extend(told.ignored);
        came.warnings.extend(told.warnings);
    }
    came
}
