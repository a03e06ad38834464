//! The private environment: made in its directory, as it cannot be moved, and stamped last, so that one that was killed half-way
//! is seen as what it is and made anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::error::{file, last_line, unreachable};
use super::python::alone;
use super::store::Store;
use super::{Error, Python, Versions};
use crate::tool::process::{self, Streamed};
use crate::tool::{files, say};

/// Says that the directory is ours to wipe.
const MARKER: &str = "farmout-environment";
/// Says what is in it; there only when it is whole.
const STAMP: &str = "farmout-bootstrap.json";
/// The last virtualenv for Python 2.7: a single file and its wheels, which any pip can unpack.
const VIRTUALENV: &str = "virtualenv==16.7.12";
/// Brings old versions of zc.buildout and setuptools up to how the world is now.
const RENEW: &str = include_str!("renew.py");

/// A virtual environment with zc.buildout.
pub(super) struct Environment {
    directory: PathBuf,
}

/// How an environment is made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manner {
    /// A program that makes it, called as `PROGRAM --python PYTHON DIRECTORY`, as virtualenv is; else farmout finds a way.
    pub program: Option<String>,
    /// Whether the packages of the system's Python are seen in it.
    pub site_packages: bool,
}

#[derive(PartialEq, Serialize, Deserialize)]
struct Stamp {
    python: PathBuf,
    python_version: String,
    manner: Manner,
    #[serde(flatten)]
    versions: Versions,
}

impl Environment {
    /// Makes the environment, or finds it made.
    pub(super) fn make(
        directory: &Path,
        python: &Python,
        manner: &Manner,
        versions: &Versions,
        store: &Store,
    ) -> Result<Self, Error> {
        let environment = Self { directory: directory.to_owned() };
        let stamp = Stamp {
            python: python.executable.clone(),
            python_version: python.version_text(),
            manner: manner.clone(),
            versions: Versions { reason: "", advice: Vec::new(), tried: None, ..versions.clone() },
        };
        if environment.is(&stamp) {
            say(format_args!("Using the environment {} again", directory.display()));
            return Ok(environment);
        }
        environment.clear()?;
        say(format_args!("Making the environment {}", directory.display()));
        fs::create_dir_all(directory).map_err(file("make", directory))?;
        let marker = directory.join(MARKER);
        fs::write(&marker, "made by farmout tool bootstrap\n").map_err(file("write", &marker))?;
        environment.create(python, manner, store)?;
        environment.install(python, versions, store)?;
        environment.renew()?;
        let path = directory.join(STAMP);
        let text = serde_json::to_string_pretty(&stamp).map_err(|error| file("write", &path)(error.into()))?;
        let aside = directory.join("farmout-bootstrap.json.new");
        fs::write(&aside, text).map_err(file("write", &aside))?;
        fs::rename(&aside, &path).map_err(file("write", &path))?;
        Ok(environment)
    }

    /// A program of the environment.
    pub(super) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.program(name));
        alone(&mut command);
        command
    }

    fn program(&self, name: &str) -> PathBuf {
        self.directory.join("bin").join(name)
    }

    /// Whether it is whole, of the same inputs, and still works: its Python may have been upgraded or removed since.
    fn is(&self, stamp: &Stamp) -> bool {
        let text = fs::read_to_string(self.directory.join(STAMP)).unwrap_or_default();
        let same = serde_json::from_str::<Stamp>(&text).is_ok_and(|found| found == *stamp);
        same && {
            let mut command = self.command("python");
            command.args(["-c", "import zc.buildout.buildout"]).current_dir(&self.directory);
            process::capture(&mut command).is_ok_and(|output| output.status.success())
        }
    }

    fn clear(&self) -> Result<(), Error> {
        let directory = &self.directory;
        match fs::read_dir(directory).map(Iterator::count) {
            Ok(0) => Ok(()),
            Ok(_) if directory.join(MARKER).exists() => {
                // The stamp first: half of an environment must not pass for one.
                files::remove(&directory.join(STAMP)).map_err(file("remove", directory))?;
                for entry in fs::read_dir(directory).map_err(file("list", directory))?.flatten() {
                    if entry.file_name() != MARKER {
                        files::remove(&entry.path()).map_err(file("remove", &entry.path()))?;
                    }
                }
                Ok(())
            }
            Ok(_) => Err(Error::Foreign(directory.display().to_string())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(file("list", directory)(error)),
        }
    }

    fn create(&self, python: &Python, manner: &Manner, store: &Store) -> Result<(), Error> {
        let site = manner.site_packages.then_some("--system-site-packages");
        if let Some(program) = &manner.program {
            let mut command = Command::new(program);
            command.arg("--python").arg(&python.executable).args(site).arg(&self.directory);
            let ran = self.run(alone(&mut command))?;
            return if ran.status.success() {
                Ok(())
            } else {
                Err(Error::Program { program: program.clone(), said: last_line(&ran.text()) })
            };
        }
        let mut said = String::new();
        if python.venv {
            let mut command = Python::module(&python.executable, "venv");
            let ran = self.run(command.args(site).arg(&self.directory))?;
            if ran.status.success() {
                return Ok(());
            }
            said = ran.text();
        }
        // Any pip can unpack virtualenv, and that Python then runs it.
        let pips = [Some(python.executable.clone()), Python::find("python3", &[]).ok().map(|other| other.executable)];
        for pip in pips.into_iter().flatten() {
            let unpacked = tempfile::tempdir().map_err(file("make", &std::env::temp_dir()))?;
            // The old one is for 2.7; on a Python 3 without ensurepip the newest works, with what it needs.
            let wanted = if python.version < (3, 0, 0) { VIRTUALENV } else { "virtualenv" };
            let ran = store.install(&pip, &[wanted], Some(unpacked.path()))?;
            if !ran.status.success() {
                said = ran.text();
                continue;
            }
            let mut command = Command::new(&python.executable);
            if python.version < (3, 0, 0) {
                command.arg(unpacked.path().join("virtualenv.py"));
            } else {
                command = Python::module(&python.executable, "virtualenv");
            }
            alone(&mut command).env("PYTHONPATH", unpacked.path()).args(site).arg(&self.directory);
            let ran = self.run(&mut command)?;
            if ran.status.success() {
                return Ok(());
            }
            said = ran.text();
        }
        Err(Error::NoEnvironment { python: python.version_text(), two: python.version.0 == 2, said: last_line(&said) })
    }

    /// setuptools first and alone, so that a failure tells which of the two did not fit.
    fn install(&self, python: &Python, versions: &Versions, store: &Store) -> Result<(), Error> {
        let pip = self.program("python");
        let setuptools = versions.setuptools_requirement();
        let others = versions.others();
        let wanted = std::iter::once(&setuptools).chain(&others).map(String::as_str);
        let ran = store.install(&pip, &wanted.collect::<Vec<_>>(), None)?;
        let version = python.version_text();
        if !ran.status.success() {
            unreachable(&setuptools, &ran)?;
            return Err(Error::Setuptools { setuptools, python: version, said: last_line(&ran.text()) });
        }
        // Named again, or pip would take another setuptools because zc.buildout asks for one.
        let buildout = versions.buildout_requirement();
        store.take_egg(&pip, (python.version.0, python.version.1), &versions.buildout)?;
        let ran = store.install(&pip, &[&buildout, &setuptools], None)?;
        if !ran.status.success() {
            unreachable(&buildout, &ran)?;
            return Err(Error::Buildout { buildout, setuptools, python: version, said: last_line(&ran.text()) });
        }
        Ok(())
    }

    fn renew(&self) -> Result<(), Error> {
        let mut command = self.command("python");
        command.args(["-c", RENEW]).current_dir(&self.directory);
        let ran = self.run(&mut command)?;
        if ran.status.success() {
            return Ok(());
        }
        Err(Error::Renew { directory: self.directory.display().to_string(), said: last_line(&ran.text()) })
    }

    fn run(&self, command: &mut Command) -> Result<Streamed, Error> {
        let program = PathBuf::from(command.get_program());
        process::stream(command, str::to_owned).map_err(file("run", &program))
    }
}
