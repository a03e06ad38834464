//! Servers that run, and private clusters.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use crate::common::snapshot::snapshot;
use crate::common::{Farm, Server, postgresql};
use crate::{Seen, doctor, plain, run, script};

fn farm(capability: &str) -> Farm {
    Farm::sample().with_slave("here", capability)
}

#[test]
fn a_server_that_is_as_promised() {
    let server = Server::trusting();
    let farm = farm(&server.capability());
    let ran = doctor(&farm, "postgresql").exits(0);
    assert_eq!(server.databases(), "", "the doctor left a database");
    snapshot!("doctor-postgresql-fine", plain(&ran.out, &farm));
}

#[test]
fn a_private_cluster_is_made_and_leaves_nothing() {
    let farm = Farm::demo();
    let ran = doctor(&farm, "postgresql").exits(0);
    snapshot!("doctor-cluster-fine", plain(&ran.out, &farm));
    assert!(!farm.state().exists(), "a look made the state directory");
}

#[test]
fn servers_that_are_not_as_promised() {
    let server = Server::trusting();
    let (major, bin) = postgresql();
    let (host, port) = (server.host(), Server::PORT);
    server.query("CREATE ROLE plain LOGIN");
    let mut seen = Seen::new();
    for (capability, name) in [
        (format!("postgresql 9.6 host={host} port={port}"), "postgresql-version"),
        (format!("postgresql {major} host={host} port=5444"), "postgresql-unreachable"),
        (format!("postgresql {major} host=/nonexistent/sockets"), "postgresql-unreachable"),
        (format!("postgresql {major} host=127.0.0.1 port=5444"), "postgresql-unreachable"),
        (format!("postgresql {major} bin={bin} host={host} port={port} user=plain"), "postgresql-createdb"),
        (format!("postgresql {major} bin={bin} host={host} port={port} user=stranger"), "postgresql-role"),
        (format!("postgresql {major} bin=/usr/share host={host} port={port}"), "postgresql-client"),
        (format!("postgresql {major} lib=/usr/share host={host} port={port}"), "postgresql-lib"),
    ] {
        let farm = farm(&capability);
        let warns = ["postgresql-client", "postgresql-lib"].contains(&name);
        let ran = doctor(&farm, "postgresql");
        let provoked = plain(&capability, &farm);
        seen.add(&provoked, &ran, i32::from(!warns), name, &farm);
    }
    assert_eq!(server.databases(), "");
    snapshot!("doctor-postgresql", seen.0);
}

#[test]
fn a_client_of_another_version() {
    let server = Server::trusting();
    let farm = Farm::sample();
    let bin = farm.directory.path().join("bin");
    script(&bin.join("psql"), "#!/bin/sh\necho 'psql (PostgreSQL) 9.4.26'\n");
    let major = postgresql().0;
    let capability = format!("postgresql {major} bin={} host={} port={}", bin.display(), server.host(), Server::PORT);
    let farm = farm.with_slave("here", &capability);
    let mut seen = Seen::new();
    seen.add("bin has a psql of 9.4", &doctor(&farm, "postgresql"), 0, "postgresql-client", &farm);
    snapshot!("doctor-postgresql-client", seen.0);
}

#[test]
fn a_password_is_used_and_never_said() {
    let server = Server::with_password("builder", "right-Xq7w");
    let major = postgresql().0;
    let capability = |word: &str| {
        format!("postgresql {major} host={} port={} user=builder passwd={word}", server.host(), Server::PORT)
    };
    doctor(&farm(&capability("right-Xq7w")), "postgresql").exits(0).says_no("right-Xq7w");
    let farm = farm(&capability("wrong-Zt5r"));
    let ran = doctor(&farm, "postgresql").says_no("wrong-Zt5r");
    let mut seen = Seen::new();
    seen.add("a wrong password", &ran, 1, "postgresql-refused", &farm);
    snapshot!("doctor-postgresql-refused", seen.0);
}

#[test]
fn templates_that_builds_copy() {
    let server = Server::trusting();
    server.query("CREATE ROLE plain LOGIN CREATEDB");
    server.query("CREATE DATABASE closed");
    server.query("CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0");
    let capability = server.capability();
    let mut seen = Seen::new();
    for (template, user, name, code) in [
        ("full", "", "postgresql-template", 1),
        ("closed", " user=plain", "postgresql-template", 1),
        ("ascii", "", "postgresql-encoding", 0),
    ] {
        let farm = farm(&format!("{capability}{user}"));
        let path = farm.root.join("buildouts/MANIFEST.cfg");
        let manifest = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{manifest}\ndb_template = {template}\n")).unwrap();
        seen.add(&format!("db_template = {template}{user}"), &doctor(&farm, "postgresql"), code, name, &farm);
    }
    snapshot!("doctor-postgresql-template", seen.0);
}

#[test]
fn a_program_for_remote_copies_that_is_not_there() {
    let server = Server::trusting();
    let farm = farm(&server.capability());
    let path = farm.root.join("buildouts/MANIFEST.cfg");
    let manifest = fs::read_to_string(&path).unwrap();
    let more = "db-steps = pg_remote_copy\npg_remote_copy.arguments = host live\n";
    fs::write(path, format!("{manifest}\n{more}")).unwrap();
    let mut seen = Seen::new();
    seen.add("pg_remote_copy is not installed", &doctor(&farm, "postgresql"), 1, "remote-copy", &farm);
    snapshot!("doctor-remote-copy", seen.0);
}

#[test]
fn private_clusters_that_cannot_be_made() {
    let (major, bin) = postgresql();
    let directory = crate::common::open_directory();
    // initdb refuses, as it does on a full disk; the rest is the real one's.
    let broken = directory.path().join("bin");
    script(&broken.join("initdb"), "#!/bin/sh\necho 'initdb: error: could not write: No space left' >&2\nexit 1\n");
    for program in ["postgres", "pg_ctl"] {
        symlink(format!("{bin}/{program}"), broken.join(program)).unwrap();
    }
    let mut seen = Seen::new();
    for (provoked, capability, name) in [
        (
            "a directory without programs",
            format!("postgresql {major} bin=/usr/share cluster=ephemeral"),
            "postgresql-programs",
        ),
        ("programs of another version", format!("postgresql 9.6 bin={bin} cluster=ephemeral"), "postgresql-version"),
        (
            "an initdb that fails",
            format!("postgresql {major} bin={} cluster=ephemeral", broken.display()),
            "postgresql-cluster",
        ),
    ] {
        let farm = farm(&capability);
        seen.add(provoked, &doctor(&farm, "postgresql"), 1, name, &farm);
    }
    snapshot!("doctor-cluster", seen.0);
}

#[test]
fn a_server_that_accepts_and_never_answers_holds_nothing_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let farm = farm(&format!("postgresql 15 host=127.0.0.1 port={port}"));
    let started = std::time::Instant::now();
    let ran = run(farm.farmout(&["slave", "doctor", "--only", "postgresql"])).exits(1);
    assert!(started.elapsed() < std::time::Duration::from_secs(60), "{:?}", started.elapsed());
    crate::finding(&ran, "postgresql-unreachable");
}

#[test]
fn a_server_with_another_time() {
    let server = Server::trusting();
    let farm = farm(&server.capability());
    // The server has the machine's time; here it is two hours later.
    let mut command = crate::common::command("faketime");
    command.args(["+2 hours", crate::common::FARMOUT, "slave", "doctor", "--only", "postgresql"]);
    command.current_dir(&farm.root);
    let ran = run(command).exits(0);
    let said = crate::finding(&ran, "postgresql-clock");
    // The seconds differ from run to run.
    let said =
        regex::Regex::new(r"is \d{4} s behind").unwrap().replace(&plain(&said, &farm), "is N s behind").into_owned();
    snapshot!("doctor-postgresql-clock", said);
}

#[test]
fn passwords_that_are_kept_elsewhere() {
    let server = Server::with_password("builder", "right-Xq7w");
    let beside = Farm::empty();
    let file = beside.directory.path().join("pg.secret");
    fs::write(&file, "right-Xq7w\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let capability = |from: &str| {
        let (major, host, port) = (postgresql().0, server.host(), Server::PORT);
        format!("postgresql {major} host={host} port={port} user=builder passwd={from}")
    };
    let mut seen = Seen::new();
    for (provoked, from, name, code) in [
        ("a file that others can read", format!("@{}", file.display()), "postgresql-password-open", 0),
        ("a file that is not there", "@/nowhere/pg.secret".to_owned(), "postgresql-password", 1),
        ("a variable that is not set", "$NOT_SET_HERE".to_owned(), "postgresql-password", 1),
    ] {
        let farm = farm(&capability(&from));
        let ran = doctor(&farm, "postgresql").says_no("right-Xq7w");
        let told = plain(&crate::finding(&ran, name), &beside);
        assert_eq!(ran.code, Some(code), "{}", ran.all());
        seen.0.push_str(&format!("# {provoked} (exit {code})\n{}\n\n", plain(&told, &farm)));
    }
    snapshot!("doctor-postgresql-password", seen.0);
}
