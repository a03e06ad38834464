//! Notifications of `farmout run`: programs and mails that are told how builders ended, and what becomes of a run whose
//! programs misbehave.

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use common::snapshot::snapshot;
use common::{Ran, Runner, Verdict, eventually, running};
use nix::sys::signal::Signal;
use serde_json::Value;

/// The farm of [`Verdict`] with programs that are told how it went.
struct Told {
    farm: Verdict,
}

impl Told {
    /// With this `notify` in farm.yaml.
    fn new(notify: &str) -> Self {
        let farm = Verdict::new(&format!("notify:\n{notify}"));
        let told = Self { farm };
        let out = told.out();
        fs::create_dir(&out).unwrap();
        fs::set_permissions(&out, fs::Permissions::from_mode(0o777)).unwrap();
        told
    }

    /// The folder that programs may write into.
    fn out(&self) -> PathBuf {
        self.farm.directory.path().join("out")
    }

    /// A program of the farm's own.
    fn program(&self, name: &str, script: &str) {
        let script = script.replace("OUT", self.out().to_str().unwrap());
        self.farm.write(name, &script);
        fs::set_permissions(self.farm.root.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn ends(&self, one: i32, two: i32) {
        self.farm.ends(one, two);
    }

    fn run(&self) -> Ran {
        self.farm.build()
    }

    /// What programs were told, a document a line.
    fn documents(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.out().join("told")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The builders that programs were told of, by document.
    fn builders(&self) -> Vec<Vec<String>> {
        let name = |news: &Value| format!("{} {}", news["builder"].as_str().unwrap(), news["event"].as_str().unwrap());
        let all = self.documents();
        all.iter().map(|document| document["builders"].as_array().unwrap().iter().map(name).collect()).collect()
    }
}

const TELL: &str = "#!/bin/sh\ncat >> OUT/told\n";

#[test]
fn a_program_is_told_once_a_run_of_what_it_wants_to_know() {
    let told = Told::new("  - {on: [failure, fixed], command: [./tell.sh, an argument]}\n");
    told.program(
        "tell.sh",
        "#!/bin/sh\nprintf '%s\\n' \"$PWD\" \"$1\" > OUT/call\nid -un >> OUT/call\nenv > OUT/env\ncat >> OUT/told\n",
    );
    told.run().exits(0);
    assert_eq!(told.builders(), [[""; 0]; 0]);
    told.ends(1, 1);
    let ran = told.run().exits(1);
    assert!(!ran.all().contains("warning: "), "{}", ran.all());
    told.ends(0, 1);
    told.run().exits(1);
    told.ends(0, 0);
    told.run().exits(0);
    told.run().exits(0);
    assert_eq!(
        told.builders(),
        [vec!["one failure", "two failure"], vec!["one fixed", "two failure"], vec!["two fixed"]]
    );
    let first = &told.documents()[0];
    let text = serde_json::to_string_pretty(first).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    let root = told.farm.directory.path().display().to_string();
    let filters =
        [(root.as_str(), "[DIR]"), (r"\d{8}-\d{6}-\w{4}", "[RUN]"), (r#""seconds": [\d.]+"#, r#""seconds": 0.1"#)];
    snapshot!("notify-document", text, filters);
    let call = fs::read_to_string(told.out().join("call")).unwrap();
    let user = if common::is_root() { "farmout".to_owned() } else { common::step_user() };
    assert_eq!(call, format!("{}\nan argument\n{user}\n", told.farm.root.display()));
    let environment = fs::read_to_string(told.out().join("env")).unwrap();
    assert!(!environment.contains("PYTHONPATH") && environment.contains("PATH="), "{environment}");
}

#[test]
fn a_program_is_told_of_each_builder_while_the_run_goes_on() {
    let told = Told::new("  - {on: [success], each: builder, command: [./tell.sh]}\n");
    told.program("tell.sh", TELL);
    told.run().exits(0);
    let mut builders = told.builders().concat();
    builders.sort();
    assert_eq!(builders, ["one success", "two success"]);
    assert!(told.documents().iter().all(|document| document["event"] == "builder" && document["outcome"].is_null()));
}

/// Nothing that a program does, or does not, changes what came of the run.
#[test]
fn programs_that_misbehave_are_warnings() {
    let told = Told::new(
        "  - {on: [failure], command: [./crash.sh]}
  - {on: [failure], command: [./deaf.sh]}
  - {on: [failure], command: [./gone.sh]}
  - {on: [failure], command: [no-such-program-anywhere]}
  - {on: [failure], command: [./loud.sh]}
  - {on: [failure], command: [./orphan.sh]}
  - {on: [failure], timeout: 1, each: builder, command: [./hang.sh]}
  - {on: [failure], command: [./tell.sh]}\n",
    );
    told.program(
        "crash.sh",
        "#!/bin/sh\necho it is $(cat | grep -c hunter2) >&2\necho my password is hunter2hunter2\nexit 3\n",
    );
    // It closes its input at once, and what it is told is more than a pipe holds.
    told.program("deaf.sh", "#!/bin/sh\nexec 0<&-\nexit 0\n");
    told.program("loud.sh", "#!/bin/sh\nhead -c 30000000 /dev/zero | tr '\\0' 'x'\n");
    told.program("orphan.sh", "#!/bin/sh\nsleep 600 &\nsetsid sleep 3 &\n");
    told.program("hang.sh", "#!/bin/sh\ntrap '' TERM\necho x >> OUT/hung\nsleep 600\n");
    told.program("tell.sh", TELL);
    told.ends(1, 1);
    let start = Instant::now();
    let ran = told.run().exits(1);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    // The one that is slow is not called for the second builder.
    assert_eq!(fs::read_to_string(told.out().join("hung")).unwrap(), "x\n");
    assert_eq!(told.builders(), [["one failure", "two failure"]]);
    let root = told.farm.directory.path().display().to_string();
    let filters = [(root.as_str(), "[DIR]"), (r"PATH=\S+", "PATH=[PATH]"), (r"running as root: [^\n]*\n", "")];
    snapshot!("notify-warnings", ran.err, filters);
    let results: Value = serde_json::from_slice(&fs::read(told.farm.latest().join("result.json")).unwrap()).unwrap();
    assert_eq!((&results["outcome"], results["builders"].as_array().unwrap().len()), (&Value::from("failure"), 2));
    eventually("nothing is left of the programs", || running(told.farm.directory.path()).is_empty());
}

/// Whether it comes to its end or has to be ended, and whatever session they are in.
#[test]
fn a_program_ends_with_all_that_it_started() {
    let told = Told::new(
        "  - {on: [success], command: [./done.sh]}
  - {on: [success], timeout: 2, command: [./hang.sh]}\n",
    );
    let daemons = "for daemon in 1 2; do setsid sh -c 'trap \"\" TERM; echo $$ >> OUT/NAME; exec sleep 555' & done\n\
                   until [ \"$(wc -l < OUT/NAME)\" = 2 ]; do sleep 0.01; done\n";
    // Without its environment it is known by its parent alone.
    let bare = "env -i \"PATH=$PATH\" setsid sh -c 'trap \"\" TERM; echo $$ > OUT/bare; exec sleep 553' &\n\
                until [ -s OUT/bare ]; do sleep 0.01; done\n";
    let script = |name: &str, end: &str| format!("#!/bin/sh\ntouch OUT/{name}\n{}{end}", daemons.replace("NAME", name));
    told.program("done.sh", &script("done", "exit 0\n"));
    told.program("hang.sh", &script("hung", &format!("{bare}sleep 554\n")));
    told.run().exits(0).says("`./hang.sh` did not tell what happened: ended after 2.0s").says_no("done.sh");
    let pids = ["done", "hung", "bare"].map(|name| fs::read_to_string(told.out().join(name)).unwrap()).concat();
    let pids: Vec<i32> = pids.lines().map(|pid| pid.parse().unwrap()).collect();
    assert_eq!(pids.len(), 5);
    let sleeps = |pid: &i32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"sleep"));
    assert_eq!(pids.into_iter().filter(sleeps).collect::<Vec<_>>(), [0; 0]);
}

/// Ctrl-C while a program hangs after the run: it ends, and the run's result stands.
#[test]
fn a_program_that_hangs_can_be_interrupted() {
    let told = Told::new("  - {on: [success], command: [./hang.sh]}\n");
    told.program("hang.sh", "#!/bin/sh\necho x > OUT/hung\nexec sleep 600\n");
    let mut runner = Runner::start(told.farm.farmout(&["run", "--only", "verdict"]));
    eventually("the program is called", || told.out().join("hung").exists());
    assert!(runner.is_running());
    // `env` has become farmout.
    runner.signal(Signal::SIGINT);
    runner.wait().exits(0).says("did not tell what happened: interrupted");
    eventually("nothing is left of the program", || running(told.farm.directory.path()).is_empty());
}

#[test]
fn a_program_whose_farmout_was_killed_ends_with_the_next_run() {
    let told = Told::new("  - {on: [failure], each: builder, command: [./hang.sh]}\n");
    told.program(
        "hang.sh",
        "#!/bin/sh\nsetsid sleep 1000 &\necho $! >> OUT/pid\nenv -i sleep 1000 &\necho $! >> OUT/pid\nwait\n",
    );
    told.ends(1, 0);
    let mut runner = Runner::start(told.farm.farmout(&["run", "--only", "verdict"]));
    let pids = || fs::read_to_string(told.out().join("pid")).unwrap_or_default();
    eventually("the program is called", || pids().lines().count() == 2);
    let sleeps = |pid: &&str| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"sleep"));
    let alive = || pids().lines().filter(sleeps).count();
    let notes = || {
        let names = fs::read_dir(told.farm.state().join("active")).unwrap().map(|entry| entry.unwrap().path());
        names.filter(|path| path.extension().is_some_and(|extension| extension == "call")).count()
    };
    assert!(runner.is_running());
    runner.signal(Signal::SIGKILL);
    runner.wait();
    assert_eq!((alive(), notes()), (2, 1));
    told.ends(0, 0);
    told.run().exits(0);
    eventually("nothing is left of the program", || alive() == 0);
    assert_eq!(notes(), 0);
}

#[test]
fn a_slave_that_cannot_be_used_is_told_of() {
    let told = Told::new(
        "  - {on: [missing], command: [./tell.sh]}
  - {on: [failure, fixed, success], command: [./tell.sh]}\n",
    );
    told.program("tell.sh", TELL);
    // Wrong use is nobody else's business.
    told.farm.run(&["run", "--only", "no-such-step"]).exits(2);
    assert_eq!(told.documents(), Vec::<Value>::new());
    let ran = told.farm.run(&["run", "--only", "verdict", "--state", "/dev/null/state"]).exits(2);
    let documents = told.documents();
    assert_eq!(documents.len(), 1, "{}", ran.all());
    assert_eq!((&documents[0]["event"], &documents[0]["slave"]), (&Value::from("missing"), &Value::from("here")));
    assert!(documents[0]["problem"].as_str().unwrap().contains("/dev/null/state"), "{}", documents[0]);
    assert_eq!(documents[0]["builders"], Value::Array(Vec::new()));
    // Nor can it be without its password.
    told.farm.edit("slaves.cfg", "passwd=hunter2hunter2", "passwd=@no.password");
    told.farm.run(&["run", "--only", "verdict"]).exits(2).says("slaves.cfg:").says("no.password cannot be read");
    let documents = told.documents();
    assert_eq!(documents.len(), 2);
    assert!(documents[1]["problem"].as_str().unwrap().contains("no.password"), "{}", documents[1]);
}

/// A mail server that takes one mail: what it was told, line by line.
fn server() -> (u16, mpsc::Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let (mut lines, mut data) = (Vec::new(), false);
        let say = |text: &str| (&stream).write_all(format!("{text}\r\n").as_bytes()).unwrap();
        say("220 here");
        for line in BufReader::new(&stream).lines() {
            let line = line.unwrap();
            match line.get(..4).unwrap_or_default() {
                _ if data && line != "." => {}
                "EHLO" | "MAIL" | "RCPT" => say("250 fine"),
                "DATA" => {
                    data = true;
                    say("354 go on");
                }
                "QUIT" => {
                    say("221 bye");
                    break;
                }
                _ if line == "." => {
                    data = false;
                    say("250 taken");
                }
                _ => say("500 what?"),
            }
            lines.push(line);
        }
        tell.send(lines).unwrap();
    });
    (port, told)
}

#[test]
fn a_mail_is_sent_by_a_server() {
    let (port, told_server) = server();
    let told = Told::new(&format!(
        "  - on: [failure, fixed]
    mail: {{to: [\"Étienne <a@shop.example>\", b@shop.example], from: farm@shop.example, via: \"smtp://127.0.0.1:{port}\"}}\n"
    ));
    told.ends(0, 1);
    let ran = told.run().exits(1);
    assert!(!ran.err.contains("warning"), "{}", ran.err);
    let mail = told_server.recv_timeout(Duration::from_secs(20)).unwrap().join("\n");
    // Long lines are broken, and how long they are depends on where tests are.
    let mail = mail.replace("=\n", "");
    assert!(!mail.contains("hunter2"), "{mail}");
    let root = told.farm.directory.path().display().to_string();
    let filters = [
        (root.as_str(), "[DIR]"),
        (r"\d{8}-\d{6}-\w{4}", "[RUN]"),
        (r"(?m)^(Message-ID|Date|EHLO|Content-Transfer-Encoding).*$", "$1 [VARIES]"),
        (r"\d+\.\ds", "0.1s"),
    ];
    snapshot!("notify-mail", mail, filters);
}

#[test]
fn mail_servers_that_misbehave_are_warnings() {
    // Nobody listens there; the other one accepts and says nothing.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let via = |port| format!("{{to: [a@b.example], from: c@d.example, via: \"smtp://127.0.0.1:{port}\"}}");
    let told = Told::new(&format!(
        "  - {{on: [success], mail: {}}}\n  - {{on: [success], timeout: 1, mail: {}}}\n",
        via(closed),
        via(silent.local_addr().unwrap().port())
    ));
    told.run().exits(0).says("Connection refused").says("given up after 1.0s, its time limit");
}

#[test]
fn a_mail_is_handed_to_sendmail() {
    let told = Told::new(
        "  - {on: [missing], mail: {from: farm@shop.example}}
  - {on: [success], mail: {to: [a@shop.example], from: farm@shop.example, via: sendmail}}\n",
    );
    told.program("bin/sendmail", "#!/bin/sh\nprintf '%s ' \"$@\" >> OUT/arguments\ncat > OUT/mail\n");
    let run = |arguments: &[&str]| {
        let path = format!("{}:{}", told.farm.root.join("bin").display(), common::SYSTEM);
        Ran::from(told.farm.farmout(arguments).env("PATH", path).output().unwrap())
    };
    run(&["run", "--only", "verdict"]).exits(0).says_no("warning: ");
    let mail = fs::read_to_string(told.out().join("mail")).unwrap();
    assert!(mail.contains("Subject: [farmout] here: 2 went well\n") && !mail.contains('\r'), "{mail}");
    run(&["run", "--only", "verdict", "--state", "/dev/null/state"]).exits(2).says_no("warning: ");
    let mail = fs::read_to_string(told.out().join("mail")).unwrap();
    assert!(mail.contains("To: admin@host.example\n") && mail.contains("here cannot be used\n"), "{mail}");
    let arguments = fs::read_to_string(told.out().join("arguments")).unwrap();
    assert_eq!(arguments, "-i -f farm@shop.example -- a@shop.example -i -f farm@shop.example -- admin@host.example ");
}
