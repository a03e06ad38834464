//! Repositories behind servers of this machine.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use super::locked::locked_server;
use super::loopback::{MAKE_SSH, SSH, Server};
use super::support::{Case, branch, of};

#[test]
fn over_http() {
    let case = Case::new();
    case.git_repository("g");
    case.git("g", &["update-server-info"]);
    case.brz(".", &["init", "-q", "b"]);
    let numbered = case.brz_commit("b", "1");
    case.hg(".", &["init", "h"]);
    let changeset = case.hg_commit("h", "1");
    let (_files, files) = Server::files(&case.path("up"));
    let (_hgweb, hgweb) = Server::hgweb(&case.path("up/h"), &case.path("home"));
    case.watch(
        "one",
        &format!("git http://127.0.0.1:{files}/g/.git main\nbzr http://127.0.0.1:{files}/b\nhg http://127.0.0.1:{hgweb}/ default"),
    );
    let update = case.json(0);
    assert_eq!(branch(&update, "git", "main"), ("appeared", &*case.git("g", &["rev-parse", "main"])));
    assert_eq!(branch(&update, "bzr", "b"), ("appeared", &*numbered));
    assert_eq!(branch(&update, "hg", "default"), ("appeared", &*changeset));
    for vcs in ["git", "hg", "bzr"] {
        assert_eq!(of(&case.json(0), vcs)["outcome"], "unchanged");
    }
}

#[test]
fn over_ssh_without_questions() {
    let case = Case::new();
    let bin = case.path("up/bin");
    case.client("mkdir", ".", &["bin"]);
    case.client("sh", "bin", &["-c", MAKE_SSH, SSH]);
    case.git_repository("g");
    case.brz(".", &["init", "-q", "b"]);
    case.brz_commit("b", "1");
    case.hg(".", &["init", "h"]);
    case.hg_commit("h", "1");
    let up = case.path("up").display().to_string();
    case.watch(
        "one",
        &format!(
            "git git@127.0.0.1:{up}/g main\ngit ssh://git@127.0.0.1:22{up}/g main\n\
            bzr bzr+ssh://me@127.0.0.1{up}/b\nhg ssh://me@127.0.0.1/{up}/h default"
        ),
    );
    let path = format!("{}:{}", bin.display(), super::common::SYSTEM);
    for said in ["3 made", "3 unchanged"] {
        let ran = case.farmout(&["update", "--farm", "one"]).env("PATH", &path).output().unwrap();
        super::common::Ran::from(ran).exits(0).says(said);
    }
    let calls = std::fs::read_to_string(bin.join("calls")).unwrap();
    assert!(calls.lines().count() >= 6 && calls.lines().all(|call| call.contains("BatchMode=yes")), "{calls}");
}

#[test]
fn a_password_goes_to_its_server_and_nowhere_else() {
    let (with, told) = locked_server();
    let (without, asked) = locked_server();
    let case = Case::new();
    let lines = ["git", "hg", "bzr"].map(|vcs| {
        let branch = if vcs == "bzr" { "" } else { " main" };
        format!("{vcs} http://me:s3cr%40t-word@{with}/{vcs}/x{branch}\n{vcs} http://{without}/{vcs}/x{branch}")
    });
    case.watch("one", &lines.join("\n"));
    let ran = case.run(&["update", "--farm", "one", "--limit", "30s", "--first-limit", "30s"]).exits(1);
    ran.says("it asks for a password, and nobody is there to type one").says_no("s3cr").says_no("time limit");
    case.run(&["status"]).exits(1).says_no("s3cr");
    case.run(&["status", "--format", "json"]).exits(1).says_no("s3cr");
    let told: Vec<String> = told.try_iter().flatten().collect();
    // me:s3cr@t-word
    assert!(told.len() >= 3 && told.iter().all(|told| told == "bWU6czNjckB0LXdvcmQ="), "{told:?}");
    let asked: Vec<_> = asked.try_iter().collect();
    assert!(asked.len() >= 3 && asked.iter().all(Option::is_none), "{asked:?}");
    assert!(!Command::new("grep").args(["-r", "s3cr"]).arg(case.path("mirrors")).status().unwrap().success());
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let case = Case::new();
    case.git_repository("g");
    let address = silent.local_addr().unwrap();
    case.watch("one", &format!("git http://{address}/x main\ngit {} main", case.up("g")));
    let began = Instant::now();
    let ran = case.run(&["update", "--farm", "one", "--jobs", "1", "--first-limit", "2s"]).exits(1);
    assert!(began.elapsed() < Duration::from_secs(60));
    ran.says(&format!("http://{address}/x was not done after 2.0s, its time limit")).says("1 made, 1 failed");
    assert_eq!(super::common::running(case.path("mirrors")), Vec::<String>::new());
}
