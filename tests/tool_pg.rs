//! `farmout tool pg` with the real PostgreSQL 15. Servers refuse root: a test that runs as root becomes `postgres` first.

mod common {
    pub mod snapshot;
    pub mod streams;
}

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::snapshot::snapshot;
use common::streams::text;

const BIN: &str = "/usr/lib/postgresql/15/bin";

/// A directory of the database user's with a copy of farmout, and perhaps a cluster in it.
struct Case {
    root: PathBuf,
    _directory: tempfile::TempDir,
}

impl Case {
    fn new() -> Self {
        assert!(Path::new(BIN).join("initdb").exists(), "PostgreSQL 15 must be installed in {BIN} for this test");
        // Not in TMPDIR, whose path may be too long for a socket, or closed to the database user.
        let directory = tempfile::Builder::new().prefix("fo").tempdir_in("/tmp").unwrap();
        let root = directory.path().canonicalize().unwrap();
        fs::copy(env!("CARGO_BIN_EXE_farmout"), root.join("farmout")).unwrap();
        fs::set_permissions(root.join("farmout"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
        if is_root() {
            assert!(Command::new("chown").arg("postgres").arg(&root).status().unwrap().success());
        }
        Self { root, _directory: directory }
    }

    /// A case with a running cluster.
    fn started() -> Self {
        let case = Self::new();
        let output = case.start();
        assert!(output.status.success(), "{}", text(&output));
        case
    }

    fn start(&self) -> Output {
        self.run(&["start-cluster", "--bin", BIN, "--data", "d", "--socket-dir", "s"])
    }

    fn stop(&self) -> Output {
        self.run(&["stop-cluster", "--bin", BIN, "--data", "d"])
    }

    fn command(&self, program: &str) -> Command {
        let mut command;
        if is_root() {
            command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", program]);
        } else {
            command = Command::new(program);
        }
        command.current_dir(&self.root).env("NO_COLOR", "1").env("LC_ALL", "C").stdin(Stdio::null());
        command.env("PGHOST", self.root.join("s")).env("PGUSER", "farmout");
        for name in ["PGPORT", "PGPASSWORD", "PGDATA", "PGDATABASE"] {
            command.env_remove(name);
        }
        command
    }

    fn tool(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(self.root.join("farmout").to_str().unwrap());
        command.args(["tool", "pg"]).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.tool(arguments).output().unwrap()
    }

    fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
        text(&output)
    }

    fn sql(&self, database: &str, sql: &str) -> String {
        let output = self.command("psql").args(["-XAtd", database, "-c", sql]).output().unwrap();
        assert!(output.status.success(), "{sql}: {}", text(&output));
        text(&output).trim().to_owned()
    }

    fn postmaster(&self) -> i32 {
        let text = fs::read_to_string(self.root.join("d/postmaster.pid")).unwrap();
        text.lines().next().unwrap().parse().unwrap()
    }

    fn sockets(&self) -> usize {
        fs::read_dir(self.root.join("s")).unwrap().count()
    }
}

impl Drop for Case {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn signal(process: i32, signal: &str) {
    assert!(Command::new("kill").args([signal, &process.to_string()]).status().unwrap().success());
}

#[test]
fn a_cluster_starts_answers_stops_and_leaves_nothing() {
    let case = Case::new();
    let mut command = case.tool(&["start-cluster", "--bin", BIN, "--data", "d", "--socket-dir", "s"]);
    command.env("PGDATA", "/nowhere").env("PGPORT", "77").env("PGOPTIONS", "--nonsense");
    // What the tool leaves running must not keep the pipes open.
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let started = Instant::now();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(child.wait().unwrap().success(), "{said}");
    assert!(started.elapsed() < Duration::from_secs(60) && said.contains("PostgreSQL 15"), "{said}");
    assert_eq!(fs::metadata(case.root.join("s")).unwrap().permissions().mode() & 0o777, 0o700);
    let settings = "select string_agg(setting, ' ' order by name) from pg_settings where name in \
                    ('fsync','full_page_writes','listen_addresses','max_connections','synchronous_commit')";
    assert_eq!(case.sql("postgres", settings), "off off  100 off");
    assert_eq!(case.sql("postgres", "show server_encoding"), "UTF8");
    assert!(text(&case.stop()).contains("Stopped and removed"));
    assert!(!case.root.join("d").exists());
    assert_eq!(case.sockets(), 0);
    let again = case.stop();
    assert!(again.status.success() && text(&again).contains("There is no cluster"), "{}", text(&again));
}

#[test]
fn leftovers_of_a_killed_run_are_cleared_away() {
    let case = Case::started();
    case.sql("postgres", "create table old ()");
    // Still running, as after a run that was killed.
    assert!(case.start().status.success());
    assert_eq!(case.sql("postgres", "select count(*) from pg_class where relname = 'old'"), "0");
    // Killed itself.
    signal(case.postmaster(), "-KILL");
    assert!(case.start().status.success());
    // A process that has the number by now is not signalled.
    signal(case.postmaster(), "-KILL");
    let mut other = case.command("sleep").arg("60").spawn().unwrap();
    let file = case.root.join("d/postmaster.pid");
    let old = fs::read_to_string(&file).unwrap();
    let rest = old.split_once('\n').unwrap().1;
    fs::write(&file, format!("{}\n{rest}", other.id())).unwrap();
    assert!(case.stop().status.success());
    assert!(other.try_wait().unwrap().is_none(), "a stranger was killed");
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(case.sockets(), 0);
    // Half of an initdb.
    fs::create_dir(case.root.join("d.farmout-new")).unwrap();
    if is_root() {
        Command::new("chown").arg("postgres").arg(case.root.join("d.farmout-new")).status().unwrap();
    }
    assert!(case.start().status.success());
}

#[test]
fn directories_of_others_are_refused() {
    let case = Case::new();
    fs::create_dir(case.root.join("mine")).unwrap();
    fs::write(case.root.join("mine/PG_VERSION"), "15\n").unwrap();
    let started = case.run(&["start-cluster", "--bin", BIN, "--data", "mine", "--socket-dir", "s"]);
    let stopped = case.run(&["stop-cluster", "--bin", BIN, "--data", "mine"]);
    let bin = case.run(&["start-cluster", "--bin", "/nowhere", "--data", "d", "--socket-dir", "s"]);
    let long = format!("s/{}", "x".repeat(100));
    let long = case.run(&["start-cluster", "--bin", BIN, "--data", "d", "--socket-dir", &long]);
    let others = case.run(&["start-cluster", "--bin", BIN, "--data", "d", "--socket-dir", "/"]);
    let mut all = String::new();
    for (output, code) in [(started, 2), (stopped, 2), (bin, 2), (long, 2), (others, 1)] {
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        all.push_str(&text(&output));
    }
    assert!(case.root.join("mine/PG_VERSION").exists());
    if is_root() {
        let output = Command::new(env!("CARGO_BIN_EXE_farmout"))
            .args(["tool", "pg", "start-cluster", "--bin", BIN, "--data", "d", "--socket-dir", "s"])
            .current_dir(&case.root)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output).contains("root"), "{}", text(&output));
    }
    snapshot(&case, "cluster-errors", &all);
}

#[test]
fn databases_are_made_and_dropped_whoever_is_connected() {
    let case = Case::started();
    let name = "it's an \"odd\" näme";
    case.succeed(&["create-database", "--database", name]);
    case.sql(name, "create table old ()");
    let mut session = case.command("psql").args(["-Xd", name, "-c", "select pg_sleep(60)"]).spawn().unwrap();
    let count = "select count(*) from pg_stat_activity where query = 'select pg_sleep(60)'";
    let started = Instant::now();
    while case.sql("postgres", count) == "0" {
        assert!(started.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(20));
    }
    let said = case.succeed(&["create-database", "--database", name, "--template", "template1"]);
    assert!(said.contains("Ended 1 session"), "{said}");
    session.wait().unwrap();
    assert_eq!(case.sql(name, "select count(*) from pg_class where relname = 'old'"), "0");
    case.sql(name, "create table mine ()");
    case.succeed(&["create-database", "--database", "copy", "--template", name]);
    assert_eq!(case.sql("copy", "select count(*) from pg_class where relname = 'mine'"), "1");
    case.succeed(&["drop-database", "--database", name]);
    assert!(case.succeed(&["drop-database", "--database", name]).contains("There is no database"));
    // The maintenance database may be missing.
    case.sql("template1", "drop database postgres");
    case.succeed(&["drop-database", "--database", "copy"]);
}

#[test]
fn errors_say_what_to_do() {
    let case = Case::started();
    case.sql("postgres", "create role poor login; create role maker login createdb");
    case.sql("postgres", "create database secret");
    let mut all = String::new();
    let mut run = |user: &str, arguments: &[&str], code: i32| {
        let output = case.tool(arguments).env("PGUSER", user).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output));
        all.push_str(&text(&output));
        all.push('\n');
    };
    run("poor", &["create-database", "--database", "x"], 1);
    run("maker", &["create-database", "--database", "x", "--template", "secret"], 1);
    run("maker", &["drop-database", "--database", "secret"], 1);
    run("nobody-here", &["drop-database", "--database", "x"], 1);
    run("farmout", &["create-database", "--database", "x", "--template", "nothing"], 1);
    run("farmout", &["create-database", "--database", "x", "--template", "x"], 2);
    run("farmout", &["drop-database", "--database", "template1"], 2);
    run("farmout", &["drop-database", "--database", &"x".repeat(64)], 2);
    assert!(case.stop().status.success());
    run("farmout", &["drop-database", "--database", "x"], 1);
    snapshot(&case, "database-errors", &all);
}

fn snapshot(case: &Case, name: &str, text: &str) {
    let root = case.root.display().to_string();
    let filters = [(root.as_str(), "ROOT"), (r"would have \d+ bytes", "would have … bytes")];
    snapshot!(format!("tool-pg-{name}"), text, filters);
}
