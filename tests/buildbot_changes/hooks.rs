//! Those who tell the master of changes: `farmout notify`, by the web and by the workers' port.

use std::process::{Command, Output};

use super::buildbot::{SYSTEM, environment};
use super::support::Case;

/// A master that watches a repository by ssh, and takes what is told of it in both ways.
fn told() -> Case {
    let mut case = Case::new();
    let main = case.branch("git", "ssh://git@git.example/shop/addons.git", Some("main"), "//git.example/shop/addons");
    let bzr = case.branch("bzr", "https://bzr.example/shop", None, "//bzr.example/shop");
    case.build("shop", 1, &[main, bzr]);
    case.options = "poll=None, change_hook='telling', sendchange='telling'".to_owned();
    case.secret("telling", "s3cr:et\n");
    case.secret_file("right", "change:s3cr:et");
    case.secret_file("wrong", "change:s3cr");
    case.start();
    case
}

impl Case {
    fn notify(&self, path: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_farmout"));
        command.args(["notify", "--spool"]).arg(self.path("spool")).args(arguments).current_dir(self.path(""));
        command.env_clear().env("PATH", path).env("HOME", self.path("")).output().unwrap()
    }

    /// Tells of a change: what is said on standard error.
    #[track_caller]
    fn push(&self, master: &str, login: &str, revision: &str) -> String {
        let path = format!("{}:{SYSTEM}", environment().join("bin").display());
        let login = format!("@{}", self.path(login).display());
        let change =
            ["--vcs", "git", "--url", "https://git.example/shop/addons/", "--branch", "main", "--rev", revision];
        let more = ["--comment=- an é\nand more", "--author", "Ann", "--files=a b", "--files=-c"];
        let master = ["--buildbot", master, "--buildbot-login", &login];
        let output = self.notify(&path, &[change.as_slice(), &more, &master].concat());
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

#[test]
fn a_change_is_known_by_its_places_whichever_way_it_is_told() {
    let case = told();
    let (web, workers) = (case.master.url(), format!("pb://127.0.0.1:{}", case.master.pb));
    for (number, master) in [&web, &workers].into_iter().enumerate() {
        let revision = format!("r{number}");
        assert_eq!(case.push(master, "right", &revision), "");
        let changes = case.changes(number + 1);
        assert_eq!(changes[number], "https://git.example/shop/addons/ main Ann: - an é/and more [a b -c]");
        assert_eq!(case.asked(number + 1)[number], format!("changes for shop: {revision}"));
    }
    // Of Bazaar the address is all that counts, and other hooks know no places.
    let bazaar = ["--vcs", "bzr", "--url", "bzr+ssh://bzr.example/shop", "--rev", "7 x-1", "--buildbot", &web];
    let login = format!("@{}", case.path("right").display());
    assert!(case.notify(SYSTEM, &[&bazaar[..], &["--buildbot-login", &login]].concat()).status.success());
    assert_eq!(case.asked(3)[2], "changes for shop: 7 x-1");
}

#[test]
fn what_is_refused_waits_for_another_try() {
    let case = told();
    assert_eq!(case.post(&[("repository", "https://git.example/shop/addons")]), 401);
    let (web, workers) = (case.master.url(), format!("pb://127.0.0.1:{}", case.master.pb));
    assert!(case.push(&web, "wrong", "r1").contains("1 push waits for http://127.0.0.1"), "web");
    let said = case.push(&workers, "wrong", "r2");
    assert!(said.contains("it refuses the change, as it does where the password is wrong"), "{said}");
    let said = case.push("pb://127.0.0.1:1", "right", "r3");
    assert!(said.contains("Connection was refused by other side"), "{said}");
    let login = format!("@{}", case.path("right").display());
    let flush = ["--flush", "--buildbot-login", &login];
    let without = case.notify(SYSTEM, &[&flush[..], &["--buildbot", &workers]].concat());
    let said = String::from_utf8(without.stderr).unwrap();
    assert!(said.contains("the program `buildbot` is not on PATH here"), "{said}");
    let path = format!("{}:{SYSTEM}", environment().join("bin").display());
    for master in [&web, &workers] {
        assert!(case.notify(&path, &[&flush[..], &["--buildbot", master]].concat()).status.success());
    }
    assert_eq!(case.changes(2).len(), 2);
    case.wants("shop", "r2");
    assert!(!case.master.log().contains("s3cr"), "a password is in the log");
}

#[test]
fn a_push_goes_on_where_it_was_stopped() {
    let case = told();
    case.repository("git", "up");
    let since = case.git("up", &["rev-parse", "HEAD"]);
    for number in 1..=3 {
        case.commit("git", "up", &format!("c{number}"));
    }
    // A program that hands two changes over, and then is no more.
    let bin = case.path("bin");
    std::fs::create_dir(&bin).unwrap();
    let real = environment().join("bin/buildbot").display().to_string();
    let script = format!("#!/bin/sh\necho x >> $0.calls\ntest $(wc -l < $0.calls) -ne 3 && exec {real} \"$@\"\n");
    std::fs::write(bin.join("buildbot"), script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(bin.join("buildbot"), mode).unwrap();
    let path = format!("{}:{SYSTEM}", bin.display());
    let (workers, login) = (format!("pb://127.0.0.1:{}", case.master.pb), format!("@{}", case.path("right").display()));
    let up = case.path("up").display().to_string();
    let head = case.git("up", &["rev-parse", "HEAD"]);
    let push = ["--vcs", "git", "--url", "https://git.example/shop/addons", "--branch", "main", "--rev", &head];
    let more = ["--since", &since, "--repository", &up, "--buildbot", &workers, "--buildbot-login", &login];
    let output = case.notify(&path, &[push.as_slice(), &more].concat());
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 push waits"), "{output:?}");
    case.changes(2);
    let flush = ["--flush", "--buildbot", &workers, "--buildbot-login", &login];
    assert!(case.notify(&path, &flush).status.success());
    let told: Vec<_> = case.changes(3).iter().map(|it| it.split(": ").nth(1).unwrap().to_owned()).collect();
    assert_eq!(told, ["c1 [c1]", "c2 [c2]", "c3 [c3]"]);
}
