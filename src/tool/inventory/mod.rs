//! What a build was made of: a buildout's directory and its Python in, an [`Inventory`] out. It asks the Python, the version
//! control systems and the PostgreSQL server of the environment, and changes nothing but the file that it writes.

mod error;
mod sources;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use indexmap::IndexMap;
use serde::Deserialize;

use super::process;
use crate::model::inventory::{FORMAT, Inventory};
use crate::tool::pg::Server;

pub use error::Error;

const EGGS: &str = include_str!("eggs.py");

/// What to look at.
#[derive(Debug)]
pub struct Look {
    /// The directory that has `bin/buildout`.
    pub buildout: PathBuf,
    /// The interpreter of the private environment.
    pub python: PathBuf,
    /// A database to ask the server of the environment's PG variables for its version; none leaves PostgreSQL out.
    pub postgresql: bool,
    /// What the fetch of the buildout's repository said last; empty where there was none.
    pub revision: String,
    /// What it should be, as JSON: what is different is told.
    pub expected: Option<String>,
    /// Where the document goes.
    pub into: PathBuf,
}

#[derive(Deserialize)]
struct Answer {
    python: String,
    environment: IndexMap<String, String>,
    eggs: IndexMap<String, String>,
    develop: Vec<String>,
}

/// Takes the inventory and writes it.
///
/// Goes out: how it differs from what was expected, a line for each; nothing where nothing was expected.
///
/// # Errors
/// The Python or a working copy does not answer, what is expected is no inventory, the document cannot be written. A server
/// that does not answer is left out.
pub fn inventory(look: &Look) -> Result<Vec<String>, Error> {
    let expected: Option<Inventory> = match &look.expected {
        Some(text) => Some(serde_json::from_str(text).map_err(Error::Expected)?),
        None => None,
    };
    let directory = absolute(&look.buildout)?;
    let answer = ask(&look.python, &directory)?;
    let inventory = Inventory {
        farmout_inventory: FORMAT,
        python: answer.python,
        postgresql: if look.postgresql { server() } else { None },
        environment: answer.environment,
        eggs: answer.eggs,
        develop: answer.develop,
        revision: revision(&look.revision),
        sources: sources::find(&directory)?,
    };
    write(&look.into, &inventory)?;
    Ok(expected.map(|expected| inventory.differences(&expected)).unwrap_or_default())
}

/// A revision as a fetch takes it: what Bazaar says is `NUMBER IDENTIFIER`.
fn revision(said: &str) -> Option<String> {
    let (first, rest) = said.trim().split_once(' ').unwrap_or((said.trim(), ""));
    if rest.is_empty() {
        Some(first.to_owned()).filter(|first| !first.is_empty())
    } else {
        Some(format!("revid:{rest}"))
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    path.canonicalize().map_err(|error| Error::File { what: "read", path: path.to_owned(), error })
}

fn ask(python: &Path, directory: &Path) -> Result<Answer, Error> {
    let mut command = Command::new(python);
    command.args(["-c", EGGS]).arg(directory).current_dir("/");
    let failed = |said: String| Error::Python { python: python.to_owned(), said };
    let output = process::capture(&mut command).map_err(|error| failed(error.to_string()))?;
    output.stdout.split(|&byte| byte == b'\n').find_map(|line| serde_json::from_slice(line).ok()).ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        failed(said.lines().next_back().unwrap_or("it said nothing").to_owned())
    })
}

/// The version of the server that the environment names. A build need not have one.
fn server() -> Option<String> {
    Some(Server::from_environment().ok()?.connect().ok()?.release)
}

fn write(path: &Path, inventory: &Inventory) -> Result<(), Error> {
    let failed = |error| Error::File { what: "write", path: path.to_owned(), error };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(parent).map_err(failed)?;
    let mut text = serde_json::to_vec_pretty(inventory).map_err(|error| failed(error.into()))?;
    text.push(b'\n');
    file.write_all(&text).map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    // A temporary file is its owner's only, and what was built is no secret.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(path, mode).map_err(failed)
}
