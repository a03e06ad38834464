//! `farmout run` with plans that were made before, `farmout rerun`, and `--dry-run`.

mod common;

use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use common::snapshot::snapshot;
use common::{Farm, Ran, result};

/// A plan that needs nothing but a shell.
fn plan(builder: &str, script: &str) -> String {
    format!(
        "farmout-plan: 1\nbuilder: {builder}\nbuild: b\nslave: here\nmanifest: m.cfg\ndirectory: {builder}\ndatabase: d\n\
         steps:\n- {{name: first, phase: fetch, template: t, run: [sh, -c, 'echo ${{basedir}} > first']}}\n\
         - {{name: test, phase: post-buildout, template: t, run: [sh, -c, '{script}']}}\n"
    )
}

fn show(farm: &Farm, name: &str, ran: &Ran) {
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    let root = regex::escape(&farm.directory.path().display().to_string());
    let filters = [
        (root.as_str(), "[DIRECTORY]"),
        (r"running as root: [^\n]*\n", ""),
        (r"\d{8}-\d{6}-[0-9a-z]{4}", "[RUN]"),
        (r" +\d+\.\ds", " [TIME]"),
    ];
    snapshot!(name, ran.shown(), filters);
}

fn fed(farm: &Farm, arguments: &[&str], text: &str) -> Ran {
    let mut command = farm.farmout(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

#[test]
fn plans_run_without_their_farm() {
    let farm = Farm::empty();
    let both = format!("---\n{}---\n{}", plan("a", "true"), plan("b", "false"));
    let ran = fed(&farm, &["run", "-"], &both).exits(1);
    show(&farm, "run-plan-standard-input", &ran);
    farm.write("plans/a.yaml", &plan("a", "cat first"));
    farm.run(&["run", "plans/a.yaml"]).exits(0);
    assert_eq!(farm.log("a", "test"), format!("{}\n", farm.state().join("slaves/here").display()));
    let yaml: serde_json::Value = serde_yaml::from_str(&plan("a", "true")).unwrap();
    fed(&farm, &["run", "-"], &format!("{yaml}\n{}", yaml.to_string().replace("\"a\"", "\"c\""))).exits(0);
    assert_eq!(result(&farm.latest())["builders"][1]["builder"], "c");
}

#[test]
fn what_is_no_plan_is_said() {
    let farm = Farm::empty();
    let dry_run = "demo-pg15 on here  [demo] in buildouts/MANIFEST.cfg\n  directory   ${basedir}/demo-pg15\n";
    show(&farm, "run-plan-text", &fed(&farm, &["run", "-"], dry_run).exits(2));
    show(&farm, "run-plan-empty", &fed(&farm, &["run", "-"], "").exits(2));
    show(&farm, "run-plan-missing", &farm.run(&["run", "nothing.yaml"]).exits(2));
    let misspelt = plan("a", "true").replace("template: t, run", "template: t, runn");
    show(&farm, "run-plan-key", &fed(&farm, &["run", "-"], &misspelt).exits(2));
    show(
        &farm,
        "run-plan-format",
        &fed(&farm, &["run", "-"], &plan("a", "true").replace("plan: 1", "plan: 7")).exits(2),
    );
    let two = format!("{}---\n{}", plan("a", "true"), plan("b", "true").replace("slave: here", "slave: there"));
    show(&farm, "run-plan-slaves", &fed(&farm, &["run", "-"], &two).exits(2));
    show(&farm, "run-plan-mixed", &farm.run(&["run", "a.yaml", "demo-pg15"]).exits(2));
    show(&farm, "run-plan-slave", &farm.run(&["run", "a.yaml", "--slave", "here"]).exits(2));
    assert!(!farm.state().exists());
}

#[test]
fn secrets_of_plans_are_given_in_a_file_of_ones_own() {
    let farm = Farm::empty();
    let plan = plan("a", "test \"$PASSWORD\" = s3cret-w0rd && echo $PASSWORD")
        .replace("steps:", "secrets: [here-x]\nenvironment: {PASSWORD: '${secret.here-x}'}\nsteps:");
    farm.write("a.yaml", &plan);
    show(&farm, "run-plan-secret-missing", &farm.run(&["run", "a.yaml"]).exits(2));
    farm.write("secrets", "here-x: s3cret-w0rd\n");
    let readable_by = |mode| fs::set_permissions(farm.root.join("secrets"), Permissions::from_mode(mode)).unwrap();
    readable_by(0o640);
    show(&farm, "run-plan-secrets-open", &farm.run(&["run", "a.yaml", "--secrets", "secrets"]).exits(2));
    readable_by(0o600);
    farm.run(&["run", "a.yaml", "--secrets", "secrets"]).exits(0);
    assert_eq!(farm.log("a", "test"), "***\n");
    farm.write("secrets", "here-x s3cret-w0rd\n");
    let ran = farm.run(&["run", "a.yaml", "--secrets", "secrets"]).exits(2);
    assert!(!ran.err.contains("w0rd"));
    show(&farm, "run-plan-secrets-broken", &ran);
}

#[test]
fn what_failed_is_run_again() {
    let farm = Farm::empty();
    let both = format!("{}---\n{}", plan("a", "true"), plan("b", "test -e ../../../../../mended"));
    fed(&farm, &["run", "-"], &both).exits(1);
    fs::write(farm.root.join("mended"), "").unwrap();
    farm.run(&["rerun", "--failed"]).exits(0);
    let again = result(&farm.latest());
    assert_eq!(again["builders"].as_array().unwrap().len(), 1);
    assert_eq!(again["builders"][0]["builder"], "b");
    show(&farm, "rerun-nothing-failed", &farm.run(&["rerun", "--failed"]).exits(0));
    show(&farm, "rerun-unknown-run", &farm.run(&["rerun", "20261123"]).exits(2));
    show(&farm, "rerun-unknown-builder", &farm.run(&["rerun", "latest", "c"]).exits(2));
}

#[test]
fn builders_that_were_never_begun_are_run_again_too() {
    let farm = Farm::empty();
    let both = format!("{}---\n{}", plan("a", "false"), plan("b", "true"));
    fed(&farm, &["run", "-", "--fail-fast"], &both).exits(1);
    assert_eq!(result(&farm.latest())["builders"][1]["outcome"], "skipped");
    farm.run(&["rerun", "--failed"]).exits(1);
    assert_eq!(result(&farm.latest())["builders"][1]["outcome"], "success");
}

#[test]
fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let farm = Farm::empty();
    let both = format!("{}---\n{}", plan("a", "true"), plan("b", "true"));
    show(&farm, "run-dry", &fed(&farm, &["run", "-", "--dry-run", "--jobs", "2", "--from", "test"], &both).exits(0));
    assert!(!farm.state().exists());
}
