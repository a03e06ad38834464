//! `farmout tool package` with the real git, Mercurial and Bazaar.

mod common {
    pub mod snapshot;
    pub mod streams;
}

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use common::snapshot::snapshot;
use common::streams::text;

/// Clones `git`, `hg` and `bzr`, in which `buildout/a` and the executable `buildout/b` are tagged 1.0, and changed since.
struct Case {
    root: PathBuf,
    _directory: tempfile::TempDir,
}

/// When everything was committed: Tue Nov 14 22:13:20 UTC 2023.
const TIME: &str = "1700000000";

impl Case {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { root: directory.path().canonicalize().unwrap(), _directory: directory }
    }

    fn call(&self, directory: &str, command: &[&str]) {
        let mut call = Command::new(command[0]);
        call.args(&command[1..]).current_dir(self.root.join(directory)).env("HOME", &self.root);
        call.env("GIT_AUTHOR_DATE", format!("@{TIME} +0100")).env("GIT_COMMITTER_DATE", format!("@{TIME} +0100"));
        call.env("HGRCPATH", "").env("HGUSER", "a <a@example.org>").env("BRZ_EMAIL", "a <a@example.org>");
        for name in ["GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"] {
            call.env(name, "a@example.org");
        }
        let output = call.output().unwrap_or_else(|error| panic!("these tests need {}: {error}", command[0]));
        assert!(output.status.success(), "{command:?}\n{}", text(&output));
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A clone with a tagged commit and a later one; each command is that of the system.
    fn clone(&self, system: &str, commands: [&[&str]; 5]) {
        let [init, add, commit, tag, later] = commands;
        self.write(&format!("{system}/buildout/a"), "as tagged\n");
        self.write(&format!("{system}/buildout/b"), "#!/bin/sh\n");
        self.write(&format!("{system}/other"), "");
        self.call(system, &["chmod", "755", "buildout/b"]);
        for command in [init, add, commit, tag] {
            self.call(system, command);
        }
        self.write(&format!("{system}/buildout/a"), "changed\n");
        self.call(system, later);
        self.write(&format!("{system}/buildout/untracked"), "");
    }

    fn git(&self) {
        let commit: &[&str] = &["git", "commit", "-q", "-a", "-m", "One"];
        let tag: &[&str] = &["git", "tag", "-a", "1.0", "-m", "Release"];
        self.clone("git", [&["git", "init", "-q"], &["git", "add", "-A"], commit, tag, commit]);
    }

    fn package(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_farmout"));
        command.args(["tool", "package"]).args(arguments).current_dir(&self.root).env("NO_COLOR", "1");
        command.env("HOME", &self.root).output().unwrap()
    }

    /// Takes the tagged files of a clone, and checks them.
    fn takes(&self, system: &str) {
        self.write("src/old", "");
        let output = self.package(&["source", "--clone", system, "--tag", "1.0", "--subdir", "buildout/.", "src"]);
        assert!(output.status.success(), "{}", text(&output));
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().last(), Some(TIME));
        assert_eq!(fs::read_to_string(self.root.join("src/a")).unwrap(), "as tagged\n");
        let mut names: Vec<_> = fs::read_dir(self.root.join("src")).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["a", "b"]);
        self.call("src", &["./b"]);
        assert!(self.root.join(system).join("buildout/untracked").exists());
    }
}

#[test]
fn a_tag_of_git_is_taken() {
    let case = Case::new();
    case.git();
    case.takes("git");
}

#[test]
fn a_tag_of_mercurial_is_taken() {
    let case = Case::new();
    let date = format!("{TIME} -3600");
    let commit: &[&str] = &["hg", "commit", "-d", &date, "-m", "One"];
    case.clone("hg", [&["hg", "init"], &["hg", "add"], commit, &["hg", "tag", "1.0"], commit]);
    case.takes("hg");
}

#[test]
fn a_tag_of_bazaar_is_taken() {
    let case = Case::new();
    let commit: &[&str] = &["brz", "commit", "-q", "--commit-time", "2023-11-14 23:13:20 +0100", "-m", "One"];
    case.clone("bzr", [&["brz", "init", "-q"], &["brz", "add", "-q"], commit, &["brz", "tag", "-q", "1.0"], commit]);
    case.takes("bzr");
}

#[test]
fn an_archive_and_its_sum_are_made() {
    let case = Case::new();
    case.git();
    case.takes("git");
    let pack = || {
        let output = case.package(&["archive", "--name", "p-1.0", "--into", "dist", "--time", TIME, "src"]);
        assert!(output.status.success(), "{}", text(&output));
        fs::read(case.root.join("dist/p-1.0.tar.bz2")).unwrap()
    };
    let first = pack();
    case.call("dist", &["md5sum", "--check", "p-1.0.tar.bz2.md5"]);
    // Nothing but the files and the time counts.
    case.takes("git");
    assert_eq!(pack(), first);
    case.call("dist", &["tar", "xjf", "p-1.0.tar.bz2"]);
    case.call("", &["diff", "-r", "src", "dist/p-1.0"]);
    let unreadable =
        Command::new("find").arg(case.root.join("dist")).args(["-type", "f", "!", "-perm", "-444"]).output();
    assert_eq!(text(&unreadable.unwrap()), "");
}

#[test]
fn errors_say_what_to_do() {
    let case = Case::new();
    case.git();
    let root = case.root.display().to_string();
    let failed = |arguments: &[&str], code: i32| {
        let output = case.package(arguments);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        text(&output) + "\n"
    };
    let mut all = failed(&["source", "--clone", "git", "--tag", "1.1", "src"], 1);
    all += &failed(&["source", "--clone", "git", "--tag", "1.0", "--subdir", "nowhere", "src"], 1);
    all += &failed(&["source", "--clone", "git", "--tag", "1.0", "--subdir", "../..", "src"], 1);
    all += &failed(&["source", "--clone", "git", "--tag", "release/1.0", "src"], 2);
    all += &failed(&["source", "--clone", "git", "--tag", "--all", "src"], 2);
    all += &failed(&["source", "--clone", "git/buildout", "--tag", "1.0", "src"], 1);
    all += &failed(&["archive", "--name", "../p", "--into", "dist", "--time", "1", "git"], 2);
    all += &failed(&["archive", "--name", "p", "--into", "dist", "--time", "1", "nowhere"], 1);
    assert!(!case.root.join("src").exists());
    snapshot!("tool-package-errors", all, vec![(root.as_str(), "ROOT")]);
}
