//! `farmout tool bootstrap` with a real Python 3 and the real package index.

mod common {
    pub mod snapshot;
    pub mod streams;
}

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use common::snapshot::snapshot;
use common::streams::text;

struct Case {
    root: PathBuf,
    _directory: tempfile::TempDir,
}

impl Case {
    fn new(configuration: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        fs::write(root.join("b.cfg"), configuration).unwrap();
        Self { root, _directory: directory }
    }

    fn command(&self, python: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_farmout"));
        command.args(["tool", "bootstrap", "--configuration", "b.cfg", "--environment", "env", "--python", python]);
        // A home without a ~/.buildout/default.cfg of somebody's.
        command.args(arguments).current_dir(&self.root).env("NO_COLOR", "1").env("HOME", &self.root);
        command
    }

    fn run(&self, python: &str, arguments: &[&str]) -> Output {
        self.command(python, arguments).output().unwrap()
    }
}

/// The Python of this machine, as a path: a version manager's stand-in needs the HOME that the tests take away.
fn python() -> String {
    let script = "import sys; print(sys.executable)";
    let output =
        Command::new("python3").args(["-c", script]).output().expect("python3 must be installed for this test");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn an_environment_is_made_once_and_bin_buildout_works() {
    let case = Case::new("[buildout]\nparts =\nversions = pins\n[pins]\nzc.buildout = 4.1.12\nsetuptools = 75.8.2\n");
    // Modules of the build's own must not get in the way of Python's, nor the caller's environment.
    fs::write(case.root.join("json.py"), "raise SystemExit('the wrong json')\n").unwrap();
    fs::write(case.root.join("pip.py"), "raise SystemExit('the wrong pip')\n").unwrap();
    let arguments = ["--eggs-directory", "caches/eggs"];
    let mut command = case.command(&python(), &arguments);
    let output = command.env("PYTHONPATH", &case.root).env("VIRTUAL_ENV", "/nowhere").output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert!(text(&output).contains("zc.buildout 4.1.12 (pinned by the configuration), setuptools 75.8.2"));
    let script = fs::read_to_string(case.root.join("bin/buildout")).unwrap();
    let own = case.root.join("env/bin/python").display().to_string();
    assert!(script.starts_with(&format!("#!{own}")), "{script}");
    fs::remove_file(case.root.join("json.py")).unwrap();
    let buildout = Command::new(case.root.join("bin/buildout")).args(["-c", "b.cfg"]).current_dir(&case.root).output();
    assert!(buildout.as_ref().unwrap().status.success(), "{}", text(&buildout.unwrap()));
    assert!(case.root.join("caches/eggs").is_dir());

    let output = case.run(&python(), &arguments);
    assert!(output.status.success() && text(&output).contains("again"), "{}", text(&output));
    // Killed before its stamp was written: made anew.
    fs::remove_file(case.root.join("env/farmout-bootstrap.json")).unwrap();
    fs::remove_dir_all(case.root.join("env/lib")).unwrap();
    let output = case.run(&python(), &arguments);
    assert!(output.status.success() && text(&output).contains("Making"), "{}", text(&output));
}

#[test]
fn errors_say_what_did_not_fit() {
    let case = Case::new("[buildout]\nparts =\n");
    let said = |output: Output, code: i32| {
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        String::from_utf8(output.stderr).unwrap() + "\n"
    };
    let mut all = said(case.run("python-9.9", &[]), 2);
    all += &said(case.run("/bin/false", &[]), 2);
    all += &said(case.run(&python(), &["--version", "4.99.99"]), 1);
    fs::write(case.root.join("b.cfg"), "[buildout]\nparts =\n[versions]\nsetuptools = 0.0.99\n").unwrap();
    all += &said(case.run(&python(), &[]), 1);
    fs::write(case.root.join("b.cfg"), "[buildout]\nextends = gone.cfg\n").unwrap();
    all += &said(case.run(&python(), &[]), 2);
    fs::write(case.root.join("b.cfg"), "[buildout\nparts =\n").unwrap();
    all += &said(case.run(&python(), &[]), 2);
    fs::write(case.root.join("b.cfg"), "[buildout]\nparts =\n").unwrap();
    fs::remove_dir_all(case.root.join("env")).unwrap();
    fs::create_dir(case.root.join("env")).unwrap();
    fs::write(case.root.join("env/precious"), "").unwrap();
    all += &said(case.run(&python(), &[]), 2);
    let root = case.root.display().to_string();
    let filters =
        [(root.as_str(), "ROOT"), (r"Python 3\.\d+\.\d+", "Python 3.X.Y"), (r"setuptools==7[\d.]+", "setuptools==7X")];
    snapshot!("tool-bootstrap-errors", all, filters);
}
