//! A Python's name in, what it is and what it says about itself out.

use std::env;
use std::path::{Path, PathBuf, absolute};
use std::process::Command;

use serde::Deserialize;

use super::Error;
use crate::tool::process;

const PROBE: &str = include_str!("probe.py");
/// Runs a module without looking for it in the current directory, as `-m` would: that holds a build's files.
const MODULE: &str = "import sys; sys.path[:] = [p for p in sys.path if p]; import runpy; \
                      runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)";

/// A Python that runs.
#[derive(Debug, Clone, Default)]
pub struct Python {
    /// Its program.
    pub executable: PathBuf,
    /// Major, minor, patch.
    pub version: (u32, u32, u32),
    /// Whether it can make environments itself.
    pub venv: bool,
    /// The conditions it was asked about, and whether they hold for it.
    pub conditions: Vec<(String, bool)>,
}

#[derive(Deserialize)]
struct Answer {
    executable: PathBuf,
    version: (u32, u32, u32),
    venv: bool,
    conditions: Vec<bool>,
}

impl Python {
    /// Finds a Python by its name on PATH, the caller's virtual environment left out, or by its path, and asks it which of the
    /// conditions hold.
    ///
    /// # Errors
    /// There is none that runs, or it is too old for anything.
    pub fn find(name: &str, conditions: &[String]) -> Result<Self, Error> {
        let mut said = String::new();
        for candidate in candidates(name) {
            match Self::ask(&candidate, conditions) {
                Ok(python) if python.version < (2, 7, 0) => {
                    return Err(Error::OldPython { python: name.to_owned(), version: python.version_text() });
                }
                Ok(python) => return Ok(python),
                // A version manager's stand-in for a Python that is not installed: the next one on PATH may be real.
                Err(why) => said = format!("{}: {why}", candidate.display()),
            }
        }
        Err(Error::NoPython { python: name.to_owned(), said })
    }

    fn ask(program: &Path, conditions: &[String]) -> Result<Self, String> {
        let argument = serde_json::to_string(conditions).map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args(["-c", PROBE, &argument]).current_dir("/");
        let output = process::capture(alone(&mut command)).map_err(|error| error.to_string())?;
        let answer: Option<Answer> =
            output.stdout.split(|&byte| byte == b'\n').find_map(|line| serde_json::from_slice(line).ok());
        let answer = answer.ok_or_else(|| super::error::last_line(&String::from_utf8_lossy(&output.stderr)))?;
        // An executable that does not know its own path is called as it was found.
        let executable = if answer.executable.is_absolute() { answer.executable } else { program.to_owned() };
        let conditions = conditions.iter().cloned().zip(answer.conditions).collect();
        Ok(Self { executable, version: answer.version, venv: answer.venv, conditions })
    }

    /// The version as people write it.
    pub fn version_text(&self) -> String {
        let (major, minor, patch) = self.version;
        format!("{major}.{minor}.{patch}")
    }

    /// Whether the condition holds for it, if it was asked.
    pub fn holds(&self, condition: &str) -> bool {
        self.conditions.iter().any(|(asked, holds)| asked == condition && *holds)
    }

    /// Runs a module of its library or of what is installed in it.
    pub(super) fn module(program: &Path, name: &str) -> Command {
        let mut command = Command::new(program);
        alone(command.args(["-c", MODULE, name]));
        command
    }
}

/// Takes out of a command's environment what would mix another Python's installation, or another place for pip to install to,
/// into it. All other settings of pip stay.
pub(super) fn alone(command: &mut Command) -> &mut Command {
    const MIXING: [&str; 13] = [
        "VIRTUAL_ENV",
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "PYTHONUSERBASE",
        "PYTHONSAFEPATH",
        "__PYVENV_LAUNCHER__",
        "PIP_PREFIX",
        "PIP_REQUIRE_VIRTUALENV",
        "PIP_ROOT",
        "PIP_TARGET",
        "PIP_USER",
        "PIP_PYTHON",
    ];
    for name in MIXING {
        command.env_remove(name);
    }
    command.env("PYTHONNOUSERSITE", "1").env("PYTHONUNBUFFERED", "1")
}

/// Where a Python of that name can be.
fn candidates(name: &str) -> Vec<PathBuf> {
    if name.contains('/') {
        // A relative path that cannot be made absolute has no current directory to be relative to.
        return vec![absolute(name).unwrap_or_else(|_| PathBuf::from(name))];
    }
    let own = env::var_os("VIRTUAL_ENV").filter(|path| !path.is_empty()).map(|path| Path::new(&path).join("bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).filter(|directory| directory.is_absolute());
    let others = directories.filter(|directory| own.as_ref().is_none_or(|own| own != directory));
    others.map(|directory| directory.join(name)).filter(|program| program.is_file()).collect()
}
