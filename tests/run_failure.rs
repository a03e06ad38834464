//! Builds that fail, and servers that are not farmout's: what is said, what is left, and what is never told.

mod common;

use std::path::Path;

use common::{Farm, Server, postgresql, step_user};

/// A test of the sample's, and the same with a wrong expectation.
const TEST: &str = "buildouts/demo/demo_server/modules/invoice/tests/test_invoice.py";
const RIGHT: &str = r#"Decimal("42.49"))"#;
const WRONG: &str = r#"Decimal("42.50"))"#;

/// Where the wrong expectation stands.
fn line() -> usize {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(TEST)).unwrap();
    text.lines().position(|line| line.contains(RIGHT)).unwrap() + 1
}

#[test]
fn a_failing_test_is_told_with_its_place() {
    let farm = Farm::demo();
    farm.edit(TEST, RIGHT, WRONG);
    let builder = format!("demo-pg{}", postgresql().0);
    let ran = farm.run(&["run"]).exits(1);
    let ran = ran.says("test_total_is_the_sum_of_the_lines").says("42.49").says("test.log:");
    let ran = ran.says(&format!("modules/invoice/tests/test_invoice.py\", line {}", line()));
    let ran = ran.says("failed    analyze-test-log").says(&format!("{builder}  failure"));
    assert!(ran.out.contains("ok        drop-database") && ran.out.contains("ok        stop-cluster"), "{}", ran.out);
    assert_eq!(farm.result()["outcome"], "failure");
    farm.is_tidy();

    // Nothing of it counts when the mistake is gone.
    farm.edit(TEST, WRONG, RIGHT);
    farm.run(&["run"]).exits(0);
    farm.is_tidy();
}

#[test]
fn a_server_that_is_not_ours_keeps_no_database() {
    let server = Server::trusting();
    let farm = Farm::sample().with_slave("here", &server.capability());
    farm.run(&["run"]).exits(0).says_no("start-cluster");
    assert_eq!(server.databases(), "");
    farm.edit(TEST, RIGHT, WRONG);
    farm.run(&["run"]).exits(1).says("test_total_is_the_sum_of_the_lines");
    assert_eq!(server.databases(), "");
    let log =
        std::fs::read_to_string(farm.slave_file(&format!("here/demo-pg{}/build/test.log", postgresql().0))).unwrap();
    assert!(log.contains(&format!("database hostname: {}", server.host())), "{log}");
    farm.is_tidy();
}

#[test]
fn a_broken_database_template_is_said_and_nothing_is_left() {
    let server = Server::trusting();
    let farm = Farm::sample().with_slave("here", &server.capability());
    farm.edit("buildouts/MANIFEST.cfg", "[demo]\n", "[demo]\ndb_template = no such \"template\n");
    farm.run(&["run"]).exits(1).says("failed    create-database").says("no such \"template").says("skipped   ");
    assert_eq!(server.databases(), "");
    farm.is_tidy();
}

/// The files below a directory that hold a text. Special files have no contents to look at.
fn files_with(directory: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let kind = path.symlink_metadata().unwrap().file_type();
            if kind.is_dir() {
                left.push(path);
            } else if kind.is_file() {
                let bytes = std::fs::read(&path).unwrap();
                if bytes.windows(text.len()).any(|window| window == text.as_bytes()) {
                    found.push(path.display().to_string());
                }
            }
        }
    }
    found
}

#[test]
fn a_password_of_the_database_is_used_and_never_told() {
    const PASSWORD: &str = "sesame-8c1f40";
    let server = Server::with_password("gardener", PASSWORD);
    let capability = format!("{} user=gardener passwd={PASSWORD}", server.capability());
    let farm = Farm::sample().with_slave("here", &capability);
    // A test that tells everything that it is told.
    farm.edit(
        "buildouts/MANIFEST.cfg",
        "[demo]\n",
        "[demo]\ntest-command = sh -c 'env; exec bin/test_openerp \"$@\"' sh\n",
    );
    let ran = farm.run(&["run", "--verbose"]).exits(0).says_no(PASSWORD);
    assert!(ran.out.contains("PGPASSWORD="), "the step did not get it\n{}", ran.out);
    assert_eq!(server.databases(), "");

    farm.edit(TEST, RIGHT, WRONG);
    farm.run(&["run"]).exits(1).says_no(PASSWORD);
    assert_eq!(server.databases(), "");
    for arguments in [
        &["compile", "--emit", "json"][..],
        &["plan"],
        &["plan", "--format", "yaml"],
        &["plan", "--format", "json"],
        &["plan", "--why"],
    ] {
        farm.run(arguments).exits(0).says_no(PASSWORD);
    }
    // Where it is mistyped, neither the right nor the wrong one is told.
    farm.edit("slaves.d/here.cfg", PASSWORD, "sesame-mistyped");
    let ran = farm.run(&["run"]).exits(1).says("failed    create-database").says("gardener");
    ran.says_no(PASSWORD).says_no("sesame-mistyped");
    for password in [PASSWORD, "sesame-mistyped"] {
        assert_eq!(files_with(&farm.state(), password), Vec::<String>::new());
    }
    // Whether it has left a database nobody could look; the next run does.
    farm.edit("slaves.d/here.cfg", "sesame-mistyped", PASSWORD);
    farm.run(&["run"]).says("whose own clean-up failed").says_no(PASSWORD);
    assert_eq!(server.databases(), "");
    farm.is_tidy();
}

#[test]
fn steps_connect_as_the_user_they_run_as() {
    let server = Server::trusting();
    let farm = Farm::sample().with_slave("here", &server.capability());
    let query = "select current_user || ' in ' || current_database()";
    farm.edit("buildouts/MANIFEST.cfg", "[demo]\n", "[demo]\ntest-command = sh who.sh\n");
    farm.write(
        "buildouts/demo/who.sh",
        &format!("PGDATABASE=openerp-buildbot-demo-pg{} psql -Atc \"{query}\"\n", postgresql().0),
    );
    farm.edit("buildouts/MANIFEST.cfg", "sh who.sh", "sh demo/who.sh");
    // No server, so no log of one: the analysis does not let that pass.
    farm.run(&["run"]).exits(1).says("failed    analyze-test-log");
    let builder = format!("demo-pg{}", postgresql().0);
    assert_eq!(farm.log(&builder, "test"), format!("{} in openerp-buildbot-{builder}\n", step_user()));
    assert_eq!(server.databases(), "");
}

/// What counts as a failure in the logs of a build is the build's to say.
#[test]
fn a_build_has_rules_of_its_own_for_its_logs() {
    let farm = Farm::demo();
    let builder = format!("demo-pg{}", postgresql().0);
    farm.edit("buildouts/MANIFEST.cfg", "[demo]\n", "[demo]\nlog-rules = demo/log-rules.yaml\n");
    farm.run(&["run"]).exits(1).says("cannot read the rules demo/log-rules.yaml");
    let known = "extends: server\nrules:\n  - {label: Known, regex: 'Modules loaded', severity: SEVERITY}\n";
    farm.write("buildouts/demo/log-rules.yaml", &known.replace("SEVERITY", "error"));
    farm.run(&["run"]).exits(1).says("step `analyze-test-log`");
    let log = farm.log(&builder, "analyze-test-log");
    assert!(log.contains("error: Known (1)") && log.contains("Modules loaded."), "{log}");
    farm.write("buildouts/demo/log-rules.yaml", &known.replace("SEVERITY", "severe"));
    farm.run(&["run"]).exits(1);
    let log = farm.log(&builder, "analyze-test-log");
    assert!(log.contains("demo/log-rules.yaml:3:") && log.contains("`severe`"), "{log}");
    farm.is_tidy();
}
