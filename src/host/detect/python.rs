//! Pythons. In: directories and `PATH`. Out: one for each minor version, the best for builds; and those that the account
//! cannot get at.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::executable;
use super::offer::is_writable;
use super::postgresql::who;
use super::search::{Search, directories, natural};
use crate::host::Account;
use crate::host::environment::is_virtualenv_bin;
use crate::host::probe::{Probe, parallel};
use crate::tool::bootstrap;

/// Asks a Python of any version, 2.5 to today's. What it asks about is looked for and not imported, as that would be slow; but a
/// module that needs a library of the system may be there and not work.
const QUESTION: &str = r#"
import os, sys
library = os.path.dirname(os.__file__)
def has(name, paths):
    for path in paths:
        for file in (name, name + ".py"):
            if os.path.exists(os.path.join(path or ".", file)):
                return name
    return ""
def works(name):
    try:
        __import__(name)
        return name
    except Exception:
        return ""
def headers():
    try:
        import sysconfig
        found = sysconfig.get_paths()["include"]
    except ImportError:
        from distutils import sysconfig
        found = sysconfig.get_python_inc()
    if os.path.exists(os.path.join(found, "Python.h")):
        return found
    return ""
print("farmout %d.%d %s" % (sys.version_info[0], sys.version_info[1], sys.version.split()[0]))
print(" ".join([has("venv", [library]), has("ensurepip", [library]), has("virtualenv", sys.path), has("pip", sys.path), works("ssl"), works("zlib")]))
print(headers())
"#;

/// A Python that builds can use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Python {
    /// The version of the capability: `3.11`.
    pub minor: String,
    /// The whole version: `3.11.2`.
    pub version: String,
    /// The interpreter, with the most exact name it has in its directory.
    pub path: Utf8PathBuf,
    /// Whether `-m venv` makes an environment with pip in it.
    pub venv: bool,
    /// Whether the module `virtualenv` is there.
    pub virtualenv: bool,
    /// Whether the module `pip` is there.
    pub pip: bool,
    /// The directory of `Python.h`, without which no egg with C in it is built.
    pub headers: Option<Utf8PathBuf>,
    /// Whether builds can bootstrap zc.buildout with it.
    pub buildout: Buildout,
}

/// Whether zc.buildout can be bootstrapped with a Python.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "bootstraps", rename_all = "kebab-case")]
pub enum Buildout {
    /// It can.
    Yes {
        /// The zc.buildout that a build gets which pins none.
        version: String,
    },
    /// It cannot.
    No {
        /// Why, without a full stop.
        reason: String,
        /// What to do about it, without a full stop.
        remedy: String,
    },
}

impl Default for Buildout {
    fn default() -> Self {
        Self::Yes { version: String::new() }
    }
}

/// A Python that is there, but not for builds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct OutOfReach {
    /// Its minor version, going by its name.
    pub minor: String,
    /// The interpreter.
    pub path: Utf8PathBuf,
    /// Why builds cannot use it, without a full stop.
    pub reason: String,
    /// What to do about it, without a full stop.
    pub remedy: String,
}

type Found = (Vec<Python>, Vec<OutOfReach>, Vec<String>);

pub(super) fn find(search: &Search, account: Option<&Account>, probe: &Probe) -> Found {
    let candidates = candidates(search);
    let (usable, others): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|path| executable(path, account));
    let mut pythons: Vec<Python> = Vec::new();
    let mut notes = Vec::new();
    for (path, answer) in usable.iter().zip(parallel(&usable, |path| ask(path, probe))) {
        match answer {
            // The first found is the one that the caller's PATH prefers, unless only a later one makes environments.
            Ok(python) => match pythons.iter_mut().find(|known| known.minor == python.minor) {
                Some(known) if rank(&python) > rank(known) => *known = python,
                Some(_) => {}
                None => pythons.push(python),
            },
            Err(problem) => notes.push(format!("{path} is left out: it {problem}")),
        }
    }
    pythons.sort_by_cached_key(|python| natural(&python.minor));
    // Any pip on PATH can unpack a virtualenv for a Python that has none.
    let path = search.path();
    let pip = pythons.iter().any(|python| {
        python.pip && !python.minor.starts_with("2.") && path.iter().any(|element| python.path.starts_with(element))
    });
    for python in &mut pythons {
        python.buildout = python.buildout(pip);
    }
    let mut out_of_reach: Vec<OutOfReach> = Vec::new();
    for path in others {
        let Some(minor) = minor_by_name(&path) else { continue };
        let known = pythons.iter().any(|python| python.minor == minor);
        if !known && out_of_reach.iter().all(|other| other.minor != minor) {
            out_of_reach.push(unreachable(minor, path, account));
        }
    }
    out_of_reach.sort_by_cached_key(|other| natural(&other.minor));
    (pythons, out_of_reach, notes)
}

/// The interpreters to ask: one name for each file, in the order of the directories.
fn candidates(search: &Search) -> Vec<Utf8PathBuf> {
    let mut seen = Vec::new();
    let mut places = Vec::new();
    for element in search.path() {
        // pyenv's shims depend on the current directory and take long; behind them are its versions.
        let is_shims = element.file_name() == Some("shims");
        match element.parent().map(|root| root.join("versions")).filter(|versions| is_shims && versions.is_dir()) {
            Some(versions) => places.extend(directories(&[versions.join("*/bin")], &mut seen)),
            None => places.extend(directories(&[element], &mut seen)),
        }
    }
    places.extend(directories(&search.pythons, &mut seen));
    let mut real = Vec::new();
    let mut candidates = Vec::new();
    for place in places.iter().filter(|place| !is_virtualenv_bin(place.as_std_path())) {
        let Ok(entries) = place.read_dir_utf8() else { continue };
        let mut names: Vec<_> =
            entries.flatten().map(|entry| entry.file_name().to_owned()).filter(|n| named(n)).collect();
        // The most exact name first: `python3.11`, `python3`, `python`; newer first, though that does not matter.
        names.sort_by_key(|name| (std::cmp::Reverse(name.len()), name.clone()));
        for name in names {
            let path = place.join(name);
            let Ok(target) = path.canonicalize_utf8() else { continue };
            if target.is_file() && !real.contains(&target) {
                real.push(target);
                candidates.push(path);
            }
        }
    }
    candidates
}

/// Whether a file's name is `python`, `python2`, `python3` or one of those with a minor version.
fn named(name: &str) -> bool {
    let Some(version) = name.strip_prefix("python") else { return false };
    match version.split_once('.') {
        None => matches!(version, "" | "2" | "3"),
        Some((major, minor)) => {
            matches!(major, "2" | "3") && !minor.is_empty() && minor.chars().all(|c| c.is_ascii_digit())
        }
    }
}

fn ask(path: &Utf8Path, probe: &Probe) -> Result<Python, String> {
    // -E: nothing of the caller's environment; -s would hide a virtualenv that the user installed.
    let output = probe.run(path, &["-E", "-c", QUESTION])?;
    let mut lines = output.stdout.lines().skip_while(|line| !line.starts_with("farmout "));
    let first = lines.next().map(|line| line.split(' ').collect::<Vec<_>>());
    let (Some([_, minor, version]), Some(second)) = (first.as_deref(), lines.next()) else {
        return Err("does not answer as a Python does".to_owned());
    };
    let headers = lines.next().filter(|line| line.starts_with('/')).map(Utf8PathBuf::from);
    let modules: Vec<_> = second.split(' ').collect();
    let has = |name| modules.contains(&name);
    Ok(Python {
        minor: (*minor).to_owned(),
        version: (*version).to_owned(),
        path: path.to_owned(),
        venv: has("venv") && has("ensurepip"),
        virtualenv: has("virtualenv"),
        pip: has("pip"),
        headers,
        buildout: incomplete(&modules),
    })
}

/// What says of a Python alone that nothing can be downloaded or unpacked with it.
fn incomplete(modules: &[&str]) -> Buildout {
    let missing = ["ssl", "zlib"].into_iter().find(|name| !modules.contains(name));
    missing.map_or_else(Buildout::default, |name| Buildout::No {
        reason: format!("its module {name} does not work"),
        remedy: "install the headers of OpenSSL and zlib (libssl-dev, zlib1g-dev), and build that Python again"
            .to_owned(),
    })
}

impl Python {
    /// Whether zc.buildout can be bootstrapped with it; `pip` says whether another Python has one.
    fn buildout(&self, pip: bool) -> Buildout {
        if let Buildout::No { .. } = self.buildout {
            return self.buildout.clone();
        }
        let no = |reason: &str, remedy: String| Buildout::No { reason: reason.to_owned(), remedy };
        let mut numbers = self.minor.split('.').map(|number| number.parse().unwrap_or_default());
        let version = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default(), 0);
        let python = bootstrap::Python { version, ..bootstrap::Python::default() };
        let Ok(buildout) = bootstrap::Versions::newest(&python) else {
            return no(
                "no zc.buildout is known that can still be installed with it",
                "use Python 2.7 instead".to_owned(),
            );
        };
        if !(self.venv || self.virtualenv || self.pip || pip) {
            let remedy = if version.0 == 2 {
                format!("give it pip: {} -m ensurepip", self.path)
            } else {
                format!("on Debian and Ubuntu: apt-get install python{}-venv", self.minor)
            };
            return no("it cannot make environments", remedy);
        }
        Buildout::Yes { version: buildout }
    }
}

/// How good a Python is: a capability can hold its path, its library is whole, it makes environments, it has pip.
fn rank(python: &Python) -> (bool, bool, bool, bool) {
    let complete = python.buildout == Buildout::default();
    (is_writable(&python.path), complete, python.venv || python.virtualenv, python.pip)
}

/// The minor version by the name of the file, or of a directory above it as pyenv and others name theirs:
/// `versions/3.12.1/bin/python3`.
fn minor_by_name(path: &Utf8Path) -> Option<String> {
    let own = path.file_name().and_then(|name| name.strip_prefix("python")).filter(|version| version.contains('.'));
    if let Some(version) = own {
        return Some(version.to_owned());
    }
    let above = path.parent()?.parent()?.file_name()?;
    let mut numbers = above.trim_start_matches(|c: char| !c.is_ascii_digit()).split(['.', '-']);
    let (major, minor) = (numbers.next()?, numbers.next()?);
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    (digits(major) && digits(minor)).then(|| format!("{major}.{minor}"))
}

fn unreachable(minor: String, path: Utf8PathBuf, account: Option<&Account>) -> OutOfReach {
    let user = who(account);
    let closed = account.and_then(|account| path.ancestors().skip(1).filter(|above| !account.can_reach(above)).last());
    let (reason, remedy) = match closed {
        Some(closed) => (
            format!("{user} cannot enter {closed}"),
            format!("install Python outside of {closed}, or open that directory: chmod o+x {closed}"),
        ),
        None => (format!("{user} cannot execute it"), format!("chmod o+rx {path}")),
    };
    OutOfReach { minor, path, reason, remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_interpreters() {
        for name in ["python", "python2", "python2.7", "python3", "python3.11"] {
            assert!(named(name), "{name}");
        }
        for name in ["python3.11-config", "python4", "python3.", "pythonw", "python-argcomplete", "python3.13t", "pypy"]
        {
            assert!(!named(name), "{name}");
        }
    }

    #[test]
    fn versions_in_paths() {
        for (path, minor) in [
            ("/usr/bin/python3.9", Some("3.9")),
            ("/root/.pyenv/versions/3.12.1/bin/python3", Some("3.12")),
            ("/u/cpython-3.13.0-linux/bin/python", Some("3.13")),
            ("/usr/bin/python3", None),
        ] {
            assert_eq!(minor_by_name(Utf8Path::new(path)).as_deref(), minor, "{path}");
        }
    }
}
