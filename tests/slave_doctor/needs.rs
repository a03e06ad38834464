//! What builds need from the system.

use crate::common::snapshot::snapshot;
use crate::common::{Farm, SYSTEM, postgresql};
use crate::{Seen, doctor_after, run, script};

#[test]
fn a_wkhtmltopdf_that_is_not_as_promised() {
    let (major, bin) = postgresql();
    let farm = Farm::sample()
        .with_slave("here", &format!("postgresql {major} bin={bin} cluster=ephemeral\nwkhtmltopdf 0.12.5"));
    let tools = farm.directory.path().join("bin");
    script(&tools.join("wkhtmltopdf"), "#!/bin/sh\necho 'wkhtmltopdf 0.12.6 (with patched qt)'\n");
    let only = ["slave", "doctor", "--only", "needs"];
    let mut seen = Seen::new();
    let mut command = farm.farmout(&only);
    command.env("PATH", format!("{}:{SYSTEM}", tools.display()));
    seen.add("wkhtmltopdf 0.12.6", &run(command), 1, "wkhtmltopdf-version", &farm);
    script(&tools.join("wkhtmltopdf"), "#!/bin/sh\necho 'cannot connect to X server' >&2\nexit 1\n");
    let mut command = farm.farmout(&only);
    command.env("PATH", format!("{}:{SYSTEM}", tools.display()));
    seen.add("one that does not start", &run(command), 1, "wkhtmltopdf-missing", &farm);
    snapshot!("doctor-wkhtmltopdf", seen.0);
}

mod root {
    use super::*;

    #[test]
    fn packages_are_those_of_the_distribution() {
        let farm = Farm::demo();
        let without = "mount -t tmpfs x /usr/include/postgresql";
        let mut seen = Seen::new();
        for (name, release) in [
            ("Debian 12", "ID=debian\nVERSION_ID=12"),
            ("Rocky", "ID=rocky\nID_LIKE=\"rhel centos fedora\""),
            ("Manjaro", "ID=manjaro\nID_LIKE=arch"),
            ("Alpine", "ID=alpine"),
            ("one that farmout does not know", "ID=plan9"),
        ] {
            std::fs::write(farm.directory.path().join("os-release"), release).unwrap();
            let before = format!("{without}; mount --bind ../os-release /etc/os-release");
            seen.add(name, &doctor_after(&farm, "needs", &before), 1, "needs-required", &farm);
        }
        snapshot!("doctor-needs", seen.0);
    }

    #[test]
    fn a_bare_machine_lacks_everything() {
        let farm = Farm::demo();
        // Headers and fonts are hidden, and PATH leads nowhere.
        let bare =
            "for hidden in /usr/include /usr/local/include /usr/share/fonts /usr/share/postgresql /etc/ssl/certs; do \
                    if [ -d $hidden ]; then mount -t tmpfs x $hidden; fi; done
                    printf 'ID=debian\nVERSION_ID=12\n' > ../os-release; mount --bind ../os-release /etc/os-release
                    export PATH=/nonexistent";
        let ran = doctor_after(&farm, "needs", bare);
        let mut seen = Seen::new();
        for name in ["needs-required", "needs-usual", "needs-optional"] {
            seen.add("no header, no font, no program", &ran, 1, name, &farm);
        }
        // A shared library cannot be hidden so easily, and not every machine has it.
        snapshot!("doctor-needs-bare", seen.0.replace("libmagic, ", "").replace("libmagic1 ", ""));
    }
}
