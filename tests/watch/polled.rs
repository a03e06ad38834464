//! Changes that no hook tells of: the mirrors do.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{eventually, is_root};
use crate::support::{Watch, Watched, client, folder};

fn commit(vcs: &str, repository: &Path, message: &str) {
    fs::write(repository.join("file"), message).unwrap();
    match vcs {
        "git" => {
            client("git", &["add", "-A"], repository);
            client(
                "git",
                &["-c", "user.name=Ann", "-c", "user.email=a@e.example", "commit", "-qm", message],
                repository,
            );
        }
        "hg" => drop(client("hg", &["commit", "-qA", "-m", message], repository)),
        _ => {
            client("brz", &["add", "-q"], repository);
            client("brz", &["commit", "-q", "-m", message], repository);
        }
    }
}

#[test]
fn a_commit_is_found_in_every_system() {
    let watched = Watched::new("");
    let up = folder(&watched, "up");
    let mut manifest = fs::read_to_string(watched.farm.root.join("buildouts/MANIFEST.cfg")).unwrap();
    for (vcs, make, branch) in [
        ("git", &["init", "-q", "-b", "main"][..], " main"),
        ("hg", &["init"], " default"),
        ("bzr", &["init", "-q"], ""),
    ] {
        let repository = up.join(vcs);
        fs::create_dir(&repository).unwrap();
        if is_root() {
            assert!(Command::new("chown").arg("farmout:").arg(&repository).status().unwrap().success());
        }
        client(if vcs == "bzr" { "brz" } else { vcs }, make, &repository);
        commit(vcs, &repository, "One");
        let url = format!("file://{}", repository.display());
        manifest += &format!("[{vcs}]\ninherit = base\nwatch = {vcs} {url}{branch}\n");
    }
    watched.farm.write("buildouts/MANIFEST.cfg", &manifest);
    let watch = Watch::begin(&watched, &["--poll", "1s"]);
    // What is there at the beginning is no change.
    eventually("all are known", || watched.book()["heads"].as_array().is_some_and(|heads| heads.len() == 3));
    assert!(watched.begun().is_empty());
    for (count, vcs) in ["git", "hg", "bzr"].iter().enumerate() {
        commit(vcs, &up.join(vcs), "Two");
        eventually(&format!("the build of {vcs} is begun\n{}", watch.said()), || watched.begun().contains_key(*vcs));
        assert_eq!(watched.begun().len(), count + 1);
    }
    watched.settle();
    for result in watched.results() {
        let changes = result["trigger"]["changes"].as_array().unwrap();
        assert_eq!(changes.len(), 1, "{changes:?}");
        let change = &changes[0];
        assert!(change["author"].as_str().unwrap().starts_with("Ann"), "{change}");
        assert_eq!((&change["comment"], &change["files"]), (&"Two".into(), &serde_json::json!(["file"])), "{change}");
    }
    assert!(watched.begun().values().all(|&count| count == 1), "{:?}", watched.begun());
    assert_eq!(watch.stop(), Some(130));
}
