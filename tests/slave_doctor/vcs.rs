//! Repositories.

use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::common::snapshot::snapshot;
use crate::common::{Farm, postgresql};
use crate::{Seen, doctor, plain, run};

/// A farm with one build, and repositories of all systems beside it.
fn farm(buildout: &str, watch: &str) -> Farm {
    let (major, bin) = postgresql();
    let farm = Farm::empty().with_slave("here", &format!("postgresql {major} bin={bin} cluster=ephemeral"));
    let shell = "git init -q -b main git; cd git; git -c user.name=x -c user.email=x@x commit -q --allow-empty -m x; cd ..; \
                 hg init hg; cd hg; echo x > x; hg commit -q -A -m x -u x; cd ..; \
                 brz init -q bzr; cd bzr; brz commit -q --unchanged -m x; cd ..; chmod -R a+rX .; \
                 if [ $(id -u) = 0 ]; then chown -R farmout git hg bzr; fi";
    let mut command = crate::common::command("sh");
    command.args(["-ec", shell]).env("HGRCPATH", "").env("BRZ_EMAIL", "x <x@x>");
    let made = command.current_dir(farm.directory.path()).output().unwrap();
    assert!(made.status.success(), "these tests need git, hg and brz: {}", String::from_utf8_lossy(&made.stderr));
    let beside = farm.directory.path().display().to_string();
    let watch: String = watch.replace('\n', "\n    ").replace("DIR", &beside);
    farm.write(
        "buildouts/MANIFEST.cfg",
        &format!("[shop]\nbuildout = {}\nwatch = {watch}\n", buildout.replace("DIR", &beside)),
    );
    farm
}

#[test]
fn repositories_that_answer() {
    let farm = farm("git DIR/git main buildout.cfg", "git DIR/git main\nhg DIR/hg default\nbzr DIR/bzr");
    let ran = doctor(&farm, "vcs").exits(0);
    snapshot!("doctor-vcs-fine", plain(&ran.out, &farm));
}

#[test]
fn repositories_that_do_not() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let secret = format!("git https://me:s3cret-word@127.0.0.1:{port}/x main buildout.cfg");
    let mut seen = Seen::new();
    for (provoked, buildout, watch, name, code) in [
        ("no repository", "git DIR/gone main buildout.cfg", "", "vcs-unreachable", 1),
        ("no such branch", "git DIR/git mian buildout.cfg", "", "vcs-unreachable", 1),
        ("offline, with a password", secret.as_str(), "", "vcs-unreachable", 1),
        ("no such branch in Mercurial", "hg DIR/hg 7.0 buildout.cfg", "", "vcs-unreachable", 1),
        ("no branch of Bazaar's", "bzr DIR/gone buildout.cfg", "", "vcs-unreachable", 1),
        ("watched alone", "git DIR/git main buildout.cfg", "hg DIR/gone default", "vcs-watched", 0),
    ] {
        let farm = farm(buildout, watch);
        let ran = doctor(&farm, "vcs").says_no("s3cret-word");
        seen.add(provoked, &ran, code, name, &farm);
    }
    snapshot!("doctor-vcs", seen.0);
}

#[test]
fn a_host_that_never_answers_holds_nothing_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let farm = farm(&format!("git http://127.0.0.1:{port}/x main buildout.cfg"), "git DIR/git main");
    let started = std::time::Instant::now();
    let ran = doctor(&farm, "vcs");
    assert!(started.elapsed() < std::time::Duration::from_secs(60), "{:?}", started.elapsed());
    let mut seen = Seen::new();
    seen.add("a host that accepts and says nothing", &ran, 1, "vcs-unreachable", &farm);
    snapshot!("doctor-vcs-silent", seen.0);
}

#[test]
fn a_client_that_is_not_installed() {
    let mut seen = Seen::new();
    for (buildout, watch, name, code) in [
        ("hg DIR/hg default buildout.cfg", "hg DIR/hg default", "vcs-client", 1),
        ("git DIR/git main buildout.cfg", "hg DIR/hg default", "vcs-watched", 0),
    ] {
        let farm = farm(buildout, watch);
        let bin = farm.directory.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        for program in ["env", "git", "sh"] {
            let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
            symlink(String::from_utf8(found.stdout).unwrap().trim(), bin.join(program)).unwrap();
        }
        let mut command = farm.farmout(&["slave", "doctor", "--only", "vcs"]);
        command.env("PATH", &bin);
        seen.add(&format!("no hg on PATH, {buildout}"), &run(command), code, name, &farm);
    }
    snapshot!("doctor-vcs-client", seen.0);
}
