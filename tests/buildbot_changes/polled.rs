//! Real repositories, polled.

use super::support::Case;

/// One of each system, of which two branches are watched where there are branches.
fn all() -> Case {
    let mut case = Case::new();
    for vcs in ["git", "hg", "bzr"] {
        case.repository(vcs, vcs);
    }
    let git = [case.local("git", "git", Some("main")), case.local("git", "git", Some("next"))];
    let hg = [case.local("hg", "hg", Some("default")), case.local("hg", "hg", Some("stable"))];
    let bzr = case.local("bzr", "bzr", None);
    case.build("shop", 5, &[git[0], hg[0], bzr]);
    case.build("next", 1, &[git[1]]);
    case.build("stable", 1, &[hg[1]]);
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
    assert_eq!(case.asked(1), [format!("changes for shop: {last}")]);
    let g = case.commit("git", "git", "g1");
    assert_eq!(case.changes(4)[3], "git main Ann <ann@x.example>: g1 [g1]");
    assert_eq!(case.asked(2)[1], format!("changes for shop: {g}"));
    let h = case.commit("hg", "hg", "h1");
    assert_eq!(case.changes(5)[4], "hg default Ann <ann@x.example>: h1 [h1]");
    assert_eq!(case.asked(3)[2], format!("changes for shop: {h}"));
}
