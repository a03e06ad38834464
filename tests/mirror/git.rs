//! Mirrors of Git repositories.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::support::{Case, branch, of};

#[test]
fn branches_are_followed_wherever_they_go() {
    let case = Case::new();
    case.git_repository("g");
    let url = case.up("g");
    case.git("g", &["branch", "dev"]);
    case.git("g", &["branch", "other"]);
    case.git("g", &["tag", "v1"]);
    case.watch("one", &format!("git {url} main\ngit {url} dev\ngit {url} v1"));
    let first = case.git("g", &["rev-parse", "main"]);
    let update = case.json(0);
    assert_eq!(of(&update, "git")["outcome"], "made");
    for name in ["main", "dev", "v1"] {
        assert_eq!(branch(&update, "git", name), ("appeared", &*first));
    }
    // What nothing watches is not there.
    let mirror = case.mirror("git");
    let refs = case.git(&mirror, &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(refs, "refs/heads/dev\nrefs/heads/main\nrefs/tags/v1");
    assert_eq!(of(&case.json(0), "git")["outcome"], "unchanged");

    let second = case.git_commit("g", "2");
    let update = case.json(0);
    assert_eq!(of(&update, "git")["outcome"], "changed");
    assert_eq!(branch(&update, "git", "main"), ("moved", &*second));
    assert_eq!(branch(&update, "git", "dev"), ("none", &*first));

    // Rewritten, and, where it was, another branch below its name.
    case.git("g", &["reset", "-q", "--hard", &first]);
    let other = case.git_commit("g", "other");
    case.git("g", &["branch", "-D", "-q", "dev"]);
    case.git("g", &["branch", "dev/next", &other]);
    case.watch("one", &format!("git {url} main\ngit {url} dev\ngit {url} dev/next"));
    let update = case.json(1);
    assert_eq!(branch(&update, "git", "main"), ("rewritten", &*other));
    assert_eq!(branch(&update, "git", "dev"), ("disappeared", "nowhere"));
    assert_eq!(branch(&update, "git", "dev/next"), ("appeared", &*other));
    let problem = &of(&update, "git")["problems"][0];
    assert_eq!(problem["message"], format!("{url} has no branch or tag `dev`"));
    assert!(problem["help"].as_str().unwrap().contains("dev/next"), "{problem}");
    let refs = case.git(&mirror, &["for-each-ref", "--format=%(refname) %(objectname)", "refs/heads"]);
    assert_eq!(refs, format!("refs/heads/dev/next {other}\nrefs/heads/main {other}"));
    // Said again each time, and no change any more.
    assert_eq!(branch(&case.json(1), "git", "dev"), ("none", "nowhere"));
    case.git("g", &["branch", "-D", "-q", "dev/next"]);
    case.git("g", &["branch", "dev"]);
    let update = case.json(1);
    assert_eq!(branch(&update, "git", "dev"), ("appeared", &*other));
    assert_eq!(branch(&update, "git", "dev/next"), ("disappeared", "nowhere"));
}

/// What the other farm watched is gone, and in the way.
#[test]
fn a_branch_of_another_farm_is_no_hindrance() {
    let case = Case::new();
    case.git_repository("g");
    let url = case.up("g");
    case.git("g", &["branch", "dev"]);
    case.git("g", &["branch", "a/b"]);
    case.watch("two", &format!("git {url} dev\ngit {url} a/b"));
    case.run(&["update", "--farm", "two"]).exits(0);
    for (from, to) in [("dev", "dev/next"), ("a/b", "a")] {
        case.git("g", &["branch", "-D", "-q", from]);
        case.git("g", &["branch", to]);
    }
    case.watch("one", &format!("git {url} dev/next\ngit {url} a"));
    let update = case.json(0);
    assert_eq!(branch(&update, "git", "dev/next").0, "appeared");
    assert_eq!(branch(&update, "git", "a").0, "appeared");
    case.run(&["update", "--farm", "two"]).exits(1).says("dev: gone, was at").says("a/b: gone, was at");
}

#[test]
fn farms_share_a_mirror_and_each_has_its_watchers() {
    let case = Case::new();
    case.git_repository("g.git");
    case.git("g.git", &["branch", "dev"]);
    let url = case.up("g.git");
    case.watch("one", &format!("git {url} main\n\ngit file://{url}/ main"));
    case.watch("two", &format!("git {url}// dev\ngit {url} refs/heads/main"));
    let ran = case.run(&["update", "--farm", "one", "--farm", "two", "--format", "json"]).exits(0);
    let update = serde_json::from_str(&ran.out).unwrap();
    let branches = of(&update, "git")["branches"].as_array().unwrap();
    let watchers: Vec<String> = branches
        .iter()
        .map(|it| {
            let watchers = it["watchers"].as_array().unwrap().iter();
            let names =
                watchers.map(|it| format!("{}/{}", it["farm"].as_str().unwrap(), it["build"].as_str().unwrap()));
            format!("{}: {}", it["branch"].as_str().unwrap(), names.collect::<Vec<_>>().join(" "))
        })
        .collect();
    assert_eq!(watchers, ["main: one/b0 one/b1 two/b0", "dev: two/b0"]);
    case.mirror("git");
    // The farm that is not named keeps its branch.
    case.json(0);
    assert_eq!(case.git(case.mirror("git"), &["for-each-ref", "--format=%(refname:short)"]), "dev\nmain");
}

#[test]
fn a_broken_mirror_is_made_anew_and_changes_are_known_all_the_same() {
    let case = Case::new();
    case.git_repository("g");
    // One that does not change, and is not fetched again by itself.
    case.git("g", &["checkout", "-q", "-b", "still"]);
    let still = case.git_commit("g", "still");
    case.git("g", &["checkout", "-q", "main"]);
    case.watch("one", &format!("git {url} main\ngit {url} still", url = case.up("g")));
    case.json(0);
    let mirror = case.mirror("git");
    let breaks: [(&str, &[&str]); 4] = [
        ("no objects", &["-c", "find objects -type f | xargs rm -f"]),
        ("a mad configuration", &["-c", "echo '[[[' > config"]),
        ("no head", &["-c", "rm HEAD"]),
        ("no repository", &["-c", "rm -r objects refs"]),
    ];
    for (what, script) in breaks {
        case.client("sh", &mirror, script);
        let revision = case.git_commit("g", what);
        let update = case.json(0);
        let repository = of(&update, "git");
        assert_eq!(repository["outcome"], "made", "{what}");
        assert!(repository["afresh"].is_string(), "{what}: {update}");
        assert_eq!(branch(&update, "git", "main"), ("moved", &*revision), "{what}");
        assert_eq!(branch(&update, "git", "still"), ("none", &*still), "{what}");
        case.git(&mirror, &["fsck", "--strict"]);
    }
    // Its branch lost, and nothing new over there.
    case.client("sh", &mirror, &["-c", "echo nonsense > refs/heads/main"]);
    assert_eq!(branch(&case.json(0), "git", "main").0, "none");
    assert_eq!(case.git(&mirror, &["rev-parse", "main"]), case.git("g", &["rev-parse", "main"]));
}

#[test]
fn what_a_killed_git_left_is_no_hindrance() {
    let case = Case::new();
    case.git_repository("g");
    case.watch("one", &format!("git {} main", case.up("g")));
    case.json(0);
    let mirror = case.mirror("git");
    let left = "touch refs/heads/main.lock packed-refs.lock HEAD.lock objects/pack/tmp_pack_x; mkdir ../.new-x ../.old-y ../.private-z";
    case.client("sh", &mirror, &["-c", left]);
    let revision = case.git_commit("g", "2");
    assert_eq!(branch(&case.json(0), "git", "main"), ("moved", &*revision));
    for name in ["packed-refs.lock", "objects/pack/tmp_pack_x", "../.new-x", "../.old-y", "../.private-z"] {
        assert!(!mirror.join(name).exists(), "{name}");
    }
}

#[test]
fn no_program_of_a_strangers_runs() {
    let case = Case::new();
    case.git_repository("g");
    let proof = case.path("home/proof");
    let script = format!("#!/bin/sh\ntouch {}\n", proof.display());
    let hooks = case.path("hooks");
    fs::create_dir(&hooks).unwrap();
    for name in ["evil", "post-update", "reference-transaction", "pre-auto-gc", "post-merge"] {
        fs::write(hooks.join(name), &script).unwrap();
        fs::set_permissions(hooks.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let settings = case.path("settings");
    fs::write(&settings, format!("[core]\nhooksPath = {}\n[protocol \"ext\"]\nallow = always\n", hooks.display()))
        .unwrap();
    case.watch(
        "one",
        &format!(
            "git {} main\ngit ext::{} main\ngit -oProxyCommand=x main",
            case.up("g"),
            hooks.join("evil").display()
        ),
    );
    let mut update = case.farmout(&["update", "--farm", "one"]);
    update.env("GIT_CONFIG_GLOBAL", &settings).env("GIT_ASKPASS", hooks.join("evil"));
    let ran = super::common::Ran::from(update.output().unwrap()).exits(1);
    ran.says("made")
        .says("transport 'ext' not allowed")
        .says("`-oProxyCommand=x` is an address that depends on where it is read");
    assert!(!proof.exists());
}

#[test]
fn git_may_rewrite_addresses_itself() {
    let case = Case::new();
    case.git_repository("g");
    let settings = case.path("settings");
    fs::write(&settings, format!("[url \"{}/\"]\ninsteadOf = https://git.example/\n", case.path("up").display()))
        .unwrap();
    case.watch("one", "git https://git.example/g main");
    let mut update = case.farmout(&["update", "--farm", "one"]);
    super::common::Ran::from(update.env("GIT_CONFIG_GLOBAL", &settings).output().unwrap()).exits(0).says("made");
    // And the farm.
    fs::write(
        case.path("one/farm.yaml"),
        format!("rewrite-urls:\n  - from: https://git.example/\n    to: {}/\n", case.path("up").display()),
    )
    .unwrap();
    case.update().exits(0).says(&format!("git {}", case.up("g")));
}
