//! The environment that every step, server and probe starts from. In: the caller's environment. Out: a copy without what
//! would leak the caller's own Python, database or repository into a build. Nothing is changed in this process.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Account;
use crate::model::Secrets;

/// Variables of a Python that is the caller's and not the build's.
const PYTHON: &[&str] =
    &["VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__"];

/// pyenv's choice of the moment.
const PYENV: &[&str] = &["PYENV_VERSION", "PYENV_VIRTUAL_ENV", "PYENV_ACTIVATE_SHELL", "PYENV_DIR"];

/// What git sets for its hooks (`git rev-parse --local-env-vars`): with it, any git that a build calls would work on the
/// repository whose hook called farmout. `GIT_CONFIG_COUNT` and its pairs stay: people set those by hand.
pub const GIT: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
];

/// Directories that only the caller may write to.
const TEMPORARY: &[&str] = &["TMPDIR", "TMP", "TEMP", "TEMPDIR"];

/// The base environment.
///
/// Comes in: the account that processes will run as, if it is not the caller. Goes out: this process's variables, sorted
/// by name, without an activated virtualenv (its variables, and its directory on `PATH`), without `PYTHONHOME`,
/// `PYTHONPATH`, pyenv's and conda's choices, libpq's `PG…` variables and git's variables for hooks; `PATH` without empty
/// and relative elements, which would mean the build's own directory. For an account also without what it cannot reach,
/// and without the caller's `XDG_…` directories.
pub fn clean(account: Option<&Account>) -> Vec<(OsString, OsString)> {
    let mut variables: Vec<_> = env::vars_os().filter(|(name, value)| keep(name, value, account)).collect();
    let path = search_path();
    let mut path = free_of_virtualenv(&path, env::var_os("VIRTUAL_ENV").as_deref());
    if let Some(account) = account {
        path = join(env::split_paths(&path).filter(|element| account.can_reach(element)));
    }
    variables.push(("PATH".into(), path));
    variables.sort();
    variables
}

/// An environment without the variables that secrets came in: a step gets of them what its plan gives it.
pub fn without(mut variables: Vec<(OsString, OsString)>, secrets: &Secrets) -> Vec<(OsString, OsString)> {
    variables.retain(|(name, _)| !secrets.values().any(|secret| secret.variable().is_some_and(|own| name == own)));
    variables
}

/// The value of `PATH`, or the usual one where cron or a service manager set none.
pub(crate) fn search_path() -> OsString {
    env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into())
}

fn keep(name: &OsStr, value: &OsStr, account: Option<&Account>) -> bool {
    // Names that are no text are of no concern here.
    let Some(text) = name.to_str() else { return true };
    if text == "PATH" || text.starts_with("CONDA_") || postgresql(text) {
        return false;
    }
    if [PYTHON, PYENV, GIT].iter().any(|names| names.contains(&text)) {
        return false;
    }
    match account {
        Some(_) if text.starts_with("XDG_") => false,
        Some(account) if TEMPORARY.contains(&text) => account.can_reach(Path::new(value)),
        _ => true,
    }
}

/// Whether libpq, the server or Debian's wrappers read the variable: `PGHOST`, `PGDATA`, `PGCLUSTER`, … All of them are
/// `PG` and a word; `PGP_…` is another matter.
fn postgresql(name: &str) -> bool {
    !name.starts_with("PGP_")
        && name.strip_prefix("PG").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// Takes virtualenvs out of a `PATH`.
///
/// Comes in: a value of `PATH`, and the value of `VIRTUAL_ENV` if set. Goes out: the same list without `VIRTUAL_ENV/bin`,
/// without any other directory that is a virtualenv's (`../pyvenv.cfg`, or an `activate` script next to a `python`), and
/// without empty and relative elements.
pub fn free_of_virtualenv(path: &OsStr, virtual_env: Option<&OsStr>) -> OsString {
    let own = virtual_env.map(|directory| Path::new(directory).join("bin"));
    join(env::split_paths(path).filter(|element| {
        element.is_absolute() && own.as_deref().is_none_or(|own| !same(own, element)) && !is_virtualenv_bin(element)
    }))
}

/// Joins elements that came out of a `PATH`, so that none of them can hold a colon.
fn join(elements: impl Iterator<Item = PathBuf>) -> OsString {
    let elements: Vec<_> = elements.map(PathBuf::into_os_string).collect();
    elements.join(OsStr::new(":"))
}

fn same(one: &Path, other: &Path) -> bool {
    one == other || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Whether a directory is the `bin` of a virtualenv. The old virtualenv of Python 2 leaves no `pyvenv.cfg`, but always an
/// `activate` script that names `VIRTUAL_ENV`; conda and pyenv have an `activate` too, of another kind.
pub(crate) fn is_virtualenv_bin(directory: &Path) -> bool {
    if directory.join("../pyvenv.cfg").is_file() {
        return true;
    }
    if !directory.join("python").exists() {
        return false;
    }
    let mut start = Vec::new();
    let read = std::fs::File::open(directory.join("activate")).and_then(|file| file.take(8192).read_to_end(&mut start));
    read.is_ok() && start.windows(11).any(|window| window == OsStr::new("VIRTUAL_ENV").as_bytes())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn variables_of_postgresql() {
        for name in ["PGHOST", "PGPASSWORD", "PGPORT", "PGDATA", "PGCLUSTER", "PGCONNECT_TIMEOUT"] {
            assert!(postgresql(name), "{name}");
        }
        for name in ["PG", "PGP_KEY", "PG_COLOR", "PGdata", "OPGX"] {
            assert!(!postgresql(name), "{name}");
        }
    }

    #[test]
    fn path_loses_virtualenvs_and_the_current_directory() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path();
        for name in ["new/bin", "old/bin", "conda/bin", "plain/bin", "named/bin"] {
            fs::create_dir_all(root.join(name)).unwrap();
            fs::write(root.join(name).join("python"), "").unwrap();
        }
        fs::write(root.join("new/pyvenv.cfg"), "home = /usr/bin\n").unwrap();
        fs::write(root.join("old/bin/activate"), "# comment\nVIRTUAL_ENV=\"/somewhere\"\n").unwrap();
        fs::write(root.join("conda/bin/activate"), "#!/bin/sh\n_CONDA_ROOT=/conda\n").unwrap();
        let join = |names: &[&str]| {
            let parts: Vec<_> = names
                .iter()
                .map(|name| if name.contains("bin") { root.join(name).into_os_string() } else { name.into() })
                .collect();
            parts.join(OsStr::new(":"))
        };
        let all = join(&["", "new/bin", ".", "old/bin", "relative", "conda/bin", "named/bin", "", "plain/bin", ""]);
        let named = root.join("named");
        assert_eq!(free_of_virtualenv(&all, Some(named.as_os_str())), join(&["conda/bin", "plain/bin"]));
        assert_eq!(free_of_virtualenv(&all, None), join(&["conda/bin", "named/bin", "plain/bin"]));
    }
}
