//! Throw-away clusters. Made aside and renamed, with a marker in them, so that nothing is ever wiped that was not made here and
//! a kill at any moment leaves what the next start or stop clears away.

use std::env;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf, absolute};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Error, Server, postmaster};
use crate::tool::{files, process, say};

/// The file in a data directory that says it may be wiped; it holds the socket's path.
const MARKER: &str = "farmout-cluster";
/// The server's log, in the data directory.
const LOG: &str = "server.log";
/// How many of the last lines of that log are shown.
const LINES: usize = 15;
/// Bytes that the path of a Unix socket can have (`sockaddr_un`, without the final zero).
const SOCKET_PATH: usize = 107;
/// How long a start may take: slaves are busy machines.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cluster to be made.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The directory of PostgreSQL's programs; empty for those on PATH.
    pub bin: String,
    /// The data directory.
    pub data: PathBuf,
    /// Where the socket goes.
    pub socket_dir: PathBuf,
    /// The port, which is part of the socket's name.
    pub port: u16,
    /// The database user, who may do everything.
    pub superuser: String,
}

/// The programs of one PostgreSQL.
struct Programs {
    directory: PathBuf,
    /// As printed, for people.
    version: String,
    /// Major and minor: 9 and 2, 15 and 8.
    number: (u32, u32),
}

impl Cluster {
    /// Makes the cluster and starts it; returns when it answers.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn start(&self) -> Result<(), Error> {
        if nix::unistd::geteuid().is_root() {
            return Err(Error::Root);
        }
        let data = absolute(&self.data).map_err(file("find", &self.data))?;
        let sockets = absolute(&self.socket_dir).map_err(file("find", &self.socket_dir))?;
        let socket = sockets.join(format!(".s.PGSQL.{}", self.port));
        if socket.as_os_str().len() > SOCKET_PATH {
            return Err(Error::SocketPath { path: socket.display().to_string() });
        }
        let programs = Programs::find(&self.bin)?;
        prepare(&sockets)?;
        if let Some(parent) = data.parent() {
            fs::create_dir_all(parent).map_err(file("make", parent))?;
        }
        clear(&data, Some(&programs.path("pg_ctl")))?;
        self.initialize(&programs, &data, &sockets, &socket)?;
        self.launch(&programs, &data)?;
        let server = Server::at(&sockets, self.port, &self.superuser);
        wait_for(&server, &data)?;
        say(format_args!("{} answers at {} for {}", programs.version, server.shown(), self.superuser));
        Ok(())
    }

    fn initialize(&self, programs: &Programs, data: &Path, sockets: &Path, socket: &Path) -> Result<(), Error> {
        let aside = with_suffix(data, NEW);
        let mut initdb = programs.command("initdb");
        initdb.args(["-A", "trust", "-E", "UTF8", "--locale=C", "-U", &self.superuser, "-D"]).arg(&aside);
        if programs.number >= (9, 3) {
            initdb.arg("-N");
        }
        let output = process::capture(&mut initdb).map_err(file("run", &programs.path("initdb")))?;
        if !output.status.success() {
            let log = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
            return Err(Error::Program { program: "initdb", status: output.status.to_string(), log });
        }
        let path = aside.join("postgresql.conf");
        let mut text = fs::read_to_string(&path).map_err(file("read", &path))?;
        text.push_str(&self.settings(programs, sockets));
        fs::write(&path, text).map_err(file("write", &path))?;
        let marker = aside.join(MARKER);
        fs::write(&marker, socket.as_os_str().as_encoded_bytes()).map_err(file("write", &marker))?;
        fs::rename(&aside, data).map_err(file("rename to", data))
    }

    /// What goes to the end of `postgresql.conf`, where the last setting of a name counts.
    fn settings(&self, programs: &Programs, sockets: &Path) -> String {
        let sockets = sockets.display().to_string();
        let (name, sockets) = if programs.number >= (9, 3) {
            ("unix_socket_directories", format!("\"{}\"", sockets.replace('"', "\"\"")))
        } else {
            ("unix_socket_directory", sockets)
        };
        let sockets = sockets.replace('\\', "\\\\").replace('\'', "''");
        let mut text = format!("\n# A cluster that nobody misses: speed before safety.\n{name} = '{sockets}'\n");
        let _ = writeln!(text, "port = {}", self.port);
        text.push_str(
            "listen_addresses = ''\nunix_socket_permissions = 0700\nmax_connections = 100\nfsync = off\n\
             synchronous_commit = off\nfull_page_writes = off\n",
        );
        text
    }

    fn launch(&self, programs: &Programs, data: &Path) -> Result<(), Error> {
        let path = data.join(LOG);
        let log = OpenOptions::new().create(true).append(true).open(&path).map_err(file("write", &path))?;
        let both = log.try_clone().map_err(file("write", &path))?;
        let mut command = programs.command("pg_ctl");
        command.args(["start", "-w", "-t", &PATIENCE.as_secs().to_string(), "-D"]).arg(data).arg("-l").arg(&path);
        // The server lives on: it must not hold the caller's pipes open, who would wait for their end, and it must not be in
        // the step's process group, which is killed when the step is over.
        command.stdin(Stdio::null()).stdout(log).stderr(both).process_group(0);
        let status = command.status().map_err(file("run", &programs.path("pg_ctl")))?;
        if status.success() {
            return Ok(());
        }
        Err(Error::Program { program: "pg_ctl start", status: status.to_string(), log: files::tail(&path, LINES) })
    }
}

/// Stops the server of a data directory that [`Cluster::start`] made, and removes the directory and the socket. One that is
/// gone already is fine.
///
/// # Errors
/// A directory that was not made here, a server that does not end, files that cannot be removed.
pub fn stop(bin: &str, data: &Path) -> Result<(), Error> {
    let data = absolute(data).map_err(file("find", data))?;
    let pg_ctl = find_program(bin, "pg_ctl").ok();
    let there = data.exists();
    clear(&data, pg_ctl.as_deref())?;
    if there {
        say(format_args!("Stopped and removed the cluster {}", data.display()));
    } else {
        say(format_args!("There is no cluster {}", data.display()));
    }
    Ok(())
}

/// The suffix of a data directory that is being made, and of one that is being removed.
const NEW: &str = ".farmout-new";
const OLD: &str = ".farmout-old";

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Stops and removes what a former start left at `data`.
fn clear(data: &Path, pg_ctl: Option<&Path>) -> Result<(), Error> {
    for suffix in [NEW, OLD] {
        remove(&with_suffix(data, suffix))?;
    }
    let marker = match fs::read(data.join(MARKER)) {
        Ok(marker) => marker,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Nothing there, or an empty directory, which a rename replaces.
            let entries = fs::read_dir(data).map(Iterator::count);
            return match entries {
                Ok(0) => fs::remove_dir(data).map_err(file("remove", data)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) if error.kind() != io::ErrorKind::NotADirectory => Err(file("list", data)(error)),
                _ => Err(Error::Foreign(data.display().to_string())),
            };
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(Error::Foreign(data.display().to_string()));
        }
        Err(error) => return Err(file("read", &data.join(MARKER))(error)),
    };
    postmaster::end(data, pg_ctl)?;
    if let Ok(socket) = String::from_utf8(marker)
        && socket.contains("/.s.PGSQL.")
        && is_ours(Path::new(&socket), data)
    {
        remove(Path::new(&socket))?;
        remove(&with_suffix(Path::new(&socket), ".lock"))?;
    }
    let old = with_suffix(data, OLD);
    fs::rename(data, &old).map_err(file("rename", data))?;
    remove(&old)
}

/// Whether the socket is this data directory's, or nobody's: another server may have taken it over since.
fn is_ours(socket: &Path, data: &Path) -> bool {
    let Ok(text) = fs::read_to_string(with_suffix(socket, ".lock")) else { return true };
    // The process, the data directory, and more.
    let holder = text.lines().nth(1).map(|line| Path::new(line).canonicalize());
    holder.is_some_and(|holder| holder.is_ok_and(|holder| data.canonicalize().is_ok_and(|data| data == holder)))
}

/// Makes the socket's directory, for its owner only.
fn prepare(sockets: &Path) -> Result<(), Error> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(sockets).map_err(file("make", sockets))?;
    let meta = fs::metadata(sockets).map_err(file("find", sockets))?;
    if meta.uid() != nix::unistd::geteuid().as_raw() {
        let error = io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to another user");
        return Err(file("keep others out of", sockets)(error));
    }
    if meta.mode() & 0o077 != 0 {
        fs::set_permissions(sockets, fs::Permissions::from_mode(0o700)).map_err(file("keep others out of", sockets))?;
    }
    Ok(())
}

fn wait_for(server: &Server, data: &Path) -> Result<(), Error> {
    let started = Instant::now();
    loop {
        match server.connect() {
            Ok(_) => return Ok(()),
            Err(error) if started.elapsed() > PATIENCE => {
                let log = format!("{error}\n{}", files::tail(&data.join(LOG), LINES));
                return Err(Error::Unanswered { server: server.shown(), log });
            }
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

impl Programs {
    fn find(bin: &str) -> Result<Self, Error> {
        let initdb = find_program(bin, "initdb")?;
        let directory = initdb.parent().unwrap_or(Path::new("/")).to_owned();
        for name in ["pg_ctl", "postgres"] {
            find_program(&directory.display().to_string(), name)?;
        }
        let mut programs = Self { directory, version: String::new(), number: (0, 0) };
        let output = process::capture(programs.command("postgres").arg("--version"))
            .map_err(file("run", &programs.path("postgres")))?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let number = said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
        let Some(number) = number else {
            let said = format!("{said}{}", String::from_utf8_lossy(&output.stderr).trim());
            return Err(Error::Version { program: programs.path("postgres").display().to_string(), said });
        };
        let mut parts = number.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
        programs.number = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        programs.version = format!("PostgreSQL {number}");
        Ok(programs)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// One of the programs, without the caller's PG variables: PGDATA, PGPORT and PGOPTIONS would disturb it.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.path(name));
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"PG") {
                command.env_remove(name);
            }
        }
        command.env("LC_ALL", "C");
        command
    }
}

/// The path of a program in `bin`, or on PATH where that is empty.
fn find_program(bin: &str, name: &str) -> Result<PathBuf, Error> {
    let path = env::var_os("PATH").unwrap_or_default();
    // An empty element of PATH would be the current directory, which holds a build's files.
    let directories: Vec<PathBuf> = match bin {
        "" => env::split_paths(&path).filter(|directory| directory.is_absolute()).collect(),
        bin => vec![absolute(bin).map_err(file("find", Path::new(bin)))?],
    };
    let found = directories.iter().map(|directory| directory.join(name)).find(|path| path.is_file());
    let place = if bin.is_empty() { "any directory of PATH" } else { bin };
    found.ok_or_else(|| Error::NoProgram { program: name.to_owned(), place: place.to_owned() })
}

fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.display().to_string();
    move |error| Error::File { what, path, error }
}

/// Deletes a file or a whole directory; one that is not there is fine.
fn remove(path: &Path) -> Result<(), Error> {
    files::remove(path).map_err(file("remove", path))
}
