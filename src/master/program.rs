//! The Buildbot that a master runs with. In: where it may be. Out: its program, and the Python that it is run by.

use std::env;
use std::fs;
use std::io::Read as _;

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::{AccessFlags, access};
use shell_words::quote;

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
    /// What to type to run it, or any that there may be elsewhere.
    pub(super) fn word(found: Option<&Self>) -> String {
        match found {
            Some(found) if on_path().as_ref() != Some(&found.program) => quote(found.program.as_str()).into_owned(),
            _ => "buildbot".to_owned(),
        }
    }

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

/// The Python that a script is run by: the one of its first line; else, as for a script that starts another one, that of the
/// virtual environment which it is in. Elsewhere what lies beside a script may be anything: beside pyenv's stand-ins for
/// programs are others, which stand for another version.
fn interpreter(program: &Utf8Path) -> Option<Utf8PathBuf> {
    let program = program.canonicalize_utf8().ok()?;
    let mut head = Vec::new();
    fs::File::open(&program).ok()?.take(HEAD).read_to_end(&mut head).ok()?;
    let head = String::from_utf8_lossy(&head);
    named_by(&head).filter(|path| is_program(path)).or_else(|| of_environment(&program))
}

fn of_environment(program: &Utf8Path) -> Option<Utf8PathBuf> {
    let bin = program.parent()?;
    let is_environment = bin.parent()?.join("pyvenv.cfg").is_file();
    is_environment.then(|| bin.join("python")).filter(|path| is_program(path))
}

fn is_python(path: &str) -> bool {
    Utf8Path::new(path).file_name().is_some_and(|name| name.starts_with("python") || name.starts_with("pypy"))
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
            path.filter(|path| is_python(path)).map(Utf8PathBuf::from)
        }
        // `env -S LANG=C python3 -u` names one, `env bash` names none.
        "env" => {
            let program = words.find(|word| !word.starts_with('-') && !word.contains('='));
            program.filter(|word| is_python(word)).and_then(find)
        }
        _ => is_python(first).then(|| Utf8PathBuf::from(first)),
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
        assert!(python("#!/usr/bin/env -S LANG=C python3 -u\n").is_some_and(|path| path.ends_with("/python3")));
        let others =
            ["#!/usr/bin/env bash\nexec x", "#!/usr/bin/env -S bash -e\n", "#!/bin/sh\n'''exec' /bin/dash \"$0\"\n"];
        for script in ["", "\u{7f}ELF", "#!/bin/bash\nexec x", "#!/bin/sh\nexec x"].iter().chain(&others) {
            assert_eq!(python(script), None, "{script}");
        }
    }

    #[test]
    fn a_script_that_names_no_python_has_that_of_its_environment_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(directory.path()).unwrap().canonicalize_utf8().unwrap();
        let bin = root.join("bin");
        fs::create_dir(&bin).unwrap();
        for name in ["buildbot", "python", "python3"] {
            fs::write(bin.join(name), "#!/usr/bin/env bash\nexec pyenv exec x\n").unwrap();
            fs::set_permissions(bin.join(name), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        assert_eq!(interpreter(&bin.join("buildbot")), None);
        fs::write(root.join("pyvenv.cfg"), "").unwrap();
        assert_eq!(interpreter(&bin.join("buildbot")), Some(bin.join("python")));
    }
}
