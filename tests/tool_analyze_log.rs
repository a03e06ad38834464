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
fn what_only_looks_like_failure_fails_nothing() {
    for name in ["openerp60_ok", "odoo18_ok", "odoo18_no_tests"] {
        let (code, text) = analyze(&[&format!("{name}.log")]);
        assert_eq!(code, 0, "{name}: {text}");
        snapshot(name, &text);
    }
}

#[test]
fn every_log_of_failure_fails_and_shows_why() {
    const OPENERP: [&str; 9] = [
        "bad_import",
        "bad_unit",
        "bad_yaml",
        "down",
        "no_such_module",
        "openerp60",
        "openerp61",
        "too_new_postgresql",
        "odoo8",
    ];
    const ODOO: [&str; 5] = ["odoo10", "odoo12_killed", "odoo15_colours", "odoo17", "odoo18_registry"];
    for name in OPENERP.into_iter().chain(ODOO) {
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
    let wrong = "extends: servre\nrules:\n- {label: a, regex: '(', severity: fatal, levels: ERROR}\n- {label: b, loger: odoo}\n";
    write(wrong);
    let (code, text) = analyze(&["--rules", rules, "ok.log"]);
    assert_eq!(code, 2);
    snapshot("rules", &text.replace(rules, "rules.yaml"));
}

#[test]
fn mistakes_in_rules_are_said() {
    let directory = tempfile::tempdir().unwrap();
    let log = logs().join("ok.log");
    let mut said = String::new();
    for text in [
        "",
        "extends: servr\n",
        "rules: []\n",
        "rules:\n- {label: Slow, regex: slow}\n",
        "rules:\n- {label: Slow, regex: '(slow', severity: warning}\n",
        "rules:\n- {label: Slow, regex: slow, severity: fatal}\n",
        "rules:\n- {label: Slow, regex: slow, severity: warning, level: [INFO]}\n",
        "extends: server\nrules:\n- {label: Slow, regex: slow, severity: warning, levels: [BOO]}\n",
        "extends: server\nrules:\n- {label: Slow, regex: slow, severity: warning, levels: [INFO, warning]}\n",
        "extends: server\nentries: ['^(?<level>\\w+): (?<message>)']\n",
    ] {
        std::fs::write(directory.path().join("rules.yaml"), text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_farmout"));
        let command = command.args(["tool", "analyze-log", "--rules", "rules.yaml"]).arg(&log);
        let output = command.current_dir(directory.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}");
        said.push_str(&format!("{text}{}\n", String::from_utf8(output.stderr).unwrap()));
    }
    snapshot("mistakes", &said);
}

#[test]
fn a_log_that_is_no_text_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let log = std::fs::read_to_string(logs().join("ok.log")).unwrap();
    let path = directory.path().join("test.log");
    let try_with = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let (code, said) = analyze(&[path.to_str().unwrap()]);
        (code, said.replace(path.to_str().unwrap(), "test.log"))
    };
    let packed = std::process::Command::new("gzip").arg("-c").arg(logs().join("ok.log")).output().unwrap().stdout;
    let wide: Vec<u8> = log.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut said = String::new();
    for bytes in [&packed, &wide, &[b"\xff\xfe", &wide[..]].concat()] {
        let (code, told) = try_with(bytes);
        assert_eq!(code, 2, "{told}");
        said += &told;
    }
    snapshot("no-text", &said);
    // With a byte order mark, the first line is an entry all the same.
    let critical = "\u{feff}2026-11-22 16:25:24,372 1 CRITICAL db odoo: no\n";
    let (code, told) = try_with(format!("{critical}{log}").as_bytes());
    assert!(code == 1 && told.contains("error: Critical (1)"), "{told}");
    assert_eq!(try_with(format!("\u{feff}{log}").as_bytes()).0, 0);
}

#[test]
fn any_bytes_are_a_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.log");
    let try_with = |log: &[u8]| {
        std::fs::write(&path, log).unwrap();
        analyze(&[path.to_str().unwrap()])
    };
    let says = |log: &[u8], code: i32, end: &str| {
        let (found, text) = try_with(log);
        assert_eq!(found, code, "{text}");
        assert!(text.ends_with(end), "{text}");
        text
    };
    says(b"", 1, ": 0 lines, 1 error\n");
    let entry = |level: &str, message: &[u8]| {
        [format!("2026-11-22 16:25:24,372 1 {level} db odoo.tests: ").as_bytes(), message].concat()
    };
    let loaded = entry("INFO", b"Modules loaded.");
    says(&loaded, 0, ": 1 line, no finding\n");
    says(&[&loaded, &b"\r\n\r\n"[..]].concat(), 0, ": 2 lines, no finding\n");
    // After bytes that are no text, the line goes on.
    let bytes = entry("WARNING", b"caf\xe9 \0 \x1b[2J: invalid module names, ignored: caf\xe9\n");
    let text = says(&[&bytes[..], &loaded].concat(), 1, ": 2 lines, 1 error\n");
    assert!(text.contains("ignored: caf\u{fffd}") && !text.contains('\x1b') && !text.contains('\0'), "{text}");
    // A traceback in a file with the line ends of another system.
    let traceback =
        entry("ERROR", b"FAIL: TestX.test\r\nTraceback (most recent call last):\r\n  File x\r\nValueError\r\n");
    let text = says(&[&traceback[..], &loaded].concat(), 1, ": 5 lines, 1 error\n");
    assert!(text.contains("      4  ValueError\n"), "{text}");
}

#[test]
fn a_log_may_be_a_pipe() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pipe");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let writer = path.clone();
    let writer = std::thread::spawn(move || std::fs::copy(logs().join("bad_unit.log"), writer));
    let (code, text) = analyze(&[path.to_str().unwrap()]);
    writer.join().unwrap().unwrap();
    assert_eq!(code, 1);
    assert!(text.ends_with("99 lines, 5 errors\n"), "{text}");
}

#[test]
fn however_long_the_log_the_report_is_short_and_the_memory_little() {
    use std::io::Write;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.log");
    let mut log = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    let entry = "2026-11-22 16:25:24,372 1 ERROR db odoo.addons.x.tests.test_x: FAIL: TestX.test\n\
        Traceback (most recent call last):\n  File \"/x.py\", line 1, in test\nAssertionError: 1 != 2\n\n";
    for _ in 0..100_000 {
        log.write_all(entry.as_bytes()).unwrap();
    }
    // One line of 128 MB, more than the limit below.
    log.write_all(b"2026-11-22 16:25:24,372 1 CRITICAL db odoo: ").unwrap();
    for _ in 0..2_000 {
        log.write_all(&[b'x'; 64_000]).unwrap();
    }
    log.write_all(b"\n2026-11-22 16:25:24,372 1 INFO db odoo: Modules loaded.").unwrap();
    drop(log);
    let mut command = Command::new("/bin/sh");
    // The limit is in kilobytes, and of addresses: a debug build, with the stacks of its threads, takes a part of them.
    let script = "ulimit -v 100000; exec \"$1\" tool analyze-log test.log";
    let command = command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_farmout")]).current_dir(directory.path());
    let output = command.output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("error: Failing tests (100000)\n") && text.contains("… and 99975 more\n"), "{text}");
    assert!(text.contains("error: Critical (1)\n 500001  2026"), "{text}");
    assert!(text.ends_with("test.log: 500002 lines, 100001 errors\n") && text.len() < 20_000, "{text}");
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
