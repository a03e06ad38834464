//! The distributions that builds of a slave have in common: requirements in, installed packages out. What the store has is
//! not asked of the package index; what it lacks is fetched into it, as wheels, so that the next build needs no network.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::{cut_off, file};
use super::{Error, Python};
use crate::tool::process::{self, Streamed};
use crate::tool::say;

/// Where distributions are kept; without a directory, each build asks the index.
#[derive(Debug, Clone, Default)]
pub(super) struct Store {
    /// Wheels.
    wheels: Option<PathBuf>,
    /// zc.buildout's eggs, of which one may be zc.buildout itself.
    eggs: Option<PathBuf>,
}

impl Store {
    /// The store in these directories, which are made.
    pub(super) fn open(wheels: Option<&Path>, eggs: Option<&Path>) -> Result<Self, Error> {
        if let Some(wheels) = wheels {
            fs::create_dir_all(wheels).map_err(file("make", wheels))?;
        }
        Ok(Self { wheels: wheels.map(Path::to_owned), eggs: eggs.map(Path::to_owned) })
    }

    /// Installs what is wanted with the pip of a Python, into that Python or into a directory.
    ///
    /// How it ended is the caller's to judge.
    pub(super) fn install(&self, python: &Path, wanted: &[&str], target: Option<&Path>) -> Result<Streamed, Error> {
        let Some(wheels) = &self.wheels else {
            return run(pip(python, "install").args(wanted).args(into(target)));
        };
        let stored = || {
            let mut command = pip(python, "install");
            command.arg("--no-index").arg("--find-links").arg(wheels).args(wanted).args(into(target));
            command
        };
        // A requirement like `>=2.2` asks for the newest, which only the index knows.
        if wanted.iter().all(|requirement| self.has(requirement)) {
            // Quiet: what it lacks, such as what those need, is no failure yet.
            let output = process::capture(&mut stored()).map_err(file("run", python))?;
            if output.status.success() {
                say(format_args!("Installed {} from {}", wanted.join(" "), wheels.display()));
                return Ok(Streamed { status: output.status, tail: Vec::new() });
            }
        }
        let fetched = self.fetch(python, wheels, wanted)?;
        if !fetched.status.success() {
            if !cut_off(&fetched.text()) {
                return Ok(fetched);
            }
            say(format_args!("The package index cannot be reached: trying what is in {}", wheels.display()));
            let kept = run(&mut stored())?;
            // Why the index cannot be reached says more than that the store lacks something.
            return Ok(if kept.status.success() { kept } else { fetched });
        }
        run(&mut stored())
    }

    /// Makes a wheel of the egg of zc.buildout, where an earlier buildout left one for this version (major, minor) of Python
    /// and there is no wheel yet.
    pub(super) fn take_egg(&self, python: &Path, number: (u32, u32), version: &str) -> Result<(), Error> {
        let (Some(wheels), Some(eggs)) = (&self.wheels, &self.eggs) else { return Ok(()) };
        if version.is_empty() || self.has(&format!("zc.buildout=={version}")) {
            return Ok(());
        }
        let egg = eggs.join(format!("zc.buildout-{version}-py{}.{}.egg", number.0, number.1));
        if !egg.exists() {
            return Ok(());
        }
        let aside = tempfile::tempdir_in(wheels).map_err(file("make", wheels))?;
        let mut command = Python::module(python, "wheel");
        command.arg("convert").arg("--dest-dir").arg(aside.path()).arg(&egg);
        // An egg that is none, or a wheel that cannot convert: the index has it, too.
        let output = process::capture(&mut command).map_err(file("run", python))?;
        if output.status.success() {
            say(format_args!("Taking zc.buildout {version} from {}", egg.display()));
            keep(aside.path(), wheels)?;
        }
        Ok(())
    }

    fn fetch(&self, python: &Path, wheels: &Path, wanted: &[&str]) -> Result<Streamed, Error> {
        // Aside: half of a wheel must not be found by the next build.
        let aside = tempfile::tempdir_in(wheels).map_err(file("make", wheels))?;
        let mut command = pip(python, "wheel");
        command.arg("--wheel-dir").arg(aside.path()).arg("--find-links").arg(wheels).args(wanted);
        let ran = run(&mut command)?;
        if ran.status.success() {
            keep(aside.path(), wheels)?;
        }
        Ok(ran)
    }

    /// Whether a requirement of exactly one version is there.
    fn has(&self, requirement: &str) -> bool {
        let Some((name, version)) = requirement.split_once("==") else { return false };
        let wanted = format!("{}-{}-", normal(name), normal(version));
        let entries = self.wheels.iter().filter_map(|wheels| fs::read_dir(wheels).ok()).flatten().flatten();
        entries.map(|entry| entry.file_name()).any(|file| {
            let file = file.to_string_lossy().into_owned();
            file.ends_with(".whl") && normal_start(&file).starts_with(&wanted)
        })
    }
}

/// The name and the version of a file name, spelled in the one way, with a dash after each.
fn normal_start(file: &str) -> String {
    file.splitn(3, '-').take(2).map(|part| normal(part) + "-").collect()
}

/// Tools spell names with dots, dashes and underlines as they like.
fn normal(text: &str) -> String {
    text.to_lowercase().replace(['-', '.'], "_")
}

fn keep(from: &Path, to: &Path) -> Result<(), Error> {
    for entry in fs::read_dir(from).map_err(file("list", from))?.flatten() {
        let place = to.join(entry.file_name());
        fs::rename(entry.path(), &place).map_err(file("write", &place))?;
    }
    Ok(())
}

fn pip(python: &Path, what: &str) -> Command {
    let mut command = Python::module(python, "pip");
    command.args([what, "--disable-pip-version-check", "--no-input"]);
    command
}

fn into(target: Option<&Path>) -> Vec<&OsStr> {
    target.map_or_else(Vec::new, |target| vec![OsStr::new("--target"), target.as_os_str()])
}

fn run(command: &mut Command) -> Result<Streamed, Error> {
    let program = PathBuf::from(command.get_program());
    process::stream(command, str::to_owned).map_err(file("run", &program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_wheels_are_read_however_they_are_spelled() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(Some(directory.path()), None).unwrap();
        for name in
            ["zc_buildout-4.1.12-py3-none-any.whl", "zc.recipe.egg-2.0.7-py2.py3-none-any.whl", "wheel-0.45.1.zip"]
        {
            fs::write(directory.path().join(name), "").unwrap();
        }
        let has = ["zc.buildout==4.1.12", "zc.recipe.egg==2.0.7"];
        let lacks = ["zc.buildout==4.1.1", "zc.buildout>=4", "wheel==0.45.1", "zc==4.1.12"];
        assert!(has.iter().all(|wanted| store.has(wanted)));
        assert!(!lacks.iter().any(|wanted| store.has(wanted)));
        assert!(!Store::default().has("zc.buildout==4.1.12"));
    }
}
