//! The command itself: what it says, how it ends, and who else is at it.

use std::fs;
use std::net::TcpListener;

use nix::sys::signal::Signal;

use super::common::snapshot::snapshot;
use super::common::{Ran, Runner, eventually, is_root, running};
use super::support::Case;

/// What differs from one run to the next.
fn filters(case: &Case) -> Vec<(String, &'static str)> {
    vec![
        (regex(case.root.to_str().unwrap()), "[ROOT]"),
        (r"\b\d+(\.\d)?s\b".to_owned(), "[TIME]"),
        (r" +\[TIME\]  (git|hg|bzr) ".to_owned(), "  [TIME]  $1 "),
        (r"\[TIME\] ago +\d+(\.\d)? (Ki)?B".to_owned(), "[TIME] ago  [SIZE]"),
        (r"\b[0-9a-f]{12}\b".to_owned(), "[REVISION]"),
    ]
}

fn regex(text: &str) -> String {
    text.replace('.', "[.]")
}

#[test]
fn what_came_of_it_is_a_table() {
    let case = Case::new();
    for name in ["a", "b"] {
        case.git_repository(name);
    }
    let up = case.path("up").display().to_string();
    case.watch(
        "one",
        &format!("git {up}/a main\ngit {up}/b main\ngit {up}/b nope\nhg {up}/gone default\ngit {up}/new main"),
    );
    case.update().exits(1);
    case.git_commit("a", "2");
    case.git_repository("new");
    let updated = case.update().exits(1);
    snapshot!(
        "mirror-update",
        updated.out,
        filters(&case).iter().map(|(from, to)| (from.as_str(), *to)).collect::<Vec<_>>()
    );
    let status = case.run(&["status"]).exits(1);
    snapshot!(
        "mirror-status",
        status.out,
        filters(&case).iter().map(|(from, to)| (from.as_str(), *to)).collect::<Vec<_>>()
    );
    // For cron: what is well is not worth a mail.
    let quiet = case.run(&["update", "--farm", "one", "--quiet"]).exits(1);
    quiet.says("nope").says_no("unchanged").says_no("repositories in");
    case.watch("one", &format!("git {up}/a main"));
    let quiet = case.run(&["update", "--farm", "one", "--quiet"]).exits(0);
    assert_eq!(quiet.all(), "");
}

#[test]
fn a_farm_that_does_not_compile_keeps_no_other_from_its_mirrors() {
    let case = Case::new();
    case.git_repository("g");
    case.watch("two", &format!("git {} main", case.up("g")));
    fs::write(
        case.path("one/buildouts/MANIFEST.cfg"),
        format!("[x]\nwatch = git {} main\n[y]\nwatch = svn x\n", case.up("g")),
    )
    .unwrap();
    let both = ["update", "--farm", "one", "--farm", "two"];
    case.run(&both).exits(1).says("the farm one does not compile: 1 error").says("1 made");
    case.run(&["update", "--farm", "nowhere", "--farm", "two"]).exits(1).says("nowhere").says("1 unchanged");
    case.run(&["update", "--farm", "nowhere"]).exits(2);
    for limit in ["0s", "5", "-1m", "x", "99999999999999999h"] {
        case.run(&["update", "--farm", "two", "--limit", limit]).exits(2);
    }
    case.watch("two", "");
    case.run(&["update", "--farm", "two"]).exits(0).says("no build watches a repository");
}

#[test]
fn a_second_one_says_who_is_at_work_and_a_stop_ends_all() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let case = Case::new();
    case.git_repository("g");
    let address = silent.local_addr().unwrap();
    let lines = format!("git {} main\ngit http://{address}/x main\ngit http://{address}/y main", case.up("g"));
    case.watch("one", &lines);
    let runner = Runner::start(case.farmout(&["update", "--farm", "one", "--jobs", "2"]));
    let accepted = silent.accept().unwrap();
    let second = case.update().exits(0);
    assert!(second.out.starts_with("nothing done: `farmout mirror update`, process "), "{}", second.out);
    assert_eq!(case.run(&["update", "--farm", "one", "--quiet"]).exits(0).all(), "");
    case.run(&["gc", "--farm", "one"]).exits(0).says("nothing done: `farmout mirror update`");
    runner.signal(Signal::SIGTERM);
    let ran = runner.wait().exits(130);
    ran.says("made").says("1 made, 2 stopped");
    assert_eq!(running(case.path("mirrors")), Vec::<String>::new());
    drop(accepted);
}

#[test]
fn a_killed_one_leaves_neither_lock_nor_client() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let case = Case::new();
    let address = silent.local_addr().unwrap();
    case.watch("one", &format!("git http://{address}/x main"));
    let runner = Runner::start(case.farmout(&["update", "--farm", "one"]));
    let accepted = silent.accept().unwrap();
    runner.signal(Signal::SIGKILL);
    assert_eq!(runner.wait().signal, Some(9));
    assert!(!running(case.path("mirrors")).is_empty(), "the client does not outlive farmout: there is nothing to test");
    case.watch("one", "");
    case.update().exits(0);
    eventually("the client ends", || running(case.path("mirrors")).is_empty());
    drop(accepted);
}

#[test]
fn nothing_is_there_before_the_first() {
    let case = Case::new();
    let mut status = case.farmout(&["status", "--farm", "one"]);
    Ran::from(status.output().unwrap()).exits(0).says("no mirrors yet: `farmout mirror update` makes them");
}

#[test]
fn help_is_written_for_the_reader() {
    let mut all = String::new();
    for arguments in [&["--help"][..], &["update", "--help"], &["status", "--help"], &["gc", "--help"]] {
        let mut command = super::common::command(super::common::FARMOUT);
        let output = command.arg("mirror").args(arguments).env("NO_COLOR", "1").output().unwrap();
        all += &Ran::from(output).exits(0).out;
        all += "\n----\n";
    }
    snapshot!("mirror-help", all);
}

#[test]
fn the_default_is_below_the_first_farm() {
    let case = Case::new();
    case.git_repository("g");
    case.watch("two", &format!("git {} main", case.up("g")));
    let run = |arguments: &[&str]| {
        let mut command = super::common::command(super::common::FARMOUT);
        command.arg("mirror").args(arguments).current_dir(case.path("two")).env("NO_COLOR", "1");
        Ran::from(command.output().unwrap())
    };
    run(&["update"]).exits(0).says("1 made");
    assert!(case.path("two/.farmout/mirrors/git").is_dir());
    run(&["status"]).exits(0).says(&case.up("g"));
    if is_root() {
        // All of it is the account's.
        let find = std::process::Command::new("find")
            .arg(case.path("two/.farmout/mirrors"))
            .args(["!", "-user", "farmout"])
            .output();
        assert_eq!(String::from_utf8(find.unwrap().stdout).unwrap(), "");
    }
}
