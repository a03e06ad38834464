//! Executables that tests make. Another process writes them: if the test did, one that starts something meanwhile would hand the
//! open file down, and an executable that is open for writing cannot be started.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// Puts a copy of an executable in its place.
pub(crate) fn install(from: impl AsRef<Path>, to: impl AsRef<Path>) {
    let mut command = Command::new("install");
    command.args(["-D", "-m755"]).arg(from.as_ref()).arg(to.as_ref());
    assert!(command.status().unwrap().success());
}

/// Puts a script of the shell's in its place.
pub(crate) fn script(path: impl AsRef<Path>, text: &str) {
    let mut draft = tempfile::NamedTempFile::new().unwrap();
    draft.write_all(format!("#!/bin/sh\n{text}\n").as_bytes()).unwrap();
    install(draft.path(), path);
}
