//! `farmout compile` through the binary: what it says, what it emits, how it ends.

mod common {
    pub mod binary;
    pub mod snapshot;
}

use std::process::Output;

use common::binary::{farmout, text};
use common::snapshot::snapshot;

fn compile(arguments: &[&str]) -> Output {
    farmout(&["compile"]).args(arguments).output().unwrap()
}

#[test]
fn every_mistake_is_reported_at_its_place_in_one_run() {
    let output = compile(&["--farm", "fixtures/mistakes"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stdout), "");
    let told = text(&output.stderr);
    assert!(!told.contains("hunter") && !told.contains("s3cret"), "a password is shown:\n{told}");
    snapshot!("compile-mistakes", told);
}

#[test]
fn the_historic_farm_compiles_with_notices() {
    let output = compile(&["--farm", "fixtures/historic"]);
    assert_eq!(output.status.code(), Some(0));
    snapshot!("compile-historic", text(&output.stderr));
}

#[test]
fn the_graph_of_the_historic_farm() {
    let output = compile(&["--farm", "fixtures/historic", "--emit", "json"]);
    assert_eq!(output.status.code(), Some(0));
    let graph = text(&output.stdout);
    assert!(!graph.to_lowercase().contains("passw"), "the graph names a password:\n{graph}");
    snapshot!("compile-historic-json", graph);
}

/// The table of `fixtures/historic/EXPECTED.md`, which was worked out by hand.
#[test]
fn the_historic_farm_has_the_builders_that_were_worked_out_by_hand() {
    let output = compile(&["--farm", "fixtures/historic", "--emit", "json"]);
    let graph: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let property = |builder: &serde_json::Value, name: &str| {
        builder["properties"][name].as_str().map(|version| format!("`{name}` {version}"))
    };
    let compiled: Vec<String> = graph["builders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|builder| {
            let slaves: Vec<_> =
                builder["slaves"].as_array().unwrap().iter().map(|slave| slave.as_str().unwrap()).collect();
            let versions: Vec<_> =
                ["pg_version", "py_version"].iter().filter_map(|name| property(builder, name)).collect();
            let versions = if versions.is_empty() { "none".to_owned() } else { versions.join(", ") };
            let requires = builder["properties"]["build_requires"]
                .as_str()
                .map(|lines| lines.split(", ").map(|line| format!("`{line}`")).collect::<Vec<_>>().join(", "));
            format!(
                "| `{}` | `{}` | {versions} | {} |",
                builder["name"].as_str().unwrap(),
                slaves.join("`, `"),
                requires.unwrap_or_else(|| "none".to_owned()),
            )
        })
        .collect();
    let expected = std::fs::read_to_string("fixtures/historic/EXPECTED.md").unwrap();
    let expected: Vec<&str> = expected
        .lines()
        .skip_while(|line| !line.starts_with("| builder |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert_eq!(compiled, expected);
}

#[test]
fn the_same_farm_gives_the_same_bytes() {
    let emit = || compile(&["--farm", "fixtures/historic", "--emit", "json"]).stdout;
    assert_eq!(emit(), emit());
}

#[test]
fn a_farm_without_slaves_compiles_with_a_warning() {
    let farm = tempfile::tempdir().unwrap();
    std::fs::create_dir(farm.path().join("buildouts")).unwrap();
    std::fs::write(farm.path().join("buildouts/MANIFEST.cfg"), "[a]\nbuildout = git https://x.example/a main b.cfg\n")
        .unwrap();
    let output = compile(&["--farm", farm.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("slave::none"));
}

#[test]
fn nothing_is_emitted_for_a_farm_with_errors() {
    let output = compile(&["--farm", "fixtures/mistakes", "--emit", "json"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()));
}
