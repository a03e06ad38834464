//! Pythons that are not what the fragment promises.

use std::process::Command;

use crate::common::snapshot::snapshot;
use crate::common::{Farm, open_directory, postgresql};
use crate::{Seen, doctor, doctor_after, plain, script};

/// The system's Python, which these tests make worse.
const PYTHON: &str = "/usr/bin/python3.11";

fn farm(python: &str) -> Farm {
    let (major, bin) = postgresql();
    Farm::sample().with_slave("here", &format!("postgresql {major} bin={bin} cluster=ephemeral\n{python}"))
}

#[test]
fn a_python_that_is_as_promised() {
    let farm = farm(&format!("python 3.11 bin={PYTHON}"));
    let ran = doctor(&farm, "python").exits(0);
    snapshot!("doctor-python-fine", plain(&ran.out, &farm));
}

#[test]
fn pythons_that_are_not_as_promised() {
    let directory = open_directory();
    let at = |name: &str| directory.path().join(name);
    script(&at("broken/python3.11"), "#!/bin/sh\necho 'Fatal Python error: init_fs_encoding' >&2\nexit 1\n");
    script(&at("other/python3.11"), "#!/bin/sh\necho hello\n");
    let old =
        r#"{"version":"2.6.9","venv":false,"pip":false,"virtualenv":false,"header":"/x","headers":true,"missing":[]}"#;
    script(&at("old/python2.6"), &format!("#!/bin/sh\necho '{old}'\n"));
    let made = Command::new(PYTHON).args(["-m", "venv", "--without-pip"]).arg(at("env")).status();
    assert!(made.expect("these tests need /usr/bin/python3.11").success(), "these tests need python3.11-venv");
    let path = |name: &str| at(name).display().to_string();
    let mut seen = Seen::new();
    for (provoked, capability, name, code) in [
        ("a path where nothing is", "python 3.11 bin=/opt/nowhere/python3.11".to_owned(), "python-missing", 1),
        ("a version that is not installed", "python 3.4".to_owned(), "python-missing", 1),
        ("another version", format!("python 3.9 bin={PYTHON}"), "python-version", 1),
        ("one that breaks", format!("python 3.11 bin={}", path("broken/python3.11")), "python-broken", 1),
        ("a program that is no Python", format!("python 3.11 bin={}", path("other/python3.11")), "python-broken", 1),
        ("one of another time", format!("python 2.6 bin={}", path("old/python2.6")), "python-old", 1),
        ("that of a virtualenv", format!("python 3.11 bin={}", path("env/bin/python")), "python-virtualenv", 0),
        ("a `venv` that fails", format!("python 3.11 bin={PYTHON} venv=/bin/false"), "python-no-venv", 1),
    ] {
        let farm = farm(&capability);
        seen.add(provoked, &doctor(&farm, "python"), code, name, &farm);
    }
    snapshot!("doctor-python", seen.0);
}

mod root {
    use super::*;

    #[test]
    fn a_python_that_lacks_its_parts() {
        let farm = farm(&format!("python 3.11 bin={PYTHON}"));
        let library = "/usr/lib/python3.11";
        let mut seen = Seen::new();
        for (provoked, before, name, code) in [
            ("python3-venv is not installed", format!("mount -t tmpfs x {library}/ensurepip"), "python-venv-online", 0),
            (
                "neither is python3-pip",
                format!(
                    "mount -t tmpfs x {library}/ensurepip\nfor pip in /usr/lib/python3/dist-packages/pip \
                     /usr/local/lib/python3.11/dist-packages/pip; do if [ -d $pip ]; then mount -t tmpfs x $pip; \
                     touch $pip/__init__.py; echo 'raise ImportError' > $pip/__init__.py; fi; done"
                ),
                "python-no-venv",
                1,
            ),
            (
                "its ssl cannot be loaded",
                format!("for f in {library}/lib-dynload/_ssl*.so; do mount --bind /dev/null $f; done"),
                "python-modules",
                1,
            ),
            (
                "python3-dev is not installed",
                "mount -t tmpfs x /usr/include/python3.11".to_owned(),
                "python-headers",
                0,
            ),
        ] {
            seen.add(provoked, &doctor_after(&farm, "python", &before), code, name, &farm);
        }
        snapshot!("doctor-python-parts", seen.0);
    }

    #[test]
    fn a_python_that_only_root_gets_at() {
        let directory = open_directory();
        let closed = directory.path().join("closed");
        let shell = format!("install -d -m700 {0} && cp {PYTHON} {0}/python3.11", closed.display());
        assert!(Command::new("sh").args(["-ec", &shell]).status().unwrap().success());
        let farm = farm(&format!("python 3.11 bin={}/python3.11", closed.display()));
        let mut seen = Seen::new();
        seen.add("in a directory of root's", &doctor(&farm, "python"), 1, "python-out-of-reach", &farm);
        snapshot!("doctor-python-out-of-reach", seen.0);
    }
}
