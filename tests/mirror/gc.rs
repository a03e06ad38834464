//! `farmout mirror gc`.

use std::fs;

use super::common::snapshot::snapshot;
use super::support::{Case, branch};

#[test]
fn what_nothing_watches_goes_and_nothing_else() {
    let case = Case::new();
    for name in ["a", "b"] {
        case.git_repository(name);
        case.git(name, &["branch", "dev"]);
    }
    case.brz(".", &["init", "-q", "one"]);
    case.brz_commit("one", "1");
    case.brz(".", &["branch", "-q", "one", "two"]);
    case.hg(".", &["init", "h"]);
    case.hg_commit("h", "1");
    let up = case.path("up").display().to_string();
    case.watch(
        "one",
        &format!("git {up}/a main\ngit {up}/a dev\ngit {up}/b main\nhg {up}/h default\nbzr {up}/one\nbzr {up}/two"),
    );
    case.json(0);
    let foreign = case.path("mirrors/git/mine");
    case.client("mkdir", case.path("mirrors/git"), &["mine"]);
    case.client("sh", case.path("mirrors/git"), &["-c", "echo '{}' > mine.json"]);
    case.run(&["gc", "--farm", "one"]).exits(0).says("nothing to remove").says("mine is no mirror");

    case.watch("one", &format!("git {up}/a main\nbzr {up}/one"));
    let gone = case.path("mirrors/hg");
    let count = |path: &std::path::Path| fs::read_dir(path).unwrap().count();
    let dry = case.run(&["gc", "--farm", "one", "--dry-run"]).exits(0);
    assert_eq!(count(&gone), 2);
    let removed = case.run(&["gc", "--farm", "one"]).exits(0);
    assert_eq!(dry.out.replace("would remove", "removed"), removed.out);
    let root = case.root.to_str().unwrap();
    snapshot!("mirror-gc", removed.out, vec![(root, "[ROOT]"), (r"\d+(\.\d)? (Ki)?B", "[SIZE]")]);
    assert_eq!(count(&gone), 0);
    assert!(foreign.is_dir());
    let names: Vec<_> = fs::read_dir(case.path("mirrors/git")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(names.iter().filter(|path| path.is_dir()).count(), 2, "{names:?}");
    let mirror = names.into_iter().find(|path| path.join("HEAD").exists()).unwrap();
    assert_eq!(case.git(mirror, &["for-each-ref", "--format=%(refname)"]), "refs/heads/main");
    assert_eq!(fs::read_dir(case.mirror("bzr")).unwrap().count(), 2);
    // What comes again is new.
    case.watch("one", &format!("git {up}/a main\ngit {up}/a dev\nbzr {up}/one\nbzr {up}/two"));
    let update = case.json(0);
    assert_eq!(branch(&update, "git", "dev").0, "appeared");
    assert_eq!(branch(&update, "bzr", "two").0, "appeared");
    assert_eq!(branch(&update, "git", "main").0, "none");
}

#[test]
fn nothing_goes_while_it_is_not_known_what_is_watched() {
    let case = Case::new();
    case.git_repository("g");
    case.watch("one", &format!("git {} main", case.up("g")));
    case.json(0);
    case.watch("one", "");
    fs::create_dir_all(case.path("two/buildouts")).unwrap();
    fs::write(case.path("two/buildouts/MANIFEST.cfg"), "[x]\nwatch = svn x\n").unwrap();
    for farm in ["two", "nowhere"] {
        case.run(&["gc", "--farm", "one", "--farm", farm]).exits(1).says("nothing is removed");
    }
    assert!(case.mirror("git").is_dir());
    case.run(&["gc", "--farm", "one"]).exits(0).says("removed git");
}
