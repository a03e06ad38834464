//! Mirrors of Mercurial repositories.

use super::support::{Case, branch, of};

#[test]
fn branches_and_bookmarks_are_followed_wherever_they_go() {
    let case = Case::new();
    case.hg(".", &["init", "h"]);
    let url = case.up("h");
    let first = case.hg_commit("h", "1");
    case.hg("h", &["branch", "-q", "7.0"]);
    let seven = case.hg_commit("h", "seven");
    case.hg("h", &["update", "-q", "default"]);
    case.hg("h", &["branch", "-q", "8.0"]);
    let eight = case.hg_commit("h", "eight");
    case.hg("h", &["update", "-q", "default"]);
    case.hg("h", &["bookmark", "-r", &seven, "mark"]);
    case.watch("one", &format!("hg {url} default\nhg {url} 7.0\nhg {url} mark\nhg {url} nope"));
    let update = case.json(1);
    assert_eq!(of(&update, "hg")["afresh"], serde_json::Value::Null);
    assert_eq!(branch(&update, "hg", "default"), ("appeared", &*first));
    assert_eq!(branch(&update, "hg", "7.0"), ("appeared", &*seven));
    assert_eq!(branch(&update, "hg", "mark"), ("appeared", &*seven));
    let problems = of(&update, "hg")["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0]["message"], format!("{url} has no branch or bookmark `nope`"));
    let mirror = case.mirror("hg");
    // What nothing watches is not there, and nothing is checked out.
    let known = case.hg(&mirror, &["log", "-T", "{node}\n"]);
    assert!(known.contains(&seven) && !known.contains(&eight));
    assert!(!mirror.join("f").exists());

    // A part of an identifier and a number are no names.
    case.watch("one", &format!("hg {url} default\nhg {url} {}\nhg {url} 0", &first[..8]));
    let update = case.json(1);
    assert_eq!(of(&update, "hg")["problems"].as_array().unwrap().len(), 2);
    case.watch("one", &format!("hg {url} default\nhg {url} 7.0"));
    assert_eq!(of(&case.json(0), "hg")["outcome"], "unchanged");

    let second = case.hg_commit("h", "2");
    assert_eq!(branch(&case.json(0), "hg", "default"), ("moved", &*second));
    // Stripped, and another in its place.
    case.hg("h", &["--config", "extensions.strip=", "strip", "-q", "--no-backup", &second]);
    let other = case.hg_commit("h", "other");
    let update = case.json(0);
    assert_eq!(branch(&update, "hg", "default"), ("rewritten", &*other));
    assert_eq!(branch(&update, "hg", "7.0"), ("none", &*seven));
    case.hg("h", &["--config", "extensions.strip=", "strip", "-q", "--no-backup", &other]);
    assert_eq!(branch(&case.json(0), "hg", "default"), ("rewritten", &*first));
}

#[test]
fn what_cannot_be_mirrored_is_told_and_stops_no_other() {
    let case = Case::new();
    case.hg(".", &["init", "empty"]);
    case.hg(".", &["init", "h"]);
    let first = case.hg_commit("h", "1");
    let up = case.path("up").display().to_string();
    case.watch("one", &format!("hg {up}/empty default\nhg {up}/gone default\nhg relative default\nhg {up}/h default"));
    let ran = case.update().exits(1);
    ran.says(&format!("{up}/empty is empty: it has no commit yet"))
        .says(&format!("cannot read {up}/gone: repository {up}/gone not found"))
        .says("`relative` is an address that depends on where it is read")
        .says(&format!("default: new, at {}", &first[..12]))
        .says("4 repositories in")
        .says("1 made, 3 failed");
}

#[test]
fn a_broken_mirror_is_made_anew() {
    let case = Case::new();
    case.hg(".", &["init", "h"]);
    case.hg_commit("h", "1");
    case.watch("one", &format!("hg {} default", case.up("h")));
    case.json(0);
    let mirror = case.mirror("hg");
    for script in ["echo nonsense > .hg/store/00changelog.i", "rm -r .hg/store", "echo mad > .hg/requires"] {
        case.client("sh", &mirror, &["-c", script]);
        let revision = case.hg_commit("h", script.get(..9).unwrap());
        let update = case.json(0);
        assert!(of(&update, "hg")["afresh"].is_string(), "{script}: {update}");
        assert_eq!(branch(&update, "hg", "default"), ("moved", &*revision));
        case.hg(&mirror, &["verify", "-q"]);
    }
    // A killed pull.
    case.client("sh", &mirror, &["-c", "ln -s elsewhere:1 .hg/store/lock"]);
    let revision = case.hg_commit("h", "5");
    assert_eq!(branch(&case.json(0), "hg", "default"), ("moved", &*revision));
}
