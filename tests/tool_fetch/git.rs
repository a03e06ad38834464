//! `farmout tool fetch git`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use super::snapshot::snapshot;
use super::streams::text;

/// A repository `up`, and a directory `d` to fetch it into.
struct Case {
    root: PathBuf,
    _directory: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let case = Self { root: directory.path().canonicalize().unwrap(), _directory: directory };
        case.repository("up");
        case
    }

    fn repository(&self, name: &str) {
        fs::create_dir(self.path(name)).unwrap();
        self.git(name, &["init", "-q", "-b", "main"]);
        self.commit(name, "a", "1");
    }

    fn git(&self, repository: &str, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.current_dir(self.path(repository)).args(["-c", "user.name=a", "-c", "user.email=a@example.org"]);
        let output = command.args(arguments).output().expect("git must be installed for this test");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self, repository: &str, file: &str, text: &str) {
        fs::write(self.path(repository).join(file), text).unwrap();
        self.git(repository, &["add", "--force", file]);
        self.git(repository, &["commit", "-q", "-m", text]);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_farmout"));
        command.args(["tool", "fetch", "git"]).args(arguments).current_dir(&self.root).env("NO_COLOR", "1");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Fetches a branch of `up` into `d` and checks that it is what the output says.
    fn fetch(&self, branch: &str) -> String {
        let output = self.run(&["--url", self.up(), "--branch", branch, "--into", "d"]);
        assert!(output.status.success(), "{}", text(&output));
        let revision = String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned();
        assert_eq!(revision, self.git("d", &["rev-parse", "HEAD"]));
        assert_eq!(self.git("d", &["status", "--porcelain"]), "");
        revision
    }

    /// The repository's address; leaked, as it lives for one test.
    fn up(&self) -> &'static str {
        Box::leak(self.path("up").display().to_string().into_boxed_str())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }
}

#[test]
fn a_clone_follows_its_branch_and_forgets_what_a_build_did() {
    let case = Case::new();
    case.commit("up", ".gitignore", "*.pyc\n");
    let first = case.fetch("main");
    assert_eq!(first, case.git("up", &["rev-parse", "main"]));
    fs::write(case.path("d/a"), "changed").unwrap();
    fs::write(case.path("d/left"), "behind").unwrap();
    fs::write(case.path("d/a.pyc"), "ignored").unwrap();
    case.commit("up", "a", "2");
    assert_ne!(case.fetch("main"), first);
    assert_eq!(case.read("d/a"), "2");
    assert!(!case.path("d/left").exists() && case.path("d/a.pyc").exists());
    // Forced back, and to a history that has nothing in common with it.
    case.git("up", &["reset", "-q", "--hard", "HEAD~1"]);
    assert_eq!(case.fetch("main"), first);
    case.git("up", &["checkout", "-q", "--orphan", "other"]);
    case.commit("up", "a", "3");
    case.git("up", &["branch", "-M", "other", "main"]);
    case.fetch("main");
    assert_eq!(case.read("d/a"), "3");
}

#[test]
fn branches_tags_and_head_are_found_whatever_their_names() {
    let case = Case::new();
    case.git("up", &["tag", "-a", "-m", "one", "v1"]);
    let tagged = case.git("up", &["rev-parse", "HEAD"]);
    case.commit("up", "a", "2");
    let head = case.git("up", &["rev-parse", "HEAD"]);
    for name in ["--upload-pack=touch_pwned", "-f", "deep/er"] {
        case.git("up", &["update-ref", &format!("refs/heads/{name}"), "HEAD"]);
    }
    for name in ["main", "HEAD", "--upload-pack=touch_pwned", "-f", "refs/heads/main", "deep/er"] {
        assert_eq!(case.fetch(name), head, "{name}");
    }
    assert_eq!(case.fetch("v1"), tagged);
    // A branch where a branch's directory was.
    case.fetch("deep/er");
    case.git("up", &["update-ref", "-d", "refs/heads/deep/er"]);
    case.git("up", &["update-ref", "refs/heads/deep", "HEAD"]);
    assert_eq!(case.fetch("deep"), head);
    assert!(!case.path("pwned").exists() && !case.path("d/pwned").exists());
}

#[test]
fn a_damaged_directory_is_repaired() {
    let case = Case::new();
    let head = case.fetch("main");
    // A git that was killed.
    fs::write(case.path("d/.git/index.lock"), "").unwrap();
    fs::write(case.path("d/.git/shallow.lock"), "").unwrap();
    assert_eq!(case.fetch("main"), head);
    // Objects that are gone.
    fs::remove_dir_all(case.path("d/.git/objects")).unwrap();
    assert_eq!(case.fetch("main"), head);
    // A clone that was killed half-way, by git itself and by us.
    fs::remove_dir_all(case.path("d")).unwrap();
    fs::create_dir_all(case.path("d/.git/objects")).unwrap();
    fs::create_dir_all(case.path("d/.farmout-new/objects")).unwrap();
    assert_eq!(case.fetch("main"), head);
    assert!(!case.path("d/.farmout-new").exists());
    // Another repository's clone.
    case.repository("other");
    fs::remove_dir_all(case.path("d")).unwrap();
    case.git(".", &["clone", "-q", "other", "d"]);
    fs::write(case.path("d/old.pyc"), "").unwrap();
    assert_eq!(case.fetch("main"), head);
    assert!(!case.path("d/old.pyc").exists());
}

#[test]
fn killed_at_any_moment_the_next_fetch_works() {
    let case = Case::new();
    for number in 0..40 {
        fs::write(case.path("up").join(format!("f{number}")), "x".repeat(20_000)).unwrap();
    }
    case.git("up", &["add", "."]);
    case.git("up", &["commit", "-q", "-m", "much"]);
    for milliseconds in [5, 15, 25, 35, 45, 60, 80] {
        let _ = fs::remove_dir_all(case.path("d"));
        let mut command = case.command(&["--url", case.up(), "--branch", "main", "--into", "d"]);
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        child.kill().unwrap();
        child.wait().unwrap();
        // Its git lives on for a moment, and a second fetch is refused until that has ended.
        let busy =
            || text(&case.run(&["--url", case.up(), "--branch", "main", "--into", "d"])).contains("another fetch");
        for _ in 0..100 {
            if !busy() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        case.fetch("main");
        assert!(case.path("d/f39").exists());
    }
}

#[test]
fn no_hook_runs_and_the_callers_repository_is_left_alone() {
    let case = Case::new();
    case.fetch("main");
    case.repository("mine");
    let before = case.git("mine", &["rev-parse", "HEAD"]);
    let hooks = case.path("d/.git/hooks");
    fs::create_dir_all(&hooks).unwrap();
    for hook in ["post-checkout", "post-merge", "reference-transaction"] {
        fs::write(hooks.join(hook), format!("#!/bin/sh\ntouch {}\n", case.path("pwned").display())).unwrap();
        assert!(Command::new("chmod").arg("755").arg(hooks.join(hook)).status().unwrap().success());
    }
    case.commit("up", "a", "2");
    let mut command = case.command(&["--url", case.up(), "--branch", "main", "--into", "d"]);
    command.env("GIT_DIR", case.path("mine/.git")).env("GIT_INDEX_FILE", "x").env("GIT_WORK_TREE", case.path("mine"));
    // In a hook that looks at what was pushed before it is taken, git lets nobody change a branch.
    command.env("GIT_QUARANTINE_PATH", case.path("mine/.git/objects/incoming"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(case.read("d/a"), "2");
    assert_eq!(case.git("mine", &["rev-parse", "HEAD"]), before);
    assert!(!case.path("pwned").exists());
}

#[test]
fn a_shallow_clone_is_shallow_until_it_need_not_be() {
    let case = Case::new();
    case.commit("up", "a", "2");
    let url = format!("file://{}", case.up());
    let arguments = ["--url", &url, "--branch", "main", "--into", "d", "--shallow"];
    let count = |arguments: &[&str]| {
        let output = case.run(arguments);
        assert!(output.status.success(), "{}", text(&output));
        case.git("d", &["rev-list", "--count", "HEAD"])
    };
    assert_eq!(count(&arguments), "1");
    case.commit("up", "a", "3");
    assert_eq!(count(&arguments), "1");
    assert_eq!(count(&arguments[..6]), "3");
}

#[test]
fn the_current_directory_and_what_is_kept() {
    let case = Case::new();
    fs::create_dir_all(case.path("d/parts")).unwrap();
    fs::write(case.path("d/parts/x"), "").unwrap();
    let arguments = ["--url", case.up(), "--branch", "main", "--into", ".", "--keep", "parts"];
    for _ in 0..2 {
        let output = case.command(&arguments).current_dir(case.path("d")).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        assert!(case.path("d/parts/x").exists() && case.path("d/a").exists());
    }
}

#[test]
fn errors_say_what_to_do_and_show_no_password() {
    let case = Case::new();
    case.git("up", &["branch", "release-7.0"]);
    fs::create_dir(case.path("empty")).unwrap();
    case.git("empty", &["init", "-q"]);
    let empty = case.path("empty").display().to_string();
    let cases: [(&str, &str, i32); 7] = [
        (case.up(), "relase-7.0", 3),
        (case.up(), "", 2),
        (&empty, "main", 3),
        ("-x", "main", 1),
        ("--upload-pack=touch pwned", "main", 1),
        ("ext::sh -c 'touch pwned'", "main", 1),
        ("https://me:s3cret-word@localhost:1/x.git", "main", 1),
    ];
    let mut all = String::new();
    for (url, branch, code) in cases {
        let output = case.run(&["--url", url, "--branch", branch, "--into", "e"]);
        assert_eq!(output.status.code(), Some(code), "{url}: {}", text(&output));
        assert!(!text(&output).contains("s3cret-word"), "{}", text(&output));
        all.push_str(&String::from_utf8(output.stderr).unwrap());
        all.push('\n');
    }
    assert!(!case.path("pwned").exists() && !case.path("e/pwned").exists());
    let root = case.root.display().to_string();
    snapshot!("tool-fetch-errors", all, [(root.as_str(), "ROOT"), (r"localhost port 1.*", "localhost port 1 …")]);
    let output = case.run(&["--url", case.up(), "--branch", "main", "--into", "/"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
}

#[test]
fn an_old_clone_survives_a_server_that_does_not_answer() {
    let case = Case::new();
    case.fetch("main");
    fs::rename(case.path("up"), case.path("gone")).unwrap();
    let output = case.run(&["--url", case.up(), "--branch", "main", "--into", "d"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(case.read("d/a"), "1");
}

#[test]
fn tags_are_as_they_are_over_there() {
    let case = Case::new();
    case.git("up", &["tag", "moved"]);
    case.git("up", &["tag", "gone"]);
    case.fetch("main");
    case.commit("up", "a", "2");
    case.git("up", &["tag", "--force", "-a", "-m", "again", "moved"]);
    case.git("up", &["tag", "--delete", "gone"]);
    case.git("up", &["checkout", "-q", "-b", "other"]);
    case.commit("up", "a", "3");
    // Where a tag's directory may be: git makes no file and directory of one name.
    case.git("up", &["tag", "gone/beside"]);
    case.fetch("main");
    let tags = |repository| case.git(repository, &["for-each-ref", "refs/tags"]);
    assert_eq!(tags("d"), tags("up"));
    assert!(tags("d").contains("refs/tags/gone/beside"));
    // A shallow clone has those of its one commit.
    let shallow = ["--url", &format!("file://{}", case.up()), "--branch", "main", "--into", "s", "--shallow"];
    for text_of_a in ["4", "5"] {
        let output = case.run(&shallow);
        assert!(output.status.success(), "{}", text(&output));
        assert_eq!(case.git("s", &["tag"]), "moved");
        case.git("up", &["checkout", "-q", "main"]);
        case.commit("up", "a", text_of_a);
        case.git("up", &["tag", "--force", "moved"]);
    }
}

#[test]
fn a_revision_is_found_wherever_it_still_is() {
    let case = Case::new();
    case.git("up", &["checkout", "-q", "-b", "merged"]);
    case.commit("up", "a", "2");
    let merged = case.git("up", &["rev-parse", "HEAD"]);
    case.git("up", &["checkout", "-q", "main"]);
    let at = |url: &str, branch: &str, revision: &str, into: &str, home: &str| {
        let arguments = ["--url", url, "--branch", branch, "--revision", revision, "--into", into];
        case.command(&arguments).env("HOME", case.path(home)).output().unwrap()
    };
    let has = |output: Output, into: &str, revision: &str| {
        assert!(output.status.success(), "{}", text(&output));
        assert_eq!(text(&output).trim_end().lines().last(), Some(revision));
        assert_eq!(case.git(into, &["rev-parse", "HEAD"]), revision);
        text(&output)
    };
    has(at(case.up(), "merged", &merged, "d", "."), "d", &merged);
    // The branch is merged and deleted.
    case.git("up", &["merge", "-q", "--no-ff", "merged"]);
    case.git("up", &["branch", "-q", "-D", "merged"]);
    case.commit("up", "a", "3");
    case.fetch("main");
    has(at(case.up(), "merged", &merged, "d", "."), "d", &merged);
    has(at(case.up(), "merged", &merged, "fresh", "."), "fresh", &merged);
    // The branch was rewritten, and only a tag leads there, or nothing at all does but the repository gives it out.
    let head = case.git("up", &["rev-parse", "HEAD"]);
    case.git("up", &["tag", "kept", &merged]);
    case.git("up", &["reset", "-q", "--hard", "HEAD~2"]);
    has(at(case.up(), "main", &merged, "tagged", "."), "tagged", &merged);
    has(at(case.up(), "main", &head, "loose", "."), "loose", &head);
    // A server that gives out no more than its branches and tags have.
    fs::create_dir(case.path("old")).unwrap();
    fs::write(case.path("old/.gitconfig"), "[protocol]\nversion = 0\n").unwrap();
    let later = case.git("up", &["commit-tree", "-p", &head, "-m", "later", &format!("{head}^{{tree}}")]);
    case.git("up", &["branch", "other", &later]);
    let told = has(at(case.up(), "main", &head, "other", "old"), "other", &head);
    assert!(told.contains("fetching all branches"), "{told}");
    case.git("up", &["branch", "-D", "other"]);
    let mut all = String::new();
    for branch in ["main", "merged"] {
        let output = at(case.up(), branch, &head, "e", "old");
        assert_eq!(output.status.code(), Some(3), "{}", text(&output));
        all.push_str(&String::from_utf8(output.stderr).unwrap().replace(&head, "HASH"));
        all.push('\n');
    }
    snapshot!("tool-fetch-gone", all, [(case.up(), "UP")]);
    // A clone that has it needs nothing.
    has(at(case.up(), "main", &head, "loose", "old"), "loose", &head);
}

#[test]
fn what_the_build_goes_on_with_is_demanded() {
    let case = Case::new();
    for file in ["deploy/buildout.cfg", "deploy/dev.cfg", "deploy/README", "docs/index"] {
        fs::create_dir_all(case.path("up").join(file).parent().unwrap()).unwrap();
        case.commit("up", file, file);
    }
    case.git("up", &["tag", "v1"]);
    let keep = ["--keep", "deploy/bin", "--keep", "parts"];
    for made in ["d/deploy/bin", "d/parts"] {
        fs::create_dir_all(case.path(made)).unwrap();
    }
    let at = |branch: &str, path: &str| {
        let arguments = ["--url", case.up(), "--branch", branch, "--into", "d", "--expect", path];
        case.run(&[&arguments[..], &keep].concat())
    };
    for path in ["deploy/buildout.cfg", "./deploy/../deploy/buildout.cfg"] {
        assert!(at("main", path).status.success());
    }
    let mut all = String::new();
    for (branch, path, code) in [
        ("main", "deploi/buildout.cfg", 3),
        ("main", "deploy/sub/buildout.cfg", 3),
        ("v1", "deploy/buildouts.cfg", 3),
        ("HEAD", "deploy", 3),
        ("main", "a/buildout.cfg", 3),
        ("main", "../buildout.cfg", 2),
    ] {
        let output = at(branch, path);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        all.push_str(&String::from_utf8(output.stderr).unwrap());
        all.push('\n');
    }
    snapshot!("tool-fetch-expected", all, [(case.up(), "UP")]);
}

mod root {
    use super::*;

    /// What is advised is done, and helps.
    #[test]
    fn a_repository_of_somebody_else() {
        assert!(nix::unistd::geteuid().is_root(), "this test hands a repository to somebody else: run it as root");
        let case = Case::new();
        fs::rename(case.path("up"), case.path("it's up")).unwrap();
        let url = case.path("it's up").display().to_string();
        assert!(Command::new("chown").args(["-R", "65534:65534", &url]).status().unwrap().success());
        let system = case.path("system");
        let strict = |mut command: Command| {
            command.env("GIT_CONFIG_SYSTEM", &system).env("GIT_CONFIG_GLOBAL", "/dev/null").env_remove("SUDO_UID");
            command.output().unwrap()
        };
        let fetch = || strict(case.command(&["--url", &url, "--branch", "main", "--into", "d"]));
        let output = fetch();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        let told = String::from_utf8(output.stderr).unwrap();
        let root = case.root.display().to_string();
        snapshot!("tool-fetch-owner", told, [(root.as_str(), "ROOT")]);
        let advice = told.split('`').find(|words| words.starts_with("git config")).expect("a command is advised");
        let mut shell = Command::new("sh");
        shell.args(["-c", advice]).current_dir("/");
        assert!(strict(shell).status.success());
        assert!(fetch().status.success());
    }
}
