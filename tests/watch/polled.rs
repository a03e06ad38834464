//! Changes that no hook tells of: the mirrors do.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::common::{SYSTEM, as_step_user, eventually};
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

/// What stands in for ssh does here what it is to do there.
const SSH: &str = r#"#!/bin/sh
case $* in *" -V") exec echo OpenSSH_9.9 ;; esac
while :; do
    case $1 in
    -[lop]) shift 2 ;;
    -*) shift ;;
    *) break ;;
    esac
done
shift
exec sh -c "$*"
"#;

/// A server of this machine, gone when it is dropped.
struct Server(Child);

impl Server {
    /// Starts it, and waits until it answers at the port that `command` is given.
    fn start(command: impl FnOnce(u16) -> Command) -> (Self, u16) {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self(command(port).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        eventually("the server answers", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        (server, port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
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
    let (_files, files) = Server::start(|port| {
        let mut python = as_step_user("/usr/bin/python3");
        python.args(["-m", "http.server", "--bind", "127.0.0.1", &port.to_string()]).current_dir(&up);
        python
    });
    let (_hgweb, hgweb) = Server::start(|port| {
        let mut hg = as_step_user("hg");
        hg.args(["serve", "--address", "127.0.0.1", "--port", &port.to_string()]).current_dir(up.join("hg"));
        hg.env("HGRCPATH", "").env("HOME", &up);
        hg
    });
    let bin = folder(&watched, "bin");
    let script = "printf %s \"$0\" > ssh && chmod 755 ssh && ln -s \"$(command -v brz)\" bzr";
    client("sh", &["-c", script, SSH], &bin);

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
