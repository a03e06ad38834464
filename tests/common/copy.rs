//! Copies of the fixtures, for tests that change or add files. In: a folder of the project. Out: one of the test's own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Copies files, over those that are there. Fragments are readable for their owner only, as an admin would keep them.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::write(&target, fs::read(entry.path()).unwrap()).unwrap();
            let programs = entry.metadata().unwrap().permissions().mode() & 0o100;
            fs::set_permissions(&target, fs::Permissions::from_mode(0o600 | programs)).unwrap();
        }
    }
}
