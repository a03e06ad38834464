//! Pythons that are not what the fragment promises.

use std::process::Command;

use crate::common::snapshot::snapshot;
use crate::common::{Farm, open_directory, postgresql};
use crate::{Seen, doctor, doctor_after, plain, python, script};

fn farm(python: &str) -> Farm {
    let (major, bin) = postgresql();
    Farm::sample().with_slave("here", &format!("postgresql {major} bin={bin} cluster=ephemeral\n{python}"))
}

#[test]
fn a_python_that_is_as_promised() {
    let (python, minor) = python();
    let farm = farm(&format!("python {minor} bin={python}"));
    let ran = doctor(&farm, "python").exits(0);
    snapshot!("doctor-python-fine", plain(&ran.out, &farm));
}

#[test]
fn pythons_that_are_not_as_promised() {
    let (python, minor) = python();
    let directory = open_directory();
    let at = |name: &str| directory.path().join(name);
    script(&at("broken/python3"), "#!/bin/sh\necho 'Fatal Python error: init_fs_encoding' >&2\nexit 1\n");
    script(&at("other/python3"), "#!/bin/sh\necho hello\n");
    let old =
        r#"{"version":"2.6.9","venv":false,"pip":false,"virtualenv":false,"header":"/x","headers":true,"missing":[]}"#;
    script(&at("old/python2.6"), &format!("#!/bin/sh\necho '{old}'\n"));
    let made = Command::new(&python).args(["-m", "venv", "--without-pip"]).arg(at("env")).status();
    assert!(made.unwrap().success(), "these tests need python3-venv");
    let path = |name: &str| at(name).display().to_string();
    let mut seen = Seen::new();
    for (provoked, capability, name, code) in [
        ("a path where nothing is", format!("python {minor} bin=/opt/nowhere/python3"), "python-missing", 1),
        ("a version that is not installed", "python 3.4".to_owned(), "python-missing", 1),
        ("another version", format!("python 3.9 bin={python}"), "python-version", 1),
        ("one that breaks", format!("python {minor} bin={}", path("broken/python3")), "python-broken", 1),
        ("a program that is no Python", format!("python {minor} bin={}", path("other/python3")), "python-broken", 1),
        ("one of another time", format!("python 2.6 bin={}", path("old/python2.6")), "python-old", 1),
        ("that of a virtualenv", format!("python {minor} bin={}", path("env/bin/python")), "python-virtualenv", 0),
        ("a `venv` that fails", format!("python {minor} bin={python} venv=/bin/false"), "python-no-venv", 1),
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
        let (python, minor) = python();
        let farm = farm(&format!("python {minor} bin={python}"));
        let library = format!("/usr/lib/python{minor}");
        // What is removed is removed from a layer over the real directory, which goes with the namespace.
        let over = |directory: &str| {
            format!(
                "layer=$(mktemp -d) && mount -t tmpfs x $layer && mkdir $layer/upper $layer/work && mount -t overlay \
                 -o lowerdir={directory},upperdir=$layer/upper,workdir=$layer/work overlay {directory}"
            )
        };
        let without_venv = format!("{} && rm -r {library}/ensurepip", over(&library));
        let pips = ["/usr/lib/python3/dist-packages", &format!("/usr/local/lib/python{minor}/dist-packages")]
            .map(|packages| format!("if [ -d {packages}/pip ]; then {} && rm -r {packages}/pip; fi", over(packages)));
        let mut seen = Seen::new();
        for (provoked, before, name, code) in [
            ("without python3-venv", without_venv.clone(), "python-venv-online", 0),
            ("without python3-pip too", format!("{without_venv}\n{}", pips.join("\n")), "python-no-venv", 1),
            (
                "its ssl cannot be loaded",
                format!("for module in {library}/lib-dynload/_ssl*.so; do mount --bind /dev/null $module; done"),
                "python-modules",
                1,
            ),
            ("without python3-dev", format!("mount -t tmpfs x /usr/include/python{minor}"), "python-headers", 0),
        ] {
            seen.add(provoked, &doctor_after(&farm, "python", &before), code, name, &farm);
        }
        snapshot!("doctor-python-parts", seen.0);
    }

    #[test]
    fn a_python_that_only_root_gets_at() {
        let (python, minor) = python();
        let directory = open_directory();
        let closed = directory.path().join("closed");
        let shell = format!("install -d -m700 {0} && cp {python} {0}/python3", closed.display());
        assert!(Command::new("sh").args(["-ec", &shell]).status().unwrap().success());
        let farm = farm(&format!("python {minor} bin={}/python3", closed.display()));
        let mut seen = Seen::new();
        seen.add("in a directory of root's", &doctor(&farm, "python"), 1, "python-out-of-reach", &farm);
        snapshot!("doctor-python-out-of-reach", seen.0);
    }
}
