//! The system user that builds run as: no login, no password, a home of its own.

use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::User;
use serde::{Deserialize, Serialize};

use super::call::Call;
use super::thing::{Look, Sight, Thing, Undo};
use crate::diagnostic::Failure;
use crate::host::account;

/// A system user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemUser {
    /// The login name.
    pub name: String,
    /// Its home directory.
    pub home: Utf8PathBuf,
}

impl SystemUser {
    pub(super) fn title(&self) -> String {
        format!("the system user {}, without login", self.name)
    }

    pub(super) fn purpose(&self) -> String {
        "builds run as it; PostgreSQL's server and OpenERP refuse to run as root".to_owned()
    }

    pub(super) fn look(&self, sight: Sight<'_>) -> Result<Look, Failure> {
        let Some(user) = find(&self.name)? else {
            let words = account::creation(&self.name, &self.home).ok_or_else(|| {
                Failure::error("no program that adds users is installed").help("apt-get install passwd")
            })?;
            let calls = vec![Call::Run { variables: Vec::new(), words, long: false }];
            return Ok(Look::Missing { made: self.thing(), calls });
        };
        if user.uid.is_root() {
            return Err(Failure::misuse(format!("builds cannot run as {}: its user number is 0", self.name))
                .help("name an ordinary user with --user, or one that does not exist yet"));
        }
        let shell = Path::new(&user.shell);
        let closed = shell.ends_with("nologin") || shell.ends_with("false");
        if user.dir != self.home.as_std_path() && !user.dir.is_dir() {
            let (known, home, name) = (user.dir.display(), &self.home, &self.name);
            return Ok(Look::There(Some(format!(
                "its home {known} does not exist; `usermod --home {home} {name}` gives it the one that setup makes"
            ))));
        }
        let open = (!closed && !sight.is_ours(&self.thing())).then(|| {
            format!("it can log in (its shell is {}); setup changes no user that it did not make", shell.display())
        });
        Ok(Look::There(open))
    }

    pub(super) fn undo(&self, sight: Sight<'_>) -> Result<Undo, Failure> {
        let Some(user) = find(&self.name)? else { return Ok(Undo::Gone) };
        if user.uid.is_root() {
            return Ok(Undo::Kept("its user number is 0 now".to_owned()));
        }
        // Files without an owner would belong to the next user that gets its number.
        if let Some(kept) = self.possessions(sight) {
            return Ok(Undo::Kept(format!("it may own what stays in {kept}")));
        }
        Ok(Undo::Calls(vec![Call::run(["userdel", &self.name])], None))
    }

    /// A directory of the account's that stays, or one in which something stays that may be the account's.
    fn possessions(&self, sight: Sight<'_>) -> Option<Utf8PathBuf> {
        let directories: Vec<_> = sight
            .remaining()
            .filter_map(|thing| match thing {
                Thing::Directory(directory) => Some(directory),
                _ => None,
            })
            .collect();
        let own = directories.iter().find(|directory| directory.owner.as_ref() == Some(&self.name));
        let kept =
            || directories.iter().find(|directory| directory.keeps && !sight.purge && directory.holds_more(sight));
        own.or_else(kept).map(|directory| directory.path.clone())
    }

    fn thing(&self) -> Thing {
        Thing::User(self.clone())
    }
}

/// Whether a text can be the name of a user, of a role and of a unit's user alike.
pub(super) fn is_name(name: &str) -> bool {
    let first = |c: char| c.is_ascii_lowercase() || c == '_';
    let rest = |c: char| first(c) || c.is_ascii_digit() || c == '-';
    name.len() <= 32 && name.starts_with(first) && name.chars().all(rest)
}

pub(super) fn find(name: &str) -> Result<Option<User>, Failure> {
    User::from_name(name).map_err(|error| Failure::error(format!("the user {name} cannot be looked up: {error}")))
}

/// Where a user's programs have their `HOME`.
pub(super) fn home(base: &Utf8Path) -> Utf8PathBuf {
    base.join("home")
}
