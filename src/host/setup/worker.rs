//! A Buildbot worker of the slave's own: buildbot-worker in a Python environment that builds cannot change when the unit runs
//! it, and the worker's directory. The password is in a file of the account's, never in an argument.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::call::{Call, Content};
use super::thing::{Look, Sight, Thing, Undo};
use crate::diagnostic::Failure;
use crate::model::Secret;

/// Debian's own Python: one that root has besides may be out of the account's reach.
const PYTHON: &str = "/usr/bin/python3";

/// What stands in `buildbot.tac` until the line is replaced by one that reads the file.
const PLACEHOLDER: &str = "in-the-file-password";

/// The line that reads it.
const READ: &str = r#"passwd = open(os.path.join(basedir, "password")).read().strip()"#;

/// A Python environment with buildbot-worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Its directory.
    pub path: Utf8PathBuf,
    /// Whose it is.
    pub account: String,
    /// The account's home.
    pub home: Utf8PathBuf,
}

/// A worker's directory, with what buildbot-worker keeps in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worker {
    /// The directory.
    pub path: Utf8PathBuf,
    /// The environment that has its programs.
    pub environment: Utf8PathBuf,
    /// Whose it is.
    pub account: String,
    /// The account's home.
    pub home: Utf8PathBuf,
    /// The master: `HOST:PORT`.
    pub master: String,
    /// What the master calls it.
    pub name: String,
    /// The password to write, if one was given this time.
    #[serde(skip)]
    pub password: Option<Secret>,
}

impl Environment {
    pub(super) fn title(&self) -> String {
        format!("buildbot-worker in {}", self.path)
    }

    pub(super) fn purpose(&self) -> String {
        "takes builds from a Buildbot master".to_owned()
    }

    pub(super) fn look(&self, sight: Sight<'_>) -> Result<Look, Failure> {
        let entry = sight.record.find(&Thing::Environment(self.clone()));
        let complete = self.path.join("bin/buildbot-worker").is_file();
        let empty = fs::read_dir(&self.path).map_or(true, |mut entries| entries.next().is_none());
        match entry {
            None if complete => return Ok(Look::There(None)),
            None if !empty => {
                return Err(Failure::misuse(format!("{} is there, and has no buildbot-worker", self.path))
                    .help("move it away, or choose another directory with --base DIR"));
            }
            Some(entry) if entry.done && complete => return Ok(Look::There(None)),
            _ => {}
        }
        let (path, account) = (self.path.as_str(), self.account.as_str());
        let pip = self.path.join("bin/pip");
        let calls = vec![
            Call::run(["install", "-d", "-m", "0755", "-o", account, "-g", account, path]),
            self.as_account([PYTHON, "-m", "venv", "--clear", path]),
            self.as_account([pip.as_str(), "install", "--no-input", "--disable-pip-version-check", "buildbot-worker"])
                .long(),
        ];
        Ok(Look::Missing { made: Thing::Environment(self.clone()), calls })
    }

    pub(super) fn undo(&self, _: Sight<'_>) -> Result<Undo, Failure> {
        Ok(removal([self.path.clone()]))
    }

    fn as_account<const N: usize>(&self, words: [&str; N]) -> Call {
        Call::run_as(&self.account, &self.home, words)
    }
}

impl Worker {
    pub(super) fn title(&self) -> String {
        format!("the Buildbot worker {} of {}", self.name, self.master)
    }

    pub(super) fn purpose(&self) -> String {
        format!("its builds are in {}", self.path)
    }

    pub(super) fn look(&self, sight: Sight<'_>) -> Result<Look, Failure> {
        let tac = self.path.join("buildbot.tac");
        let secret = self.path.join("password");
        let file = Call::Write {
            path: secret.clone(),
            mode: 0o600,
            owner: Some(self.account.clone()),
            content: Content::Secret(self.password.clone()),
        };
        let thing = Thing::Worker(self.clone());
        let entry = sight.record.find(&thing);
        let there = tac.symlink_metadata().is_ok();
        if there && entry.is_none() {
            return Ok(Look::There(Some(format!("{tac} is none of setup's, and stays as it is"))));
        }
        if let Some(entry) = entry.filter(|entry| there && entry.done) {
            let known = fs::read_to_string(&secret).unwrap_or_default();
            if self.password.as_ref().is_some_and(|password| sight.root && known.trim_end() != password.expose()) {
                return Ok(Look::Missing { made: thing, calls: vec![file] });
            }
            let Thing::Worker(made) = &entry.thing else { return Ok(Look::There(None)) };
            let other = (&made.master, &made.name) != (&self.master, &self.name);
            let words = || format!("it was set up as {} of {}; what it is now is in {tac}", made.name, made.master);
            return Ok(Look::There(other.then(words)));
        }
        let program = self.environment.join("bin/buildbot-worker");
        let directory = self.path.as_str();
        let create = [
            program.as_str(),
            "create-worker",
            "--umask=0o22",
            "--relocatable",
            directory,
            &self.master,
            &self.name,
            PLACEHOLDER,
        ];
        let replace = format!("s/^passwd = .*/{}/", READ.replace('/', "\\/"));
        let as_account = |words| Call::run_as(&self.account, &self.home, words);
        let calls = vec![
            // A first attempt that was broken off would make buildbot-worker write another file beside it.
            there.then(|| Call::run(["rm", "-f", tac.as_str()])),
            Some(file),
            Some(Call::run_as(&self.account, &self.home, create)),
            Some(as_account(["sed", "-i", &replace, tac.as_str()])),
        ];
        Ok(Look::Missing { made: thing, calls: calls.into_iter().flatten().collect() })
    }

    pub(super) fn undo(&self, _: Sight<'_>) -> Result<Undo, Failure> {
        // Builders' directories are kept with the directory; what is buildbot-worker's goes, the password first of all.
        let own = |name: &str| {
            ["password", "buildbot.tac", "buildbot.tac.new", "info"].contains(&name) || name.starts_with("twistd.")
        };
        let Ok(entries) = self.path.read_dir_utf8() else { return Ok(Undo::Gone) };
        let mut found: Vec<_> =
            entries.flatten().filter(|entry| own(entry.file_name())).map(|e| e.into_path()).collect();
        found.sort();
        Ok(removal(found))
    }
}

fn removal(paths: impl IntoIterator<Item = Utf8PathBuf>) -> Undo {
    let paths: Vec<_> = paths.into_iter().filter(|path: &Utf8PathBuf| path.symlink_metadata().is_ok()).collect();
    if paths.is_empty() {
        return Undo::Gone;
    }
    let words = ["rm", "-r", "-f", "--one-file-system", "--"].into_iter().chain(paths.iter().map(|path| path.as_str()));
    let words = words.map(str::to_owned).collect();
    Undo::Calls(vec![Call::Run { variables: Vec::new(), words, long: false }], None)
}

/// Where the environment is.
pub(super) fn environment(base: &Utf8Path) -> Utf8PathBuf {
    base.join("buildbot")
}

/// Where the worker is.
pub(super) fn directory(base: &Utf8Path) -> Utf8PathBuf {
    base.join("worker")
}
