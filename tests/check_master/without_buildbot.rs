//! Machines without Buildbot, and where it is found.

use std::fs;
use std::os::unix::fs::symlink;

use super::binary::{farmout, text};
use super::buildbot::environment;
use super::snapshot::snapshot;
use super::support::Case;

/// A search path without Buildbot.
const SYSTEM: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn check(case: &Case, arguments: &[&str], path: &str) -> (Option<i32>, String, String) {
    let mut command = farmout(&["check-master", "master", "--farm", "farm"]);
    let output = command.args(arguments).current_dir(case.directory.path()).env("PATH", path).output().unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn what_cannot_be_checked_is_told() {
    let case = Case::new();
    let (code, said, _) = check(&case, &[], SYSTEM);
    assert_eq!(code, Some(0));
    snapshot!("check-master-without", said);
    let (code, said, _) = check(&case, &["--require-buildbot"], SYSTEM);
    assert_eq!(code, Some(1));
    assert!(said.contains("error[no-buildbot]: no Buildbot was found, and --require-buildbot is given\n"), "{said}");
    let (code, _, said) = check(&case, &["--dry-run"], SYSTEM);
    assert_eq!(code, Some(2));
    assert!(said.contains("no Buildbot was found, and its loader makes the steps"), "{said}");
}

#[test]
fn it_is_found_on_the_path_beside_the_master_and_where_it_is_named() {
    let case = Case::new();
    let bin = environment().join("bin");
    let (_, said, _) = check(&case, &[], &format!("{}:{SYSTEM}", bin.display()));
    assert!(said.contains(&format!("Buildbot 4.3.0 ({}/buildbot)", bin.display())), "{said}");
    symlink(environment(), case.path("venv")).unwrap();
    let (_, said, _) = check(&case, &[], SYSTEM);
    assert!(said.contains("/venv/bin/buildbot)"), "{said}");
    let (_, said, _) = check(&case, &["--buildbot", "venv/bin/buildbot"], SYSTEM);
    assert!(said.contains("/venv/bin/buildbot)"), "{said}");
}

#[test]
fn a_python_without_buildbot_is_told() {
    let case = Case::new();
    fs::create_dir(case.path("bin")).unwrap();
    case.write("bin/buildbot", "#!/usr/bin/env python3\n");
    fs::set_permissions(case.path("bin/buildbot"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (code, said, _) = check(&case, &["--buildbot", "bin/buildbot"], SYSTEM);
    assert_eq!(code, Some(1));
    assert!(said.contains("cannot load the configuration: ModuleNotFoundError: No module named 'buildbot'"), "{said}");
    case.write("bin/buildbot", "#!/bin/bash\nexec something\n");
    let (code, _, said) = check(&case, &["--buildbot", "bin/buildbot"], SYSTEM);
    assert_eq!(code, Some(2));
    assert!(said.contains("it cannot be told which Python runs "), "{said}");
}
