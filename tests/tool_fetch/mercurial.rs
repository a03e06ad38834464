//! `farmout tool fetch hg` and `hgtag`.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use super::snapshot::snapshot;
use super::streams::text;
use super::support::{Place, gives_its_password_to_the_server_only, told};

/// A repository `up` with the branches `default` and `7.0` and the tag `v1`, and a directory `d` to fetch it into.
struct Case {
    place: Place,
    up: String,
}

impl Case {
    fn new() -> Self {
        let place = Place::new();
        let up = place.path("up").display().to_string();
        let case = Self { place, up };
        case.hg(".", &["init", "up"]);
        case.place.write("up/.hgignore", "[.]pyc$\n");
        case.commit("a", "1");
        case.hg("up", &["tag", "-d", "0 0", "v1"]);
        case.hg("up", &["branch", "-q", "7.0"]);
        case.commit("a", "seven");
        case.hg("up", &["update", "-q", "default"]);
        case
    }

    fn hg(&self, repository: &str, arguments: &[&str]) -> String {
        let mut command = Command::new("hg");
        command.current_dir(self.place.path(repository)).args(arguments);
        command.env("HGRCPATH", "").env("HGPLAIN", "1").env("HGUSER", "a");
        let output = command.output().expect("hg must be installed for this test");
        assert!(output.status.success(), "hg {arguments:?}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self, file: &str, content: &str) {
        self.place.write(&format!("up/{file}"), content);
        self.hg("up", &["commit", "-q", "--addremove", "-d", "0 0", "-m", content]);
    }

    fn node(&self, repository: &str, name: &str) -> String {
        self.hg(repository, &["log", "-r", name, "-T", "{node}"])
    }

    /// Fetches a branch of `up` into `d` and checks that it is what the output says.
    #[track_caller]
    fn fetch(&self, branch: &str) -> String {
        let revision = self.place.fetch(&["hg", "--url", &self.up, "--branch", branch, "--into", "d"]);
        assert_eq!(revision, self.node("d", "."));
        assert_eq!(self.hg("d", &["status"]), "");
        revision
    }
}

#[test]
fn a_clone_follows_its_branch_and_forgets_what_a_build_did() {
    let case = Case::new();
    let first = case.fetch("default");
    assert_eq!(first, case.node("up", "default"));
    case.place.write("d/a", "changed");
    case.place.write("d/left/behind", "");
    case.place.write("d/a.pyc", "ignored");
    fs::remove_file(case.place.path("d/.hgignore")).unwrap();
    case.commit("a", "2");
    assert_ne!(case.fetch("default"), first);
    assert_eq!(case.place.read("d/a"), "2");
    assert_eq!(case.place.list("d"), [".hgignore", ".hgtags", "a", "a.pyc"]);
    assert_eq!(case.fetch("7.0"), case.node("up", "7.0"));
    assert_eq!(case.place.read("d/a"), "seven");
    // Forced back: the clone still knows the commit that the repository forgot.
    case.hg("up", &["--config", "extensions.strip=", "strip", "-q", "--no-backup", "default"]);
    assert_eq!(case.fetch("default"), first);
    // A history that has nothing in common with it.
    fs::remove_dir_all(case.place.path("up")).unwrap();
    case.hg(".", &["init", "up"]);
    case.commit("b", "new");
    case.fetch("default");
    assert_eq!(case.place.list("d"), ["b"]);
}

#[test]
fn names_are_names_and_a_tag_is_a_tag() {
    let case = Case::new();
    let (first, tagged) = (case.node("up", "0"), case.node("up", "v1"));
    case.hg("up", &["bookmark", "-r", "v1", "mark"]);
    case.hg("up", &["branch", "-q", "--", "--rev=0"]);
    case.commit("c", "odd");
    assert_eq!(case.fetch("v1"), tagged);
    assert_eq!(case.fetch("mark"), tagged);
    assert_eq!(case.fetch(&first), first);
    assert_eq!(case.fetch("--rev=0"), case.node("up", "tip"));
    let tag = |tag, into| case.place.run(&["hgtag", "--url", &case.up, "--tag", tag, "--into", into]);
    let output = tag("v1", "t");
    assert!(text(&output).ends_with(&format!("{tagged}\n")), "{}", text(&output));
    let branch = |branch, into| case.place.run(&["hg", "--url", &case.up, "--branch", branch, "--into", into]);
    let refused = [
        told(&branch("7.O", "e"), 3),
        told(&branch("2", "e"), 3),
        told(&branch(&first[..7], "e"), 3).replace(&first[..7], "HASH"),
        told(&branch("", "e"), 2),
        told(&branch("v1:7.0", "e"), 2),
        told(&tag("7.0", "t"), 3),
        told(&tag("v2", "t"), 3),
        told(&tag("mark", "e"), 3),
        told(&tag("tip", "e"), 3),
    ];
    snapshot!("tool-fetch-hg-names", refused.concat(), [(case.place.shown(), "ROOT")]);
    // What was there stays.
    assert!(case.place.path("t/a").exists());
    assert_eq!(case.place.list("e"), Vec::<String>::new());
}

#[test]
fn a_revision_is_found_whatever_its_names_are_now() {
    let case = Case::new();
    let tagged = case.node("up", "v1");
    case.commit("a", "2");
    case.hg("up", &["tag", "-d", "0 0", "--force", "v1"]);
    let at = |tag: &str, revision: &str, into: &str| {
        case.place.run(&["hgtag", "--url", &case.up, "--tag", tag, "--revision", revision, "--into", into])
    };
    for (tag, into) in [("v1", "d"), ("v1", "d"), ("never", "e")] {
        let output = at(tag, &tagged, into);
        assert!(text(&output).ends_with(&format!("{tagged}\n")), "{}", text(&output));
        assert_eq!(case.node(into, "."), tagged);
    }
    case.fetch("default");
    // What was stripped is said.
    let gone = case.node("up", "default");
    case.hg("up", &["--config", "extensions.strip=", "strip", "-q", "--no-backup", &gone]);
    let told = told(&at("v1", &gone, "new"), 3).replace(&gone, "HASH");
    snapshot!("tool-fetch-hg-gone", told, [(case.place.shown(), "ROOT")]);
    assert_eq!(case.place.list("new"), Vec::<String>::new());
    // A clone that has it needs nothing.
    assert!(text(&at("v1", &gone, "e")).ends_with(&format!("{gone}\n")));
}

#[test]
fn what_the_build_goes_on_with_is_demanded() {
    let case = Case::new();
    let first = case.node("up", "v1");
    case.commit("buildout.cfg", "[buildout]");
    case.hg("up", &["tag", "-d", "0 0", "v2"]);
    let at = |arguments: &[&str]| {
        let all = [arguments, &["--url", &case.up, "--into", "d", "--expect", "buildout.cfg"]].concat();
        case.place.run(&all)
    };
    assert!(at(&["hg", "--branch", "default"]).status.success());
    let told = [
        told(&at(&["hg", "--branch", "7.0"]), 3),
        told(&at(&["hgtag", "--tag", "v1"]), 3),
        told(&at(&["hgtag", "--tag", "v2", "--revision", &first]), 3).replace(&first, "HASH"),
    ];
    snapshot!("tool-fetch-hg-expected", told.concat(), [(case.place.shown(), "ROOT")]);
}

#[test]
fn a_damaged_directory_is_repaired() {
    let case = Case::new();
    let head = case.fetch("default");
    // Locks of an hg that was killed on another machine, and a transaction that it did not end.
    symlink("elsewhere:1", case.place.path("d/.hg/wlock")).unwrap();
    symlink("elsewhere:1", case.place.path("d/.hg/store/lock")).unwrap();
    case.place.write("d/.hg/store/journal", "");
    assert_eq!(case.fetch("default"), head);
    // A history that is gone.
    fs::remove_file(case.place.path("d/.hg/store/00changelog.i")).unwrap();
    assert_eq!(case.fetch("default"), head);
    // A clone that was killed half-way, by hg itself and by us.
    fs::remove_dir_all(case.place.path("d")).unwrap();
    fs::create_dir_all(case.place.path("d/.hg/store")).unwrap();
    fs::create_dir_all(case.place.path("d/.farmout-new/.hg/store")).unwrap();
    assert_eq!(case.fetch("default"), head);
    // A directory where a file belongs.
    fs::remove_file(case.place.path("d/a")).unwrap();
    case.place.write("d/a/b", "");
    assert_eq!(case.fetch("default"), head);
    // Another system's clone, and what was ignored in it.
    fs::remove_dir_all(case.place.path("d")).unwrap();
    assert!(Command::new("git").args(["init", "-q"]).arg(case.place.path("d")).status().unwrap().success());
    case.place.write("d/old.pyc", "");
    case.place.write("d/parts/x", "");
    case.place.fetch(&["hg", "--url", &case.up, "--branch", "default", "--into", "d", "--keep", "parts"]);
    assert!(!case.place.path("d/.git").exists());
    assert_eq!(case.place.list("d"), [".hgignore", ".hgtags", "a", "parts"]);
    // The same repository by another address is another one.
    case.place.write("d/old.pyc", "");
    case.place.fetch(&["hg", "--url", &format!("file://{}", case.up), "--branch", "default", "--into", "d"]);
    assert_eq!(case.place.list("d"), [".hgignore", ".hgtags", "a"]);
}

#[test]
fn killed_at_any_moment_the_next_fetch_works() {
    let case = Case::new();
    for number in 0..40 {
        case.place.write(&format!("up/f{number}"), &"x".repeat(20_000));
    }
    case.commit("much", "much");
    let arguments = ["hg", "--url", &case.up, "--branch", "default", "--into", "d"];
    case.place.killed_at_any_moment(&arguments, "d", &[100, 400, 700, 1000, 1300], || {
        assert!(case.place.path("d/f39").exists());
        assert_eq!(case.hg("d", &["status"]), "");
    });
}

#[test]
fn no_hook_runs_and_no_settings_count() {
    let case = Case::new();
    case.fetch("default");
    let pwned = case.place.path("pwned");
    let hook = format!(
        "[hooks]\npre-pull = touch {0}\npre-update = touch {0}\nchangegroup = touch {0}\nincoming = touch {0}\n\
         [defaults]\npull = --rev null\n[ui]\ndebug = yes\n",
        pwned.display()
    );
    case.place.write("d/.hg/hgrc", &hook);
    case.place.write("home/.hgrc", &hook);
    case.commit("a", "2");
    let mut command = case.place.farmout(&["hg", "--url", &case.up, "--branch", "default", "--into", "d"]);
    command.env("HOME", case.place.path("home")).env("HGRCPATH", case.place.path("home/.hgrc"));
    let output = command.env("LC_ALL", "de_DE.UTF-8").env("LANGUAGE", "de").output().unwrap();
    assert!(output.status.success() && !pwned.exists(), "{}", text(&output));
    assert_eq!(case.place.read("d/a"), "2");
    assert_eq!(case.place.read("d/.hg/hgrc"), format!("[paths]\ndefault = {}\n", case.up));
}

#[test]
fn errors_say_what_to_do_and_options_are_no_addresses() {
    let case = Case::new();
    case.hg(".", &["init", "empty"]);
    let empty = case.place.path("empty").display().to_string();
    let run = |url: &str| case.place.run(&["hg", "--url", url, "--branch", "default", "--into", "e"]);
    let mut all = vec![told(&run("/nonexistent/x"), 1), told(&run(&empty), 3), told(&run("http://localhost:1/x"), 1)];
    let touch = format!("touch {}", case.place.path("pwned").display());
    for url in
        ["", "--config=hooks.pre-identify=TOUCH", "ssh://-oProxyCommand=TOUCH/x", "ssh://%2doProxyCommand=TOUCH/x"]
    {
        all.push(told(&run(&url.replace("TOUCH", &touch)), 2));
    }
    all.push(told(&run("https://me:s3cret-word@localhost:1/x\n[hooks]"), 2));
    all.push(told(&run("ssh://me:s3cret-word@localhost/x"), 2));
    let mut without = case.place.farmout(&["hg", "--url", &case.up, "--branch", "default", "--into", "e"]);
    all.push(told(&without.env("PATH", "/nonexistent").output().unwrap(), 1));
    assert!(!case.place.path("pwned").exists());
    assert!(!all.concat().contains("s3cret-word"));
    snapshot!("tool-fetch-hg-errors", all.concat(), [(case.place.shown(), "ROOT")]);
}

#[test]
fn an_old_clone_survives_a_server_that_does_not_answer() {
    let case = Case::new();
    case.fetch("default");
    fs::rename(case.place.path("up"), case.place.path("gone")).unwrap();
    case.place.fails(1, &["hg", "--url", &case.up, "--branch", "default", "--into", "d"]);
    assert_eq!(case.place.read("d/a"), "1");
}

#[test]
fn a_password_reaches_the_server_and_nobody_else() {
    gives_its_password_to_the_server_only(&Place::new(), &["hg", "--branch", "default"]);
}

#[test]
fn ssh_asks_no_questions() {
    let case = Case::new();
    // An ssh that says how it is called, and speaks for the other machine.
    let ssh = format!(
        "#!/bin/sh\necho \"$@\" >> {}/called\nshift $(($# - 1))\nexec sh -c \"$1\"\n",
        case.place.root.display()
    );
    case.place.write("bin/ssh", &ssh);
    assert!(Command::new("chmod").arg("755").arg(case.place.path("bin/ssh")).status().unwrap().success());
    let path = format!("{}:{}", case.place.path("bin").display(), std::env::var("PATH").unwrap());
    let url = format!("ssh://me@host.example/{}", case.up);
    let mut command = case.place.farmout(&["hg", "--url", &url, "--branch", "7.0", "--into", "d"]);
    let output = command.env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(case.node("d", "."), case.node("up", "7.0"));
    let called = case.place.read("called");
    assert!(called.lines().all(|line| line.starts_with("-o BatchMode=yes me@host.example ")), "{called}");
}
