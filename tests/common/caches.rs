//! Caches of buildouts, kept from one run of the tests to the next: a worker that begins with them downloads little. In: the base
//! directory of a worker that does not run.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Where they are kept.
fn kept() -> std::path::PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("buildout-caches")
}

/// Gives a worker what earlier tests have kept.
pub fn bring(basedir: &Path) {
    if kept().exists() {
        copy(&kept(), &basedir.join("buildout-caches"));
    }
}

/// Keeps what a worker has gathered, if nobody did before.
pub fn keep(basedir: &Path) {
    if !kept().exists() {
        let aside = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let whole = aside.path().join("whole");
        copy(&basedir.join("buildout-caches"), &whole);
        // Another test may have been faster.
        let _ = fs::rename(whole, kept());
    }
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg("-T").arg(from).arg(to).status().unwrap().success());
}
