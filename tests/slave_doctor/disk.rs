//! Room and rights for the state directory.

use crate::common::Farm;
use crate::common::snapshot::snapshot;
use crate::{Seen, doctor_after, run};

#[test]
fn a_state_directory_that_builds_would_break_in() {
    let farm = Farm::demo();
    let mut seen = Seen::new();
    let ran = run(farm.farmout(&["slave", "doctor", "--only", "disk", "--state", "/tmp/with blank"]));
    seen.add("--state '/tmp/with blank'", &ran, 1, "state-unfit", &farm);
    snapshot!("doctor-state", seen.0);
}

mod root {
    use super::*;

    #[test]
    fn file_systems() {
        let farm = Farm::demo();
        let mut seen = Seen::new();
        for (mount, name, code) in [
            ("mount -t tmpfs -o size=8m x .farmout", "disk-full", 1),
            ("mount -t tmpfs -o size=2g,nr_inodes=400000 x .farmout", "disk-low", 0),
            ("mount -t tmpfs -o size=6g,nr_inodes=1000 x .farmout", "inodes-full", 1),
            ("mount -t tmpfs -o size=6g,nr_inodes=100000 x .farmout", "inodes-low", 0),
            ("mount -t tmpfs -o size=6g,nr_inodes=400000,noexec x .farmout", "state-noexec", 1),
            ("mount -t tmpfs -o size=6g,nr_inodes=400000,ro x .farmout", "state-closed", 1),
            ("mkdir -p .farmout/slaves/here; chown nobody .farmout/slaves/here", "state-closed", 1),
            ("mount -t tmpfs -o size=8m x /mnt; chmod 1777 /mnt; export TMPDIR=/mnt", "temporary-low", 0),
        ] {
            let _ = std::fs::remove_dir_all(farm.state());
            seen.add(mount, &doctor_after(&farm, "disk", &format!("mkdir .farmout; {mount}")), code, name, &farm);
        }
        snapshot!("doctor-disk", seen.0);
    }
}
