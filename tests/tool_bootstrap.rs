//! `farmout tool bootstrap` with real Pythons and the real package index.

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

/// A command for which there is no package index, nor anything else beyond this machine.
fn cut_off(command: &mut Command) -> &mut Command {
    for name in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "PIP_PROXY"] {
        command.env(name, "http://127.0.0.1:9");
    }
    // What pip keeps for itself does not count either.
    command.env_remove("PIP_FIND_LINKS").env_remove("no_proxy").env_remove("NO_PROXY").env("PIP_RETRIES", "1");
    command.env("PIP_NO_CACHE_DIR", "1")
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
fn the_setuptools_that_is_asked_for_is_the_one_that_is_used() {
    let case = Case::new("[buildout]\nparts =\n[versions]\nzc.buildout = 4.1.12\nsetuptools = 75.8.2\n");
    let version = |program: &str| {
        let output = Command::new(case.root.join(program))
            .args(["-c", "import setuptools; print(setuptools.__version__)"])
            .current_dir(&case.root)
            .output();
        text(&output.unwrap()).trim().to_owned()
    };
    let output = case.run(&python(), &["--setuptools", "75.3.2"]);
    assert!(output.status.success(), "{}", text(&output));
    assert!(
        text(&output).contains("setuptools 75.3.2 is asked for, and the configuration pins 75.8.2"),
        "{}",
        text(&output)
    );
    assert_eq!(version("env/bin/python"), "75.3.2");
    // Without it the pin counts again.
    let output = case.run(&python(), &[]);
    assert!(output.status.success() && text(&output).contains("Making"), "{}", text(&output));
    assert_eq!(version("env/bin/python"), "75.8.2");
}

/// A develop egg, and a part that needs it.
fn with_egg(case: &Case, versions: &str) {
    let setup = "from setuptools import setup\nsetup(name='own', version='1.0', py_modules=['own'])\n";
    fs::create_dir(case.root.join("src")).unwrap();
    fs::write(case.root.join("src/setup.py"), setup).unwrap();
    fs::write(case.root.join("src/own.py"), "text = 'it works'\n").unwrap();
    let configuration = format!(
        "[buildout]\nparts = own\ndevelop = src\n[own]\nrecipe = zc.recipe.egg\neggs = own\ninterpreter = py\n[versions]\n{versions}"
    );
    fs::write(case.root.join("b.cfg"), configuration).unwrap();
}

/// Runs bin/buildout as the step after the bootstrap does, and what it makes.
fn build(case: &Case, command: &mut Command) {
    let output = command.current_dir(&case.root).env("BUILDOUT_HOME", case.root.join("env")).env("HOME", &case.root);
    let output = output.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let py = Command::new(case.root.join("bin/py")).args(["-c", "import own; print(own.text)"]).output().unwrap();
    assert_eq!(text(&py), "it works\n");
}

#[test]
fn what_a_slave_installed_once_needs_no_network() {
    let case = Case::new("");
    with_egg(&case, "zc.buildout = 4.1.12\n");
    let arguments = ["--eggs-directory", "caches/eggs", "--dists", "caches/dists"];
    let output = cut_off(&mut case.command(&python(), &arguments)).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("the package index cannot be reached"), "{}", text(&output));

    let output = case.run(&python(), &arguments);
    assert!(output.status.success(), "{}", text(&output));
    build(
        &case,
        Command::new(case.root.join("bin/buildout")).args(["-c", "b.cfg", "buildout:eggs-directory=caches/eggs"]),
    );

    let again = |sign: &str| {
        for made in ["env", "bin", "parts", "develop-eggs"] {
            fs::remove_dir_all(case.root.join(made)).unwrap();
        }
        fs::remove_file(case.root.join(".installed.cfg")).unwrap();
        let output = cut_off(&mut case.command(&python(), &arguments)).output().unwrap();
        assert!(output.status.success() && text(&output).contains(sign), "{}", text(&output));
        let mut command = Command::new(case.root.join("bin/buildout"));
        build(&case, cut_off(command.args(["-o", "-c", "b.cfg", "buildout:eggs-directory=caches/eggs"])));
    };
    again("Installed zc.buildout==4.1.12 setuptools==");

    // An egg that some buildout left is as good.
    let wheels = fs::read_dir(case.root.join("caches/dists")).unwrap().map(|entry| entry.unwrap().path());
    let wheel = wheels.into_iter().find(|path| path.to_str().unwrap().contains("buildout")).unwrap();
    let egg = "import glob, os, shutil, sys, zipfile\n\
        wheel, egg = sys.argv[1], sys.argv[2] + '-py%d.%d.egg' % sys.version_info[:2]\n\
        zipfile.ZipFile(wheel).extractall(egg)\n\
        info = os.path.join(egg, 'EGG-INFO')\n\
        os.rename(glob.glob(egg + '/*.dist-info')[0], info)\n\
        os.rename(info + '/METADATA', info + '/PKG-INFO')\n\
        os.remove(wheel)\n";
    let place = case.root.join("caches/eggs/zc.buildout-4.1.12");
    let status = Command::new(python()).args(["-c", egg]).arg(&wheel).arg(&place).status().unwrap();
    assert!(status.success());
    again("Taking zc.buildout 4.1.12 from");
}

/// `tests/run` leaves these out where there is no Python 2.7, and says so.
mod python27 {
    use super::*;

    fn python2() -> String {
        let named = std::env::var("FARMOUT_PYTHON27").unwrap_or_else(|_| "python2.7".to_owned());
        let works = Command::new(&named).args(["-c", "import sys; print(sys.executable)"]).output();
        match works {
            Ok(output) if output.status.success() => String::from_utf8(output.stdout).unwrap().trim().to_owned(),
            _ => panic!("`{named}` is no Python that runs: name a Python 2.7 in FARMOUT_PYTHON27"),
        }
    }

    fn bootstraps(pins: &str, said: &str, made: &str) {
        let case = Case::new("");
        with_egg(&case, pins);
        let arguments = ["--eggs-directory", "caches/eggs", "--dists", "caches/dists"];
        let output = case.run(&python2(), &arguments);
        assert!(output.status.success() && text(&output).contains(said), "{}", text(&output));
        let bin = case.root.join("bin/buildout");
        build(&case, Command::new(&bin).args(["-c", "b.cfg", "buildout:eggs-directory=caches/eggs"]));
        assert!(case.root.join("caches/eggs").join(made).exists());

        fs::remove_dir_all(case.root.join("env")).unwrap();
        let output = cut_off(&mut case.command(&python2(), &arguments)).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        build(&case, cut_off(Command::new(&bin).args(["-o", "-c", "b.cfg", "buildout:eggs-directory=caches/eggs"])));
    }

    #[test]
    fn version_1_works_without_pins_of_the_rest() {
        bootstraps("zc.buildout = 1.7.1\n", "setuptools 36.8.0", "zc.recipe.egg-1.3.2-py2.7.egg");
    }

    #[test]
    fn version_2_is_the_newest() {
        bootstraps("", "zc.buildout 2.13.8 (the newest for this Python)", "zc.recipe.egg-2.0.7-py2.7.egg");
    }

    #[test]
    fn an_early_version_2_works() {
        bootstraps("zc.buildout = 2.2.1\n", "setuptools 7.0", "zc.recipe.egg-2.0.1-py2.7.egg");
    }
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
    fs::write(case.root.join("b.cfg"), "[buildout]\nparts =\n[versions]\nzc.buildout = 1.7.1\n").unwrap();
    all += &said(case.run(&python(), &[]), 1);
    fs::write(case.root.join("b.cfg"), "[buildout]\nparts =\n").unwrap();
    all += &said(case.run(&python(), &["--version", "4.1.12", "--setuptools", "82.0.0"]), 1);
    all += &said(case.run(&python(), &["--setuptools", ">=70"]), 2);
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
