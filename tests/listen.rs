//! `farmout listen`: what services send is handed over once it is proven to be theirs, and nothing that strangers send harms.

mod common {
    pub mod binary;
    pub mod snapshot;
}

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use common::snapshot::snapshot;
use hmac::{Hmac, KeyInit as _, Mac as _};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use sha2::Sha256;
use tempfile::TempDir;

const SECRET: &str = "tell-nobody";

/// A server, ended with the test.
struct Server {
    directory: TempDir,
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(secrets: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_farmout"));
        command.args(["listen", "--address", "127.0.0.1:0", "--spool"]).arg(directory.path().join("spool"));
        for (number, secret) in secrets.iter().enumerate() {
            let file = directory.path().join(format!("secret{number}"));
            fs::write(&file, format!("{secret}\n")).unwrap();
            command.arg("--secret").arg(format!("@{}", file.display()));
        }
        let mut child = command.current_dir(directory.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().trim_end_matches('/').parse().unwrap();
        // What it says of requests must go somewhere.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Self { directory, child, address }
    }

    fn spool(&self) -> PathBuf {
        self.directory.path().join("spool")
    }

    /// The deliveries, in their order.
    fn deliveries(&self) -> Vec<Value> {
        let entries = fs::read_dir(self.spool()).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = entries.filter(|path| path.extension().is_some_and(|it| it == "json")).collect();
        paths.sort();
        paths.iter().map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap()).collect()
    }

    /// Sends these bytes; all of the answer.
    fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // It may refuse before it has read all.
        let _ = stream.write_all(bytes);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    /// Sends a request; the status and the line of the answer.
    fn post(&self, path: &str, fields: &[(&str, &str)], body: &[u8]) -> (u16, String) {
        let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\n{fields}Content-Length: {}\r\n\r\n", body.len());
        shown(&self.raw(&[head.as_bytes(), body].concat()))
    }

    fn signal(&mut self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    fn end(&mut self) -> ExitStatus {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn shown(answer: &str) -> (u16, String) {
    let status = answer.split(' ').nth(1).unwrap_or_else(|| panic!("no answer: {answer:?}")).parse().unwrap();
    (status, answer.split_once("\r\n\r\n").unwrap().1.trim_end().to_owned())
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/payloads/{name}.json"))).unwrap()
}

fn signature(secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(body).finalize();
    mac.into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What each service sends of each fixture: its path, its event's field, and how it proves the secret.
const SENT: [(&str, &str, &str, &str, &str); 12] = [
    ("github-push", "/github", "X-GitHub-Event", "push", "X-Hub-Signature-256"),
    ("github-delete", "/github", "X-GitHub-Event", "push", "X-Hub-Signature-256"),
    ("github-tag", "/github", "X-GitHub-Event", "push", "X-Hub-Signature-256"),
    ("github-ping", "/github", "X-GitHub-Event", "ping", "X-Hub-Signature-256"),
    ("gitlab-push", "/gitlab", "X-Gitlab-Event", "Push Hook", "X-Gitlab-Token"),
    ("gitlab-tag", "/gitlab", "X-Gitlab-Event", "Tag Push Hook", "X-Gitlab-Token"),
    ("heptapod-push", "/heptapod", "X-Gitlab-Event", "Push Hook", "X-Gitlab-Token"),
    ("heptapod-topic", "/heptapod", "X-Gitlab-Event", "Push Hook", "X-Gitlab-Token"),
    ("gitea-push", "/gitea", "X-Gitea-Event", "push", "X-Gitea-Signature"),
    ("bitbucket-push", "/bitbucket", "X-Event-Key", "repo:push", "X-Hub-Signature"),
    ("bitbucket-server-push", "/bitbucket-server", "X-Event-Key", "repo:refs_changed", "X-Hub-Signature"),
    ("bitbucket-server-commits", "/", "X-Event-Key", "repo:refs_changed", "X-Hub-Signature"),
];

/// What proves that the sender knows a secret.
fn proof(field: &str, secret: &str, body: &[u8]) -> String {
    match field {
        "X-Gitlab-Token" => secret.to_owned(),
        "X-Gitea-Signature" => signature(secret, body),
        _ => format!("sha256={}", signature(secret, body)),
    }
}

#[test]
fn what_services_send_is_handed_over() {
    let server = Server::start(&["an-older-one", SECRET]);
    let mut told = String::new();
    let mut handed_over = 0;
    for (name, path, event_field, event, proof_field) in SENT {
        let body = fixture(name);
        let proof = proof(proof_field, SECRET, &body);
        let (status, line) = server.post(path, &[(event_field, event), (proof_field, &proof)], &body);
        told += &format!("{path:<18} {name:<25} {status} {line}\n");
        handed_over += usize::from(!line.starts_with("told no change"));
        assert_eq!(server.deliveries().len(), handed_over, "{name}");
        // By its fields alone it is told from others too, where they say all.
        if path != "/heptapod" {
            let again = server.post("/", &[(event_field, event), (proof_field, &proof)], &body);
            assert_eq!(again, (200, line), "{name}");
            handed_over = server.deliveries().len();
        }
    }
    snapshot!("listen-told", told);
    let first = &server.deliveries()[0]["changes"];
    assert_eq!(first[0]["url"], "https://github.example/shop/addons.git");
    assert_eq!(first[1]["branch"], "16.0");
}

#[test]
fn nothing_is_handed_over_without_a_proof() {
    let server = Server::start(&[SECRET]);
    for (name, path, event_field, event, proof_field) in SENT {
        let body = fixture(name);
        let event = (event_field, event);
        let (status, line) = server.post(path, &[event], &body);
        assert_eq!(status, 401, "{name}: {line}");
        assert!(line.contains(proof_field) && !line.contains(SECRET), "{line}");
        let wrong = proof(proof_field, "another", &body);
        assert_eq!(server.post(path, &[event, (proof_field, &wrong)], &body).0, 401, "{name}");
        // Said twice it may be two things to two readers.
        let right = proof(proof_field, SECRET, &body);
        assert_eq!(server.post(path, &[event, (proof_field, &right), (proof_field, &wrong)], &body).0, 401, "{name}");
        let mut other = body.clone();
        other.push(b' ');
        let status = server.post(path, &[event, (proof_field, &right)], &other).0;
        // GitLab's token is none of the body's.
        assert_eq!(status, if proof_field == "X-Gitlab-Token" { 200 } else { 401 }, "{name}");
    }
    let changed = server.deliveries();
    assert!(
        changed.iter().all(|it| it["changes"][0]["url"].as_str().unwrap().contains("gitlab.example")
            || it["changes"][0]["vcs"] == "hg")
    );
}

#[test]
fn what_makes_no_sense_is_answered() {
    let server = Server::start(&[]);
    let push = fixture("github-push");
    let github = ("X-GitHub-Event", "push");
    let mut told = String::new();
    let mut tell = |what: &str, (status, line): (u16, String)| told += &format!("{what}: {status} {line}\n");
    tell("another path", server.post("/hooks", &[github], &push));
    tell("no service", server.post("/", &[], &push));
    tell("another service", server.post("/gitlab", &[github], &push));
    tell("another body", server.post("/", &[github], b"{\"a\":1}"));
    tell("no JSON", server.post("/", &[github], b"hello"));
    tell("no body", server.post("/", &[github], b""));
    tell("another event", server.post("/", &[("X-GitHub-Event", "star")], b"{}"));
    tell("GET", shown(&server.raw(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")));
    tell("no length", shown(&server.raw(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n")));
    tell("chunks", shown(&server.raw(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")));
    tell("odd length", shown(&server.raw(b"POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\nhello")));
    tell("two lengths", shown(&server.raw(b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello")));
    tell("too long", shown(&server.raw(b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\nhello")));
    tell("no HTTP", shown(&server.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")));
    let fields = "A: b\r\n".repeat(200);
    tell("many fields", shown(&server.raw(format!("POST / HTTP/1.1\r\n{fields}\r\n").as_bytes())));
    let field = "b".repeat(60_000);
    tell("a long field", shown(&server.raw(format!("POST / HTTP/1.1\r\nA: {field}\r\n\r\n").as_bytes())));
    snapshot!("listen-refused", told);
    assert_eq!(server.deliveries().len(), 0);
    // A form, as GitHub sends it if it is told to; and a sender who asks first.
    let payload: String = push.iter().map(|byte| format!("%{byte:02X}")).collect();
    let form = [github, ("Content-Type", "application/x-www-form-urlencoded"), ("Expect", "100-continue")];
    let answer = server.post("/?from=github", &form, format!("x=1&payload={payload}").as_bytes());
    assert!(answer.1.contains("told 2 changes of 16.0"), "{answer:?}");
    assert_eq!(server.deliveries().len(), 1);
}

#[test]
fn who_is_slow_keeps_nobody_waiting_for_long() {
    let server = Server::start(&[]);
    let mut slow: Vec<TcpStream> = (0..20).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    for stream in &mut slow {
        stream.write_all(b"POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhal").unwrap();
    }
    let began = Instant::now();
    let answer = server.post("/", &[("X-GitHub-Event", "ping")], b"{}");
    assert_eq!(answer, (200, "told no change; ignored: a ping".to_owned()));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    for mut stream in slow {
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert_eq!(shown(&answer), (408, "the request takes too long".to_owned()));
    }
}

#[test]
fn a_spool_that_takes_nothing_is_told_to_the_service() {
    let server = Server::start(&[]);
    fs::remove_dir_all(server.spool()).unwrap();
    fs::write(server.spool(), "in the way").unwrap();
    let (status, line) = server.post("/", &[("X-GitHub-Event", "push")], &fixture("github-push"));
    assert_eq!(status, 503);
    assert!(line.contains("cannot hand it over") && line.contains("send it again"), "{line}");
}

#[test]
fn a_request_that_was_begun_is_answered_before_the_end() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut server = Server::start(&[]);
        let body = fixture("github-push");
        let mut stream = TcpStream::connect(server.address).unwrap();
        let head = format!("POST / HTTP/1.1\r\nX-GitHub-Event: push\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        // So that it is accepted.
        assert_eq!(server.post("/", &[], b"").0, 400);
        server.signal(signal);
        std::thread::sleep(Duration::from_millis(200));
        stream.write_all(&body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(shown(&answer), (200, "told 2 changes of 16.0".to_owned()));
        assert_eq!(server.end().code(), Some(130));
        assert_eq!(server.deliveries().len(), 1);
    }
    // A second signal does not wait.
    let mut server = Server::start(&[]);
    let _idle = TcpStream::connect(server.address).unwrap();
    assert_eq!(server.post("/", &[], b"").0, 400);
    server.signal(Signal::SIGTERM);
    std::thread::sleep(Duration::from_millis(200));
    let began = Instant::now();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.end().code(), Some(130));
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[test]
fn wrong_use_is_told() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("empty"), "\n").unwrap();
    let mut told = String::new();
    for arguments in [
        &["--address", "0.0.0.0:0"][..],
        &["--address", "here"],
        &["--secret", "sesame"],
        &["--secret", "@nowhere"],
        &["--secret", "@empty"],
        &["--secret", "$NOT_SET_ANYWHERE"],
        &["--spool", "empty/spool"],
    ] {
        let mut command = common::binary::farmout(&["listen"]);
        let output = command.current_dir(directory.path()).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        told += &format!("$ farmout listen {}\n{}\n", arguments.join(" "), common::binary::text(&output.stderr));
    }
    snapshot!("listen-misuse", told);
}
