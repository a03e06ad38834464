//! Mirrors of what nothing watches any more, removed: what all farms watch in, what was removed out. Only what is a mirror of this
//! layout goes; anything else in the directory is told of and left alone.

use std::io;
use std::num::NonZeroUsize;
use std::time::Duration;

use camino::Utf8PathBuf;
use serde::Serialize;

use super::call::{Calls, Surroundings, Trouble};
use super::layout::{Held, Mirrors, Places, SYSTEMS, size};
use super::status::{Status, own};
use super::watched::{Repository, word};
use super::{Pace, bzr, git};
use crate::diagnostic::Failure;
use crate::interrupt::Interrupts;
use crate::model::Vcs;
use crate::tool::fetch::Address;
use crate::tool::files;

/// How long git may take to delete references.
const PACE: Pace = Pace { jobs: NonZeroUsize::MIN, limit: LIMIT, first_limit: LIMIT };
const LIMIT: Duration = Duration::from_secs(60);

/// A mirror, or a branch of one, that nothing watches.
#[derive(Debug, Serialize)]
pub struct Removed {
    /// The repository: its system and its address.
    pub repository: String,
    /// The branch, where others of the repository are watched.
    pub branch: Option<String>,
    /// Where the mirror is, or was.
    pub mirror: Utf8PathBuf,
    /// What it took, in bytes; of a branch nothing is known.
    pub size: u64,
}

/// What there was to remove.
#[derive(Debug, Default, Serialize)]
pub struct Left {
    /// What was removed, or would be.
    pub removed: Vec<Removed>,
    /// What is there and is no mirror.
    pub foreign: Vec<Utf8PathBuf>,
}

/// Removes what is not among the watched repositories and branches; without the lock, only says what that would be.
///
/// # Errors
/// A directory cannot be read, or something in it cannot be removed. What was removed before that is gone.
pub fn gc(
    mirrors: &Mirrors,
    held: Option<&Held>,
    watched: &[Repository],
    surroundings: &Surroundings,
) -> Result<Left, Failure> {
    let broken = |error: io::Error| Failure::error(format!("cannot remove mirrors in {}: {error}", mirrors.root()));
    let interrupts = Interrupts::listen().map_err(broken)?;
    let mut left = Left::default();
    for vcs in SYSTEMS {
        let directory = mirrors.of(vcs);
        let entries = match directory.read_dir_utf8() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(broken)?,
        };
        let mut paths: Vec<_> = entries.iter().map(|entry| entry.path().to_owned()).collect();
        paths.sort();
        for path in &paths {
            if let Some(status) = own(path, vcs) {
                let repository = watched.iter().find(|it| it.vcs == vcs && it.identity == status.state.repository);
                let collect = Collect { held: held.is_some(), surroundings, interrupts: &interrupts, left: &mut left };
                match repository {
                    Some(repository) => collect.branches(repository, status, path)?,
                    None => collect.mirror(status, &directory).map_err(broken)?,
                }
            } else if !is_known(path, vcs) {
                left.foreign.push(path.clone());
            }
        }
    }
    Ok(left)
}

/// Whether the path is the mirror that a file beside it tells of, or what is being made or removed.
fn is_known(path: &camino::Utf8Path, vcs: Vcs) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.starts_with('.') || own(&path.with_file_name(format!("{name}.json")), vcs).is_some()
}

struct Collect<'a> {
    /// Whether anything is done at all.
    held: bool,
    surroundings: &'a Surroundings,
    interrupts: &'a Interrupts,
    left: &'a mut Left,
}

impl Collect<'_> {
    fn mirror(self, status: Status, directory: &camino::Utf8Path) -> io::Result<()> {
        let size = size(&status.mirror);
        if self.held {
            Places::new(directory, status.mirror.file_name().unwrap_or_default()).remove()?;
        }
        let repository = format!("{} {}", word(status.state.vcs), status.state.repository);
        self.left.removed.push(Removed { repository, branch: None, mirror: status.mirror, size });
        Ok(())
    }

    /// Branches that are not watched, of a repository that is.
    fn branches(self, repository: &Repository, status: Status, path: &camino::Utf8Path) -> Result<(), Failure> {
        let Status { mirror, mut state } = status;
        let is_watched = |name: &String| repository.branches.iter().any(|branch| branch.name == **name);
        let names: Vec<String> = state.heads.keys().filter(|name| !is_watched(name)).cloned().collect();
        if self.held && !names.is_empty() {
            let broken = |error: io::Error| Failure::error(format!("cannot remove branches of {mirror}: {error}"));
            match repository.vcs {
                Vcs::Git => {
                    let address = Address::new(repository.identity.clone());
                    let calls = Calls::new(self.surroundings, self.interrupts, Vcs::Git, &address, PACE);
                    git::forget(&calls, &address, &mirror, &names).map_err(failure)?;
                }
                Vcs::Bzr => {
                    for name in &names {
                        files::remove(mirror.join(bzr::named(name)).as_std_path()).map_err(broken)?;
                    }
                }
                // What leads to a branch may lead to another: there is nothing to delete.
                Vcs::Hg => {}
            }
            state.heads.retain(|name, _| !names.contains(name));
            state.size = size(&mirror);
            state.write(path).map_err(broken)?;
        }
        let repository = repository.shown();
        let removed = names.into_iter().map(|branch| Removed {
            repository: repository.clone(),
            branch: Some(branch),
            mirror: mirror.clone(),
            size: 0,
        });
        self.left.removed.extend(removed);
        Ok(())
    }
}

fn failure(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Interrupted => Failure { exit: crate::cli::Exit::Interrupted, ..Failure::error("stopped") },
        Trouble::Failed(problem) => {
            let failure = Failure::error(problem.message);
            problem.help.into_iter().fold(failure, Failure::help)
        }
    }
}
