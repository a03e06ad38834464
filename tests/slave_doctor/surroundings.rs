//! The locale, the clock, limits.

use std::process::Command;

use crate::common::snapshot::snapshot;
use crate::common::{FARMOUT, Farm, SYSTEM};
use crate::{Seen, doctor, run, script};

const ONLY: [&str; 4] = ["slave", "doctor", "--only", "surroundings"];

#[test]
fn locales() {
    let farm = Farm::demo();
    let mut seen = Seen::new();
    for (set, name) in [
        (("LANG", "xx_YY.UTF-8"), "locale-missing"),
        (("LC_ALL", "de_XX.UTF-8"), "locale-missing"),
        (("LANG", "C"), "locale-ascii"),
        (("LANG", ""), "locale-ascii"),
    ] {
        let mut command = farm.farmout(&ONLY);
        command.env(set.0, set.1);
        seen.add(&format!("{}={}", set.0, set.1), &run(command), 0, name, &farm);
    }
    snapshot!("doctor-locale", seen.0);
}

#[test]
fn limits() {
    let farm = Farm::demo();
    let mut seen = Seen::new();
    for (limit, name, code) in [
        ("-n 64", "files-few", 1),
        ("-n 512", "files-scarce", 0),
        ("-u 300", "processes-scarce", 0),
        ("-f 1024", "file-size", 0),
        ("-v 2000000", "memory-limit", 0),
    ] {
        // Of bash: the unit of `ulimit -f` is 1024 bytes there.
        let mut command = crate::common::command("bash");
        command.args(["-c", &format!("ulimit -S {limit} && exec \"$@\""), "bash", FARMOUT]).args(ONLY);
        command.current_dir(&farm.root);
        seen.add(&format!("ulimit {limit}"), &run(command), code, name, &farm);
    }
    snapshot!("doctor-limits", seen.0);
}

#[test]
fn files_from_the_future() {
    let farm = Farm::demo();
    let shell = "mkdir -p .farmout/slaves/here && touch -d '+75 hours' .farmout/slaves/here/egg && chown -R farmout: .farmout/slaves/here 2>/dev/null || true";
    assert!(Command::new("sh").args(["-c", shell]).current_dir(&farm.root).status().unwrap().success());
    let mut seen = Seen::new();
    seen.add("a file of three days from now", &doctor(&farm, "surroundings"), 0, "clock-future-files", &farm);
    snapshot!("doctor-clock", seen.0);
}

#[test]
fn a_clock_that_nobody_keeps() {
    let farm = Farm::demo();
    let bin = farm.directory.path().join("bin");
    // systemd is not running where tests run: its program answers in its place.
    script(&bin.join("timedatectl"), "#!/bin/sh\n[ \"$1\" = show ] && echo no\n");
    let mut command = farm.farmout(&ONLY);
    command.env("PATH", format!("{}:{SYSTEM}", bin.display()));
    let mut seen = Seen::new();
    seen.add("timedatectl says no", &run(command), 0, "clock-unsynchronized", &farm);
    snapshot!("doctor-clock-unsynchronized", seen.0);
}

#[test]
fn a_clock_that_is_years_behind() {
    let farm = Farm::demo();
    let mut command = crate::common::command("faketime");
    command.args(["2019-05-01 12:00:00", FARMOUT]).args(ONLY).current_dir(&farm.root);
    let mut seen = Seen::new();
    seen.add("faketime 2019", &run(command), 1, "clock-past", &farm);
    snapshot!("doctor-clock-past", seen.0);
}
