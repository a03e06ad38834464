//! Hooks in mirrors, and what updates tell of.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;

use super::common::snapshot::snapshot;
use super::support::Case;

impl Case {
    /// The deliveries in the farm's spool, in their order, which are taken out of it.
    fn taken(&self) -> Vec<Vec<Value>> {
        let entries = fs::read_dir(self.path("one/.farmout/watch/spool")).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|it| it == "json")).collect();
        paths.sort();
        let take = |path: &PathBuf| {
            let delivery: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
            fs::remove_file(path).unwrap();
            delivery["changes"].as_array().unwrap().clone()
        };
        paths.iter().map(take).collect()
    }

    /// The same, a line for each change.
    fn told(&self) -> Vec<String> {
        let text = |change: &Value, name: &str| change[name].as_str().unwrap_or("-").to_owned();
        let line =
            |change: &Value| format!("{} {} {}", text(change, "vcs"), text(change, "branch"), text(change, "comment"));
        let mut lines: Vec<String> = self.taken().iter().flatten().map(line).collect();
        lines.sort();
        lines
    }

    fn hooks(&self, arguments: &[&str]) -> String {
        let ran = self.run(&[&["hooks", "--farm", "one"], arguments].concat()).exits(0);
        ran.out.replace(&self.root.display().to_string(), "ROOT")
    }
}

/// A case with a mirror of each system.
fn three() -> Case {
    let case = Case::new();
    case.git_repository("g");
    case.hg(".", &["init", "h"]);
    case.hg_commit("h", "1");
    case.brz(".", &["init", "-q", "b"]);
    case.brz_commit("b", "1");
    let up = case.path("up").display().to_string();
    case.watch("one", &format!("git {up}/g main\nhg {up}/h default\nbzr {up}/b"));
    case.update().exits(0);
    case
}

#[test]
fn updates_tell_of_what_they_bring_and_hooks_of_the_rest() {
    let case = three();
    case.hooks(&[]);
    // What was there before is no change.
    case.update().exits(0);
    assert_eq!(case.told(), [""; 0]);
    case.git_commit("g", "2");
    let head = case.git_commit("g", "3");
    case.hg_commit("h", "2");
    let revision = case.brz_commit("b", "2");
    case.update().exits(0);
    let taken = case.taken();
    assert_eq!(taken.len(), 3, "{taken:?}");
    let of = |vcs: &str| taken.iter().find(|it| it[0]["vcs"] == vcs).unwrap();
    assert_eq!((of("git").len(), &of("git")[1]["revision"]), (2, &head.as_str().into()));
    assert_eq!(of("git")[0]["comment"], "2");
    assert_eq!(of("git")[0]["url"], case.up("g"));
    assert_eq!((&of("bzr")[0]["revision"], &of("bzr")[0]["comment"]), (&revision.as_str().into(), &"2".into()));
    assert_eq!(of("bzr")[0]["url"], case.up("b"));
    assert_eq!(of("hg")[0]["comment"], "2");
    case.update().exits(0);
    assert_eq!(case.told(), [""; 0]);

    // Another way in than farmout's.
    let (git, hg) = (case.mirror("git"), case.mirror("hg"));
    case.git_commit("g", "4");
    case.git(&git, &["fetch", "-q", &case.up("g"), "main:main"]);
    case.git("g", &["push", "-q", git.to_str().unwrap(), "main:refs/heads/other"]);
    case.hg_commit("h", "3");
    case.hg("h", &["push", "-q", hg.to_str().unwrap()]);
    assert_eq!(case.told(), ["git main 4", "git other 4", "hg default 3"]);
}

#[test]
fn a_bookmark_is_told_by_its_own_name() {
    let case = Case::new();
    case.hg(".", &["init", "h"]);
    case.hg_commit("h", "1");
    case.hg("h", &["bookmark", "stable"]);
    case.watch("one", &format!("hg {} stable", case.up("h")));
    case.update().exits(0);
    case.hooks(&[]);
    case.hg_commit("h", "2");
    case.hg_commit("h", "3");
    case.update().exits(0);
    assert_eq!(case.told(), ["hg stable 2", "hg stable 3"]);
}

#[test]
fn what_cannot_be_told_is_told_by_the_next_update() {
    let case = three();
    case.hooks(&[]);
    case.git_commit("g", "2");
    let (spool, aside) = (case.path("one/.farmout/watch/spool"), case.path("one/.farmout/watch/aside"));
    fs::rename(&spool, &aside).unwrap();
    fs::write(&spool, "in the way").unwrap();
    let ran = case.update().exits(1);
    assert!(ran.out.contains("cannot hand the change over to"), "{}", ran.out);
    fs::remove_file(&spool).unwrap();
    fs::rename(&aside, &spool).unwrap();
    case.update().exits(0);
    assert_eq!(case.told(), ["git main 2"]);
}

#[test]
fn hooks_are_made_repaired_and_removed() {
    let case = three();
    let git = case.mirror("git").join("hooks/reference-transaction");
    let hg = case.mirror("hg").join(".hg/hgrc");
    fs::write(&hg, format!("{}\n[hooks]\nincoming.mine = true", fs::read_to_string(&hg).unwrap().trim_end())).unwrap();
    let before = fs::read_to_string(&hg).unwrap();
    let mut told = format!("$ farmout mirror hooks\n{}\n", case.hooks(&[]));
    let (script, settings) = (fs::read(&git).unwrap(), fs::read_to_string(&hg).unwrap());
    told += &format!("again\n{}\n", case.hooks(&[]));
    fs::write(&git, String::from_utf8(script.clone()).unwrap().replace("--git-refs", "--bad")).unwrap();
    fs::set_permissions(&git, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&hg, format!("{}\n[ui]\nquiet = true\n", settings.replace("--hg-changegroup", "--bad"))).unwrap();
    told += &format!("changed\n{}\n", case.hooks(&[]));
    assert_eq!(
        (fs::read(&git).unwrap(), fs::read_to_string(&hg).unwrap()),
        (script, format!("{settings}\n[ui]\nquiet = true\n"))
    );
    assert_eq!(git.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    told += &format!("$ farmout mirror hooks --remove\n{}\n", case.hooks(&["--remove"]));
    assert_eq!(fs::read_to_string(&hg).unwrap(), format!("{before}\n\n[ui]\nquiet = true\n"));
    assert!(!git.exists());
    told += &format!("again\n{}\n", case.hooks(&["--remove"]));
    case.git_commit("g", "2");
    case.update().exits(0);
    assert_eq!(case.told(), [""; 0]);

    // Somebody else's stays, and what it can do is said.
    fs::create_dir_all(git.parent().unwrap()).unwrap();
    fs::write(&git, "#!/bin/sh\nexit 0\n").unwrap();
    let ran = case.run(&["hooks", "--farm", "one"]).exits(1);
    told += &format!("somebody else's\n{}", ran.out.replace(&case.root.display().to_string(), "ROOT"));
    assert_eq!(fs::read_to_string(&git).unwrap(), "#!/bin/sh\nexit 0\n");
    case.hooks(&["--remove"]);
    assert!(git.exists());
    let filters = vec![
        (r"-[0-9a-f]{12}", "-HASH"),
        (r"ROOT-?", "ROOT"),
        (r"(tmp|var)-[A-Za-z0-9._-]*?-up-", "UP-"),
        (r"(?m)^  \S*/farmout notify", "  farmout notify"),
    ];
    snapshot!("mirror-hooks", told, filters);
}

#[test]
fn a_mirror_that_is_made_later_has_its_hook() {
    let case = three();
    case.hooks(&[]);
    let git = case.mirror("git");
    fs::remove_dir_all(&git).unwrap();
    case.update().exits(0);
    assert!(git.join("hooks/reference-transaction").is_file());
    // It is as it was: nothing came.
    assert_eq!(case.told(), [""; 0]);
}
