//! `farmout notify`, called by the hooks of real repositories: what is pushed is handed over whole, and no push fails for it.

mod common {
    pub mod binary;
    pub mod snapshot;
}

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::binary::{farmout, text};
use common::snapshot::snapshot;
use serde_json::Value;
use tempfile::TempDir;

const FARMOUT: &str = env!("CARGO_BIN_EXE_farmout");

/// A directory, with a spool whose name has to be quoted.
struct Case(TempDir);

impl Case {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    fn spool(&self) -> PathBuf {
        self.path("it's the/spool")
    }

    /// A program in a directory, with farmout to be found and nobody's settings.
    fn command(&self, program: &str, directory: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", Path::new(FARMOUT).parent().unwrap().display());
        command.current_dir(self.path("").join(directory)).env_clear().env("PATH", path).env("HOME", self.path(""));
        command
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("HGRCPATH", "")
            .env("HGPLAIN", "1")
            .env("HGUSER", "Ann <ann@x.example>");
        command.env("BRZ_EMAIL", "Ann <ann@x.example>").env("BRZ_LOG", "/dev/null").env("LANG", "C.UTF-8");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Ann").env(format!("GIT_{who}_EMAIL"), "ann@x.example");
        }
        command.stdin(Stdio::null());
        command
    }

    #[track_caller]
    fn run(&self, program: &str, directory: impl AsRef<Path>, arguments: &[&str]) -> Output {
        let mut command = self.command(program, directory);
        let output = command.args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(output.status.success(), "{program} {arguments:?}: {}", text(&output.stderr));
        output
    }

    #[track_caller]
    fn notify(&self, arguments: &[&str]) -> Output {
        let spool = self.spool();
        self.run(FARMOUT, "", &[&["notify", "--spool", spool.to_str().unwrap()], arguments].concat())
    }

    /// The hook that farmout prints for a server of this system.
    fn printed(&self, vcs: &str, url: &str) -> String {
        let spool = self.spool();
        let arguments = ["mirror", "hooks", "--print", vcs, "--url", url, "--spool", spool.to_str().unwrap()];
        text(&self.run(FARMOUT, "", &arguments).stdout)
    }

    /// A bare Git repository with the hook, and a clone.
    fn git(&self) {
        self.run("git", "", &["init", "-q", "--bare", "-b", "main", "up.git"]);
        let hook = self.path("up.git/hooks/post-receive");
        fs::write(&hook, self.printed("git", "https://git.example/a b")).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        self.run("git", "", &["clone", "-q", "up.git", "work"]);
    }

    fn commit(&self, file: &str, comment: &str) {
        fs::write(self.path("work").join(file), comment).unwrap();
        self.run("git", "work", &["add", "--all"]);
        self.run("git", "work", &["commit", "-q", "-m", comment]);
    }

    /// Pushes; what the hook said.
    #[track_caller]
    fn push(&self, arguments: &[&str]) -> String {
        let output = self.run("git", "work", &[&["push", "-q", "origin"], arguments].concat());
        text(&output.stderr).trim_end().to_owned()
    }

    /// The deliveries in the spool, in their order, which are taken out of it.
    fn taken(&self) -> Vec<Vec<Value>> {
        let found = deliveries(&self.spool());
        let _ = fs::remove_dir_all(self.spool());
        found
    }

    /// The only delivery, a line for each change.
    #[track_caller]
    fn told(&self) -> Vec<String> {
        let mut taken = self.taken();
        assert_eq!(taken.len(), 1, "{taken:?}");
        taken.remove(0).iter().map(shown).collect()
    }

    fn head(&self, revision: &str) -> String {
        text(&self.run("git", "work", &["rev-parse", revision]).stdout).trim().to_owned()
    }
}

/// A program in the background, ended with the test.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The deliveries in a spool. Each must be whole.
fn deliveries(spool: &Path) -> Vec<Vec<Value>> {
    let Ok(entries) = fs::read_dir(spool) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: &PathBuf| {
        let delivery: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        delivery["changes"].as_array().unwrap().clone()
    };
    paths.iter().map(read).collect()
}

/// A change as a line.
fn shown(change: &Value) -> String {
    let text = |name: &str| change[name].as_str().unwrap_or("-").to_owned();
    let files: Vec<_> = change["files"].as_array().into_iter().flatten().map(|file| file.as_str().unwrap()).collect();
    format!("{} {} {}: {}", text("branch"), text("author"), text("comment").replace('\n', "/"), files.join("|"))
}

#[test]
fn a_push_is_told_whole() {
    let case = Case::new();
    case.git();
    for number in 1..=3 {
        case.commit(&format!("a file {number}"), &format!("c{number}\n\nit's \"done\" é"));
    }
    assert_eq!(case.push(&["HEAD:main"]), "");
    let [taken] = &case.taken()[..] else { panic!() };
    let lines: Vec<_> = taken.iter().map(shown).collect();
    let line = |number: usize| format!("main Ann <ann@x.example> c{number}//it's \"done\" é: a file {number}");
    assert_eq!(lines, [line(1), line(2), line(3)]);
    assert_eq!(taken[2]["revision"], case.head("HEAD"));
    assert_eq!((&taken[0]["vcs"], &taken[0]["url"]), (&"git".into(), &"https://git.example/a b".into()));

    // A branch of what is known already, and one with something of its own, at once.
    case.commit("x", "c4");
    case.push(&["HEAD:refs/heads/next", "HEAD~1:refs/heads/same"]);
    assert_eq!(case.told(), ["next Ann <ann@x.example> c4: x".to_owned(), line(3).replace("main", "same")]);

    // Back, and rewritten.
    case.push(&["--force", "HEAD~2:main"]);
    assert_eq!(case.told(), [line(2)]);
    case.run("git", "work", &["reset", "-q", "--hard", "HEAD~3"]);
    case.commit("y", "other");
    case.push(&["--force", "HEAD:main"]);
    assert_eq!(case.told(), ["main Ann <ann@x.example> other: y"]);

    // What is no change of a branch.
    case.run("git", "work", &["tag", "v1"]);
    case.push(&["v1", ":next"]);
    assert_eq!(case.taken().len(), 0);

    // A merge brings the other branch's commits.
    case.run("git", "work", &["checkout", "-q", "-b", "side"]);
    case.commit("z", "side");
    case.run("git", "work", &["checkout", "-q", "-"]);
    case.commit("u", "here");
    case.run("git", "work", &["merge", "-q", "--no-edit", "side"]);
    case.push(&["HEAD:main"]);
    let told = case.told();
    assert_eq!(told.len(), 3);
    assert!(told[2].contains("Merge branch 'side'"), "{told:?}");
}

#[test]
fn of_a_great_many_commits_the_newest_are_told() {
    let case = Case::new();
    case.git();
    let mut stream = String::from("reset refs/heads/big\n");
    for number in 0..1500 {
        stream += &format!("commit refs/heads/big\ncommitter A <a@x> {number} +0000\ndata {}\n{number:04}\n", 4);
    }
    let mut import = self_fed(case.command("git", "work").arg("fast-import").arg("--quiet"), stream.as_bytes());
    assert!(import.wait().unwrap().success());
    case.push(&["big"]);
    let [taken] = &case.taken()[..] else { panic!() };
    assert_eq!((taken.len(), &taken[0]["comment"], &taken[999]["comment"]), (1000, &"0500".into(), &"1499".into()));
}

/// Starts a program with this input.
fn self_fed(command: &mut Command, input: &[u8]) -> std::process::Child {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child
}

#[test]
fn what_a_repository_does_not_say_is_told_by_its_revision() {
    let case = Case::new();
    case.git();
    let unknown = "0123456789012345678901234567890123456789";
    for (old, new) in [(unknown, unknown), ("0000000000000000000000000000000000000000", unknown)] {
        let mut command = case.command(FARMOUT, "up.git");
        command.args(["notify", "--vcs", "git", "--git-refs", "--url", "x", "--spool"]).arg(case.spool());
        let line = format!("{old} {new} refs/heads/main\n");
        let ran = self_fed(command.stderr(Stdio::piped()), line.as_bytes()).wait_with_output().unwrap();
        assert!(ran.status.success());
        if old == new {
            assert_eq!(case.taken().len(), 0);
        } else {
            assert!(text(&ran.stderr).contains("warning: of main only the revision is told: git"), "{ran:?}");
            assert_eq!(case.taken()[0][0]["revision"], unknown);
        }
    }
    case.notify(&["--vcs", "bzr", "--url", "lp:x", "--rev", "some-id", "--since", "other-id", "--repository", "work"]);
    assert_eq!(case.taken()[0][0]["revision"], "some-id");
}

#[test]
fn a_push_to_mercurial_is_told_for_each_branch() {
    let case = Case::new();
    case.run("hg", "", &["init", "up"]);
    fs::write(case.path("up/.hg/hgrc"), case.printed("hg", "https://hg.example/x")).unwrap();
    case.run("hg", "", &["clone", "-q", "up", "work"]);
    let commit = |file: &str, comment: &str| {
        fs::write(case.path("work").join(file), comment).unwrap();
        case.run("hg", "work", &["commit", "-q", "--addremove", "-m", comment]);
    };
    commit("a b", "one\n\nmore");
    case.run("hg", "work", &["branch", "-q", "7.0"]);
    commit("c", "two");
    case.run("hg", "work", &["push", "-q", "--new-branch"]);
    assert_eq!(case.told(), ["default Ann <ann@x.example> one//more: a b", "7.0 Ann <ann@x.example> two: c"]);
    commit("c", "three");
    case.run("hg", "work", &["push", "-q"]);
    let [taken] = &case.taken()[..] else { panic!() };
    let node = text(&case.run("hg", "work", &["log", "-r", ".", "-T", "{node}"]).stdout);
    assert_eq!((taken.len(), &taken[0]["revision"], &taken[0]["vcs"]), (1, &node.as_str().into(), &"hg".into()));
}

#[test]
fn a_push_to_bazaar_is_told_with_its_revisions() {
    let case = Case::new();
    fs::create_dir(case.path("plugins")).unwrap();
    fs::create_dir(case.path("up")).unwrap();
    let plugin = case.printed("bzr", "https://bzr.example/");
    let root = format!("ROOT = \"{}\"", case.path("up").display());
    fs::write(case.path("plugins/farmout_notify.py"), plugin.replace("ROOT = \"/srv/bzr\"", &root)).unwrap();
    let brz = |directory: &str, arguments: &[&str]| {
        let mut command = case.command("brz", directory);
        let output = command.env("BRZ_PLUGIN_PATH", case.path("plugins")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        // Bazaar says of the tree, wherever that is, that it has changes, as it was written to in the same second.
        let said = text(&output.stderr);
        let said: Vec<&str> = said.lines().filter(|line| !line.starts_with("Working tree ")).collect();
        assert!(!said.join("\n").contains("farmout"), "{said:?}");
        text(&output.stdout)
    };
    brz("", &["init", "-q", "work"]);
    for (file, comment) in [("a b", "one\nrevno: 9\nmessage:\n  x"), ("c", "two")] {
        fs::write(case.path("work").join(file), comment).unwrap();
        brz("work", &["add", "-q"]);
        brz("work", &["commit", "-q", "-m", comment]);
    }
    // Nothing of what is not below the directory.
    assert_eq!(case.taken().len(), 0);
    brz("work", &["push", "-q", "../up/the trunk"]);
    let [taken] = &case.taken()[..] else { panic!() };
    assert_eq!(taken[0]["url"], "https://bzr.example/the%20trunk");
    let lines: Vec<_> = taken.iter().map(shown).collect();
    assert_eq!(lines[0], "- Ann <ann@x.example> one/revno: 9/message:/  x: a b");
    assert_eq!(lines[1], "- Ann <ann@x.example> two: c");
    assert_eq!(taken[1]["revision"], brz("work", &["revision-info"]).trim());
    // Back, then on.
    brz("work", &["uncommit", "-q", "--force"]);
    brz("work", &["push", "-q", "--overwrite", "../up/the trunk"]);
    assert_eq!(case.told(), [lines[0].clone()]);
    // Through a server, which shows a part of its files only.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut serve = case.command("brz", "");
    serve.env("BRZ_PLUGIN_PATH", case.path("plugins")).args(["serve", "--allow-writes", "--directory=up"]);
    let serve = serve
        .arg("--listen=127.0.0.1")
        .arg(format!("--port={port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _serve = Ended(serve);
    for _ in 0..200 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    brz("work", &["commit", "-q", "--unchanged", "-m", "three"]);
    brz("work", &["push", "-q", &format!("bzr://127.0.0.1:{port}/the%20trunk")]);
    let told = case.told();
    assert_eq!(told, ["- Ann <ann@x.example> three: c"]);
}

#[test]
fn no_push_fails_for_a_spool() {
    let case = Case::new();
    case.git();
    fs::write(case.path("it's the"), "in the way").unwrap();
    case.commit("a", "one");
    let said = case.push(&["HEAD:main"]);
    assert!(said.contains("warning: cannot hand the change over to") && said.contains("Not a directory"), "{said}");
    let change = ["--vcs", "git", "--url", "x", "--branch", "b", "--rev", "1"];
    case.notify(&change);
    let mut strict = case.command(FARMOUT, "");
    strict.args(["notify", "--strict", "--spool"]).arg(case.spool()).args(change);
    assert_eq!(strict.status().unwrap().code(), Some(1));
    // Of two spools, the other gets it.
    let other = case.path("other");
    case.notify(&[&change[..], &["--spool", other.to_str().unwrap()]].concat());
    assert_eq!(deliveries(&other).len(), 1);
}

mod root {
    //! Tests that mount something: only root can.

    use super::*;

    #[test]
    fn no_push_fails_for_a_full_disk() {
        let case = Case::new();
        case.git();
        case.commit("a", "one");
        let spool = case.spool();
        fs::create_dir_all(&spool).unwrap();
        let script = "mount -t tmpfs -o nr_inodes=1 none \"$1\" && git push -q origin HEAD:main && \
            mount -o remount,ro none \"$1\" && git push -q origin HEAD:other";
        let output = case.run("unshare", "work", &["--mount", "sh", "-c", script, "sh", spool.to_str().unwrap()]);
        let said = text(&output.stderr);
        assert!(said.contains("No space left") && said.contains("Read-only file system"), "{said}");
        let refs = text(&case.run("git", "up.git", &["for-each-ref", "--format=%(refname:short)"]).stdout);
        assert_eq!(refs, "main\nother\n");
    }
}

#[test]
fn what_is_killed_leaves_nothing_half() {
    let case = Case::new();
    let change = ["--vcs", "git", "--url", "x", "--branch", "b", "--rev", "1", "--comment"];
    let comment = "x".repeat(10_000);
    let mut whole = 0;
    for number in 0..60 {
        let mut command = case.command(FARMOUT, "");
        command.args(["notify", "--quiet", "--spool"]).arg(case.spool()).args(change).arg(&comment);
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_micros(number * 400));
        child.kill().unwrap();
        // One that said that it is fine has handed over.
        whole += usize::from(child.wait().unwrap().success());
    }
    let taken = deliveries(&case.spool());
    assert!(taken.len() >= whole && taken.iter().all(|it| it.len() == 1), "{whole} {}", taken.len());
    case.notify(&[&change[..], &[&comment]].concat());
    assert_eq!(case.taken().len(), taken.len() + 1);
}

#[test]
fn two_hundred_pushes_are_two_hundred_deliveries() {
    let case = Case::new();
    case.git();
    case.commit("a", "one");
    case.push(&["HEAD:main"]);
    case.taken();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let case = &case;
            scope.spawn(move || {
                let clone = format!("clone{thread}");
                case.run("git", "", &["clone", "-q", "up.git", &clone]);
                for number in 0..50 {
                    case.run("git", &clone, &["commit", "-q", "--allow-empty", "-m", &number.to_string()]);
                    case.run("git", &clone, &["push", "-q", "origin", &format!("HEAD:refs/heads/{clone}")]);
                }
            });
        }
    });
    let taken = case.taken();
    assert_eq!(taken.len(), 200);
    for thread in 0..4 {
        let branch = format!("clone{thread}");
        let own = taken.iter().flatten().filter(|change| change["branch"] == branch.as_str());
        let comments: Vec<usize> = own.map(|change| change["comment"].as_str().unwrap().parse().unwrap()).collect();
        assert_eq!(comments, (0..50).collect::<Vec<_>>());
    }
}

/// A master that answers each call with the next of these, and keeps what it was told.
fn master(answers: Vec<&'static str>) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, told) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let kept = Arc::clone(&told);
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
            loop {
                let count = stream.read(&mut buffer).unwrap();
                bytes.extend_from_slice(&buffer[..count]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head
                    .lines()
                    .find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
                if count == 0 || body.len() >= length.unwrap().parse().unwrap() {
                    kept.lock().unwrap().push(text);
                    break;
                }
            }
            let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 4\r\nConnection: close\r\n\r\nwhy\n");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    (address, told)
}

#[test]
fn a_master_gets_what_it_missed_in_order() {
    let case = Case::new();
    let change =
        |rev: &'static str| ["--vcs", "hg", "--url", "https://a:b@x.example/s", "--branch", "7.0 é", "--rev", rev];
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = format!("http://{gone}");
    for rev in ["1", "2"] {
        let output = case.notify(&[&change(rev)[..], &["--buildbot", &away, "--comment", "a & b"]].concat());
        assert!(text(&output.stderr).contains("Connection refused"), "{output:?}");
        assert_eq!(text(&output.stdout), "told 1 change of 7.0 é\n");
    }
    assert_eq!(case.taken().len(), 2);
    fs::create_dir_all(case.spool()).unwrap();
    // Still away.
    let mut flush = case.command(FARMOUT, "");
    flush.args(["notify", "--flush", "--spool"]).arg(case.spool());
    assert_eq!(flush.output().unwrap().status.code(), Some(1));

    // Back, at another address; what it does not take is kept.
    let (address, told) = master(vec!["202 Accepted", "500 Oh no", "202 Accepted", "202 Accepted"]);
    let outgoing = case.path("it's the/outgoing");
    let folder = fs::read_dir(&outgoing).unwrap().next().unwrap().unwrap().path();
    let name =
        folder.file_name().unwrap().to_str().unwrap().replace(&gone.port().to_string(), &address.port().to_string());
    fs::rename(&folder, outgoing.join(name)).unwrap();
    let output = flush.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("1 push waits for http://127.0.0.1") && text(&output.stderr).contains("500"),
        "{output:?}"
    );
    fs::write(case.path("login"), "me:sesame\n").unwrap();
    fs::set_permissions(case.path("login"), fs::Permissions::from_mode(0o600)).unwrap();
    let url = format!("http://{address}/");
    let with = ["--buildbot", &url, "--buildbot-login", "@login"];
    let output = case.notify(&[&change("3")[..], &with].concat());
    assert_eq!(text(&output.stderr), "");
    let told = told.lock().unwrap().clone();
    let revisions: Vec<_> = told.iter().map(|it| it.split("revision=").nth(1).unwrap()[..1].to_owned()).collect();
    assert_eq!(revisions, ["1", "2", "2", "3"]);
    assert!(told[0].starts_with("POST /change_hook/base HTTP/1.1\r\n"), "{}", told[0]);
    assert!(told[0].contains("repository=https%3A%2F%2Fx.example%2Fs&"), "{}", told[0]);
    for part in ["branch=7.0", "comments=a", "%26", "files=%5B%5D", "author=unknown", "when_timestamp="] {
        assert!(told[0].contains(part), "{part}: {}", told[0]);
    }
    assert!(told[3].to_lowercase().contains("authorization: basic") && told[3].contains("bWU6c2VzYW1l"), "{}", told[3]);
    let output = flush.output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(0), ""));
    // No password is written down.
    let grep = Command::new("grep").args(["-rE", "sesame|a:b@"]).arg(case.path("it's the")).output().unwrap();
    assert_eq!(text(&grep.stdout), "");
}

#[test]
fn a_master_that_hangs_holds_no_push_for_long() {
    let case = Case::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let began = std::time::Instant::now();
    let output = case.notify(&["--vcs", "git", "--url", "x", "--branch", "b", "--rev", "1", "--buildbot", &url]);
    assert!(text(&output.stderr).contains("timeout"), "{output:?}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn wrong_use_is_told() {
    let case = Case::new();
    let mut told = String::new();
    for arguments in [
        &["--vcs", "git", "--url", "x"][..],
        &["--vcs", "git", "--url", "x", "--rev", "1"],
        &["--vcs", "bzr", "--url", "x", "--rev", "1", "--branch", "b"],
        &["--vcs", "svn", "--url", "x", "--rev", "1"],
        &["--vcs", "hg", "--url", "x", "--git-refs"],
        &["--vcs", "hg", "--url", "x", "--hg-changegroup"],
        &["--vcs", "git", "--url", " ", "--branch", "b", "--rev", "1"],
        &["--vcs", "git", "--url", "x", "--branch", "b", "--rev", "1", "--buildbot", "http://a:b@x.example"],
        &["--vcs", "git", "--url", "x", "--branch", "b", "--rev", "1", "--buildbot", "x.example"],
        &["--vcs", "git", "--url", "x", "--branch", "b", "--rev", "1", "--buildbot-login", "a:b"],
        &["--flush", "--vcs", "git"],
    ] {
        let mut command = farmout(&["notify"]);
        let output = command.current_dir(case.path("")).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(text(&output.stdout), "");
        assert!(!text(&output.stderr).contains("a:b"), "{output:?}");
        told += &format!("$ farmout notify {}\n{}\n", arguments.join(" "), text(&output.stderr));
    }
    for lines in ["rubbish\n", "1 2 refs/heads/main\n"] {
        let mut command = case.command(FARMOUT, "");
        command.args(["notify", "--vcs", "git", "--url", "x", "--git-refs"]).stderr(Stdio::piped());
        let output = self_fed(&mut command, lines.as_bytes()).wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        told += &format!(
            "$ echo {} | farmout notify --vcs git --url x --git-refs\n{}\n",
            lines.trim(),
            text(&output.stderr)
        );
    }
    snapshot!("notify-misuse", told);
}

#[test]
fn hooks_for_servers_are_printed() {
    let case = Case::new();
    let mut printed = String::new();
    for arguments in [
        &["git", "--url", "https://me:pw@git.example/it's"][..],
        &["git", "--url", "https://git.example/it's", "--listener", "https://farm.example/hooks/"],
        &[
            "hg",
            "--url",
            "https://hg.example/x",
            "--buildbot",
            "https://bb.example:8010",
            "--buildbot-login",
            "@/etc/farmout.login",
        ],
        &["bzr", "--url", "https://bzr.example/"],
    ] {
        let all = [&["mirror", "hooks", "--spool", "/srv/farm/.farmout/watch/spool", "--print"], arguments].concat();
        let output = case.run(FARMOUT, "", &all);
        printed += &format!("$ farmout mirror hooks --print {}\n{}\n", arguments.join(" "), text(&output.stdout));
    }
    snapshot!("notify-server-hooks", printed);
}

#[test]
fn a_server_without_farmout_tells_a_listener() {
    let case = Case::new();
    let mut listener = case.command(FARMOUT, "");
    fs::write(case.path("secret"), "tell-nobody\n").unwrap();
    listener.args(["listen", "--address", "127.0.0.1:0", "--secret", "@secret", "--spool"]).arg(case.spool());
    let mut listener = Ended(listener.stdout(Stdio::piped()).spawn().unwrap());
    let mut out = std::io::BufReader::new(listener.0.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap();
    case.git();
    let arguments = ["mirror", "hooks", "--print", "git", "--url", "https://git.example/it's 100%", "--listener", url];
    let script = text(&case.run(FARMOUT, "", &arguments).stdout);
    let header = case.path("header");
    fs::write(&header, "X-Gitlab-Token: tell-nobody\n").unwrap();
    let script = script.replace("@/etc/farmout.header", &format!("@{}", header.display()));
    fs::write(case.path("up.git/hooks/post-receive"), script).unwrap();
    case.commit("a", "one");
    case.push(&["HEAD:main", "HEAD:odd\"name"]);
    drop(listener);
    let taken = case.taken();
    let branches: Vec<_> = taken.iter().flatten().map(|change| change["branch"].as_str().unwrap()).collect();
    assert_eq!(branches, ["main", "odd\"name"]);
    assert_eq!(taken[0][0]["url"], "https://git.example/it's 100%");
    assert_eq!(taken[0][0]["revision"], case.head("HEAD"));
}
