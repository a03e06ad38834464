//! Hooks in mirrors, and who is told of what comes in: a directory of mirrors in, hooks in it out that call `farmout notify`.
//!
//! `farmout mirror update` runs nobody's hooks, not even these: it tells of what it fetches by itself, of Bazaar's branches too,
//! whose hooks are plugins of the client and no part of a repository. The hooks are for what comes another way, such as a push
//! into the mirror. Nothing secret is in them.

mod git;
mod hg;
pub mod server;

use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::layout::{Held, Mirrors};
use super::status::status;
use super::update::Updated;
use super::url::others;
use crate::diagnostic::{Failure, plain};
use crate::model::Vcs;
use crate::tool::files;

/// What is remembered beside the mirrors.
const FILE: &str = "hooks.json";
/// The form of the file.
const FORMAT: u32 = 1;
/// By which farmout knows its own hooks.
const MARK: &str = "farmout mirror hooks";

/// Who is told of what comes into mirrors, and by what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Telling {
    format: u32,
    /// farmout itself.
    pub program: Utf8PathBuf,
    /// The folders that changes are handed over to.
    pub spools: Vec<Utf8PathBuf>,
    /// A Buildbot master.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buildbot: Option<String>,
    /// Where the login for its change hook is: `@FILE` or `$NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buildbot_login: Option<String>,
}

impl Telling {
    /// Who is told; all paths are absolute.
    pub fn new(
        program: Utf8PathBuf,
        spools: Vec<Utf8PathBuf>,
        buildbot: Option<String>,
        buildbot_login: Option<String>,
    ) -> Self {
        Self { format: FORMAT, program, spools, buildbot, buildbot_login }
    }

    /// What the mirrors' last `mirror hooks` said; none if they have no hooks.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(mirrors: &Mirrors) -> Result<Option<Self>, Failure> {
        let path = mirrors.root().join(FILE);
        let wrong = |why: String| {
            Failure::error(format!("cannot read {path}: {why}")).help("`farmout mirror hooks` writes it anew")
        };
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(wrong(plain(&error.to_string()))),
            Ok(bytes) => match serde_json::from_slice::<Self>(&bytes) {
                Ok(telling) if telling.format <= FORMAT => Ok(Some(telling)),
                Ok(telling) => Err(wrong(format!("it has format {}, and this farmout reads {FORMAT}", telling.format))),
                Err(error) => Err(wrong(error.to_string())),
            },
        }
    }

    /// The call that tells of a repository, for a shell.
    fn call(&self, vcs: Vcs, url: &str) -> String {
        let mut words = vec![self.program.as_str(), "notify", "--quiet"];
        words.extend(match vcs {
            Vcs::Git => ["--vcs", "git", "--git-refs"],
            Vcs::Hg => ["--vcs", "hg", "--hg-changegroup"],
            Vcs::Bzr => ["--vcs", "bzr", "--rev"],
        });
        let others = others(url);
        words.extend(["--url", url]);
        words.extend(others.iter().flat_map(|other| ["--other-url", other]));
        words.extend(self.spools.iter().flat_map(|spool| ["--spool", spool.as_str()]));
        words.extend(self.buildbot.iter().flat_map(|buildbot| ["--buildbot", buildbot]));
        words.extend(self.buildbot_login.iter().flat_map(|login| ["--buildbot-login", login]));
        shell_words::join(words)
    }
}

/// What a mirror's hook is after a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hook {
    /// It was there, and right.
    Right,
    /// It was made.
    Installed,
    /// It was there, and not as it should be.
    Repaired,
    /// It is gone.
    Removed,
    /// There was none.
    Absent,
    /// Somebody else's is in its place, and stays.
    Foreign,
    /// There can be none.
    Impossible,
}

/// A mirror, and its hook.
#[derive(Debug, Serialize)]
pub struct Hooked {
    /// The system.
    pub vcs: Vcs,
    /// The repository.
    pub repository: String,
    /// The file that the hook is in; for Bazaar the mirror.
    pub path: Utf8PathBuf,
    /// What there is.
    pub hook: Hook,
    /// What somebody else's hook is to call, so that it tells as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
}

/// Gives all mirrors their hooks, and remembers who is told; without anybody to tell, takes them away.
///
/// # Errors
/// The mirrors cannot be read, or a hook cannot be written.
pub fn hooks(mirrors: &Mirrors, _held: &Held, telling: Option<&Telling>) -> Result<Vec<Hooked>, Failure> {
    let unusable = |path: &Utf8Path, error: &io::Error| {
        Failure::error(format!("cannot write {path}: {}", plain(&error.to_string())))
    };
    let found = status(mirrors).map_err(|error| Failure::misuse(format!("cannot read {}: {error}", mirrors.root())))?;
    let mut hooked = Vec::new();
    for mirror in found.into_iter().filter(|mirror| mirror.mirror.is_dir()) {
        let (vcs, repository) = (mirror.state.vcs, mirror.state.repository);
        hooked.push(one(vcs, &repository, &mirror.mirror, telling).map_err(|error| unusable(&mirror.mirror, &error))?);
    }
    let path = mirrors.root().join(FILE);
    let written = match telling {
        Some(telling) => serde_json::to_vec_pretty(telling)
            .map_err(io::Error::from)
            .and_then(|bytes| files::save(path.as_std_path(), &bytes)),
        None => files::remove(path.as_std_path()),
    };
    written.map_err(|error| unusable(&path, &error))?;
    Ok(hooked)
}

/// Gives a mirror its hook, which may have been made just now.
///
/// # Errors
/// It cannot be written, in a clause.
pub fn keep(updated: &Updated<'_>, telling: &Telling) -> Result<(), String> {
    if !updated.mirror.is_dir() {
        return Ok(());
    }
    let repository = updated.repository;
    let kept = one(repository.vcs, &repository.identity, &updated.mirror, Some(telling));
    kept.map(drop)
        .map_err(|error| format!("cannot write the hook of {}: {}", updated.mirror, plain(&error.to_string())))
}

/// Gives one mirror its hook, or takes it away.
fn one(vcs: Vcs, repository: &str, mirror: &Utf8Path, telling: Option<&Telling>) -> io::Result<Hooked> {
    let call = telling.map(|telling| telling.call(vcs, repository));
    let (path, hook) = match vcs {
        Vcs::Git => git::hook(mirror, call.as_deref())?,
        Vcs::Hg => hg::hook(mirror, call.as_deref())?,
        Vcs::Bzr => (mirror.to_owned(), Hook::Impossible),
    };
    let call = call.filter(|_| hook == Hook::Foreign);
    Ok(Hooked { vcs, repository: repository.to_owned(), path, hook, call })
}

/// What is to become of a file that had `before` in it, and is to have `wanted`.
fn settle(path: &Utf8Path, before: Option<&str>, wanted: Option<&str>, had: bool) -> io::Result<Hook> {
    match (before == wanted, wanted) {
        (true, _) if had => return Ok(Hook::Right),
        (true, _) => return Ok(Hook::Absent),
        (false, Some(wanted)) => files::save(path.as_std_path(), wanted.as_bytes())?,
        (false, None) => files::remove(path.as_std_path())?,
    }
    Ok(if had { Hook::Repaired } else { Hook::Installed })
}

/// A file's text; none if it is not there.
fn text(path: &Utf8Path) -> io::Result<Option<String>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
