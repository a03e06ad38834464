//! Real repositories, polled.

use serde_json::json;

use super::locked::locked_server;
use super::support::Case;

/// A master that polls one repository of each system, with two branches where there are branches.
fn all() -> Case {
    let mut case = Case::new();
    for vcs in ["git", "hg", "bzr"] {
        case.repository(vcs, vcs);
    }
    let git = [case.local("git", "git", Some("main")), case.local("git", "git", Some("next"))];
    let hg = [case.local("hg", "hg", Some("default")), case.local("hg", "hg", Some("stable"))];
    let bzr = case.local("bzr", "bzr", None);
    case.build("shop", 5, &[git[0], hg[0], bzr]);
    case.build("next", 0, &[git[1]]);
    case.build("stable", 0, &[hg[1]]);
    case.options = "poll=2".to_owned();
    case
}

#[test]
fn commits_are_told_once_each_in_order() {
    let mut case = all();
    case.start();
    case.looked(3);
    for number in 1..=3 {
        case.commit("bzr", "bzr", &format!("b{number}\n\n----------\nrevno: 9"));
    }
    let bzr = case.changes(3);
    assert_eq!(
        bzr,
        [
            "bzr - Ann <ann@x.example>: b1//----------/revno: 9 [b1]",
            "bzr - Ann <ann@x.example>: b2//----------/revno: 9 [b2]",
            "bzr - Ann <ann@x.example>: b3//----------/revno: 9 [b3]",
        ]
    );
    let last = case.brz("bzr", &["revision-info"]);
    case.wants("shop", &last);
    let g = case.commit("git", "git", "g1");
    assert_eq!(case.changes(4)[3], "git main Ann <ann@x.example>: g1 [g1]");
    case.wants("shop", &g);
    let h = case.commit("hg", "hg", "h1");
    assert_eq!(case.changes(5)[4], "hg default Ann <ann@x.example>: h1 [h1]");
    case.wants("shop", &h);
}

#[test]
fn what_comes_while_the_master_is_down_is_found_after_it() {
    let mut case = all();
    case.start();
    case.looked(3);
    case.master.stop();
    for vcs in ["git", "hg", "bzr"] {
        case.commit(vcs, vcs, "meanwhile");
    }
    case.master.start();
    let mut changes = case.changes(3);
    changes.sort_unstable();
    let expected =
        ["bzr -", "git main", "hg default"].map(|it| format!("{it} Ann <ann@x.example>: meanwhile [meanwhile]"));
    assert_eq!(changes, expected);
}

#[test]
fn history_that_was_rewritten_is_one_change() {
    let mut case = all();
    for vcs in ["git", "hg", "bzr"] {
        case.commit(vcs, vcs, "second");
        case.commit(vcs, vcs, "third");
    }
    case.start();
    case.looked(3);
    case.brz("", &["branch", "-q", "-r1", "bzr", "beside"]);
    case.commit("bzr", "beside", "other");
    case.brz("beside", &["push", "-q", "--overwrite", "../bzr"]);
    assert_eq!(case.changes(1)[0], "bzr - Ann <ann@x.example>: other [other]");
    // It goes back to what it had already.
    case.brz("bzr", &["uncommit", "--force", "--quiet"]);
    assert_eq!(case.changes(2)[1], "bzr - Ann <ann@x.example>: begin [begin]");
    case.git("git", &["reset", "-q", "--hard", "HEAD~2"]);
    assert_eq!(case.changes(3)[2], "git main Ann <ann@x.example>: begin [begin]");
    // A second head is newer than the first.
    case.hg("hg", &["update", "-q", "0"]);
    case.commit("hg", "hg", "beside");
    assert_eq!(case.changes(4)[3], "hg default Ann <ann@x.example>: beside [beside]");
}

#[test]
fn a_branch_is_told_of_from_when_it_is_known() {
    let mut case = all();
    case.builds[1]["watch"] = json!([]);
    case.git("git", &["checkout", "-q", "-b", "next"]);
    for number in 1..=3 {
        case.commit("git", "git", &format!("n{number}"));
    }
    case.start();
    case.looked(3);
    // Watched from now on: what it has is no news, what it gets is.
    case.builds[1]["watch"] = json!([1]);
    case.reconfig();
    case.looks_again();
    let n = case.commit("git", "git", "n4");
    assert_eq!(case.changes(1)[0], "git next Ann <ann@x.example>: n4 [n4]");
    case.wants("next", &n);
    // Main goes where next is: nothing was committed, and yet it has changed.
    case.git("git", &["branch", "-f", "main", "next"]);
    assert_eq!(case.changes(2)[1], "git main Ann <ann@x.example>: n4 [n4]");
}

#[test]
fn a_branch_that_was_looked_for_in_vain_is_told_of_when_it_is_there() {
    let mut case = all();
    case.repository("git", "other");
    let other = case.local("git", "other", Some("7.0"));
    case.build("other", 0, &[other]);
    case.start();
    case.looked(4);
    case.master.logs("cannot poll branch stable of hg");
    // Of all that it has when it appears, its head is told; what it gets is told as ever.
    case.hg("hg", &["branch", "-q", "stable"]);
    case.commit("hg", "hg", "s1");
    assert_eq!(case.changes(1)[0], "hg stable Ann <ann@x.example>: s1 [s1]");
    let s = case.commit("hg", "hg", "s2");
    assert_eq!(case.changes(2)[1], "hg stable Ann <ann@x.example>: s2 [s2]");
    case.wants("stable", &s);
    case.git("git", &["checkout", "-q", "-b", "aside"]);
    case.commit("git", "git", "n1");
    case.commit("git", "git", "n2");
    case.git("git", &["branch", "next"]);
    assert_eq!(case.changes(3)[2], "git next Ann <ann@x.example>: n2 [n2]");
    // It goes, and comes back as another.
    case.git("git", &["branch", "-q", "-D", "next"]);
    case.looks_again();
    let n = case.commit("git", "git", "n3");
    case.git("git", &["branch", "next"]);
    assert_eq!(case.changes(4)[3], "git next Ann <ann@x.example>: n3 [n3]");
    case.wants("next", &n);
    // Where none of its branches was there, too.
    case.git("other", &["branch", "7.0"]);
    assert_eq!(case.changes(5)[4], "other 7.0 Ann <ann@x.example>: begin [begin]");
}

#[test]
fn what_cannot_be_polled_is_said_in_a_line() {
    let mut case = all();
    for vcs in ["git", "hg", "bzr"] {
        std::fs::rename(case.path(vcs), case.path(&format!("{vcs}.aside"))).unwrap();
    }
    case.start();
    for vcs in ["git", "hg", "bzr"] {
        case.master.logs(&format!("cannot poll {vcs} {}", case.path(vcs).display()));
    }
    assert!(!case.master.log().contains("Traceback"), "{}", case.master.log());
    // They come back, and all is well.
    for vcs in ["git", "hg", "bzr"] {
        std::fs::rename(case.path(&format!("{vcs}.aside")), case.path(vcs)).unwrap();
    }
    case.looked(3);
    case.commit("bzr", "bzr", "back");
    case.changes(1);
}

#[test]
fn passwords_go_to_servers_and_nowhere_else() {
    let (address, told) = locked_server();
    let mut case = Case::new();
    let watch = ["git", "hg", "bzr"].map(|vcs| {
        let branch = (vcs != "bzr").then_some("main");
        let number = case.branch(vcs, &format!("http://{address}/{vcs}/x"), branch, &format!("//{address}/{vcs}/x"));
        case.branches[number]["secret"] = json!("watching");
        number
    });
    case.build("shop", 1, &watch);
    case.secret("watching", "me:s3cr:et\n");
    case.options = "poll=2".to_owned();
    case.start();
    for vcs in ["git", "hg", "bzr"] {
        case.master.logs(&format!("cannot poll {vcs} http"));
    }
    case.master.stop();
    let told: Vec<String> = told.try_iter().flatten().collect();
    // me:s3cr:et
    assert!(told.len() >= 3 && told.iter().all(|told| told == "bWU6czNjcjpldA=="), "{told:?}");
    let mut grep = case.client("grep", "master");
    let left = grep.args(["-r", "-l", "--binary-files=text", "s3cr", "."]).output().unwrap();
    assert_eq!(String::from_utf8(left.stdout).unwrap(), "./secrets/watching\n");
}
