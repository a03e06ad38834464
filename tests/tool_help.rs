//! The help of `farmout tool`, and how it ends when it is interrupted.

mod common {
    pub mod snapshot;
}

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::snapshot::snapshot;

#[test]
fn help_is_written_for_the_reader() {
    let commands: [&[&str]; 24] = [
        &[],
        &["analyze-log"],
        &["bootstrap"],
        &["fetch", "archive"],
        &["fetch", "bzr"],
        &["fetch", "git"],
        &["fetch", "hg"],
        &["fetch", "hgtag"],
        &["keep-output"],
        &["package", "archive"],
        &["package", "source"],
        &["pg", "create-database"],
        &["pg", "drop-database"],
        &["pg", "start-cluster"],
        &["pg", "stop-cluster"],
        &["release-port"],
        &["reserve-port"],
        &["server", "start"],
        &["server", "stop"],
        &["upload"],
        &["wait-port"],
        &["workspace", "begin"],
        &["workspace", "end"],
        &["write-files"],
    ];
    let mut all = String::new();
    for command in commands {
        let output = Command::new(env!("CARGO_BIN_EXE_farmout"))
            .arg("tool")
            .args(command)
            .arg("--help")
            .env_remove("COLUMNS")
            .output()
            .unwrap();
        assert!(output.status.success());
        all.push_str(&String::from_utf8(output.stdout).unwrap());
        all.push_str("\n---\n\n");
    }
    snapshot!("tool-help", all);
}

#[test]
fn an_interrupted_command_ends_its_child_and_exits_with_130() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    // A Python that hangs, and says who it is.
    let python = root.join("python");
    let pid = root.join("pid");
    std::fs::write(&python, format!("#!/bin/sh\necho $$ > {0}.new; mv {0}.new {0}; exec sleep 60\n", pid.display()))
        .unwrap();
    assert!(Command::new("chmod").arg("755").arg(&python).status().unwrap().success());
    std::fs::write(root.join("b.cfg"), "[buildout]\n").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_farmout"))
        .args(["tool", "bootstrap", "--configuration", "b.cfg", "--environment", "env", "--python"])
        .arg(&python)
        .current_dir(root)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while !pid.exists() {
        assert!(started.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let sleeper = std::fs::read_to_string(&pid).unwrap();
    let gone = || {
        // Gone, or a zombie that nobody has collected yet.
        let state = std::fs::read_to_string(format!("/proc/{}/stat", sleeper.trim())).unwrap_or_default();
        state.is_empty() || state.contains(") Z ")
    };
    while !gone() {
        assert!(started.elapsed() < Duration::from_secs(30), "the child lives on");
        std::thread::sleep(Duration::from_millis(10));
    }
}
