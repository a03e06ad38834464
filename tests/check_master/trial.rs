//! What running a configuration does to the machine that it is run on, and how that ends.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::binary::{farmout, text};
use super::buildbot::{environment, fine, program, wait};
use super::support::Case;

fn copies(folder: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Buildbot itself makes a log in the directory that `buildbot.tac` names, whoever runs it.
#[test]
fn the_directory_stays_as_it_is_whatever_the_configuration_writes() {
    let case = Case::new();
    fine(program("buildbot", case.directory.path()).args(["create-master", "--quiet"]).arg(case.path("master")));
    let tac = fs::read_to_string(case.path("master/buildbot.tac")).unwrap();
    assert!(tac.contains(&format!("basedir = '{}'", case.path("master").display())), "{tac}");
    case.write("master/public/page.html", "old");
    case.write("master/lib/helper.py", "value = 1\n");
    case.admin(
        "
import os, sys
sys.path.insert(0, os.path.join(basedir, 'lib'))
import helper
for name in ['new', 'public/page.html', 'public/new.html']:
    with open(os.path.join(basedir, name), 'w') as file:
        file.write('new')
",
    );
    let before = case.everything();
    case.right();
    assert_eq!(case.everything(), before);
}

#[test]
fn the_configuration_is_the_one_that_the_tac_names_and_the_tac_is_not_run() {
    let case = Case::new();
    fs::rename(case.path("master/master.cfg"), case.path("master/farm.cfg")).unwrap();
    let touch = format!("open({:?}, 'w')\n", case.path("touched"));
    case.write("master/buildbot.tac", &format!("{touch}configfile = 'farm.cfg'\nraise RuntimeError\n"));
    case.right();
    case.write("master/buildbot.tac", &format!("{touch}configfile = {:?}\n", case.path("master/farm.cfg")));
    case.right();
    assert!(!case.path("touched").exists());
    fs::rename(case.path("master/farm.cfg"), case.path("master/master.cfg")).unwrap();
    case.write("master/buildbot.tac", &format!("{touch}configfile = 'farm.cfg\n"));
    let said = case.wrong();
    assert!(said.contains("error[refused] at buildbot.tac:2: Buildbot refuses it: SyntaxError: "), "{said}");
}

#[test]
fn what_takes_too_long_has_its_line() {
    let case = Case::new();
    case.admin("import time\ntime.sleep(600)\n");
    let line = fs::read_to_string(case.path("master/master.cfg")).unwrap().lines().count();
    let output = case.check(&["--timeout", "8s"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}{}", text(&output.stderr));
    let expected = format!(
        "error[refused] at master.cfg:{line}: Buildbot refuses it: it was not through after 8.0s (--timeout): what is done here \
         takes too long\n"
    );
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn a_request_to_stop_ends_all_that_was_started_and_leaves_nothing() {
    let case = Case::new();
    case.write("tmp/.keep", "");
    fs::remove_file(case.path("tmp/.keep")).unwrap();
    let begun = case.path("begun");
    case.admin(&format!(
        "
import subprocess, time
away = subprocess.Popen(['setsid', 'sleep', '600'])
with open({begun:?} + str(away.pid), 'w') as file:
    file.write(str(away.pid))
import os
os.rename(file.name, {begun:?})
time.sleep(600)
"
    ));
    let mut check = Command::new(env!("CARGO_BIN_EXE_farmout"));
    check.args(["check-master", "master", "--farm", "farm", "--buildbot"]).arg(environment());
    check.current_dir(case.directory.path()).env("TMPDIR", case.path("tmp"));
    let mut check = check.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait("the configuration runs", String::new, || begun.exists().then_some(()));
    let modes = copies(&case.path("tmp")).into_iter().map(|copy| copy.metadata().unwrap().permissions().mode() & 0o777);
    assert_eq!(modes.collect::<Vec<_>>(), [0o700]);
    kill(Pid::from_raw(check.id().cast_signed()), Signal::SIGTERM).unwrap();
    let status = check.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    assert_eq!(copies(&case.path("tmp")), Vec::<std::path::PathBuf>::new());
    let away: i32 = fs::read_to_string(&begun).unwrap().parse().unwrap();
    assert!(kill(Pid::from_raw(away), None).is_err(), "{away} runs still");
}

#[test]
fn what_is_told_names_the_directory_and_not_its_copy_however_it_is_called() {
    let case = Case::new();
    case.admin("raise RuntimeError(__file__)\n");
    let name = "Wärter \"1\"";
    fs::rename(case.path("master"), case.path(name)).unwrap();
    let mut check = farmout(&["check-master", name, "--farm", "farm", "--buildbot"]);
    check.arg(environment()).current_dir(case.directory.path()).env("PYTHONSAFEPATH", "1");
    let output = check.output().unwrap();
    let said = text(&output.stdout);
    assert!(said.contains(&format!("RuntimeError: {}\n", case.path(name).join("master.cfg").display())), "{said}");
}
