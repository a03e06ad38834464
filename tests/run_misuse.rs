//! Wrong use, and files that are no manifests: an exit code, a message that helps, and never a panic.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use common::snapshot::snapshot;
use common::{Farm, Ran, postgresql};

/// What differs from machine to machine in a message.
fn show(farm: &Farm, name: &str, ran: &Ran) {
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
    let root = regex::escape(&farm.directory.path().display().to_string());
    let filters = [
        (root.as_str(), "[DIRECTORY]"),
        (r"running as root: [^\n]*\n", ""),
        (r"/usr/lib/postgresql/\d+", "/usr/lib/postgresql/[MAJOR]"),
        (r"\b(postgresql |pg)\d+\b", "${1}[MAJOR]"),
    ];
    snapshot!(name, ran.shown(), filters);
}

/// The sample with two slaves, whose PostgreSQL need not be there.
fn two() -> Farm {
    Farm::sample().with_slave("cellar", "postgresql 15").with_slave("attic", "postgresql 16")
}

#[test]
fn an_unknown_slave() {
    let farm = two();
    show(&farm, "run-slave-mistyped", &farm.run(&["run", "--slave", "celar"]).exits(2));
    show(&farm, "run-slave-unknown", &farm.run(&["run", "--slave", "something-else"]).exits(2));
    show(&farm, "run-slave-missing", &farm.run(&["run"]).exits(2));
    assert!(!farm.state().exists());
}

#[test]
fn an_unknown_builder() {
    let farm = two();
    // Versions are the test's here, and not the machine's.
    let shown = |arguments: &[&str]| farm.run(arguments).exits(2).err;
    let all =
        [&["run", "--slave", "cellar", "demo-pg51"][..], &["run", "--slave", "cellar", "other-*"], &["run", "[x"]];
    let all: String =
        all.into_iter().map(|arguments| format!("$ {}\n{}\n", arguments.join(" "), shown(arguments))).collect();
    snapshot!("run-builder-unknown", all);
}

#[test]
fn a_builder_that_is_another_slaves() {
    let farm = two();
    let ran = farm.run(&["run", "--slave", "cellar", "demo-pg16"]).exits(1);
    snapshot!("run-builder-elsewhere", ran.err);
}

#[test]
fn no_farm_at_all() {
    let farm = Farm::empty();
    show(&farm, "run-no-farm", &farm.run(&["run", "--farm", "."]).exits(2));
    show(&farm, "run-manifest-missing", &farm.run(&["run", "--farm", ".", "--manifest", "no/such.cfg"]).exits(2));
    show(&farm, "run-farm-missing", &farm.run(&["run", "--farm", "no-such-farm"]).exits(2));
    assert!(!farm.state().exists());
}

#[test]
fn a_directory_in_place_of_the_manifest() {
    let farm = Farm::empty();
    fs::create_dir_all(farm.root.join("buildouts/MANIFEST.cfg")).unwrap();
    for command in ["run", "compile"] {
        show(&farm, &format!("{command}-manifest-directory"), &farm.run(&[command]).exits(2));
    }
}

#[test]
fn a_manifest_that_may_not_be_read() {
    let farm = Farm::demo();
    let manifest = farm.root.join("buildouts/MANIFEST.cfg");
    fs::set_permissions(manifest, fs::Permissions::from_mode(0o000)).unwrap();
    for command in ["run", "compile"] {
        let ran = Ran::from(farm.plain_farmout(&[command]).output().unwrap()).exits(2);
        show(&farm, &format!("{command}-manifest-unreadable"), &ran);
    }
}

#[test]
fn binary_data_in_place_of_the_manifest() {
    let farm = Farm::empty();
    fs::create_dir(farm.root.join("buildouts")).unwrap();
    let manifest = farm.root.join("buildouts/MANIFEST.cfg");
    fs::write(&manifest, b"[demo]\nbuildout = \xff\xfe\x00").unwrap();
    show(&farm, "compile-binary", &farm.run(&["compile"]).exits(1));
    show(&farm, "run-binary", &farm.run(&["run"]).exits(1));
    // Text as far as UTF-8 goes, and still no manifest.
    fs::write(&manifest, b"\x7fELF\x02\x01\x01\0\0\0\0\x1b[31m\n\0\0\0").unwrap();
    show(&farm, "compile-control-characters", &farm.run(&["compile"]).exits(1));
    assert!(!farm.state().exists());
}

#[test]
fn a_line_of_a_hundred_megabytes() {
    let farm = Farm::demo();
    farm.write("buildouts/MANIFEST.cfg", &format!("[demo]\n{}\n", "x".repeat(100_000_000)));
    let ran = farm.run(&["compile"]).exits(1);
    assert!(ran.all().len() < 2_000, "{} bytes of output", ran.all().len());
}

#[test]
fn long_lines_are_shown_in_part() {
    let farm = Farm::demo();
    let long = "x".repeat(1_000_000);
    for (text, code) in [
        (format!("[demo]\n{long}\n"), 1),
        (format!("[demo]\nbuildout = standalone {long} {long}\n"), 1),
        (format!("[{long}]\nbuildout = {long}\n{long} = {long}\n"), 1),
        (format!("[demo]\nbuildout = standalone demo.cfg with=demo\n# {long}\n"), 0),
    ] {
        farm.write("buildouts/MANIFEST.cfg", &text);
        let ran = farm.run(&["compile"]).exits(code);
        assert!(ran.all().len() < 10_000, "{} bytes of output", ran.all().len());
    }
}

#[test]
fn a_cycle_of_inheritance() {
    let farm = Farm::demo();
    farm.write("buildouts/MANIFEST.cfg", "[a]\ninherit = b\n[b]\ninherit = c\n[c]\ninherit = a\n[d]\ninherit = d\n");
    for command in ["run", "compile"] {
        show(&farm, &format!("{command}-inherit-cycle"), &farm.run(&[command]).exits(1));
    }
    assert!(!farm.state().exists());
}

#[test]
fn openerp_without_python_2() {
    let (major, bin) = postgresql();
    let farm =
        Farm::sample().with_slave("here", &format!("postgresql {major} bin={bin} cluster=ephemeral\npython 3.11"));
    let ran = farm.run(&["run", "--manifest", "buildouts/openerp.cfg"]).exits(1);
    show(&farm, "run-openerp-without-python", &ran);
}
