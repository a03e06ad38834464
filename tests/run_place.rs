//! Where builds can be kept: paths that scripts break at, and directories that cannot be used.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use common::snapshot::snapshot;
use common::{Farm, Ran};

fn root(farm: &Farm) -> String {
    regex::escape(&farm.directory.path().display().to_string())
}

#[test]
fn a_path_that_builds_break_at_is_refused() {
    let farm = Farm::demo();
    let mut all = String::new();
    for name in ["my builds", "a\tb", "a\u{1b}b", "50%", "say\"", "${x}", "a:b", "[a]", "a\\b", "a`b"] {
        let state = farm.directory.path().join(name).display().to_string();
        let ran = farm.run(&["run", "--state", &state]).exits(2);
        all.push_str(&ran.err);
        assert!(!farm.directory.path().join(name).exists(), "{name}");
    }
    snapshot!("run-state-breaks", all, [(&*root(&farm), "[DIRECTORY]")]);
    // The farm's own place counts as well, and before the machine is looked at for a farm without fragments.
    let farm = Farm::sample();
    let moved = farm.directory.path().join("my farm");
    fs::rename(&farm.root, &moved).unwrap();
    let ran = Ran::from(farm.farmout(&["run"]).current_dir(&moved).output().unwrap()).exits(2);
    ran.says("my farm/.farmout has a blank in it").says_no("this machine is the slave");
    assert!(!moved.join(".farmout").exists());
}

#[test]
fn a_path_is_refused_at_the_length_at_which_builds_break() {
    let farm = Farm::demo();
    let deep = |bytes: usize| {
        let mut state = farm.directory.path().display().to_string();
        while bytes - state.len() > 100 {
            state = format!("{state}/{}", "d".repeat(49));
        }
        let rest = bytes - state.len() - 1;
        format!("{state}/{}", "e".repeat(rest))
    };
    let state = deep(250);
    let ran = farm.run(&["run", "--state", &state]).exits(2);
    assert!(!farm.directory.path().join("d".repeat(49)).exists());
    let shorter = ran.err.split("shorter by ").nth(1).and_then(|text| text.split(' ').next()).unwrap();
    let fits = 250 - shorter.parse::<usize>().unwrap();
    let root = root(&farm);
    let filters = [(&*root, "[DIRECTORY]"), (r"(/[de]{49,})+", "/…"), (r"pg\d+|\b\d+ bytes", "N")];
    snapshot!("run-state-long", ran.err, filters);
    farm.run(&["run", "--state", &deep(fits + 1)]).exits(2).says("shorter by 1 byte at least");
    farm.run(&["run", "--state", &deep(fits)]).exits(0);
}

#[test]
fn a_state_that_cannot_be_made_is_wrong_use() {
    let farm = Farm::demo();
    let ran = farm.run(&["run", "--state", "/proc/farmout"]).exits(2);
    ran.says("cannot use /proc/farmout/slaves: ")
        .says("help: name a directory in which you can make files")
        .says_no("os error");
    let closed = farm.root.join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).unwrap();
    let ran = Ran::from(farm.plain_farmout(&["run", "--state", "closed"]).output().unwrap()).exits(2);
    snapshot!("run-state-closed", ran.err, [(&*root(&farm), "[DIRECTORY]")]);
}

#[test]
fn what_cannot_be_written_is_said_in_words() {
    let farm = Farm::demo();
    let mut all = String::new();
    farm.run(&["plan", "-o", "/dev/null"]).exits(0).says_no("error");
    let plans = farm.run(&["plan", "--format", "yaml"]).exits(0).out;
    assert_eq!(farm.run(&["plan", "-o", "/dev/stdout"]).exits(0).out, plans);
    all.push_str(&farm.run(&["plan", "-o", "/dev/full"]).exits(2).err);
    all.push_str(&farm.run(&["plan", "-o", "buildouts/MANIFEST.cfg"]).exits(2).err);
    all.push_str(
        &farm
            .run(&["plan", "-o", "/proc/plans"])
            .exits(2)
            .says_no("os error")
            .err
            .replace("Permission denied", "No such file or directory"),
    );
    farm.write("here/b.cfg", "[b]\nbuildout=noop\n");
    fs::set_permissions(farm.root.join("here"), fs::Permissions::from_mode(0o555)).unwrap();
    let ran = Ran::from(farm.plain_farmout(&["fmt", "here/b.cfg"]).output().unwrap()).exits(2);
    all.push_str(&ran.err);
    snapshot!("unwritable", all);
    fs::set_permissions(farm.root.join("here"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn names_are_checked_before_anything_is_told_or_made() {
    for farm in [Farm::sample(), Farm::demo()] {
        for arguments in [&["run", "nosuch"][..], &["run", "nosuch*", "--embedded", "17"]] {
            let ran = farm.run(arguments).exits(2);
            assert_eq!(ran.out, "");
            assert!(!farm.state().exists());
        }
    }
    let farm = Farm::sample();
    let mistyped = farm.run(&["run", "dmo-pg15"]).exits(2).err;
    snapshot!("run-builder-of-no-build", format!("{mistyped}{}", farm.run(&["run", "nosuch"]).exits(2).err));
    // A pattern, and a name of which only this machine tells whether it is a builder's.
    farm.run(&["plan", "d*"]).exits(0);
    farm.run(&["run", "demo-pg51"]).exits(2).says("this machine is the slave").says("no builder is called `demo-pg51`");
}
