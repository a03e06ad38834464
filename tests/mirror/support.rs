//! Repositories, a farm that watches them, and farmout's mirrors of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::common::{FARMOUT, Ran, as_step_user, command, is_root, open_directory};

/// A directory with `up` for repositories, `mirrors`, and farms.
pub struct Case {
    pub root: PathBuf,
    _directory: TempDir,
}

impl Case {
    pub fn new() -> Self {
        let directory = open_directory();
        let case = Self { root: directory.path().canonicalize().unwrap(), _directory: directory };
        fs::create_dir_all(case.path("up")).unwrap();
        fs::create_dir_all(case.path("home")).unwrap();
        // This makes the account.
        case.watch("one", "");
        case.update().exits(0);
        if is_root() {
            for name in ["up", "home"] {
                assert!(Command::new("chown").arg("farmout:").arg(case.path(name)).status().unwrap().success());
            }
        }
        case
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The address of a repository.
    pub fn up(&self, name: &str) -> String {
        self.path("up").join(name).display().to_string()
    }

    /// The farm of this name watches these lines; it has one build for each blank line between them.
    pub fn watch(&self, farm: &str, lines: &str) {
        let directory = self.path(farm).join("buildouts");
        fs::create_dir_all(&directory).unwrap();
        let mut manifest = String::new();
        for (number, lines) in lines.split("\n\n").enumerate() {
            let lines: String = lines.lines().map(|line| format!("    {}\n", line.trim())).collect();
            manifest += &format!("[b{number}]\nwatch =\n{lines}");
        }
        fs::write(directory.join("MANIFEST.cfg"), manifest).unwrap();
    }

    pub fn farmout(&self, arguments: &[&str]) -> Command {
        let mut command = command(FARMOUT);
        command.arg("mirror").args(arguments).current_dir(&self.root).env("NO_COLOR", "1");
        // The settings of whoever runs the tests are none of theirs.
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command.args(["--mirrors", "mirrors"]);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.farmout(arguments).output().unwrap().into()
    }

    pub fn update(&self) -> Ran {
        self.run(&["update", "--farm", "one"])
    }

    /// An update for programs, which must exit so.
    #[track_caller]
    pub fn json(&self, code: i32) -> Value {
        let ran = self.run(&["update", "--farm", "one", "--format", "json"]).exits(code);
        serde_json::from_str(&ran.out).unwrap()
    }

    /// The only mirror of a system.
    pub fn mirror(&self, vcs: &str) -> PathBuf {
        let entries = fs::read_dir(self.path("mirrors").join(vcs)).unwrap().map(|entry| entry.unwrap().path());
        let mut directories: Vec<_> = entries.filter(|path| path.is_dir()).collect();
        assert_eq!(directories.len(), 1, "{directories:?}");
        directories.remove(0)
    }

    /// A client, in a repository below `up`, or in a directory from the root on.
    #[track_caller]
    pub fn client(&self, program: &str, directory: impl AsRef<Path>, arguments: &[&str]) -> String {
        let mut command = as_step_user(program);
        command.current_dir(self.path("up").join(directory)).args(arguments).env("HOME", self.path("home"));
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("HGRCPATH", "").env("HGPLAIN", "1").env("HGUSER", "a");
        command.env("BRZ_EMAIL", "a@example.org").env("BRZ_LOG", "/dev/null");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "a").env(format!("GIT_{who}_EMAIL"), "a@example.org");
            command.env(format!("GIT_{who}_DATE"), "2026-01-01T00:00:00Z");
        }
        let output = command.output().unwrap_or_else(|error| panic!("these tests need {program}: {error}"));
        assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub fn git(&self, repository: impl AsRef<Path>, arguments: &[&str]) -> String {
        self.client("git", repository, arguments)
    }

    pub fn hg(&self, repository: impl AsRef<Path>, arguments: &[&str]) -> String {
        self.client("hg", repository, arguments)
    }

    pub fn brz(&self, branch: impl AsRef<Path>, arguments: &[&str]) -> String {
        self.client("brz", branch, arguments)
    }

    /// A Git repository below `up` with a commit on `main`.
    pub fn git_repository(&self, name: &str) {
        self.git(".", &["init", "-q", "-b", "main", name]);
        self.git_commit(name, "1");
    }

    /// A commit on the branch of the working tree; its identifier.
    pub fn git_commit(&self, name: &str, message: &str) -> String {
        self.git(name, &["commit", "-q", "--allow-empty", "-m", message]);
        self.git(name, &["rev-parse", "HEAD"])
    }

    /// A commit in a Mercurial repository; its identifier.
    pub fn hg_commit(&self, name: &str, content: &str) -> String {
        self.write(&format!("{name}/f"), content);
        self.hg(name, &["commit", "-q", "--addremove", "-d", "0 0", "-m", content]);
        self.hg(name, &["log", "-r", ".", "-T", "{node}"])
    }

    /// A commit in a Bazaar branch; its number and identifier.
    pub fn brz_commit(&self, name: &str, message: &str) -> String {
        self.brz(name, &["commit", "-q", "--unchanged", "-m", message]);
        self.brz(name, &["revision-info"])
    }

    /// Writes a file below `up`, as the user that the repositories belong to.
    fn write(&self, name: &str, content: &str) {
        let script = format!("printf %s '{content}' > '{name}'");
        self.client("sh", ".", &["-c", &script]);
    }
}

/// The repository of this system in an update for programs.
#[track_caller]
pub fn of<'a>(update: &'a Value, vcs: &str) -> &'a Value {
    let repositories = update["repositories"].as_array().unwrap();
    let mut found = repositories.iter().filter(|it| it["vcs"] == vcs);
    let repository = found.next().unwrap_or_else(|| panic!("no {vcs} in {update}"));
    assert!(found.next().is_none(), "several {vcs} in {update}");
    repository
}

/// What happened to a branch: the kind of its change, and where it is.
#[track_caller]
pub fn branch<'a>(update: &'a Value, vcs: &str, name: &str) -> (&'a str, &'a str) {
    let branches = of(update, vcs)["branches"].as_array().unwrap();
    let branch = branches.iter().find(|it| it["branch"] == name).unwrap_or_else(|| panic!("no {name} in {update}"));
    (branch["change"]["kind"].as_str().unwrap_or("none"), branch["head"].as_str().unwrap_or("nowhere"))
}
