//! Changes that no hook tells of: the mirrors do.

use std::fs;
use std::path::Path;

use crate::common::{SYSTEM, eventually};
use crate::loopback::{MAKE_SSH, SSH, Server};
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
            // For a server that hands out files.
            client("git", &["update-server-info"], repository);
        }
        "hg" => drop(client("hg", &["commit", "-qA", "-m", message], repository)),
        _ => {
            client("brz", &["add", "-q"], repository);
            client("brz", &["commit", "-q", "-m", message], repository);
        }
    }
}

#[test]
fn a_commit_is_found_in_every_system_behind_every_server() {
    let watched = Watched::new("");
    let up = folder(&watched, "up");
    let systems =
        [("git", &["init", "-q", "-b", "main", "git"][..]), ("hg", &["init", "hg"]), ("bzr", &["init", "-q", "bzr"])];
    for (vcs, make) in systems {
        client(if vcs == "bzr" { "brz" } else { vcs }, make, &up);
        commit(vcs, &up.join(vcs), "One");
    }
    let (_files, files) = Server::files(&up);
    let (_hgweb, hgweb) = Server::hgweb(&up.join("hg"), &up);
    let bin = folder(&watched, "bin");
    client("sh", &["-c", MAKE_SSH, SSH], &bin);

    let at = up.display();
    let watches = [
        ("git-file", format!("git file://{at}/git main")),
        ("git-http", format!("git http://127.0.0.1:{files}/git/.git main")),
        ("git-ssh", format!("git ssh://git@127.0.0.1{at}/git main")),
        ("hg-file", format!("hg file://{at}/hg default")),
        ("hg-http", format!("hg http://127.0.0.1:{hgweb}/ default")),
        ("hg-ssh", format!("hg ssh://me@127.0.0.1/{at}/hg default")),
        ("bzr-file", format!("bzr file://{at}/bzr")),
        ("bzr-http", format!("bzr http://127.0.0.1:{files}/bzr")),
        ("bzr-ssh", format!("bzr bzr+ssh://me@127.0.0.1{at}/bzr")),
    ];
    let mut manifest = fs::read_to_string(watched.farm.root.join("buildouts/MANIFEST.cfg")).unwrap();
    for (build, watch) in &watches {
        manifest += &format!("[{build}]\ninherit = base\nwatch = {watch}\n");
    }
    watched.farm.write("buildouts/MANIFEST.cfg", &manifest);
    let mut command = watched.farm.farmout(&["watch", "--poll", "1s", "--jobs", "3"]);
    command.env("PATH", format!("{}:{SYSTEM}", bin.display()));
    let watch = Watch::start(command);
    // What is there at the beginning is no change.
    eventually("all are known", || {
        watched.book()["heads"].as_array().is_some_and(|heads| heads.len() == watches.len())
    });
    assert!(watched.begun().is_empty());
    for (count, (vcs, _)) in systems.iter().enumerate() {
        commit(vcs, &up.join(vcs), "Two");
        eventually(&format!("the builds of {vcs} are begun"), || watched.begun().len() >= 3 * (count + 1));
        assert_eq!(watched.begun().keys().filter(|build| build.starts_with(vcs)).count(), 3, "{}", watch.said());
        assert_eq!(watched.begun().len(), 3 * (count + 1), "{}", watch.said());
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
