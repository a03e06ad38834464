//! `farmout tool analyze-log` on the logs of real servers.

mod common {
    pub mod snapshot;
}

use std::path::Path;

use assert_cmd::Command;
use common::snapshot::snapshot;

fn logs() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/logs"))
}

fn analyze(arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farmout"));
    let output = command.args(["tool", "analyze-log"]).args(arguments).current_dir(logs()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

fn snapshot(name: &str, text: &str) {
    snapshot!(format!("tool-analyze-log-{name}"), text);
}

#[test]
fn a_log_of_success_has_no_finding() {
    for log in ["ok.log", "odoo17_ok.log"] {
        let (code, text) = analyze(&[log]);
        assert_eq!(code, 0, "{text}");
        assert!(text.ends_with("no finding\n") && text.lines().count() == 1, "{text}");
    }
}

#[test]
fn every_log_of_failure_fails_and_shows_why() {
    for name in ["bad_import", "bad_unit", "bad_yaml", "down", "no_such_module", "odoo17", "too_new_postgresql"] {
        let (code, text) = analyze(&["--rules", "server", &format!("{name}.log")]);
        assert_eq!(code, 1, "{name}: {text}");
        snapshot(name, &text);
    }
    // The place of a failing test must be there, for a program to find it too.
    let (_, text) = analyze(&["bad_unit.log"]);
    assert!(text.contains("tests/test_bad.py\", line 6"), "{text}");
}

#[test]
fn a_farms_own_rules_add_to_the_built_in_ones() {
    let directory = tempfile::tempdir().unwrap();
    let rules = directory.path().join("rules.yaml");
    let rules = rules.to_str().unwrap();
    let write = |text: &str| std::fs::write(rules, text).unwrap();
    write("extends: server\nrules:\n- {label: Known, regex: 'invalid module names', severity: ignore}\n");
    assert_eq!(analyze(&["--rules", rules, "no_such_module.log"]).0, 0);
    write("entries: []\nrules:\n- {label: Slow, regex: 'Modules loaded', severity: warning, block: line}\n");
    let (code, text) = analyze(&["--rules", rules, "ok.log"]);
    assert_eq!(code, 0);
    assert!(text.contains("warning: Slow (1)") && text.ends_with("1 warning\n"), "{text}");
    write("rules: [{label: a, regex: '(', severity: error}]");
    assert_eq!(analyze(&["--rules", rules, "ok.log"]).0, 2);
}

#[test]
fn what_cannot_be_read_is_wrong_use() {
    let (code, text) = analyze(&["no-such.log"]);
    assert_eq!(code, 2);
    snapshot("missing", &text);
    assert_eq!(analyze(&["."]).0, 2);
    assert_eq!(analyze(&["--rules", "no-such.yaml", "ok.log"]).0, 2);
    assert_eq!(analyze(&[]).0, 2);
}
