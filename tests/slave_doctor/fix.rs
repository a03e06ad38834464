//! Mending, and the form for programs.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::common::snapshot::snapshot;
use crate::common::{FARMOUT, Farm, Server, postgresql};
use crate::{doctor, plain, run};

#[test]
fn nobody_to_ask_is_wrong_use() {
    let farm = Farm::demo();
    let ran = run(farm.farmout(&["slave", "doctor", "--fix"])).exits(2);
    snapshot!("doctor-fix-unasked", ran.shown());
    run(farm.farmout(&["slave", "doctor", "--yes"])).exits(2);
    run(farm.farmout(&["slave", "doctor", "--only", "pyton"])).exits(2).says("did you mean `python`");
}

#[test]
fn programs_get_json() {
    let (major, bin) = postgresql();
    let farm = Farm::sample().with_slave("here", &format!("postgresql 9.6 bin={bin} cluster=ephemeral"));
    let ran = run(farm.farmout(&["slave", "doctor", "--only", "postgresql", "--format", "json"])).exits(1);
    let json: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(json["farmout-doctor"], 1);
    assert!(json.to_string().contains(&format!("postgresql {major}")));
    snapshot!("doctor-json", plain(&serde_json::to_string_pretty(&json).unwrap(), &farm));
}

mod root {
    use super::*;

    /// A server whose superuser is the one that its programs run as, as everywhere; and a slave that wants another user.
    fn server_with(role: &str) -> (Server, Farm) {
        crate::common::need_root();
        let server = Server::trusting();
        server.query("CREATE ROLE postgres LOGIN SUPERUSER");
        if !role.is_empty() {
            server.query(role);
        }
        let farm = Farm::sample().with_slave("here", &format!("{} user=builder", server.capability()));
        (server, farm)
    }

    #[test]
    fn a_role_is_made_and_the_server_looked_at_again() {
        let (server, farm) = server_with("");
        let ran = run(farm.farmout(&["slave", "doctor", "--only", "postgresql", "--fix", "--yes"])).exits(0);
        snapshot!("doctor-fix-role", plain(&ran.out, &farm));
        assert_eq!(server.query("SELECT rolcreatedb FROM pg_roles WHERE rolname = 'builder'").trim(), "t");
        doctor(&farm, "postgresql").exits(0);
    }

    #[test]
    fn a_terminal_is_asked() {
        let (server, farm) = server_with("CREATE ROLE builder LOGIN");
        let may = || server.query("SELECT rolcreatedb FROM pg_roles WHERE rolname = 'builder'").trim().to_owned();
        for (answer, code, after) in [("\n", 1, "f"), ("n\n", 1, "f"), ("y\n", 0, "t")] {
            let mut command = crate::common::command("script");
            let line = format!("{FARMOUT} slave doctor --only postgresql --fix");
            command.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(&farm.root);
            let mut child = command.env("NO_COLOR", "1").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            child.stdin.as_mut().unwrap().write_all(answer.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(said.contains("run it? [y/N]"), "{said}");
            assert_eq!((output.status.code(), may().as_str()), (Some(code), after), "{answer:?} {said}");
        }
    }

    #[test]
    fn a_mend_that_fails_is_told() {
        let server = Server::trusting();
        // Nobody has told this server of a `postgres`.
        let farm = Farm::sample().with_slave("here", &format!("{} user=builder", server.capability()));
        let ran = run(farm.farmout(&["slave", "doctor", "--only", "postgresql", "--fix", "--yes"])).exits(1);
        snapshot!("doctor-fix-fails", plain(&ran.all(), &farm));
    }
}
