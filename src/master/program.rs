//! The Buildbot that a master runs with. In: where it may be. Out: its program, and the Python that it is run by.

use std::env;
use std::fs;
use std::io::Read as _;

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::{AccessFlags, access};

use crate::diagnostic::Failure;

/// Environments that are kept in the master's directory, or beside it.
const ENVIRONMENTS: [&str; 8] = ["venv", ".venv", "env", "virtualenv", "sandbox", "buildbot", "bb", "."];

/// How much of a program is read for its interpreter.
const HEAD: u64 = 4096;

/// A Buildbot.
#[derive(Debug)]
pub(super) struct Buildbot {
    /// `buildbot`.
    pub(super) program: Utf8PathBuf,
    /// The Python that it runs by.
    pub(super) python: Utf8PathBuf,
}

impl Buildbot {
    /// Finds the one that was named, as a program or as the environment that it is in; else one on `PATH`, or in an environment
    /// in or beside the master's directory. None where there is none.
    pub(super) fn find(named: Option<&Utf8Path>, master: &Utf8Path) -> Result<Option<Self>, Failure> {
        let program = match named {
            Some(named) => {
                let inside = named.join("bin/buildbot");
                let program = if inside.is_file() { inside } else { named.to_owned() };
                if !is_program(&program) {
                    return Err(Failure::misuse(format!("{program} is no program"))
                        .help("name Buildbot's program, such as /srv/buildbot/bin/buildbot"));
                }
                // It is started in another directory.
                let program = camino::absolute_utf8(&program);
                program.map_err(|error| Failure::misuse(format!("the working directory has no name: {error}")))?
            }
            None => match on_path().or_else(|| beside(master)) {
                Some(program) => program,
                None => return Ok(None),
            },
        };
        let python = interpreter(&program).ok_or_else(|| {
            Failure::misuse(format!("it cannot be told which Python runs {program}"))
                .help("name the program in the environment that Buildbot is installed in with --buildbot")
        })?;
        Ok(Some(Self { program, python }))
    }
}

fn is_program(path: &Utf8Path) -> bool {
    path.is_file() && access(path.as_std_path(), AccessFlags::X_OK).is_ok()
}

fn on_path() -> Option<Utf8PathBuf> {
    find("buildbot")
}

/// A program on `PATH`.
fn find(name: &str) -> Option<Utf8PathBuf> {
    let path = env::var_os("PATH")?;
    let directories = env::split_paths(&path).filter_map(|path| Utf8PathBuf::from_path_buf(path).ok());
    directories
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(name))
        .find(|path| is_program(path))
}

fn beside(master: &Utf8Path) -> Option<Utf8PathBuf> {
    let master = master.canonicalize_utf8().ok()?;
    let places = [Some(master.as_path()), master.parent()].into_iter().flatten();
    let programs = places.flat_map(|place| ENVIRONMENTS.map(|name| place.join(name).join("bin/buildbot")));
    programs.into_iter().find(|path| is_program(path))
}

/// The Python that a script is run by: the one of its first line; else, as for a script that starts another one, the Python
/// beside it.
fn interpreter(program: &Utf8Path) -> Option<Utf8PathBuf> {
    let program = program.canonicalize_utf8().ok()?;
    let mut head = Vec::new();
    fs::File::open(&program).ok()?.take(HEAD).read_to_end(&mut head).ok()?;
    let head = String::from_utf8_lossy(&head);
    let beside = || {
        let names = ["python3", "python"].into_iter().map(|name| program.with_file_name(name));
        names.into_iter().find(|path| is_program(path))
    };
    named_by(&head).filter(|path| is_program(path)).or_else(beside)
}

fn named_by(script: &str) -> Option<Utf8PathBuf> {
    let mut lines = script.lines();
    let mut words = lines.next()?.strip_prefix("#!")?.split_whitespace();
    let first = words.next()?;
    match Utf8Path::new(first).file_name()? {
        // pip's way around the limit to the length of a first line.
        "sh" => {
            let line = lines.next()?.strip_prefix("'''exec' ")?;
            let path = match line.strip_prefix('"') {
                Some(quoted) => quoted.split('"').next(),
                None => line.split_whitespace().next(),
            };
            path.map(Utf8PathBuf::from)
        }
        "env" => find(words.find(|word| !word.starts_with('-'))?),
        name => name.starts_with("python").then(|| Utf8PathBuf::from(first)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_names_its_python() {
        let python = |script| named_by(script).map(Utf8PathBuf::into_string);
        assert_eq!(python("#!/srv/bb/bin/python3.11 -s\nimport x").as_deref(), Some("/srv/bb/bin/python3.11"));
        let long = "#!/bin/sh\n'''exec' \"/srv/a b/bin/python\" \"$0\" \"$@\"\n' '''\n";
        assert_eq!(python(long).as_deref(), Some("/srv/a b/bin/python"));
        let plain = "#!/bin/sh\n'''exec' /srv/bb/bin/python \"$0\" \"$@\"\n' '''\n";
        assert_eq!(python(plain).as_deref(), Some("/srv/bb/bin/python"));
        assert!(python("#!/usr/bin/env python3\n").is_some_and(|path| path.ends_with("/python3")));
        for script in ["", "\u{7f}ELF", "#!/bin/bash\nexec x", "#!/bin/sh\nexec x"] {
            assert_eq!(python(script), None, "{script}");
        }
    }
}
