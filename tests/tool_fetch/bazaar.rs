//! `farmout tool fetch bzr`.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::snapshot::snapshot;
use super::streams::text;
use super::support::{Place, gives_its_password_to_the_server_only, told};

/// A branch `up`, and a directory `d` to fetch it into.
struct Case {
    place: Place,
    up: String,
}

impl Case {
    fn new() -> Self {
        let place = Place::new();
        let up = place.path("up").display().to_string();
        let case = Self { place, up };
        case.branch("up");
        case
    }

    fn branch(&self, name: &str) {
        self.bzr(".", &["init", "-q", name]);
        self.place.write(&format!("{name}/grün/f"), "x");
        self.commit(name, "a", "1");
    }

    fn bzr(&self, directory: &str, arguments: &[&str]) -> String {
        let mut command = Command::new("brz");
        command.current_dir(self.place.path(directory)).args(arguments);
        command.env("BRZ_HOME", self.place.path("home")).env("BRZ_LOG", "/dev/null").env("LC_ALL", "C.UTF-8");
        command.env("BRZ_EMAIL", "A <a@example.org>");
        let output = command.output().expect("brz must be installed for this test");
        assert!(output.status.success(), "brz {arguments:?}: {}", text(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self, branch: &str, file: &str, content: &str) {
        self.place.write(&format!("{branch}/{file}"), content);
        self.bzr(branch, &["add", "-q"]);
        self.bzr(branch, &["commit", "-q", "-m", content]);
    }

    /// Fetches `up` into `d` and checks that it is what the output says.
    #[track_caller]
    fn fetch(&self) -> String {
        let revision = self.place.fetch(&["bzr", "--url", &self.up, "--into", "d"]);
        assert_eq!(revision, self.bzr("d", &["revision-info", "--tree"]));
        assert_eq!(revision, self.bzr("up", &["revision-info"]));
        assert_eq!(self.bzr("d", &["status"]), "");
        revision
    }
}

#[test]
fn a_branch_is_followed_and_what_a_build_did_is_forgotten() {
    let case = Case::new();
    let first = case.fetch();
    assert!(first.starts_with("1 a@example.org-"), "{first}");
    assert!(case.bzr("d", &["info"]).contains(&format!("parent branch: {}", case.up)));
    case.place.write("d/a", "changed");
    case.place.write("d/left/deep/behind", "");
    case.place.write("d/added", "");
    case.bzr("d", &["add", "-q", "added"]);
    case.place.write("d/a.pyc", "ignored");
    fs::remove_dir_all(case.place.path("d/grün")).unwrap();
    case.commit("up", "a", "2");
    assert_ne!(case.fetch(), first);
    assert_eq!(case.place.read("d/a"), "2");
    assert_eq!(case.place.list("d"), ["a", "a.pyc", "grün"]);
    // Forced back, and to a history that has nothing in common with it.
    case.bzr("up", &["uncommit", "--force", "-q"]);
    case.bzr("up", &["revert", "-q", "--no-backup"]);
    assert_eq!(case.fetch(), first);
    assert_eq!(case.place.read("d/a"), "1");
    fs::remove_dir_all(case.place.path("up")).unwrap();
    case.branch("up");
    case.commit("up", "b", "3");
    case.fetch();
    assert_eq!(case.place.list("d").join(" "), "a a.pyc b grün");
}

#[test]
fn a_revision_that_the_branch_forgot_is_said_and_nothing_is_lost() {
    let case = Case::new();
    let first = case.fetch();
    case.commit("up", "b", "2");
    let second = case.fetch();
    let id = |revision: &str| format!("revid:{}", revision.split(' ').next_back().unwrap());
    case.bzr("up", &["uncommit", "--force", "-q"]);
    fs::remove_file(case.place.path("up/b")).unwrap();
    case.commit("up", "c", "3");
    // A mark that only this branch has.
    case.place.write("d/.bzr/mine", "");
    let at = |revision: &str, into: &str| {
        case.place.run(&["bzr", "--url", &case.up, "--revision", &id(revision), "--into", into])
    };
    for into in ["d", "e"] {
        let output = at(&second, into);
        assert!(!text(&output).contains("Traceback"), "{}", text(&output));
        let told = told(&output, 3).replace(&id(&second), "revid:ID");
        snapshot!("tool-fetch-bzr-gone", told, [(case.place.shown(), "ROOT")]);
    }
    assert_eq!(case.place.list("e"), Vec::<String>::new());
    let arguments = ["bzr", "--url", &case.up, "--into", "d", "--expect", "grün/buildout.cfg"];
    snapshot!("tool-fetch-bzr-expected", case.place.fails(3, &arguments), [(case.place.shown(), "ROOT")]);
    // The clone serves on, for the head and for what is still there.
    case.fetch();
    assert_eq!(case.place.list("d").join(" "), "a c grün");
    assert!(text(&at(&first, "d")).ends_with(&format!("{first}\n")));
    assert_eq!(case.place.list("d").join(" "), "a grün");
    assert!(case.place.path("d/.bzr/mine").exists());
}

#[test]
fn tags_are_as_they_are_over_there() {
    let case = Case::new();
    case.bzr("up", &["tag", "-q", "moved"]);
    case.bzr("up", &["tag", "-q", "gone one"]);
    case.fetch();
    case.commit("up", "a", "2");
    case.bzr("up", &["tag", "-q", "--force", "moved"]);
    case.bzr("up", &["tag", "-q", "--delete", "gone one"]);
    case.fetch();
    let tags = |branch| case.bzr(branch, &["tags", "--show-ids"]);
    assert_eq!(tags("d"), tags("up"));
    assert_eq!(tags("d").lines().count(), 1);
}

#[test]
fn a_damaged_directory_is_repaired() {
    let case = Case::new();
    let head = case.fetch();
    // A client that was killed.
    for lock in ["branch", "repository"] {
        case.place.write(&format!("d/.bzr/{lock}/lock/held/info"), "hostname: elsewhere\nnonce: x\npid: 1\nuser: x\n");
    }
    case.place.write("d/.bzr/checkout/limbo/new-1", "");
    case.place.write("d/.bzr/checkout/pending-deletion/old", "");
    assert_eq!(case.fetch(), head);
    // A history that is gone.
    fs::remove_dir_all(case.place.path("d/.bzr/repository")).unwrap();
    assert_eq!(case.fetch(), head);
    // A branch that was killed half-way, by the client itself and by us.
    fs::remove_dir_all(case.place.path("d")).unwrap();
    fs::create_dir_all(case.place.path("d/.bzr/repository")).unwrap();
    case.place.write("d/.farmout-new/.bzr/x", "");
    assert_eq!(case.fetch(), head);
    // Files in the way of versioned ones, kept and ignored.
    case.place.write("d/parts/x", "mine");
    case.place.write("d/c.pyc", "mine");
    case.commit("up", "parts/x", "theirs");
    case.bzr("up", &["add", "-q"]);
    case.place.write("up/c.pyc", "theirs");
    case.bzr("up", &["add", "-q", "c.pyc"]);
    case.bzr("up", &["commit", "-q", "-m", "in the way"]);
    case.place.fetch(&["bzr", "--url", &case.up, "--into", "d", "--keep", "parts"]);
    assert_eq!([case.place.read("d/parts/x"), case.place.read("d/c.pyc")], ["theirs", "theirs"]);
    assert_eq!(case.bzr("d", &["status"]), "");
    // Another system's clone, and what was in it.
    fs::remove_dir_all(case.place.path("d")).unwrap();
    assert!(Command::new("git").args(["init", "-q"]).arg(case.place.path("d")).status().unwrap().success());
    case.place.write("d/old.pyc", "");
    case.fetch();
    assert!(!case.place.path("d/.git").exists());
    assert_eq!(case.place.list("d").join(" "), "a c.pyc grün parts");
}

#[test]
fn killed_at_any_moment_the_next_fetch_works() {
    let case = Case::new();
    for number in 0..40 {
        case.place.write(&format!("up/f{number}"), &"x".repeat(20_000));
    }
    case.commit("up", "much", "much");
    let arguments = ["bzr", "--url", &case.up, "--into", "d"];
    case.place.killed_at_any_moment(&arguments, "d", &[200, 700, 1200, 1700], || {
        assert!(case.place.path("d/f39").exists());
        assert_eq!(case.bzr("d", &["status"]), "");
    });
}

#[test]
fn what_is_kept_is_kept_and_settings_do_not_count() {
    let case = Case::new();
    case.place.write("d/parts/x", "");
    case.place.write("d/deploy/bin/y", "");
    case.place.write("d/deploy/z", "");
    case.place.write("home/breezy/breezy.conf", "[DEFAULT]\n[ALIASES]\nbranch = nonsense\npull = nonsense\n");
    for _ in 0..2 {
        let keep = ["--keep", "parts", "--keep", "deploy/bin"];
        let mut command = case.place.farmout(&[&["bzr", "--url", &case.up, "--into", "d"], &keep[..]].concat());
        command.env("BRZ_HOME", case.place.path("home")).env("LC_ALL", "C").env("LANGUAGE", "de");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        assert_eq!(case.place.list("d").join(" "), "a deploy grün parts");
        assert_eq!(case.place.list("d/deploy"), ["bin"]);
    }
}

#[test]
fn errors_say_what_to_do_and_options_are_no_addresses() {
    let case = Case::new();
    case.bzr(".", &["init", "-q", "empty"]);
    let empty = case.place.path("empty").display().to_string();
    let run = |url: &str| case.place.run(&["bzr", "--url", url, "--into", "e"]);
    let mut all = vec![told(&run("/nonexistent/x"), 1), told(&run(&empty), 3), told(&run("http://localhost:1/x"), 1)];
    for url in ["", "--help", "bzr+ssh://-oProxyCommand=x/x", "bzr+ssh://me:s3cret-word@localhost/x"] {
        all.push(told(&run(url), 2));
    }
    let mut without = case.place.farmout(&["bzr", "--url", &case.up, "--into", "e"]);
    all.push(told(&without.env("PATH", "/nonexistent").output().unwrap(), 1));
    assert!(!all.concat().contains("s3cret-word"));
    snapshot!("tool-fetch-bzr-errors", all.concat(), [(case.place.shown(), "ROOT")]);
}

#[test]
fn an_old_branch_survives_a_server_that_does_not_answer() {
    let case = Case::new();
    case.fetch();
    fs::rename(case.place.path("up"), case.place.path("gone")).unwrap();
    case.place.fails(1, &["bzr", "--url", &case.up, "--into", "d"]);
    assert_eq!(case.place.read("d/a"), "1");
}

#[test]
fn an_interrupted_fetch_leaves_no_password() {
    let place = Place::new();
    // A client that hangs, and says where its settings are.
    let client = "#!/bin/sh\necho $BRZ_HOME > home.new; mv home.new home; exec sleep 60\n";
    place.write("bin/brz", &client.replace("home", &place.path("home").display().to_string()));
    assert!(Command::new("chmod").arg("755").arg(place.path("bin/brz")).status().unwrap().success());
    let mut command = place.farmout(&["bzr", "--url", "https://me:s3cret-word@host.example/x", "--into", "d"]);
    let path = format!("{}:{}", place.path("bin").display(), std::env::var("PATH").unwrap());
    let mut child = command.env("PATH", path).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let there = (0..400).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        place.path("home").exists()
    });
    assert!(there, "the client was not started");
    let settings = place.read(&format!("{}/breezy/authentication.conf", place.read("home").trim()));
    assert!(settings.contains("\npassword = \"s3cret-word\"\n"), "{settings}");
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(place.list("tmp"), Vec::<String>::new());
}

#[test]
fn a_password_reaches_the_server_and_nobody_else() {
    gives_its_password_to_the_server_only(&Place::new(), &["bzr"]);
}

#[test]
fn ssh_asks_no_questions() {
    let case = Case::new();
    let ssh = format!(
        "#!/bin/sh\n[ \"$3\" != -V ] || {{ echo OpenSSH_9.2 >&2; exit 0; }}\necho \"$@\" >> {}/called\n\
         while [ \"$1\" != bzr ]; do shift; done; exec \"$@\"\n",
        case.place.root.display()
    );
    case.place.write("bin/ssh", &ssh);
    assert!(Command::new("chmod").arg("755").arg(case.place.path("bin/ssh")).status().unwrap().success());
    let path = format!("{}:{}", case.place.path("bin").display(), std::env::var("PATH").unwrap());
    let url = format!("bzr+ssh://me@host.example{}", case.up);
    let output = case.place.farmout(&["bzr", "--url", &url, "--into", "d"]).env("PATH", path).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    assert_eq!(case.place.read("d/a"), "1");
    let called = case.place.read("called");
    assert!(called.lines().all(|line| line.starts_with("-o BatchMode=yes ")), "{called}");
}
