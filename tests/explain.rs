//! `farmout explain` through the binary: what it says of each kind of name, in a farm and without one.

mod common {
    pub mod binary;
    pub mod snapshot;
}

use std::path::Path;
use std::process::Output;

use common::binary::{farmout, text};
use common::snapshot::snapshot;

/// In a directory that is no farm, unless the arguments name one.
fn explain(arguments: &[&str]) -> Output {
    let nowhere = tempfile::tempdir().unwrap();
    explain_in(nowhere.path(), arguments)
}

fn explain_in(folder: &Path, arguments: &[&str]) -> Output {
    farmout(&["explain"]).args(arguments).current_dir(folder).output().unwrap()
}

/// What it says of names that are known.
fn said(output: &Output) -> String {
    assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""));
    text(&output.stdout)
}

#[test]
fn codes_and_families() {
    snapshot!("explain-code", said(&explain(&["dispatch::no-builder"])));
    snapshot!("explain-code-bytes", said(&explain(&["ini::binary", "source::encoding"])));
    snapshot!("explain-family", said(&explain(&["ini"])));
    assert_eq!(explain(&["ini"]).stdout, explain(&["ini::*"]).stdout);
}

#[test]
fn options_of_every_kind() {
    let names =
        ["build-for", "openerp-addons", "db-template", "slave_priority", "cluster", "pg_port", "bootstrap-type"];
    snapshot!("explain-options", said(&explain(&names)));
}

#[test]
fn templates_and_capabilities() {
    snapshot!("explain-template", said(&explain(&["standard", "simple_create"])));
    snapshot!("explain-capability", said(&explain(&["postgresql", "wkhtmltopdf"])));
}

#[test]
fn a_name_that_is_several_things_is_explained_as_each() {
    snapshot!("explain-several", said(&explain(&["inherit", "buildout"])));
}

#[test]
fn builders_and_builds_of_a_farm() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = ["openerp-7.0-matrix-pg9.1-py2.7", "mill-py2.6", "apiary", "openerp-7.0-next-postgresql"];
    let output = explain_in(root, &[&["--farm", "fixtures/historic"], &names[..]].concat());
    let said = said(&output);
    assert!(!said.contains("not-a-real-password"), "a password is shown:\n{said}");
    snapshot!("explain-builders", said);
}

#[test]
fn what_a_farm_adds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let names = ["--farm", "fixtures/own", "pytest", "pytest.maxfail", "redis", "shop-rd6-pg15"];
    snapshot!("explain-own", said(&explain_in(root, &names)));
    assert_eq!(explain(&["pytest"]).status.code(), Some(2));
}

#[test]
fn without_a_name_everything_is_listed() {
    snapshot!("explain-list", said(&explain(&[])));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(said(&explain_in(root, &["--farm", "fixtures/own"])).contains("shop-rd6-pg15"));
}

#[test]
fn unknown_names_end_with_2_and_the_nearest_ones() {
    let output = explain(&["wacth", "hash-in-value", "git", "zebra"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stdout).starts_with("git"), "what is known is told all the same");
    snapshot!("explain-unknown", text(&output.stderr));
}

#[test]
fn a_farm_that_was_named_must_be_there() {
    let output = explain(&["--farm", "nowhere", "git"]);
    assert_eq!((output.status.code(), text(&output.stdout).as_str()), (Some(2), ""));
    assert!(text(&output.stderr).contains("nowhere/buildouts/MANIFEST.cfg does not exist"));
}

#[test]
fn lines_are_no_longer_than_a_page_and_plain() {
    for page in farmout::explain::pages() {
        let said = said(&explain(&[page.code.name]));
        assert!(!said.contains('\u{1b}'), "{said}");
        let prose = said.lines().filter(|line| !line.starts_with("    "));
        prose.for_each(|line| assert!(line.chars().count() <= 100, "{line}"));
    }
}

#[test]
fn without_fragments_the_list_has_the_builders_of_this_machine() {
    let output = explain_in(Path::new(env!("CARGO_MANIFEST_DIR")), &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("this machine is the slave `local`"), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("demo-pg"), "{}", text(&output.stdout));
}
