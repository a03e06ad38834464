//! Repositories with a buildout that is finished in seconds: its server does what a file in it says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::buildbot::{SYSTEM, fine, program};
use super::common::is_root;

const BUILDOUT: &str = "[buildout]
parts = openerp

develop = shop
allow-picked-versions = false

[openerp]
recipe = zc.recipe.egg
eggs = shop
options.db_name = False
arguments = r'${:options.db_name}'

[versions]
zc.buildout = 4.1.12
zc.recipe.egg = 3.0.0
setuptools = 75.3.2
packaging = 24.2
pip = 24.3.1
wheel = 0.45.1
";
const SETUP: &str = "from setuptools import setup

setup(
    name='shop',
    version='1.0',
    py_modules=['shop'],
    entry_points={'console_scripts': ['test_openerp = shop:test', 'sphinx = shop:document']},
)
";
/// A server that looks at its database, and has a log like OpenERP's.
const SERVER: &str = r#"import os
import subprocess
import sys
import time
from pathlib import Path


def say(log, level, name, text):
    log.write(f"2026-11-23 08:00:00,000 1 {level} shop openerp.{name}: {text}\n")


def test(database="False"):
    manner, *arguments = Path("manner").read_text().split()
    options = dict(argument.split("=", 1) for argument in sys.argv if "=" in argument)
    if database != "False":
        os.environ["PGDATABASE"] = database
        asked = "select current_database(), current_setting('server_version')"
        subprocess.run(["psql", "-XAtq", "-c", "create table made ()", "-c", asked], check=True)
    print("port", options.get("--xmlrpc-port"), flush=True)
    if manner == "tells":
        print("the password is", os.environ.get("PGPASSWORD"), "of", os.environ.get("PGUSER"), flush=True)
    if manner == "waits":
        Path(os.environ["TMPDIR"], "left").write_text("by the server")
        subprocess.Popen(["sleep", "3600"], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        print("waiting", flush=True)
        while not Path(arguments[0]).exists():
            time.sleep(0.05)
    with open(options["--logfile"], "a") as log:
        if manner == "fails":
            say(log, "ERROR", "modules.module", "module shop: at least one error occurred in a test")
        say(log, "INFO", "modules.loading", "Modules loaded.")


def document(database):
    made = Path(sys.argv[-1])
    made.mkdir(parents=True, exist_ok=True)
    (made / "index.html").write_text("How it works.")
"#;

/// Writes the buildout into a directory.
pub fn buildout(directory: &Path, manner: &str) {
    fs::create_dir_all(directory.join("shop")).unwrap();
    for (path, text) in [("buildout.cfg", BUILDOUT), ("shop/setup.py", SETUP), ("shop/shop.py", SERVER)] {
        fs::write(directory.join(path), text).unwrap();
    }
    fs::write(directory.join("manner"), manner).unwrap();
}

/// What a repository is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    Git,
    Hg,
    Bzr,
}

/// A repository on a server, and somebody's own copy of it.
pub struct Repository {
    system: System,
    server: PathBuf,
    own: PathBuf,
}

impl Repository {
    /// Makes it, with the buildout in it.
    pub fn new(folder: &Path, name: &str, system: System) -> Self {
        let repository = Self { system, server: folder.join(name), own: folder.join(format!("own-{name}")) };
        // Git pushes to nobody else's repository.
        fs::write(folder.join(".gitconfig"), "[safe]\n\tdirectory = *\n").unwrap();
        let at = repository.server.to_str().unwrap();
        match system {
            System::Git => repository.call(folder, "git", &["init", "-q", "--bare", "-b", "main", at]),
            System::Hg => repository.call(folder, "hg", &["init", at]),
            System::Bzr => repository.call(folder, "brz", &["init", "-q", "--no-tree", at]),
        };
        let own = repository.own.to_str().unwrap();
        match system {
            System::Git => repository.call(folder, "git", &["clone", "-q", at, own]),
            System::Hg => repository.call(folder, "hg", &["clone", "-q", at, own]),
            System::Bzr => repository.call(folder, "brz", &["branch", "-q", at, own]),
        };
        if system == System::Git {
            repository.call(&repository.own, "git", &["checkout", "-q", "-b", "main"]);
        }
        buildout(&repository.own, "succeeds");
        repository.push("Begin");
        repository
    }

    /// The address that a farm has for it.
    pub fn url(&self) -> String {
        let path = self.server.display();
        if self.system == System::Hg { path.to_string() } else { format!("file://{path}") }
    }

    /// Pushes another manner of the server's: the revision that it makes.
    pub fn manner(&self, manner: &str) -> String {
        fs::write(self.own.join("manner"), manner).unwrap();
        self.push(&format!("It {manner}"))
    }

    /// Pushes all that is new: the revision that it makes.
    fn push(&self, message: &str) -> String {
        let call = |program, arguments: &[&str]| self.call(&self.own, program, arguments);
        let revision = match self.system {
            System::Git => {
                call("git", &["add", "--all"]);
                call("git", &["commit", "-q", "-m", message]);
                call("git", &["push", "-q", "origin", "main"]);
                call("git", &["rev-parse", "HEAD"])
            }
            System::Hg => {
                call("hg", &["commit", "-q", "--addremove", "-m", message]);
                call("hg", &["push", "-q"]);
                call("hg", &["log", "-r", ".", "-T", "{node}"])
            }
            System::Bzr => {
                call("brz", &["add", "-q"]);
                call("brz", &["commit", "-q", "-m", message]);
                call("brz", &["push", "-q", self.server.to_str().unwrap()]);
                call("brz", &["revision-info"])
            }
        };
        if is_root() {
            // Git reads nobody else's repository.
            fine(Command::new("chown").args(["-R", "farmout"]).arg(&self.server));
        }
        revision
    }

    fn call(&self, directory: &Path, client: &str, arguments: &[&str]) -> String {
        let mut command = program(client, self.server.parent().unwrap());
        command
            .args(arguments)
            .current_dir(directory)
            .env("PATH", SYSTEM)
            .env("HGUSER", "Ann")
            .env("BRZ_EMAIL", "Ann <ann@x.example>");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Ann").env(format!("GIT_{who}_EMAIL"), "ann@x.example");
        }
        fine(&mut command).trim().to_owned()
    }
}
