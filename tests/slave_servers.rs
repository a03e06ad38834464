//! `farmout slave detect` and real PostgreSQL servers: what users may do there, and a machine with nine versions.
//!
//! Servers run as nobody, below temporary directories, and are stopped. All of it switches users, as only root can; for anybody
//! else `tests/run` leaves these tests out and says so.

mod common {
    pub mod executable;
    pub mod snapshot;
}

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use common::executable::{install, script};
use common::snapshot::snapshot;
use farmout::host::{Search, account, detect, embedded, place};
use farmout::model::Secret;
use serde_json::Value;
use tempfile::TempDir;

const NOBODY: u32 = 65_534;

/// A directory that everybody may enter.
fn open() -> (TempDir, Utf8PathBuf) {
    let temporary = tempfile::tempdir().unwrap();
    fs::set_permissions(temporary.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = Utf8PathBuf::from_path_buf(temporary.path().to_owned()).unwrap();
    (temporary, path)
}

/// The programs of an installed PostgreSQL.
fn installed() -> Utf8PathBuf {
    let majors = Utf8Path::new("/usr/lib/postgresql").read_dir_utf8().expect("these tests need PostgreSQL");
    let mut bins: Vec<_> = majors.map(|entry| entry.unwrap().path().join("bin")).collect();
    bins.retain(|bin| bin.join("initdb").exists());
    bins.pop().expect("these tests need PostgreSQL's server: apt-get install postgresql")
}

/// A running server of nobody's.
struct Server {
    bin: Utf8PathBuf,
    data: Utf8PathBuf,
}

impl Server {
    /// Starts one with these settings and this `pg_hba.conf`.
    fn start(bin: &Utf8Path, below: &Utf8Path, options: &str, hba: &str) -> Self {
        let server = Self { bin: bin.to_owned(), data: below.join("data") };
        fs::create_dir_all(below).unwrap();
        chown(below, Some(NOBODY), Some(NOBODY)).unwrap();
        server.call(
            "initdb",
            &["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-U", "nobody", "-D", server.data.as_str()],
        );
        fs::write(server.data.join("pg_hba.conf"), hba).unwrap();
        let options = format!("-c fsync=off {options}");
        let log = below.join("log");
        server.call("pg_ctl", &["-w", "-D", server.data.as_str(), "-l", log.as_str(), "-o", &options, "start"]);
        server
    }

    fn sql(&self, host: &str, port: &str, sql: &str) {
        self.call("psql", &["-h", host, "-p", port, "-U", "nobody", "-d", "postgres", "-qc", sql]);
    }

    fn call(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(self.bin.join(program));
        // To no pipe: a server that was started would keep it.
        let output = self.data.parent().unwrap().join("output");
        let file = fs::File::create(&output).unwrap();
        let status = command.args(arguments).current_dir("/").stdout(file.try_clone().unwrap()).stderr(file).status();
        assert!(status.unwrap().success(), "{program}: {}", fs::read_to_string(output).unwrap());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.call("pg_ctl", &["-w", "-m", "immediate", "-D", self.data.as_str(), "stop"]);
    }
}

fn write(path: &Utf8Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// What detect prints for builds of a user.
fn printed(user: &str, more: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farmout"));
    let output = command.args(["slave", "detect", "--user", user]).args(more).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

mod root {
    use super::*;

    #[test]
    fn what_each_user_may_do_on_a_server() {
        assert!(nix::unistd::geteuid().is_root(), "this test switches users: run it as root");
        let account = account::choose(None).unwrap().unwrap();
        let (_temporary, root) = open();
        let hba = "local all nobody trust\nlocal all mail scram-sha-256\nlocal all games reject\nlocal all all peer\n";
        let bin = installed();
        let options = format!("-c listen_addresses='' -c unix_socket_directories='{root}/s' -c port=5777");
        let below = root.join("s");
        let server = Server::start(&bin, &below, &options, hba);
        server.sql(&format!("{root}/s"), "5777", &format!("CREATE ROLE {} LOGIN CREATEDB", account.name));
        server.sql(&format!("{root}/s"), "5777", "CREATE ROLE daemon LOGIN");
        let place = format!("port=5777 host={root}/s");
        let major = bin.parent().unwrap().file_name().unwrap();

        let fragment = printed(&account.name, &[]);
        let (line, alternative) = (
            format!("    postgresql {major} bin={bin} cluster=ephemeral\n"),
            format!("#   postgresql {major} bin={bin} {place}\n"),
        );
        let after = &fragment[fragment.find(&line).expect(&fragment)..];
        assert!(after.find(&alternative).unwrap() < after.find("    python").unwrap(), "{fragment}");
        // Taken up, it is a fragment that compiles.
        let farm = root.join("farm");
        fs::create_dir(&farm).unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/ephemeral/buildouts");
        assert!(Command::new("cp").arg("-r").arg(&example).arg(&farm).status().unwrap().success());
        let taken = fragment.replace(&line, "").replace(&alternative, &alternative.replacen('#', " ", 1));
        fs::write(farm.join("slaves.cfg"), taken).unwrap();
        fs::set_permissions(farm.join("slaves.cfg"), fs::Permissions::from_mode(0o600)).unwrap();
        let compiled = Command::new(env!("CARGO_BIN_EXE_farmout")).arg("compile").current_dir(&farm).output().unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));

        for (user, said) in [
            (
                "daemon",
                format!(
                    "daemon may not create databases there. To let it: sudo -u nobody psql --host={root}/s --port=5777 \
                     --dbname=postgres --command='ALTER ROLE \"daemon\" CREATEDB'"
                ),
            ),
            (
                "bin",
                format!(
                    "there is no role bin yet. To make one: sudo -u nobody createuser --host={root}/s --port=5777 --createdb bin"
                ),
            ),
            (
                "mail",
                format!(
                    "it asks mail for a password (scram-sha-256). To use it, offer: postgresql {major} {place} user=USER passwd=…"
                ),
            ),
            (
                "games",
                // What follows differs from version to version.
                "it does not let games in: pg_hba.conf rejects connection for host \"[local]\"".to_owned(),
            ),
        ] {
            let fragment = printed(user, &[]);
            let line = format!("#   PostgreSQL {major} ({place}): {said}");
            assert!(fragment.contains(&line), "{line}{fragment}");
            assert!(!fragment.contains(&alternative), "{fragment}");
        }

        let json: Value = serde_json::from_str(&printed(&account.name, &["--format", "json"])).unwrap();
        let servers = json["servers"].as_array().unwrap();
        let found = servers.iter().find(|server| server["host"] == format!("{root}/s").as_str()).unwrap();
        assert_eq!(found["rights"]["access"], "open");
        assert_eq!(found["rights"]["create-databases"], true);
        assert_eq!(found["rights"]["superuser"], false);
        assert_eq!(found["data"], server.data.as_str());
        assert_eq!(found["owner"], "nobody");
    }

    #[test]
    fn a_server_without_a_socket_is_found_by_its_process() {
        assert!(nix::unistd::geteuid().is_root(), "this test switches users: run it as root");
        let (_temporary, root) = open();
        let bin = installed();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let options = format!("-c listen_addresses=127.0.0.1 -c unix_socket_directories= -c port={port}");
        let _server = Server::start(&bin, &root.join("d"), &options, "host all all 127.0.0.1/32 md5\n");
        let fragment = printed("nobody", &[]);
        let major = bin.parent().unwrap().file_name().unwrap();
        let line = format!(
            "#   PostgreSQL {major} (port={port} host=localhost): it asks nobody for a password (scram-sha-256)."
        );
        assert!(fragment.contains(&line), "{line}\n{fragment}");
    }

    #[test]
    fn a_machine_with_nine_versions() {
        assert!(nix::unistd::geteuid().is_root(), "this test switches users: run it as root");
        let account = account::choose(None).unwrap().unwrap();
        let (_temporary, root) = open();
        let farmout = root.join("farmout");
        install(env!("CARGO_BIN_EXE_farmout"), &farmout);
        for major in 10..=18 {
            let version = if major == 18 { "18rc1".to_owned() } else { format!("{major}.{}", 30 - major) };
            let bin = root.join(format!("usr/lib/postgresql/{major}/bin"));
            for program in ["postgres", "initdb", "pg_ctl", "psql"] {
                script(
                    bin.join(program),
                    &format!("echo '{program} (PostgreSQL) {version} (Debian {version}-1.pgdg120+1)'"),
                );
            }
            let text = format!(
                "data_directory = '/var/lib/postgresql/{major}/main'\nport = {}\t# (change requires restart)\n\
                 unix_socket_directories = '/var/run/postgresql'\n",
                5422 + major
            );
            write(&root.join(format!("etc/postgresql/{major}/main/postgresql.conf")), &text);
        }
        for version in ["2.6", "2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"] {
            // 3.8 was built without OpenSSL, 3.13 has nothing to make environments with but another's pip.
            let modules = match version {
                "3.8" => "venv ensurepip  pip  zlib",
                "3.13" => "venv    ssl zlib",
                _ => "venv ensurepip virtualenv pip ssl zlib",
            };
            let answer = format!("printf 'farmout {version} {version}.1\\n{modules}\\n/usr/include\\n'");
            script(root.join(format!("usr/bin/python{version}")), &answer);
        }
        for (program, said) in [
            ("git", "git version 2.39.5"),
            ("svn", "svn, version 1.14.2 (r1899510)"),
            ("wkhtmltopdf", "wkhtmltopdf 0.12.6"),
            ("libreoffice", "LibreOffice 7.4.7.2 40(Build:2)"),
            ("chromedriver", "ChromeDriver 120.0.6099.224 (3587067cafd6f5b1e567380acb485d96e623ef39)"),
            ("gcc", "gcc (Debian 12.2.0-14+deb12u1) 12.2.0"),
        ] {
            script(root.join("usr/bin").join(program), &format!("echo '{said}'"));
        }
        write(&root.join("usr/include/stdio.h"), "");
        write(&root.join("usr/include/postgresql/libpq-fe.h"), "");
        write(
            &root.join("etc/os-release"),
            "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
        );
        write(&root.join("proc/sys/kernel/hostname"), "atlas\n");
        let sockets = root.join("var/run/postgresql");
        fs::create_dir_all(&sockets).unwrap();
        chown(&sockets, Some(NOBODY), Some(NOBODY)).unwrap();
        // Two of the nine are real and run: the system's own, and one that is downloaded.
        let cache = place::cache(&root.join("state"), Some(&account)).unwrap();
        let pythons = detect(&Search::default(), Some(&account)).pythons;
        let downloaded = embedded::provide(Some("17"), &cache, &pythons, Some(&account)).unwrap().install;
        let mut servers = Vec::new();
        for (bin, hba) in
            [(installed(), "local all all peer\n"), (downloaded.bin, "local all nobody trust\nlocal all all peer\n")]
        {
            let said = Command::new(bin.join("postgres")).arg("--version").output().unwrap().stdout;
            let said = String::from_utf8(said).unwrap();
            let major: u16 = said.split([' ', '.']).find_map(|word| word.parse().ok()).unwrap();
            let options =
                format!("-c listen_addresses='' -c unix_socket_directories='{sockets}' -c port={}", 5422 + major);
            let below = root.join(format!("var/lib/postgresql/{major}"));
            let server = Server::start(&bin, &below, &options, hba);
            // Where Debian has it, and where the configuration says.
            std::os::unix::fs::symlink("data", below.join("main")).unwrap();
            if major == 17 {
                server.sql(sockets.as_str(), "5439", &format!("CREATE ROLE {} LOGIN CREATEDB", account.name));
            }
            servers.push(server);
        }

        let search = Search { limit: std::time::Duration::from_secs(20), ..Search::below(&root) };
        let mut machine = detect(&search, Some(&account));
        machine.survey(&search, Some(&account), &farmout);
        let fragment = machine.fragment("atlas", &Secret::new("SECRET"));
        let lines = fragment.lines().filter(|line| !line.starts_with("# Ports that tests of builds choose from: "));
        let shown = lines.collect::<Vec<_>>().join("\n").replace(root.as_str(), "");
        snapshot!("slave-nine-majors", shown);
        let json = serde_json::to_value(&machine).unwrap();
        let seventeen =
            json["servers"].as_array().unwrap().iter().find(|server| server["cluster"] == "17/main").unwrap();
        assert_eq!(seventeen["rights"]["authentication"], "peer");
        assert_eq!(seventeen["rights"]["version"], "17.10");
    }
}
