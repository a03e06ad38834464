//! Who builds run as, and virtualenvs in the way.

use std::process::Command;

use crate::common::snapshot::snapshot;
use crate::common::{Farm, SYSTEM, open_directory};
use crate::{Seen, run};

const ONLY: [&str; 4] = ["slave", "doctor", "--only", "account"];

#[test]
fn virtualenvs() {
    let farm = Farm::demo();
    let directory = farm.directory.path();
    let made =
        Command::new("/usr/bin/python3").args(["-m", "venv", "--without-pip"]).arg(directory.join("env")).status();
    assert!(made.unwrap().success(), "these tests need python3-venv");
    let mut seen = Seen::new();
    let bin = format!("{}/env/bin:{SYSTEM}", directory.display());
    // What `activate` sets.
    let mut command = farm.farmout(&ONLY);
    command.env("VIRTUAL_ENV", directory.join("env")).env("PATH", &bin);
    let ran = run(command).says_no("virtualenv-on-path");
    seen.add("an activated virtualenv", &ran, 0, "virtualenv-active", &farm);
    let mut command = farm.farmout(&ONLY);
    command.env("PATH", &bin);
    seen.add("its bin on PATH", &run(command), 0, "virtualenv-on-path", &farm);
    snapshot!("doctor-virtualenv", seen.0);
}

#[test]
fn a_farm_with_several_slaves_wants_to_know_which() {
    let farm = Farm::demo().with_slave("there", "python 3.11");
    let ran = run(farm.farmout(&ONLY)).exits(2);
    snapshot!("doctor-several-slaves", ran.shown());
    let mut command = farm.farmout(&ONLY);
    run({
        command.args(["--slave", "there"]);
        command
    })
    .exits(0)
    .says("slave there takes no builder");
}

/// Whoever is nobody in particular can call it, too: all is looked at as the caller then.
#[test]
fn builds_without_an_account_run_as_the_caller() {
    let farm = Farm::demo();
    let ran = run(farm.plain_farmout(&["slave", "doctor", "--only", "account", "--only", "postgresql"])).exits(0);
    let user = if crate::common::is_root() { "nobody".to_owned() } else { crate::common::step_user() };
    let ran = ran.says(&format!("builds run as {user} (uid "));
    assert!(ran.says("a private cluster was made").says_no("account-root").out.contains("builds can run here"));
}

mod root {
    use super::*;

    #[test]
    fn root_runs_builds_as_the_account() {
        let farm = Farm::demo();
        let ran = run(farm.farmout(&ONLY)).exits(0);
        let mut seen = Seen::new();
        seen.add("root", &ran, 0, "account-root", &farm);
        // Root in a container that may not become anybody else.
        let mut command = crate::common::command("setpriv");
        command
            .args(["--bounding-set=-setuid,-setgid", "--inh-caps=-setuid,-setgid", crate::common::FARMOUT])
            .args(ONLY);
        command.current_dir(&farm.root);
        seen.add("root without CAP_SETUID", &run(command), 1, "account-none", &farm);
        snapshot!("doctor-account", seen.0);
    }

    #[test]
    fn a_person_is_no_account_for_builds() {
        let farm = Farm::demo();
        let users = open_directory();
        let passwd = users.path().join("passwd");
        let known = std::fs::read_to_string("/etc/passwd").unwrap();
        std::fs::write(&passwd, format!("{known}alice:x:54321:54321:Alice:/home/alice:/bin/bash\n")).unwrap();
        let mount = format!("mount --bind {} /etc/passwd", passwd.display());
        let mut command = crate::common::command("unshare");
        command.args(["--mount", "sh", "-ec", &format!("{mount}\nexec \"$@\""), "sh", crate::common::FARMOUT]);
        command.args(ONLY).args(["--user", "alice"]).current_dir(&farm.root);
        let mut seen = Seen::new();
        seen.add("--user alice, who has a shell", &run(command), 0, "account-login", &farm);
        snapshot!("doctor-account-login", seen.0);
    }
}
