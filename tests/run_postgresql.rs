//! PostgreSQL in all the ways in which a slave can offer it, on real servers of several versions; and what is said where the
//! options do not fit the server.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::cluster::{Clusters, free_ports, installed};
use common::snapshot::snapshot;
use common::{FARMOUT, Farm, Ran, as_step_user, is_root, need_root, plain, postgresql, step_user};

/// A version that is downloaded with its psql, and two without.
const OTHERS: [u32; 3] = [17, 16, 13];

/// A farm whose tests first do what a script says, and then what they always do.
fn asking(farm: &Farm, script: &str) {
    farm.write("buildouts/demo/ask.sh", &format!("{script}\nexec bin/test_openerp \"$@\"\n"));
    farm.edit("buildouts/MANIFEST.cfg", "[demo]\n", "[demo]\ntest-command = sh demo/ask.sh\n");
}

/// What a slave of the documentation's example offers, with what differs on this machine in its place.
fn documented(slave: &str, changes: &[(&str, &str)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/postgresql/slaves.cfg");
    let text = fs::read_to_string(path).unwrap();
    let section = text.split(&format!("[{slave}]\n")).nth(1).unwrap().split("\n[").next().unwrap();
    let lines = section.split("capability =").nth(1).unwrap().lines().map(str::trim);
    let mut offered = lines.filter(|line| line.starts_with("postgresql")).collect::<Vec<_>>().join("\n");
    for (from, to) in changes {
        assert!(offered.contains(from), "{slave} has no {from}");
        offered = offered.replace(from, to);
    }
    format!("\n{offered}")
}

/// The role that steps connect as, allowed to make databases.
fn role(password: Option<&str>, name: &str) -> String {
    let password = password.map(|password| format!(" PASSWORD '{password}'")).unwrap_or_default();
    format!("CREATE ROLE \"{name}\" LOGIN CREATEDB{password}")
}

/// The paths of all files below a directory that hold a text.
fn files_with(directory: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.symlink_metadata().unwrap().file_type();
        if kind.is_dir() {
            found.extend(files_with(&path, text));
        } else if kind.is_file() && fs::read(&path).unwrap().windows(text.len()).any(|part| part == text.as_bytes()) {
            found.push(path);
        }
    }
    found
}

/// Root alone can put a directory in the place of the usual one, for a single process.
mod root {
    use super::*;

    #[test]
    fn the_default_cluster_lets_its_user_in_by_name() {
        need_root();
        let (major, _) = postgresql();
        let clusters = Clusters::new();
        let cluster = clusters.start(&installed(major), 5432, "local all all peer");
        cluster.query(&role(None, &step_user()));
        let farm = Farm::sample()
            .with_slave("here", &documented("default", &[("postgresql 15", &format!("postgresql {major}"))]));
        let bind = format!("mount --bind {} /var/run/postgresql && exec {FARMOUT} run", clusters.host());
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &bind]).current_dir(&farm.root);
        let ran = Ran::from(command.output().unwrap()).exits(0);
        ran.says(&format!("demo-pg{major}  success"));
        let log = farm.log(&format!("demo-pg{major}"), "create-database");
        assert!(log.contains("socket /var/run/postgresql/.s.PGSQL.5432"), "{log}");
        assert_eq!(cluster.databases(), "");
        farm.is_tidy();
    }
}

/// Two clusters of one machine share the directory of their sockets, and differ in their ports.
#[test]
fn a_second_cluster_is_named_by_its_port() {
    let (major, _) = postgresql();
    let [first, second] = free_ports();
    let clusters = Clusters::new();
    let rules = format!("local all {} peer", step_user());
    let one = clusters.start(&installed(major), first, &rules);
    let other = clusters.start(&installed(13), second, &rules);
    for cluster in [&one, &other] {
        cluster.query(&role(None, &step_user()));
    }
    let host = clusters.host();
    let own = format!("postgresql {major}");
    let [one_is, other_is] = [first, second].map(|port| format!("host={host} port={port}"));
    let changes = [("postgresql 15", &*own), ("port=5432", &one_is), ("port=5433", &other_is)];
    let farm = Farm::sample().with_slave("here", &documented("ports", &changes));
    asking(&farm, "psql -d postgres -Atc 'SHOW port'");
    let ran = farm.run(&["run", "--verbose"]).exits(0);
    ran.says("demo-pg13  success").says(&format!("demo-pg{major}  success"));
    for (builder, port) in [(format!("demo-pg{major}"), first), ("demo-pg13".to_owned(), second)] {
        assert!(farm.log(&builder, "test").contains(&format!("{port}\n")), "{}", farm.log(&builder, "test"));
    }
    assert_eq!((one.databases(), other.databases()), (String::new(), String::new()));

    // The ports exchanged: nothing is made on the wrong server.
    let fragment = "slaves.d/here.cfg";
    farm.edit(fragment, &one_is, "first");
    farm.edit(fragment, &other_is, &one_is);
    farm.edit(fragment, "first", &other_is);
    let ran = farm.run(&["run"]).exits(1);
    ran.says(&format!("is PostgreSQL 13.23, but its capability says {major}"))
        .says(&format!("write `port={first}`: the server there is PostgreSQL {major}"))
        .says(&format!("write `port={second}`: the server there is PostgreSQL 13"));
    farm.is_tidy();
}

/// An installation of one's own has its programs and its libraries in directories that nobody else looks into.
#[test]
fn a_compiled_prefix_has_programs_libraries_and_a_socket_of_its_own() {
    let [port] = free_ports();
    let place = common::open_directory();
    let (prefix, libraries) = (place.path().join("pg17"), place.path().join("libraries"));
    assert!(Command::new("cp").arg("-r").arg(installed(17)).arg(&prefix).status().unwrap().success());
    fs::create_dir(&libraries).unwrap();
    for entry in fs::read_dir(prefix.join("lib")).unwrap().flatten() {
        // The server is started from here, and finds what it needs; for the client it is moved away.
        if entry.file_name().to_str().is_some_and(|name| name.starts_with("libpq")) {
            fs::copy(entry.path(), libraries.join(entry.file_name())).unwrap();
            fs::remove_file(entry.path()).unwrap();
        }
    }
    let clusters = Clusters::new();
    let cluster = clusters.start(&prefix, port, &format!("local all {} peer", step_user()));
    cluster.query(&role(None, &step_user()));
    let [bin, lib] = [prefix.join("bin"), libraries.clone()].map(|path| path.display().to_string());
    let changes = [
        ("/opt/pg17/bin", &*bin),
        ("/opt/pg17/lib", &lib),
        ("/opt/pg17/run", &clusters.host()),
        ("5417", &port.to_string()),
    ];
    let farm = Farm::sample().with_slave("here", &documented("compiled", &changes));
    asking(&farm, "command -v psql\nldd $(command -v psql) | grep libpq\npsql -d postgres -Atc 'SHOW server_version'");
    farm.run(&["run"]).exits(0).says("demo-pg17  success");
    let log = farm.log("demo-pg17", "test");
    assert!(log.contains(&format!("{}/bin/psql\n", prefix.display())), "{log}");
    assert!(log.contains(&format!("libpq.so.5 => {}/libpq.so.5", libraries.display())), "{log}");
    assert!(log.contains("17.10\n"), "{log}");
    // Without `lib` it is another library, or none.
    farm.edit("slaves.d/here.cfg", &format!(" lib={}", libraries.display()), "");
    farm.run(&["run"]);
    assert!(!farm.log("demo-pg17", "test").contains(&format!("{}", libraries.display())));
    assert_eq!(cluster.databases(), "");
    farm.is_tidy();
}

/// A server on the network knows its users by passwords, which are in a file or in the environment: the fragment holds none.
#[test]
fn a_password_is_in_a_file_or_in_the_environment() {
    const PASSWORD: &str = "sesame-8c1f40";
    let (major, _) = postgresql();
    let [port] = free_ports();
    let clusters = Clusters::new();
    let cluster = clusters.start(&installed(major), port, "host all gardener 127.0.0.1/32 scram-sha-256");
    cluster.query(&role(Some(PASSWORD), "gardener"));
    let (own, at) = (format!("postgresql {major}"), format!("port={port}"));
    let changes = [("postgresql 15", &*own), ("db.example", "127.0.0.1"), ("port=5432", &at)];
    let farm = Farm::sample().with_slave("here", &documented("file", &changes));
    // It tells all that it is told, and what all users of the machine can see.
    asking(&farm, "env\ncat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '");
    let secret = farm.root.join("slaves.d/gardener.password");

    // Nothing but a run needs the file.
    farm.run(&["compile"]).exits(0);
    farm.run(&["plan"]).exits(0).says(&format!("secrets     here-postgresql-{major}-passwd"));
    farm.run(&["run", "--dry-run"]).exits(0);
    let mut all = farm.run(&["run"]).exits(2).err;
    fs::write(&secret, "\n").unwrap();
    all += &farm.run(&["run"]).exits(2).err;
    fs::write(&secret, format!("{PASSWORD}\n")).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o640)).unwrap();
    let ran = farm.run(&["run", "--verbose"]).exits(0).says_no(PASSWORD).says("PGPASSWORD=");
    all += &ran.err;
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    farm.run(&["run"]).exits(0).says_no("warning").says_no(PASSWORD);

    // Who compiles where the file is, is told who else can read it.
    farm.run(&["compile"]).exits(0).says_no("gardener.password");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    farm.run(&["compile"]).exits(0).says("secret::readable").says("can read slaves.d/gardener.password");
    for arguments in [&["init", "-q"][..], &["add", "slaves.d/gardener.password"]] {
        assert!(common::command("git").args(arguments).current_dir(&farm.root).status().unwrap().success());
    }
    farm.run(&["compile"]).exits(0).says("secret::tracked").says("git keeps slaves.d/gardener.password");
    fs::remove_dir_all(farm.root.join(".git")).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();

    // The same from the environment, which no step gets but as PGPASSWORD.
    let farm = farm.with_slave("here", &documented("environment", &changes));
    all += &farm.run(&["run"]).exits(2).err;
    let with = |arguments: &[&str]| -> Ran {
        farm.farmout(arguments).env("GARDENER_PASSWORD", PASSWORD).output().unwrap().into()
    };
    with(&["run", "--verbose"]).exits(0).says_no(PASSWORD).says_no("GARDENER_PASSWORD=").says("PGPASSWORD=");

    // A plan says neither the password nor where it is: on another machine that is the other's to say.
    let plan = farm.run(&["plan", "--format", "yaml"]).exits(0).says_no(PASSWORD).says_no("GARDENER").out;
    farm.write("plan.yaml", &plan);
    all += &farm.run(&["run", "plan.yaml"]).exits(2).err;
    farm.write("secrets.yaml", &format!("here-postgresql-{major}-passwd: $GARDENER_PASSWORD\n"));
    fs::set_permissions(farm.root.join("secrets.yaml"), fs::Permissions::from_mode(0o600)).unwrap();
    all += &farm.run(&["run", "plan.yaml", "--secrets", "secrets.yaml"]).exits(2).err;
    with(&["run", "plan.yaml", "--secrets", "secrets.yaml"]).exits(0).says_no(PASSWORD);
    farm.write("secrets.yaml", &format!("here-postgresql-{major}-passwd: '@slaves.d/gardener.password'\n"));
    farm.run(&["run", "plan.yaml", "--secrets", "secrets.yaml"]).exits(0).says_no(PASSWORD);

    fs::remove_file(&secret).unwrap();
    assert_eq!(files_with(&farm.root, PASSWORD), Vec::<PathBuf>::new());
    assert_eq!(cluster.databases(), "");
    farm.is_tidy();
    let root = farm.root.display().to_string();
    let filters = [(&*root, "[FARM]"), (r"postgresql-\d+", "postgresql-N"), ("belongs to [^ ]+", "belongs to [USER]")];
    let told: Vec<&str> = all.lines().filter(|line| !line.starts_with("running as root")).collect();
    snapshot!("run-postgresql-secrets", told.join("\n") + "\n", filters);
}

/// Private clusters and servers of several versions, in one run of one slave.
#[test]
fn several_versions_are_tested_side_by_side() {
    let (major, _) = postgresql();
    let [port] = free_ports();
    let clusters = Clusters::new();
    let cluster = clusters.start(&installed(major), port, &format!("local all {} peer", step_user()));
    cluster.query(&role(None, &step_user()));
    let (own, at) = (format!("postgresql {major}"), format!("host={} port={port}", clusters.host()));
    let programs = OTHERS.map(|other| {
        let bin = installed(other).join("bin").display().to_string();
        (format!("/opt/pg{other}/bin"), bin)
    });
    let mut changes = vec![("postgresql 15", &*own), ("port=5432", &*at)];
    changes.extend(programs.iter().map(|(from, to)| (from.as_str(), to.as_str())));
    let farm = Farm::sample().with_slave("here", &documented("versions", &changes));
    let ran = farm.run(&["run", "--jobs", "2"]).exits(0);
    for version in OTHERS.into_iter().chain([major]) {
        let log = farm.log(&format!("demo-pg{version}"), "create-database");
        assert!(log.contains("Created database"), "{log}");
        assert!(ran.out.contains(&format!("demo-pg{version}  success")), "{}", ran.out);
    }
    assert_eq!(cluster.databases(), "");
    farm.is_tidy();
}

/// What `farmout tool pg check` says with the environment that a capability makes.
struct Check {
    program: PathBuf,
    _directory: tempfile::TempDir,
}

impl Check {
    fn new() -> Self {
        let directory = common::open_directory();
        let program = directory.path().join("farmout");
        assert!(Command::new("install").args(["-m755", FARMOUT]).arg(&program).status().unwrap().success());
        Self { program, _directory: directory }
    }

    /// As the user who builds.
    fn run(&self, options: &[(&str, &str)]) -> Ran {
        self.run_as(as_step_user(self.program.to_str().unwrap()), options)
    }

    fn run_as(&self, mut command: Command, options: &[(&str, &str)]) -> Ran {
        command.args(["tool", "pg", "check"]).envs(options.iter().copied()).current_dir("/");
        command.env("PGCONNECT_TIMEOUT", "3").output().unwrap().into()
    }
}

#[test]
fn what_does_not_fit_is_said_with_the_option_to_change() {
    let (major, _) = postgresql();
    let [port, other, crashed, nobody] = free_ports();
    let (clusters, check) = (Clusters::new(), Check::new());
    let host = clusters.host();
    let user = step_user();
    let rules = format!(
        "local all {user} peer\nlocal all gardener peer\nlocal all reader trust\nlocal all asleep trust\nlocal all missing trust\n\
         local all keeper scram-sha-256\nhost all keeper 127.0.0.1/32 scram-sha-256"
    );
    let one = clusters.start(&installed(major), port, &rules);
    let newer = clusters.start(&installed(17), other, &rules);
    let gone = clusters.start(&installed(major), crashed, &rules);
    gone.crash();
    for cluster in [&one, &newer] {
        cluster.query(&role(None, &user));
    }
    one.query("CREATE ROLE gardener LOGIN CREATEDB");
    one.query("CREATE ROLE reader LOGIN");
    one.query("CREATE ROLE asleep NOLOGIN");
    one.query("CREATE ROLE stranger LOGIN CREATEDB");
    one.query(&role(Some("sesame"), "keeper"));
    let [port, other, crashed, nobody] = [port, other, crashed, nobody].map(|port| port.to_string());
    let is = format!("{major}/main");
    let at = |changes: &[(&'static str, &str)]| {
        let usual = [("PGHOST", host.as_str()), ("PGPORT", &port), ("PGCLUSTER", &is)];
        let options: Vec<(&str, &str)> = usual.into_iter().chain(changes.iter().copied()).collect();
        check.run(&options)
    };
    let mut all = String::new();
    for (what, ran, code) in [
        ("all is well", at(&[]), 0),
        ("a port of another version", at(&[("PGPORT", &other)]), 1),
        ("a version that no server is", at(&[("PGCLUSTER", "9.6/main")]), 1),
        ("programs older than the server", at(&[("PGPORT", &other), ("PGCLUSTER", "17/main")]), 0),
        ("no directory", at(&[("PGHOST", "/nowhere/postgresql")]), 1),
        ("no such port", at(&[("PGPORT", &nobody)]), 1),
        ("a crashed server", at(&[("PGPORT", &crashed)]), 1),
        ("nobody on TCP", at(&[("PGHOST", "127.0.0.1"), ("PGPORT", &nobody)]), 1),
        ("no such host", at(&[("PGHOST", "db.invalid")]), 1),
        ("no role", at(&[("PGUSER", "missing")]), 1),
        ("a role that may not log in", at(&[("PGUSER", "asleep")]), 1),
        ("a role without CREATEDB", at(&[("PGUSER", "reader")]), 1),
        ("another user's role", at(&[("PGUSER", "gardener")]), 1),
        ("a role without a rule", at(&[("PGUSER", "stranger")]), 1),
        ("the same on TCP", at(&[("PGUSER", "stranger"), ("PGHOST", "127.0.0.1")]), 1),
        ("no password", at(&[("PGUSER", "keeper")]), 1),
        ("a wrong password", at(&[("PGUSER", "keeper"), ("PGPASSWORD", "mistyped")]), 1),
        ("the right password", at(&[("PGUSER", "keeper"), ("PGPASSWORD", "sesame"), ("PGHOST", "127.0.0.1")]), 0),
    ] {
        let ran = ran.exits(code).says_no("mistyped").says_no("sesame");
        all += &format!("# {what}\n{}\n", ran.all());
    }
    // A stopped server takes its socket with it.
    newer.stop();
    all += &format!("# a stopped server\n{}\n", at(&[("PGPORT", &other)]).exits(1).all());
    if is_root() {
        // The socket itself is open to all; the way to it need not be.
        let closed = plain(&check.program);
        fs::set_permissions(&host, fs::Permissions::from_mode(0o700)).unwrap();
        let ran = check.run_as(closed, &[("PGHOST", &host), ("PGPORT", &port), ("PGUSER", "reader")]);
        ran.exits(1).says("is closed to this process's user").says("unix_socket_permissions");
    }
    let filters = [
        (&*host, "[SOCKETS]"),
        (&*port, "[PORT]"),
        (&*other, "[OTHER]"),
        (&*crashed, "[CRASHED]"),
        (&*nobody, "[NOBODY]"),
        (&*user, "[USER]"),
        (r"\b15\.\d+", "15.N"),
    ];
    snapshot!("run-postgresql-troubles", all, filters);
}
