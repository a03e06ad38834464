//! The files of a demonstration. In: its directory, ports, names. Out: what a master and workers are started with. It writes
//! with the rights of whoever calls, who must be the one that they will run as.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Value, json};

use crate::diagnostic::{Failure, plain};
use crate::model::Secret;

/// What a master reads before anything of the farm.
const MASTER: &str = include_str!("master.cfg");
/// What a worker is made by.
const WORKER: &str = include_str!("worker.tac");

/// Where things are.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) master: Utf8PathBuf,
    workers: Utf8PathBuf,
}

/// The ports of a master.
#[derive(Debug)]
pub(super) struct Ports {
    pub(super) www: u16,
    pb: u16,
}

impl Ports {
    /// Two free ones on loopback, or one beside a certain one. They may be somebody else's the next moment.
    pub(super) fn choose(www: Option<u16>) -> Result<Self, Failure> {
        let listen = |port: u16| {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).and_then(|it| Ok((it.local_addr()?.port(), it))).map_err(
                |error| {
                    let error = plain(&error.to_string());
                    match port {
                        0 => Failure::error(format!("there is no free port on 127.0.0.1: {error}")),
                        _ => Failure::error(format!("the port {port} on 127.0.0.1 cannot be had: {error}"))
                            .help("name another with --port, or leave it out for any that is free"),
                    }
                },
            )
        };
        // Both at a time, or the second might be the first.
        let ((www, _first), (pb, _second)) = (listen(www.unwrap_or(0))?, listen(0)?);
        Ok(Self { www, pb })
    }
}

impl Layout {
    /// Names for what is below a directory.
    pub(super) fn new(directory: &Utf8Path) -> Self {
        Self { master: directory.join("master"), workers: directory.join("workers") }
    }

    /// Where all of it is.
    pub(super) fn directory(&self) -> &Utf8Path {
        self.master.parent().unwrap_or(&self.master)
    }

    /// The directory of a worker.
    pub(super) fn worker(&self, name: &str) -> Utf8PathBuf {
        self.workers.join(name)
    }

    /// Writes what the master's configuration begins with.
    pub(super) fn write_master(&self) -> Result<(), Failure> {
        write(&self.master.join("master.cfg"), MASTER, 0o644)
    }

    /// Writes what is known only now: the ports.
    pub(super) fn write_settings(
        &self,
        ports: &Ports,
        farmout: &Utf8Path,
        workers: &[(String, Secret)],
    ) -> Result<(), Failure> {
        let text = |value: Value| format!("{value:#}\n");
        let settings = json!({"www": ports.www, "pb": ports.pb, "farmout": farmout});
        write(&self.master.join("demo.json"), &text(settings), 0o644)?;
        for (name, password) in workers {
            let directory = self.worker(name);
            fs::create_dir_all(&directory).map_err(|error| unwritten(&directory, &error))?;
            let own = json!({"name": name, "password": password.expose(), "port": ports.pb});
            write(&directory.join("worker.json"), &text(own), 0o600)?;
            write(&directory.join("buildbot.tac"), WORKER, 0o644)?;
        }
        Ok(())
    }
}

/// Writes a file, in the place of what is there.
fn write(path: &Utf8Path, text: &str, mode: u32) -> Result<(), Failure> {
    let written = || -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?.write_all(text.as_bytes())
    };
    written().map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &Utf8Path, error: &io::Error) -> Failure {
    Failure::error(format!("cannot write {path}: {}", plain(&error.to_string())))
}
