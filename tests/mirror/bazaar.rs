//! Mirrors of Bazaar branches.

use super::support::{Case, branch, of};

#[test]
fn branches_beside_each_other_share_what_they_have_in_common() {
    let case = Case::new();
    case.brz(".", &["init", "-q", "trunk"]);
    let first = case.brz_commit("trunk", "1");
    case.brz(".", &["branch", "-q", "trunk", "7.0"]);
    case.brz(".", &["init", "-q", "empty"]);
    let up = case.path("up").display().to_string();
    case.watch("one", &format!("bzr {up}/trunk\nbzr {up}/7.0/\nbzr {up}/empty\nbzr {up}/gone"));
    let update = case.json(1);
    assert_eq!(branch(&update, "bzr", "trunk"), ("appeared", &*first));
    assert_eq!(branch(&update, "bzr", "7.0"), ("appeared", &*first));
    let problems = of(&update, "bzr")["problems"].as_array().unwrap();
    let told: Vec<_> = problems.iter().map(|it| it["branch"].as_str().unwrap()).collect();
    assert_eq!(told, ["empty", "gone"]);
    // No branch has a repository of its own, nor a tree.
    let mirror = case.mirror("bzr");
    assert!(mirror.join(".bzr/repository").is_dir());
    let script = "find . -path './*/.bzr/repository' -o -path './*/.bzr/checkout'";
    assert_eq!(case.client("sh", &mirror, &["-c", script]), "");

    case.watch("one", &format!("bzr {up}/trunk\nbzr {up}/7.0"));
    assert_eq!(of(&case.json(0), "bzr")["outcome"], "unchanged");
    let second = case.brz_commit("trunk", "2");
    let update = case.json(0);
    assert_eq!(branch(&update, "bzr", "trunk"), ("moved", &*second));
    assert_eq!(branch(&update, "bzr", "7.0"), ("none", &*first));
    // Diverged, then taken back.
    case.brz("trunk", &["uncommit", "-q", "--force"]);
    let other = case.brz_commit("trunk", "other");
    assert_eq!(branch(&case.json(0), "bzr", "trunk"), ("rewritten", &*other));
    case.brz("trunk", &["uncommit", "-q", "--force"]);
    assert_eq!(branch(&case.json(0), "bzr", "trunk"), ("rewritten", &*first));
}

#[test]
fn a_broken_mirror_is_made_anew() {
    let case = Case::new();
    case.brz(".", &["init", "-q", "b"]);
    case.brz_commit("b", "1");
    case.watch("one", &format!("bzr {}", case.up("b")));
    case.json(0);
    let mirror = case.mirror("bzr");
    for script in ["rm .bzr/repository/packs/*", "echo nonsense > .bzr/repository/pack-names", "rm -r .bzr"] {
        case.client("sh", &mirror, &["-c", script]);
        let revision = case.brz_commit("b", "next");
        let update = case.json(0);
        assert!(of(&update, "bzr")["afresh"].is_string(), "{script}: {update}");
        assert_eq!(branch(&update, "bzr", "b"), ("moved", &*revision));
    }
    // What a killed client left.
    case.client("sh", &mirror, &["-c", "mkdir -p .bzr/repository/lock/held b-*/.bzr/branch/lock/held"]);
    let revision = case.brz_commit("b", "last");
    assert_eq!(branch(&case.json(0), "bzr", "b"), ("moved", &*revision));
}
