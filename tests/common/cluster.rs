//! PostgreSQL servers of any version, as an administrator sets them up: who may connect how is the test's to say.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use farmout::host::{Search, account, detect, embedded, place};
use tempfile::TempDir;

use super::{command, is_root, open_directory, postgresql};

/// What servers share: the directory of their sockets, and below it their data.
pub struct Clusters {
    directory: TempDir,
}

/// A running server; stopped when it is dropped.
pub struct Cluster<'a> {
    clusters: &'a Clusters,
    programs: PathBuf,
    /// Its port, on TCP and in its socket's name.
    pub port: u16,
}

/// The installation of a major version: Debian's, or one that was downloaded. Downloads are kept from one run of the tests to the
/// next.
pub fn installed(major: u32) -> PathBuf {
    let (own, bin) = postgresql();
    if major == own {
        return Path::new(&bin).parent().unwrap().to_owned();
    }
    let account = account::choose(None).unwrap();
    let machine = detect(&Search::default(), account.as_ref());
    let kept = Utf8Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgresql");
    fs::create_dir_all(&kept).unwrap();
    fs::set_permissions(&kept, fs::Permissions::from_mode(0o755)).unwrap();
    let cache: Utf8PathBuf = place::cache(&kept, account.as_ref()).unwrap();
    let provided = embedded::provide(Some(&major.to_string()), &cache, &machine.pythons, account.as_ref());
    let install = provided.unwrap_or_else(|failure| panic!("{failure}")).install;
    install.bin.parent().unwrap().into()
}

impl Clusters {
    /// None yet.
    pub fn new() -> Self {
        let clusters = Self { directory: open_directory() };
        if is_root() {
            let status = command("chown").arg("postgres").arg(clusters.directory.path()).status();
            assert!(status.unwrap().success(), "these tests need the user postgres, which Debian's package makes");
        }
        clusters
    }

    /// The directory of the sockets.
    pub fn host(&self) -> String {
        self.directory.path().display().to_string()
    }

    /// Starts a server with these rules of who may connect. Its superuser is `postgres`.
    pub fn start(&self, prefix: &Path, port: u16, rules: &str) -> Cluster<'_> {
        self.start_at("127.0.0.1", prefix, port, rules)
    }

    /// The same, at another of this machine's own addresses, where nobody else has the port.
    pub fn start_at(&self, address: &str, prefix: &Path, port: u16, rules: &str) -> Cluster<'_> {
        let cluster = Cluster { clusters: self, programs: prefix.join("bin"), port };
        let mut initdb = cluster.program("initdb");
        initdb.args(["-N", "-E", "UTF8", "--locale=C", "-A", "trust", "-U", "postgres", "-D"]).arg(cluster.data());
        fine(&mut initdb);
        // What the tests themselves come in by; it is nobody's whom farmout knows.
        let own = if is_root() { "local all postgres peer" } else { "local all postgres trust" };
        fs::write(cluster.data().join("pg_hba.conf"), format!("{own}\n{rules}\n")).unwrap();
        let settings = format!(
            "-k {} -p {port} -c listen_addresses={address} -c fsync=off -c password_encryption=scram-sha-256",
            self.host()
        );
        let mut start = cluster.program("pg_ctl");
        start.arg("-D").arg(cluster.data()).args(["-w", "-o", &settings, "-l"]).arg(cluster.data().join("log"));
        assert!(start.arg("start").stdout(Stdio::null()).status().unwrap().success());
        cluster
    }
}

impl Cluster<'_> {
    /// What a query of the superuser's gives.
    pub fn query(&self, sql: &str) -> String {
        let mut psql = self.program(&format!("{}/psql", postgresql().1));
        psql.args(["-X", "-A", "-t", "-d", "postgres", "-U", "postgres", "-h", &self.clusters.host()]);
        psql.args(["-p", &self.port.to_string(), "-c", sql]);
        fine(&mut psql)
    }

    /// The databases that did not come with the server.
    pub fn databases(&self) -> String {
        self.query("SELECT datname FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')")
    }

    /// Ends it as a crash does, so that its socket stays.
    pub fn crash(&self) {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        fine(self.program("kill").args(["-KILL", file.lines().next().unwrap()]));
    }

    /// Stops it, whoever is connected.
    pub fn stop(&self) {
        fine(self.program("pg_ctl").arg("-D").arg(self.data()).args(["-m", "fast", "-w", "stop"]));
    }

    fn data(&self) -> PathBuf {
        self.clusters.directory.path().join(format!("data-{}", self.port))
    }

    /// A program of the server's, or another that its user starts; root may not start servers.
    fn program(&self, name: &str) -> Command {
        let own = self.programs.join(name);
        let path = if own.exists() { own } else { name.into() };
        let mut program = if is_root() {
            let mut program = command("setpriv");
            program.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]).arg(path);
            program
        } else {
            command(path)
        };
        program.current_dir(self.clusters.directory.path()).env("LC_ALL", "C");
        program
    }
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        let _ = self.program("pg_ctl").arg("-D").arg(self.data()).args(["-m", "immediate", "-w", "stop"]).output();
    }
}

/// Ports at which nobody listens, all different, upwards.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let mut ports = listeners.map(|listener| listener.local_addr().unwrap().port());
    ports.sort_unstable();
    ports
}

fn fine(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
