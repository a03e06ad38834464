//! A PostgreSQL server that somebody else takes care of: farmout may make its database there, and must leave no other
//! trace.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::{command, is_root, open_directory, postgresql, step_user};

/// A running server, on a Unix socket only; stopped and removed when it is dropped.
pub struct Server {
    directory: TempDir,
    /// The database user, who may do everything.
    pub user: String,
    /// That user's password, if the server asks for one.
    pub password: Option<String>,
}

impl Server {
    /// The port, which is no more than a part of the socket's name.
    pub const PORT: u16 = 5499;

    /// A server that trusts everybody. Its superuser has the name of the user that steps run as, as nobody else is
    /// named to it.
    pub fn trusting() -> Self {
        Self::start(&step_user(), None)
    }

    /// A server that wants a password.
    pub fn with_password(user: &str, password: &str) -> Self {
        Self::start(user, Some(password))
    }

    fn start(user: &str, password: Option<&str>) -> Self {
        let server =
            Self { directory: open_directory(), user: user.to_owned(), password: password.map(ToOwned::to_owned) };
        if is_root() {
            let status = command("chown").arg("postgres").arg(server.directory.path()).status();
            assert!(status.unwrap().success(), "these tests need the user postgres, which Debian's package makes");
        }
        let file = server.directory.path().join("password");
        fs::write(&file, password.unwrap_or_default()).unwrap();
        let method = if password.is_some() { "scram-sha-256" } else { "trust" };
        let mut initdb = server.program("initdb");
        initdb.args(["-N", "-E", "UTF8", "--locale=C", "-A", method, "-U", user, "-D"]).arg(server.data());
        if password.is_some() {
            initdb.arg("--pwfile").arg(&file);
        }
        run(&mut initdb);
        server.go_on();
        server
    }

    /// Starts the server, for the first time or again.
    pub fn go_on(&self) {
        let server = self;
        let settings = format!("-k {} -p {} -c listen_addresses= -c fsync=off", server.host(), Self::PORT);
        let mut start = server.program("pg_ctl");
        // To a log, as the server would hold a pipe open.
        start
            .arg("-D")
            .arg(server.data())
            .args(["-w", "-o", &settings, "-l"])
            .arg(server.data().join("log"))
            .arg("start");
        assert!(start.stdout(std::process::Stdio::null()).status().unwrap().success());
    }

    /// Stops the server, whoever is connected.
    pub fn stop(&self) {
        let stopped = self.program("pg_ctl").arg("-D").arg(self.data()).args(["-m", "fast", "-w", "stop"]).output();
        assert!(stopped.unwrap().status.success());
    }

    /// The directory of the socket.
    pub fn host(&self) -> String {
        self.directory.path().display().to_string()
    }

    /// The capability that makes a slave use this server, without a password.
    pub fn capability(&self) -> String {
        let (major, bin) = postgresql();
        format!("postgresql {major} bin={bin} host={} port={}", self.host(), Self::PORT)
    }

    /// What a query gives, a line for each row.
    pub fn query(&self, sql: &str) -> String {
        let mut psql = command(format!("{}/psql", postgresql().1));
        psql.args(["-X", "-A", "-t", "-d", "postgres", "-c", sql]);
        psql.env("PGHOST", self.host()).env("PGPORT", Self::PORT.to_string()).env("PGUSER", &self.user);
        if let Some(password) = &self.password {
            psql.env("PGPASSWORD", password);
        }
        run(&mut psql)
    }

    /// The databases that did not come with the server.
    pub fn databases(&self) -> String {
        self.query("SELECT datname FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')")
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// One of the server's programs, which root may not run.
    fn program(&self, name: &str) -> Command {
        let path = format!("{}/{name}", postgresql().1);
        let mut program = if is_root() {
            let mut program = command("setpriv");
            program.args(["--reuid=postgres", "--regid=postgres", "--init-groups", "--", &path]);
            program
        } else {
            command(path)
        };
        program.current_dir(self.directory.path());
        program
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.program("pg_ctl").arg("-D").arg(self.data()).args(["-m", "immediate", "stop"]).output();
    }
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
