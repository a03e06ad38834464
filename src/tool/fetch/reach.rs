//! Whether a repository can be had, for who asks before a build does. An address and a branch in, yes or what is wrong out.
//! Nothing is fetched.

use serde::{Deserialize, Serialize};

use super::{Error, Repository, System, bazaar, git, mercurial};
use crate::diagnostic::Failure;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Of which kind.
    pub kind: TroubleKind,
    /// In a clause, without secrets.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Kinds of trouble that are mended in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TroubleKind {
    /// The client cannot be started.
    NoClient,
    /// The repository does not answer.
    Unreachable,
    /// It lacks the branch, or everything.
    Lacking,
    /// Anything else.
    Other,
}

/// Asks a repository whether it is there and has the branch; without one, any answer is fine.
///
/// # Errors
/// It is not there for this user, or lacks the branch.
pub fn reach(system: System, repository: &Repository, branch: Option<&str>) -> Result<(), Trouble> {
    let reached = match system {
        System::Bazaar => bazaar::reach(repository),
        System::Git => git::reach(repository, branch.unwrap_or("HEAD")),
        System::Mercurial => {
            let wanted = branch.map(|branch| mercurial::Wanted::Branch(branch.to_owned()));
            mercurial::reach(repository, wanted.as_ref())
        }
    };
    reached.map_err(|error| {
        let kind = match &error {
            Error::NoClient(..) => TroubleKind::NoClient,
            Error::Unreachable { .. } => TroubleKind::Unreachable,
            Error::NoName { .. } | Error::Empty(_) => TroubleKind::Lacking,
            _ => TroubleKind::Other,
        };
        let failure = Failure::from(error);
        Trouble { kind, message: failure.message, help: failure.help }
    })
}
