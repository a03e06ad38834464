//! A privileged runner in folders of an unprivileged user, who may have laid traps. Run by somebody else, the same
//! holds, but for the change of user.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use farmout::plan::{Plan, PlanFile};
use farmout::runner::Outcome::{Failure, Success, Warnings};

use crate::support::{Slave, account, plan, reason, step, write_step};

fn writing(path: &str) -> Plan {
    let mut plan = plan("a", vec![write_step("fetch", "${build-dir}")]);
    plan.files = vec![PlanFile { path: path.into(), executable: false, content: "new".to_owned() }];
    plan
}

/// A slave whose builder has its folders.
fn slave() -> Slave {
    let slave = Slave::new();
    slave.run(&[plan("a", vec![])]);
    std::fs::create_dir(slave.path("outside")).unwrap();
    std::fs::write(slave.path("outside/file"), "precious").unwrap();
    slave
}

#[test]
fn steps_and_files_belong_to_the_account() {
    let slave = Slave::new();
    let mut plan = writing("deep/file");
    plan.steps.push(step("who", "id -u; id -g; id -G; cat deep/file"));
    let (result, _) = slave.run(&[plan]);
    assert_eq!(result.outcome, Some(Success), "{:?}", result.builders[0]);
    let (uid, gid) = account().map_or_else(
        || (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw()),
        |account| (account.uid, account.gid),
    );
    let log = slave.log("a/02-who.log");
    assert!(log.starts_with(&format!("{uid}\n{gid}\n")), "{log}");
    if account().is_some() {
        assert_eq!(log, format!("{uid}\n{gid}\n{gid}\nnew"));
    }
    for path in ["slave", "slave/a", "slave/a/build/deep/file", "slave/buildout-caches/eggs", "slave/a/tmp"] {
        let metadata = std::fs::metadata(slave.path(path)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (uid, gid), "{path}");
    }
    assert_eq!(std::fs::metadata(slave.path("slave/a/build/deep/file")).unwrap().permissions().mode() & 0o7777, 0o644);
    // What the runner keeps is its own.
    assert_eq!(
        std::fs::metadata(slave.path("state/latest/result.json")).unwrap().uid(),
        nix::unistd::getuid().as_raw()
    );
}

#[test]
fn a_link_in_the_way_is_not_followed() {
    let slave = slave();
    symlink(slave.path("outside"), slave.path("slave/a/build/deep")).unwrap();
    let (result, _) = slave.run(&[writing("deep/file")]);
    assert_eq!(result.outcome, Some(Failure));
    assert!(reason(&result, "fetch").ends_with("deep is a symbolic link, which is not followed"));
    assert_eq!(slave.read("outside/file"), "precious");
}

#[test]
fn a_link_in_place_of_a_file_is_replaced() {
    let slave = slave();
    symlink(slave.path("outside/file"), slave.path("slave/a/build/file")).unwrap();
    let (result, _) = slave.run(&[writing("file")]);
    assert_eq!(result.outcome, Some(Success));
    assert_eq!(
        (slave.read("outside/file"), slave.read("slave/a/build/file")),
        ("precious".to_owned(), "new".to_owned())
    );
    assert!(slave.path("slave/a/build/file").symlink_metadata().unwrap().is_file());
}

#[test]
fn a_link_in_place_of_a_folder_is_refused() {
    let slave = slave();
    std::fs::remove_dir(slave.path("slave/a/build")).unwrap();
    symlink(slave.path("outside"), slave.path("slave/a/build")).unwrap();
    let (result, _) = slave.run(&[writing("file")]);
    assert!(result.builders[0].reason.as_deref().unwrap().contains("is a symbolic link, which is not followed"));
    assert_eq!(slave.read("outside/file"), "precious");
}

#[test]
fn a_link_in_place_of_the_temporary_directory_is_removed() {
    let slave = slave();
    std::fs::remove_dir(slave.path("slave/a/tmp")).unwrap();
    symlink(slave.path("outside"), slave.path("slave/a/tmp")).unwrap();
    let (result, _) = slave.run(&[plan("a", vec![step("use", "touch ${tmp-dir}/x")])]);
    assert_eq!(result.outcome, Some(Success), "{:?}", result.builders[0]);
    assert_eq!(slave.read("outside/file"), "precious");
    assert!(!slave.path("outside/x").exists());
}

#[test]
fn a_link_laid_by_a_step_is_not_followed_when_tidying() {
    let slave = slave();
    let script = "rmdir ${tmp-dir} && ln -s ${basedir}/../outside ${tmp-dir}";
    let (result, _) = slave.run(&[plan("a", vec![step("trap", script)])]);
    assert_eq!(result.outcome, Some(Warnings));
    assert_eq!(slave.read("outside/file"), "precious");
}

#[test]
fn a_manifest_that_was_tampered_with_removes_nothing_outside() {
    let slave = slave();
    symlink(slave.path("outside"), slave.path("slave/a/build/link")).unwrap();
    let paths = format!("[\"../../../outside/file\", \"{}\", \"link/file\"]", slave.path("outside/file"));
    std::fs::write(slave.path("slave/a/.farmout-files.json"), format!("{{\"a/build\": {paths}}}")).unwrap();
    let (result, _) = slave.run(&[writing("file")]);
    assert_eq!(result.outcome, Some(Success), "{:?}", result.builders[0]);
    assert_eq!(slave.read("outside/file"), "precious");
}

#[test]
fn a_lock_file_with_a_second_name_is_not_written_to() {
    let slave = slave();
    std::fs::hard_link(slave.path("outside/file"), slave.path("slave/locks/l.lock")).unwrap();
    let mut plan = plan("a", vec![step("want", "true")]);
    plan.steps[0].lock = Some("l".to_owned());
    let (result, _) = slave.run(&[plan]);
    assert!(reason(&result, "want").contains("is not a plain file with one name"));
    assert_eq!(slave.read("outside/file"), "precious");
}

#[test]
fn caches_may_be_on_another_disk() {
    let slave = slave();
    std::fs::remove_dir_all(slave.path("slave/buildout-caches")).unwrap();
    symlink(slave.path("outside"), slave.path("slave/buildout-caches")).unwrap();
    let (result, _) = slave.run(&[plan("a", vec![step("use", "test -e ${caches}/file")])]);
    assert_eq!(result.outcome, Some(Success), "{:?}", result.builders[0]);
}
