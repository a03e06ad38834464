//! The working copies in a build directory: found on the disk, not in configurations, because what is there is what was
//! built.

use std::fs;
use std::path::Path;
use std::process::Command;

use camino::Utf8PathBuf;

use super::Error;
use crate::model::inventory::WorkingCopy;
use crate::model::without_credentials;
use crate::tool::process;

/// Sources are at most so deep below a buildout: `parts/openerp`, `src/addons/web`.
const DEEPEST: usize = 4;

/// The working copies below a directory, itself included, in the order of their paths. A working copy inside of another is
/// its own.
///
/// # Errors
/// One of them does not tell what it is: an inventory without it could not be built again.
pub(super) fn find(directory: &Path) -> Result<Vec<WorkingCopy>, Error> {
    let mut found = Vec::new();
    look(directory, directory, 0, &mut found)?;
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

fn look(top: &Path, directory: &Path, depth: usize, found: &mut Vec<WorkingCopy>) -> Result<(), Error> {
    if let Some(client) = Client::of(directory) {
        let relative = directory.strip_prefix(top).unwrap_or(directory).to_string_lossy().into_owned();
        let path = if relative.is_empty() { ".".into() } else { Utf8PathBuf::from(relative) };
        let (url, revision, changed) = client.ask()?;
        let url = url.map(|url| without_credentials(&url));
        found.push(WorkingCopy { path, vcs: client.system.to_owned(), url, revision, changed });
    }
    if depth == DEEPEST {
        return Ok(());
    }
    let Ok(entries) = fs::read_dir(directory) else { return Ok(()) };
    for entry in entries.flatten() {
        // A link may lead anywhere, and hidden directories hold no sources.
        let real = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if real && !entry.file_name().as_encoded_bytes().starts_with(b".") {
            look(top, &entry.path(), depth + 1, found)?;
        }
    }
    Ok(())
}

/// Where a working copy comes from, the revision that it stands at, and whether it was changed.
type State = (Option<String>, String, bool);

/// The client of a working copy.
struct Client<'a> {
    system: &'static str,
    directory: &'a Path,
}

impl<'a> Client<'a> {
    fn of(directory: &'a Path) -> Option<Self> {
        let system = ["git", "hg", "bzr"].into_iter().find(|name| directory.join(format!(".{name}")).exists())?;
        Some(Self { system, directory })
    }

    fn ask(&self) -> Result<State, Error> {
        match self.system {
            "git" => self.git(),
            "hg" => self.hg(),
            _ => self.bzr(),
        }
    }

    fn git(&self) -> Result<State, Error> {
        let git = |arguments: &[&str]| self.said("git", arguments);
        let revision = git(&["rev-parse", "--verify", "HEAD"])?;
        // Whatever the remote is called: recipes have names of their own for it. There may be none.
        let remotes = git(&["remote"])?;
        let remote = remotes.lines().next().map(|name| format!("remote.{name}.url"));
        let url = remote.and_then(|setting| git(&["config", "--get", &setting]).ok());
        let changed = !git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
        Ok((url, revision, changed))
    }

    fn hg(&self) -> Result<State, Error> {
        let state = self.said("hg", &["identify", "--debug", "--id"])?;
        let url = self.said("hg", &["paths", "default"]).ok();
        Ok((url, state.trim_end_matches('+').to_owned(), state.ends_with('+')))
    }

    fn bzr(&self) -> Result<State, Error> {
        let bzr = |arguments: &[&str]| self.said("brz", arguments).or_else(|_| self.said("bzr", arguments));
        // NUMBER REVISION-ID: the number is another's after an overwritten push, the id is not.
        let info = bzr(&["revision-info", "--tree"])?;
        let id = info.split_whitespace().nth(1).unwrap_or("null:");
        let url = ["bound_location", "parent_location"].iter().find_map(|name| bzr(&["config", name]).ok());
        let changed = !bzr(&["status", "--short", "--versioned"])?.is_empty();
        Ok((url, format!("revid:{id}"), changed))
    }

    /// What a client says, without the line's end.
    fn said(&self, program: &str, arguments: &[&str]) -> Result<String, Error> {
        let failed =
            |said: String| Error::Source { directory: self.directory.to_owned(), program: program.to_owned(), said };
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.directory);
        command.envs([("HGPLAIN", "1"), ("BRZ_LOG", "/dev/null"), ("LC_ALL", "C.UTF-8"), ("GIT_TERMINAL_PROMPT", "0")]);
        let output = process::capture(&mut command).map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(failed(said.trim().lines().next().unwrap_or("it failed without a word").to_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}
