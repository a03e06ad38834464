//! `farmout tool workspace` and `write-files` through the binary, with real processes that steps leave.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::snapshot::snapshot;
use common::{FARMOUT, Ran, Runner, eventually};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;

/// The base directory of a worker.
struct Worker(TempDir);

impl Worker {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(name)
    }

    /// What tells the runs of this test from those of all others at the same time: marks are the machine's.
    fn tag(&self) -> String {
        self.0.path().file_name().unwrap().to_str().unwrap().replace('.', "@")
    }

    fn command(&self, verb: &str, directory: &str, run: &str, more: &[&str]) -> Command {
        let mut command = common::command(FARMOUT);
        command.args(["tool", "workspace", verb, "--basedir"]).arg(self.path(""));
        command.args(["--directory", directory, "--run", &format!("{run}{}", self.tag())]).args(more);
        command
    }

    fn begin(&self, directory: &str, run: &str, more: &[&str]) -> Ran {
        self.untagged(self.command("begin", directory, run, more).output().unwrap())
    }

    fn end(&self, directory: &str, run: &str) -> Ran {
        self.untagged(self.command("end", directory, run, &[]).output().unwrap())
    }

    /// What came of a command, with the runs as the test calls them.
    fn untagged(&self, ran: impl Into<Ran>) -> Ran {
        let ran = ran.into();
        let untag = |text: &str| text.replace(&self.tag(), "");
        Ran { out: untag(&ran.out), err: untag(&ran.err), ..ran }
    }

    fn record(&self, directory: &str) -> PathBuf {
        self.path(&format!(".farmout/builds/{directory}.json"))
    }

    /// What a person reads, without what differs between two calls.
    fn shown(&self, ran: &Ran) -> String {
        let text = ran.shown().replace(self.path("").to_str().unwrap().trim_end_matches('/'), "W");
        let numbers = regex::Regex::new(r"pid \d+").unwrap().replace_all(&text, "pid N").into_owned();
        // What surrounds the tests is another matter.
        let own =
            regex::Regex::new(r#""unset":\[.*\],"path":".*"\}"#).unwrap().replace_all(&numbers, "…}").into_owned();
        regex::Regex::new("/tmp/fo-[0-9a-f]+").unwrap().replace_all(&own, "/tmp/fo-X").into_owned()
    }
}

/// A process that a step started, ended with the test.
struct Step(Child);

impl Step {
    fn start(worker: &Worker, run: &str, directory: &str, program: &[&str]) -> Self {
        let mut command = common::command(program[0]);
        command.args(&program[1..]).env("FARMOUT_STEP", format!("{run}{}/{directory}/test", worker.tag()));
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn sleep(worker: &Worker, run: &str, directory: &str) -> Self {
        Self::start(worker, run, directory, &["sleep", "600"])
    }

    /// One that does not care for being asked to end; it does not when this returns.
    fn stubborn(worker: &Worker, run: &str, directory: &str) -> Self {
        let ready = worker.path("ready");
        let script = format!("trap '' TERM; touch {}; while :; do sleep 1; done", ready.display());
        let step = Self::start(worker, run, directory, &["sh", "-c", &script]);
        eventually("it cares no more", || ready.exists());
        fs::remove_file(ready).unwrap();
        step
    }

    fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The last line of the output.
#[track_caller]
fn told(ran: &Ran) -> Value {
    serde_json::from_str(ran.out.lines().last().unwrap()).unwrap_or_else(|_| panic!("no JSON in\n{}", ran.all()))
}

#[track_caller]
fn left_behind(ran: &Ran) -> Vec<String> {
    let told = told(ran);
    told["left-behind"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn a_build_gets_its_folders_and_leaves_no_temporary_files() {
    let worker = Worker::new();
    let begun = worker.begin("demo", "buildbot-1", &["--sockets"]).exits(0);
    for folder in ["buildout-caches/eggs", "buildout-caches/openerp", "demo/build", "demo/tmp"] {
        assert!(worker.path(folder).is_dir(), "{folder}");
    }
    assert_eq!(mode(&worker.path("demo/tmp")), 0o700);
    let sockets = PathBuf::from(told(&begun)["socket-dir"].as_str().unwrap());
    assert_eq!(mode(&sockets), 0o700);
    assert!(sockets.as_os_str().len() < 40, "{}", sockets.display());
    assert_eq!(told(&begun)["tmp-dir"], worker.path("demo/tmp").to_str().unwrap());
    assert!(worker.record("demo").exists());

    fs::write(worker.path("demo/tmp/file"), "").unwrap();
    fs::write(worker.path("demo/build/file"), "").unwrap();
    fs::write(sockets.join("file"), "").unwrap();
    let mut process = Step::sleep(&worker, "buildbot-1", "demo");
    let mut other = Step::sleep(&worker, "buildbot-1", "demo-2");
    let ended = worker.end("demo", "buildbot-1").exits(0);
    assert!(!process.runs() && other.runs());
    assert!(worker.path("demo/tmp").read_dir().unwrap().next().is_none());
    assert!(worker.path("demo/build/file").exists() && !sockets.exists() && !worker.record("demo").exists());
    let again = worker.end("demo", "buildbot-1").exits(0);
    let shown = [&begun, &ended, &again].map(|ran| worker.shown(ran)).join("---\n");
    snapshot!("tool-workspace", shown);
}

#[test]
fn steps_are_told_what_of_the_callers_environment_is_not_theirs() {
    let worker = Worker::new();
    let mut begin = worker.command("begin", "demo", "buildbot-1", &[]);
    begin.env_clear().env("PATH", "/opt/env/bin:relative::/usr/bin:/bin").env("VIRTUAL_ENV", "/opt/env");
    begin.envs([("PGHOST", "elsewhere"), ("GIT_DIR", "/srv/x.git"), ("LANG", "C.UTF-8"), ("PYTHONPATH", "/x")]);
    let told = told(&Ran::from(begin.output().unwrap()).exits(0));
    assert_eq!(told["unset"], serde_json::json!(["GIT_DIR", "PGHOST", "PYTHONPATH", "VIRTUAL_ENV"]));
    assert_eq!(told["path"], "/usr/bin:/bin");
}

#[test]
fn an_interrupted_build_of_the_same_directory_is_ended_first() {
    let worker = Worker::new();
    let first = worker.begin("demo", "buildbot-1", &["--sockets"]).exits(0);
    let sockets = told(&first)["socket-dir"].as_str().unwrap().to_owned();
    fs::write(worker.path("demo/tmp/file"), "").unwrap();
    fs::write(worker.path("demo/build/kept"), "").unwrap();
    let mut process = Step::sleep(&worker, "buildbot-1", "demo");
    // One that carries no mark, and was started by one that does.
    let ready = worker.path("ready");
    let script = format!("setsid --wait env -i sh -c 'touch {}; exec sleep 601'; exit", ready.display());
    let mut other = Step::start(&worker, "buildbot-1", "demo", &["sh", "-c", &script]);
    eventually("both run", || ready.exists());
    let again = worker.begin("demo", "buildbot-2", &["--sockets"]).exits(0);
    assert!(!process.runs() && !other.runs());
    let again = again.says("run buildbot-1 was interrupted in demo").says("`sleep 600`").says("`sleep 601`");
    assert_eq!(told(&again)["socket-dir"], sockets);
    assert!(!worker.path("demo/tmp/file").exists() && worker.path("demo/build/kept").exists());
    assert!(left_behind(&again).is_empty());

    // What it does not want any more is gone too.
    let third = worker.begin("demo", "buildbot-3", &[]).exits(0);
    assert!(told(&third).get("socket-dir").is_none() && !Path::new(&sockets).exists());
    worker.end("demo", "buildbot-3").exits(0);
}

#[test]
fn what_was_left_behind_elsewhere_is_named_until_it_is_ended() {
    let worker = Worker::new();
    let old = worker.begin("old", "buildbot-1", &["--sockets"]).exits(0);
    worker.begin("busy", "buildbot-2", &["--at-work", "old"]).exits(0);
    fs::write(worker.path("old/tmp/file"), "").unwrap();
    let (mut left, mut at_work) =
        (Step::sleep(&worker, "buildbot-1", "old"), Step::sleep(&worker, "buildbot-2", "busy"));

    let begun = worker.begin("demo", "buildbot-3", &["--at-work", "busy"]).exits(0);
    assert_eq!(left_behind(&begun), ["old"]);
    assert!(!left.runs() && at_work.runs());
    assert!(!worker.path("old/tmp/file").exists() && worker.record("old").exists());
    assert!(!Path::new(told(&old)["socket-dir"].as_str().unwrap()).exists());
    snapshot!("tool-workspace-left-behind", worker.shown(&begun));

    // It is cleaned up once: whoever else begins meanwhile has nothing to do with it.
    let second = worker.begin("second", "buildbot-4", &["--at-work", "busy", "demo"]).exits(0);
    assert!(left_behind(&second).is_empty());
    // But when nobody does it any more, the next one is told.
    let third = worker.begin("third", "buildbot-5", &["--at-work", "busy", "--at-work", "second"]).exits(0);
    assert_eq!(left_behind(&third), ["demo", "old"]);

    worker.end("old", "buildbot-3").exits(0).says("run buildbot-1 has begun there");
    assert!(worker.record("old").exists(), "it is for the one that was told last");
    worker.end("old", "buildbot-5").exits(0);
    assert!(!worker.record("old").exists());
    assert!(at_work.runs());
}

#[test]
fn a_build_that_began_meanwhile_is_not_ended_by_the_one_that_cleaned_up_for_it() {
    let worker = Worker::new();
    worker.begin("old", "buildbot-1", &[]).exits(0);
    assert_eq!(left_behind(&worker.begin("demo", "buildbot-2", &[]).exits(0)), ["old"]);
    worker.begin("old", "buildbot-3", &["--at-work", "demo"]).exits(0);
    fs::write(worker.path("old/tmp/file"), "").unwrap();
    let mut process = Step::sleep(&worker, "buildbot-3", "old");
    worker.end("old", "buildbot-2").exits(0).says("is left alone: run buildbot-3 has begun there");
    assert!(process.runs() && worker.path("old/tmp/file").exists() && worker.record("old").exists());
}

#[test]
fn who_began_after_the_list_was_drawn_up_is_at_work() {
    let worker = Worker::new();
    // Both were started at once: the first was told of nobody, the second of the first.
    worker.begin("second", "buildbot-2", &["--at-work", "first"]).exits(0);
    let mut process = Step::sleep(&worker, "buildbot-2", "second");
    let first = worker.begin("first", "buildbot-1", &[]).exits(0);
    assert!(left_behind(&first).is_empty() && process.runs());
    // A machine that was started again has no builds at work.
    let record = fs::read_to_string(worker.record("second")).unwrap();
    let mut record: Value = serde_json::from_str(&record).unwrap();
    record["boot"] = "another".into();
    fs::write(worker.record("second"), record.to_string()).unwrap();
    assert_eq!(left_behind(&worker.begin("first", "buildbot-3", &[]).exits(0)), ["second"]);
    assert!(!process.runs());
}

#[test]
fn many_begin_at_once_and_one_of_them_cleans_up() {
    let worker = Worker::new();
    worker.begin("old", "buildbot-0", &[]).exits(0);
    let mut left = Step::sleep(&worker, "buildbot-0", "old");
    let names: Vec<String> = (1..=8).map(|number| format!("demo-{number}")).collect();
    let begun: Vec<Ran> = std::thread::scope(|scope| {
        let begin = |name: &String| {
            let mut more = vec!["--sockets", "--at-work"];
            more.extend(names.iter().map(String::as_str));
            worker.begin(name, &format!("buildbot-{name}"), &more)
        };
        let threads: Vec<_> = names.iter().map(|name| scope.spawn(move || begin(name))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap().exits(0)).collect()
    });
    let told_of: Vec<String> = begun.iter().flat_map(left_behind).collect();
    assert_eq!(told_of, ["old"]);
    assert!(!left.runs());
    let sockets: BTreeSet<String> = begun.iter().map(|ran| told(ran)["socket-dir"].to_string()).collect();
    assert_eq!(sockets.len(), names.len());
    for name in &names {
        worker.end(name, &format!("buildbot-{name}")).exits(0);
    }
}

#[test]
fn a_directory_is_begun_once_at_a_time() {
    let worker = Worker::new();
    worker.begin("demo", "buildbot-1", &[]).exits(0);
    let mut stubborn = Step::stubborn(&worker, "buildbot-1", "demo");
    let began = Instant::now();
    let first = Runner::start(worker.command("begin", "demo", "buildbot-2", &["--grace", "1"]));
    eventually("the first has the lock", || {
        fs::read_to_string(worker.path("locks/builders/demo.lock")).is_ok_and(|note| note.contains("buildbot-2"))
    });
    let second = Runner::start(worker.command("begin", "demo", "buildbot-3", &[]));
    worker.untagged(first.wait()).exits(0).says("run buildbot-1 left a process");
    assert!(began.elapsed() >= Duration::from_secs(1) && !stubborn.runs(), "it had its time, and was killed");
    let second =
        worker.untagged(second.wait()).exits(0).says("waiting for who works in").says("run buildbot-2 was interrupted");
    assert!(left_behind(&second).is_empty());
    worker.end("demo", "buildbot-3").exits(0);
}

#[test]
fn it_may_be_killed_at_any_moment() {
    let worker = Worker::new();
    worker.begin("old", "buildbot-1", &["--sockets"]).exits(0);
    worker.begin("demo", "buildbot-2", &["--sockets", "--at-work", "old"]).exits(0);
    let mut strays = vec![];
    for microseconds in (0..24).map(|number| number * 700) {
        strays.push(Step::sleep(&worker, "buildbot-1", "old"));
        strays.push(Step::sleep(&worker, "buildbot-2", "demo"));
        let runner = Runner::start(worker.command("begin", "demo", "buildbot-2", &["--sockets"]));
        std::thread::sleep(Duration::from_micros(microseconds));
        runner.signal(Signal::SIGKILL);
        runner.wait();
        assert!(worker.record("demo").exists() && worker.record("old").exists());
    }
    let begun = worker.begin("demo", "buildbot-2", &["--sockets"]).exits(0);
    assert_eq!(left_behind(&begun), ["old"]);
    assert!(strays.iter_mut().all(|stray| !stray.runs()));
    let sockets = PathBuf::from(told(&begun)["socket-dir"].as_str().unwrap());

    strays.clear();
    for microseconds in (0..24).map(|number| number * 700) {
        strays.push(Step::sleep(&worker, "buildbot-2", "demo"));
        let runner = Runner::start(worker.command("end", "demo", "buildbot-2", &[]));
        std::thread::sleep(Duration::from_micros(microseconds));
        runner.signal(Signal::SIGKILL);
        runner.wait();
    }
    worker.end("demo", "buildbot-2").exits(0);
    worker.end("old", "buildbot-2").exits(0);
    assert!(strays.iter_mut().all(|stray| !stray.runs()));
    assert!(!sockets.exists() && !worker.record("demo").exists() && !worker.record("old").exists());
}

#[test]
fn who_is_asked_to_stop_ends_what_it_ends_all_the_same() {
    let worker = Worker::new();
    worker.begin("demo", "buildbot-1", &[]).exits(0);
    let mut stubborn = Step::stubborn(&worker, "buildbot-1", "demo");
    let runner = Runner::start(worker.command("end", "demo", "buildbot-1", &["--grace", "600"]));
    eventually("it has the lock", || {
        fs::read_to_string(worker.path("locks/builders/demo.lock")).is_ok_and(|note| !note.trim().is_empty())
    });
    std::thread::sleep(Duration::from_millis(300));
    runner.signal(Signal::SIGTERM);
    std::thread::sleep(Duration::from_millis(300));
    assert!(stubborn.runs());
    // Twice is in a hurry.
    runner.signal(Signal::SIGTERM);
    runner.wait().exits(0);
    assert!(!stubborn.runs() && !worker.record("demo").exists());
}

#[test]
fn who_waits_for_a_directory_can_be_stopped() {
    let worker = Worker::new();
    worker.begin("demo", "buildbot-1", &[]).exits(0);
    let lock = worker.path("locks/builders/demo.lock");
    let lock = Flock::lock(fs::File::open(lock).unwrap(), FlockArg::LockExclusive).unwrap();
    let runner = Runner::start(worker.command("end", "demo", "buildbot-1", &[]));
    std::thread::sleep(Duration::from_millis(300));
    runner.signal(Signal::SIGTERM);
    let ended = runner.wait();
    drop(lock);
    ended.exits(130).says("waiting for who works in").says("interrupted");
    assert!(worker.record("demo").exists());
}

#[test]
fn links_are_not_followed() {
    let elsewhere = tempfile::tempdir().unwrap();
    let kept = elsewhere.path().join("kept");
    fs::write(&kept, "").unwrap();
    let worker = Worker::new();
    fs::create_dir(worker.path("demo")).unwrap();
    symlink(elsewhere.path(), worker.path("demo/tmp")).unwrap();
    worker.begin("demo", "buildbot-1", &[]).exits(0);
    assert!(kept.exists() && !worker.path("demo/tmp").is_symlink());
    symlink(elsewhere.path(), worker.path("demo/tmp/link")).unwrap();
    worker.end("demo", "buildbot-1").exits(0);
    assert!(kept.exists());

    symlink(elsewhere.path(), worker.path("other")).unwrap();
    worker.begin("other", "buildbot-1", &[]).exits(1).says("is a symbolic link, which is not followed");
    fs::remove_dir_all(worker.path(".farmout")).unwrap();
    symlink(elsewhere.path(), worker.path(".farmout")).unwrap();
    worker.begin("demo", "buildbot-2", &[]).exits(1).says(".farmout is a symbolic link, which is not followed");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
}

#[test]
fn wrong_use_is_told() {
    let worker = Worker::new();
    for directory in ["", "..", "a/b", "/tmp", ".farmout", "locks", "buildout-caches"] {
        worker.begin(directory, "buildbot-1", &[]).exits(2).says("cannot be the directory of a builder");
        worker.end(directory, "buildbot-1").exits(2);
    }
    worker.begin("demo", "a/b", &[]).exits(2).says("the run `a/b");
    worker.begin("demo", ".hidden", &[]).exits(2);
    let mut gone = common::command(FARMOUT);
    gone.args(["tool", "workspace", "end", "--directory", "demo", "--run", "1", "--basedir"]).arg(worker.path("gone"));
    Ran::from(gone.output().unwrap()).exits(2).says("there is no directory");
    assert!(!worker.path("gone").exists());
}

#[test]
fn a_record_that_cannot_be_read_is_of_a_build_that_was_interrupted() {
    let worker = Worker::new();
    worker.begin("old", "buildbot-1", &[]).exits(0);
    for text in ["", "{}", "{\"format\": 2}"] {
        fs::write(worker.record("old"), text).unwrap();
        fs::write(worker.path("old/tmp/file"), "").unwrap();
        let begun = worker.begin("demo", "buildbot-2", &[]).exits(0).says("the record of old cannot be read");
        assert_eq!(left_behind(&begun), ["old"]);
        assert!(!worker.path("old/tmp/file").exists());
    }
    worker.end("old", "buildbot-2").exits(0);
    assert!(!worker.record("old").exists());
}

/// Writes a list of files and has it written to `demo/build`.
fn write_files(worker: &Worker, directory: &Path, list: &str) -> Ran {
    let file = worker.path("files.json");
    fs::write(&file, list).unwrap();
    let mut command = common::command(FARMOUT);
    command.args(["tool", "write-files", "--basedir"]).arg(worker.path("").components().as_path());
    command.arg("--directory").arg(directory).arg("--files").arg(file);
    command.output().unwrap().into()
}

#[test]
fn files_are_written_and_those_of_an_earlier_plan_removed() {
    let worker = Worker::new();
    let build = worker.path("demo/build");
    let first = r##"[{"path": "base.cfg", "content": "[buildout]\n"}, {"path": "old/deep/file", "content": "é"},
        {"path": "bin/run", "executable": true, "content": "#!/bin/sh\n"}]"##;
    let first = write_files(&worker, &build, first).exits(0);
    assert_eq!((mode(&build.join("base.cfg")), mode(&build.join("bin/run"))), (0o644, 0o755));
    fs::write(build.join("other"), "").unwrap();
    let second = r#"[{"path": "base.cfg", "executable": false, "content": "[buildout]\nparts =\n"}]"#;
    let second = write_files(&worker, &build, second).exits(0);
    assert_eq!(fs::read_to_string(build.join("base.cfg")).unwrap(), "[buildout]\nparts =\n");
    assert!(!build.join("old").exists() && !build.join("bin").exists() && build.join("other").exists());
    snapshot!("tool-write-files", format!("{}---\n{}", first.shown(), second.shown()));
}

#[test]
fn files_stay_in_the_directory_of_the_builder() {
    let worker = Worker::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let build = worker.path("demo/build");
    let one = r#"[{"path": "a/file", "content": "x"}]"#;
    write_files(&worker, elsewhere.path(), one).exits(2).says("is in none");
    write_files(&worker, &worker.path(""), one).exits(2);
    write_files(&worker, &worker.path("demo/../../x"), one).exits(1).says("below the base directory");
    write_files(&worker, &build, r#"[{"path": "../file", "content": "x"}]"#).exits(1).says("not a path below a folder");
    write_files(&worker, &build, "{}").exits(2).says("is no list of files");
    write_files(&worker, &build, r#"[{"path": "file"}]"#).exits(2).says("missing field `content`");
    symlink(elsewhere.path(), build.join("a")).unwrap();
    write_files(&worker, &build, one).exits(1).says("is a symbolic link");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

mod root {
    use super::*;

    #[test]
    fn nothing_needs_root() {
        common::need_root();
        let worker = Worker::new();
        std::os::unix::fs::chown(worker.path(""), Some(65534), Some(65534)).unwrap();
        let run = format!("1{}", worker.tag());
        let call = |verb: &str| -> Ran {
            let mut command = common::plain(FARMOUT);
            command.args(["tool", "workspace", verb, "--basedir"]).arg(worker.path(""));
            command.args(["--directory", "demo", "--run", &run]);
            command.output().unwrap().into()
        };
        let begun = call("begin").exits(0);
        assert_eq!(worker.path("demo/tmp").metadata().unwrap().uid(), 65534);
        // What is root's cannot be ended by others, and is not the build's.
        let mut foreign = Step::sleep(&worker, "1", "demo");
        let mut own = common::plain("sleep");
        let own = own.arg("602").env("FARMOUT_STEP", format!("{run}/demo/test")).stdout(Stdio::null()).spawn().unwrap();
        let mut own = Step(own);
        eventually("it is nobody's", || {
            fs::read(format!("/proc/{}/cmdline", own.0.id())).is_ok_and(|line| line.starts_with(b"sleep"))
        });
        call("end").exits(0).says("`sleep 602`").says_no("`sleep 600`");
        assert!(foreign.runs() && !own.runs());
        assert!(left_behind(&begun).is_empty());
    }
}
