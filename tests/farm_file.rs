//! A farm with a `farm.yaml`: manifests, fragments, capabilities, step templates and rewrites of its own.

mod common {
    pub mod binary;
    pub mod copy;
    pub mod snapshot;
}

use std::fs;
use std::path::Path;

use common::binary::{farmout, text};
use common::copy::copy;
use common::snapshot::snapshot;

#[test]
fn everything_of_a_farms_own_is_read() {
    let output = farmout(&["compile", "--farm", "fixtures/own", "--emit", "json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    snapshot!("farm-file-json", text(&output.stdout));
}

#[test]
fn a_farms_own_template_makes_steps() {
    let output = farmout(&["plan", "--farm", "fixtures/own", "shop-rd6-pg15"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    snapshot!("farm-file-plan", text(&output.stdout));
}

/// Compiles a copy of the farm with one file written anew, and gives what is said about it.
fn with(file: &str, contents: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    copy(Path::new("fixtures/own"), folder.path());
    fs::write(folder.path().join(file), contents).unwrap();
    let output = farmout(&["compile"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    text(&output.stderr)
}

#[test]
fn mistakes_in_a_farms_own_files_are_told_at_their_places() {
    let template = fs::read_to_string("fixtures/own/steps/pytest.yaml").unwrap();
    let manifest = fs::read_to_string("fixtures/own/buildouts/MANIFEST.cfg").unwrap();
    let said = [
        with("farm.yaml", "manifest: [buildouts/MANIFEST.cfg]\n"),
        with("steps/pytest.yaml", &template.replace("on-failure: flunk", "on-failure: explode")),
        with("steps/pytest.yaml", &template.replace("option['pytest.workers'] > 1", "option['pytest.workers' > 1")),
        with("buildouts/MANIFEST.cfg", &manifest.replace("pytest.folders", "pytest.folder")),
    ];
    snapshot!("farm-file-mistakes", said.join("\n"));
}

#[test]
fn folders_and_manifests_that_are_missing_are_all_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("farm.yaml"), "manifests: [one.cfg, two.cfg]\ntemplates: [nowhere]\n").unwrap();
    let output = farmout(&["compile"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    snapshot!("farm-file-missing", text(&output.stderr));
}
