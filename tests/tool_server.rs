//! `farmout tool server`, `reserve-port`, `release-port` and `wait-port` through the binary, with a real server: Python's.

mod common;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::snapshot::snapshot;
use common::{FARMOUT, Ran, eventually};
use tempfile::TempDir;

/// A directory, and the servers in it, which end with it.
struct Case {
    directory: TempDir,
}

impl Drop for Case {
    fn drop(&mut self) {
        self.farmout(&["server", "stop", "--pid-file", "server.pid", "--grace", "0"]);
    }
}

impl Case {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    fn script(&self, text: &str) -> String {
        let path = self.path("serve");
        fs::write(&path, text).unwrap();
        assert!(Command::new("chmod").arg("755").arg(&path).status().unwrap().success());
        "./serve".to_owned()
    }

    fn farmout(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(FARMOUT);
        command.arg("tool").args(arguments).current_dir(self.path("")).env("NO_COLOR", "1");
        command.output().unwrap().into()
    }

    fn start(&self, command: &[&str]) -> Ran {
        let mut arguments = vec!["server", "start", "--pid-file", "server.pid", "--log", "server.log", "--"];
        arguments.extend(command);
        self.farmout(&arguments)
    }

    fn stop(&self) -> Ran {
        self.farmout(&["server", "stop", "--pid-file", "server.pid", "--grace", "1", "--log", "server.log"])
    }

    fn reserve(&self, holder: &str, min: u16, max: u16) -> Ran {
        let (min, max) = (min.to_string(), max.to_string());
        let range = ["--min", &min, "--max", &max, "--step", "2"];
        self.farmout(&[&["reserve-port", "--reservations", "ports", "--holder", holder][..], &range[..]].concat())
    }

    fn wait(&self, port: u16, timeout: &str) -> Ran {
        let port = port.to_string();
        let wait = ["wait-port", "--port", &port, "--timeout", timeout];
        self.farmout(&[&wait[..], &["--pid-file", "server.pid", "--log", "server.log"]].concat())
    }

    /// The process of the server, as the pid file has it.
    fn process(&self) -> i32 {
        let record: serde_json::Value = serde_json::from_slice(&fs::read(self.path("server.pid")).unwrap()).unwrap();
        i32::try_from(record["process"]["pid"].as_i64().unwrap()).unwrap()
    }

    fn shown(&self, ran: Ran) -> String {
        let root = self.path("").display().to_string();
        ran.shown().replace(root.trim_end_matches('/'), "ROOT")
    }
}

fn lives(process: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// A port that is free now: the system's own choice, which it does not repeat soon.
fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

const FILTERS: &[(&str, &str)] = &[
    (r"process \d+", "process N"),
    (r"\d+ tries in \d+\.\ds", "N tries in T"),
    (r"\b\d\.\ds\b", "T"),
    (r"\bport \d+", "port P"),
    (r"\b[1-6]\d{4}\b", "P"),
];

#[test]
fn a_server_outlives_its_start_and_ends_with_its_stop() {
    let case = Case::new();
    let port = free_port();
    let ran = case.start(&["python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", &port.to_string()]).exits(0);
    let mut all = case.shown(ran);
    all += &case.shown(case.wait(port, "20").exits(0));
    let process = case.process();
    assert!(lives(process));
    // A session of its own: nothing that is done to the caller's group reaches it.
    let session = nix::unistd::getsid(Some(nix::unistd::Pid::from_raw(process))).unwrap();
    assert_eq!(session.as_raw(), process);
    // Once more: the old one goes first.
    case.start(&["python3", "-u", "-m", "http.server", "--bind", "127.0.0.1", &port.to_string()])
        .exits(0)
        .says("is left from a former run: stopping it");
    assert!(!lives(process));
    case.wait(port, "20").exits(0);
    let second = case.process();
    all += &case.shown(case.stop().exits(0));
    assert!(!lives(second));
    assert!(!case.path("server.pid").exists());
    // Twice is fine.
    all += &case.shown(case.stop().exits(0));
    snapshot!("tool-server", all, FILTERS.to_vec());
}

#[test]
fn a_deaf_server_and_its_children_are_killed() {
    let case = Case::new();
    let script = case.script(
        "#!/bin/sh\ntrap '' TERM\nsleep 60 &\necho $! > child.new\nmv child.new child\nwhile :; do sleep 1; done\n",
    );
    case.start(&[&script]).exits(0);
    eventually("the child runs", || case.path("child").exists());
    let child: i32 = fs::read_to_string(case.path("child")).unwrap().trim().parse().unwrap();
    let server = case.process();
    assert!(lives(child) && lives(server));
    case.stop().exits(0).says("did not stop when asked, and was killed");
    assert!(!lives(server));
    eventually("the child is gone", || !lives(child));
}

#[test]
fn a_later_process_of_the_same_number_is_left_alone() {
    let case = Case::new();
    case.start(&["sleep", "60"]).exits(0);
    let process = case.process();
    let record = fs::read_to_string(case.path("server.pid")).unwrap();
    let mut other: serde_json::Value = serde_json::from_str(&record).unwrap();
    let start = other["process"]["start"].as_u64().unwrap();
    other["process"]["start"] = (start - 1).into();
    fs::write(case.path("server.pid"), other.to_string()).unwrap();
    case.stop().exits(0).says("had ended already");
    assert!(lives(process));
    fs::write(case.path("server.pid"), record).unwrap();
    case.stop().exits(0).says("is stopped");
    assert!(!lives(process));
}

#[test]
fn what_cannot_be_started_or_does_not_answer_is_said() {
    let case = Case::new();
    let port = free_port();
    let mut all = String::new();
    let mut told = |ran: Ran| all += &(case.shown(ran) + "\n");
    told(case.start(&["bin/start_openerp"]).exits(1));
    assert!(!case.path("server.pid").exists());
    told(case.start(&["start-openerp-of-nobody"]).exits(1));
    let script = case.script("#!/no/such/interpreter\n");
    told(case.start(&[&script]).exits(1));
    // Nothing of this is in the log: that is the server's.
    assert_eq!(fs::read_to_string(case.path("server.log")).unwrap(), "");
    told(case.wait(port, "1").exits(1));
    // One that runs, and does not answer.
    let script = case.script("#!/bin/sh\necho loading modules\nexec sleep 60\n");
    case.start(&[&script]).exits(0);
    told(case.wait(port, "3").exits(1));
    case.stop().exits(0);
    // One that ends.
    let script = case.script("#!/bin/sh\necho 'no database is named' >&2\nexit 2\n");
    fs::remove_file(case.path("server.log")).unwrap();
    case.start(&[&script]).exits(0);
    told(case.wait(port, "20").exits(1));
    // One that ends, while somebody else has its port.
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    told(case.wait(port, "20").exits(1));
    drop(listener);
    told(case.stop().exits(0));
    fs::write(case.path("server.pid"), "1234\n").unwrap();
    told(case.stop().exits(2));
    fs::remove_file(case.path("server.pid")).unwrap();
    snapshot!("tool-server-errors", all, FILTERS.to_vec());
}

#[test]
fn ports_are_reserved_once() {
    let case = Case::new();
    let min = free_port();
    let (one, two) = (case.reserve("one", min, min + 8).exits(0), case.reserve("two", min, min + 8).exits(0));
    let port = |ran: &Ran| ran.out.lines().last().unwrap().parse::<u16>().unwrap();
    assert_ne!(port(&one), port(&two));
    assert_eq!(port(&case.reserve("one", min, min + 8).exits(0)), port(&one));
    case.farmout(&["release-port", "--reservations", "ports", "--holder", "one"])
        .exits(0)
        .says(&format!("released port {}", port(&one)));
    assert_eq!(port(&case.reserve("three", min, min + 8).exits(0)), port(&one));
    case.farmout(&["release-port", "--reservations", "ports", "--holder", "one"]).exits(0).says("no port is reserved");
    case.farmout(&["release-port", "--reservations", "nowhere", "--holder", "one"]).exits(0);
    assert!(!case.path("nowhere").exists());
}

/// Many at once, each in a shell of its own that lives on: no port is given twice.
#[test]
fn a_crowd_gets_a_port_each() {
    const CROWD: u16 = 12;
    let case = Case::new();
    let (min, max) = (23_000, 23_000 + 2 * 3 * CROWD);
    let script = format!(
        "{FARMOUT} tool reserve-port --reservations ports --holder $0 --min {min} --max {max} --step 2 > $0.port; \
         touch $0.done; while [ ! -e go ]; do sleep 0.1; done"
    );
    let mut children: Vec<_> = (0..CROWD)
        .map(|number| {
            let holder = format!("holder-{number}");
            Command::new("sh").args(["-c", &script, &holder]).current_dir(case.path("")).spawn().unwrap()
        })
        .collect();
    let done = |number: u16| case.path(&format!("holder-{number}.done")).exists();
    eventually("all have one", || (0..CROWD).all(done));
    let mut ports: Vec<_> =
        (0..CROWD).map(|number| fs::read_to_string(case.path(&format!("holder-{number}.port"))).unwrap()).collect();
    fs::write(case.path("go"), "").unwrap();
    children.iter_mut().for_each(|child| assert!(child.wait().unwrap().success()));
    assert!(ports.iter().all(|port| port.trim().parse::<u16>().is_ok()), "{ports:?}");
    ports.sort();
    ports.dedup();
    assert_eq!(ports.len(), usize::from(CROWD), "{ports:?}");
    // They have all ended, and what they reserved counts no more: half of the range would be taken.
    let first = case.reserve("later", min, max).exits(0).out;
    assert!(ports.contains(&first), "{first} is none of {ports:?}");
}

#[test]
fn a_range_without_a_free_port_is_said_with_who_has_them() {
    let case = Case::new();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let min = listener.local_addr().unwrap().port();
    let mut all = case.shown(case.reserve("one", min, min).exits(1));
    drop(listener);
    case.reserve("/srv/slave/shop-pg15", min, min).exits(0);
    all += &case.shown(case.reserve("/srv/slave/other-pg15", min, min + 1).exits(1));
    all += &case.shown(case.reserve("one", 9074, 9069).exits(2));
    snapshot!("tool-port-errors", all, FILTERS.to_vec());
}

#[test]
fn output_is_kept_and_passed_on() {
    let case = Case::new();
    let keep = |command: &[&str]| case.farmout(&[&["keep-output", "--into", "kept.log", "--"], command].concat());
    let ran = keep(&["sh", "-c", "echo one; echo; echo two >&2; printf three"]).exits(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("one\n\ntwo\nthree", ""));
    assert_eq!(fs::read_to_string(case.path("kept.log")).unwrap(), "one\n\ntwo\nthree");
    keep(&["sh", "-c", "echo again; exit 3"]).exits(1).says("`sh` ended with exit status: 3");
    assert_eq!(fs::read_to_string(case.path("kept.log")).unwrap(), "again\n");
    keep(&["bin/openerp_command"]).exits(1).says("`bin/openerp_command` cannot be run: No such file or directory");
    assert!(Path::new(&case.path("kept.log")).exists());
    case.farmout(&["keep-output", "--into", "kept.log", "--option", "buildout-part", "--", "bin/openerp_command"])
        .exits(1)
        .says("its name comes from the option `buildout-part`");
}
