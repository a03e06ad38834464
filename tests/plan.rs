//! `farmout plan` through the binary: the dry run, the plan files, and why.

mod common {
    pub mod binary;
    pub mod snapshot;
}

use common::binary::{farmout, text};
use common::snapshot::snapshot;

fn plan(arguments: &[&str]) -> std::process::Output {
    farmout(&["plan", "--farm", "fixtures/historic"]).args(arguments).output().unwrap()
}

/// What it prints where all is well.
fn planned(arguments: &[&str]) -> String {
    let output = plan(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn the_dry_run_is_readable() {
    snapshot!("plan-text", planned(&["--slave", "cellar", "openerp-7.0-matrix-*"]));
}

#[test]
fn a_plan_is_a_file_that_reads_back_the_same() {
    let written = planned(&["--slave", "attic", "openerp-6.1-pg8.4", "--format", "yaml"]);
    assert!(!written.contains("fake-"), "a password is in the plan:\n{written}");
    let plan: farmout::plan::Plan = serde_yaml::from_str(&written).unwrap();
    assert_eq!(format!("---\n{}", serde_yaml::to_string(&plan).unwrap()), written);
    snapshot!("plan-yaml", written);
}

#[test]
fn why_says_it_for_every_builder_and_build() {
    snapshot!("plan-why", planned(&["--slave", "shed", "--why"]));
}

#[test]
fn files_are_written_one_a_builder() {
    let folder = tempfile::tempdir().unwrap();
    planned(&["--slave", "cellar", "openerp-6.1-*", "-o", folder.path().to_str().unwrap()]);
    let mut names: Vec<_> =
        folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "openerp-6.1-nightly-pg9.1.yaml",
            "openerp-6.1-pg8.4.yaml",
            "openerp-6.1-pg9.0.yaml",
            "openerp-6.1-pg9.1.yaml"
        ]
    );
}

#[test]
fn mistakes_in_names_are_told_with_the_nearest() {
    let told = |arguments: &[&str]| {
        let output = plan(arguments);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stdout));
        text(&output.stderr)
    };
    snapshot!(
        "plan-wrong-names",
        [
            told(&["--slave", "celar"]),
            told(&["--slave", "zebra"]),
            told(&[]),
            told(&["--slave", "cellar", "openerp-6.1-pg8.5"]),
            told(&["--slave", "cellar", "nothing-*"]),
            told(&["--slave", "cellar", "a[b"]),
        ]
        .join("\n")
    );
}

fn plan_sources(arguments: &[&str]) -> std::process::Output {
    farmout(&["plan", "--farm", "fixtures/sources"]).args(arguments).output().unwrap()
}

#[test]
fn every_kind_of_source_is_planned() {
    let given =
        ["--property", "buildout-tag=1.2", "--property", "release-dir=2026", "--property", "release-name=a=b c"];
    let output = plan_sources(&given);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
    let plans = text(&output.stdout);
    assert!(!plans.contains("hidden-word"), "a password is in the plan:\n{plans}");
    // The rest is the same for all of them, and shown elsewhere.
    let fetches = plans.split("\n\n").filter(|part| part.contains(" on quay") || part.starts_with("  fetch"));
    snapshot!("plan-sources", fetches.collect::<Vec<_>>().join("\n\n"));
    // What no other attempt can fetch is known to each that depends on another machine.
    let written = plan_sources(&[&given[..], &["--format", "yaml"]].concat());
    let plans = serde_yaml::Deserializer::from_str(&text(&written.stdout))
        .map(|plan| <farmout::plan::Plan as serde::Deserialize>::deserialize(plan).unwrap())
        .collect::<Vec<_>>();
    let fetches = plans.iter().flat_map(|plan| &plan.steps).filter(|step| step.name == "fetch" && step.infrastructure);
    let permanent: Vec<_> = fetches.map(|step| step.permanent.as_slice()).collect();
    assert!(permanent.len() >= 5 && permanent.iter().all(|statuses| *statuses == [2, 3]), "{permanent:?}");
    let output = plan_sources(&["hgtag", "--format", "json", "--property", "buildout-tag=1.2"]);
    let plan: farmout::plan::Plan = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(plan.properties["buildout-tag"], "1.2");
    assert!(plan.missing_properties().is_empty());
}

#[test]
fn a_property_that_is_missing_or_misspelt_is_said() {
    let told = |code: i32, arguments: &[&str]| {
        let output = plan_sources(arguments);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    snapshot!(
        "plan-properties",
        [
            told(0, &[]),
            told(0, &["--property", "release-name=x", "--property", "buildout-tag="]),
            told(2, &["--property", "buildout-tag"]),
            told(2, &["--property", "=x"]),
            told(2, &["--property", "build tag=x"]),
            told(2, &["--property", "a=x\ny"]),
            told(2, &["--property", "pg_version=9.1"]),
            told(2, &["--property", "a=1", "--property", "a=2"]),
        ]
        .join("\n")
    );
}
