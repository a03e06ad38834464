//! PostgreSQL servers that run. In: directories with sockets, and Debian's list of clusters. Out: ports and sockets. No
//! session is opened: a connection to the socket only shows that somebody listens.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;

use camino::{Utf8Path, Utf8PathBuf};

use super::search::{Search, directories};
use crate::host::probe::Probe;

/// A running server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The directory of its socket.
    pub socket: Utf8PathBuf,
    /// Its port, which is also in the socket's name.
    pub port: u16,
    /// Its version as the capability has it, where that can be told.
    pub major: Option<String>,
    /// Debian's name of the cluster, `15/main`.
    pub cluster: Option<String>,
}

pub(super) fn find(search: &Search, probe: &Probe) -> Vec<Server> {
    let mut servers = BTreeMap::new();
    for directory in directories(&search.sockets, &mut Vec::new()) {
        let Ok(entries) = directory.read_dir_utf8() else { continue };
        for entry in entries.flatten() {
            let Some(port) = entry.file_name().strip_prefix(".s.PGSQL.").and_then(|port| port.parse::<u16>().ok())
            else {
                continue;
            };
            // A crash leaves sockets that nobody listens to.
            if UnixStream::connect(entry.path()).is_ok() {
                let major = version(&directory, port);
                let server = Server { socket: directory.clone(), port, major, cluster: None };
                servers.insert((directory.clone(), port), server);
            }
        }
    }
    if servers.is_empty() {
        return Vec::new();
    }
    // Only Debian has it: no answer is no news.
    let clusters = search.program("pg_lsclusters", |_| true).and_then(|path| probe.output(path, &["--no-header"]).ok());
    for line in clusters.iter().flat_map(|output| output.stdout.lines()) {
        let words: Vec<_> = line.split_whitespace().collect();
        let [version, name, port, status, ..] = words.as_slice() else { continue };
        let online = status.starts_with("online");
        // Debian's clusters have their sockets in the first place that is looked at; a private server may have the port
        // elsewhere.
        let debian = |server: &&mut Server| Ok(server.port) == port.parse() && server.socket.ends_with("postgresql");
        if let Some(server) = servers.values_mut().find(debian).filter(|_| online) {
            server.cluster = Some(format!("{version}/{name}"));
            server.major = Some((*version).to_owned());
        }
    }
    servers.into_values().collect()
}

/// The version of a server: in the data directory, which its lock file names on the second line. Often only the server's
/// own user may read it.
fn version(directory: &Utf8Path, port: u16) -> Option<String> {
    let lock = std::fs::read_to_string(directory.join(format!(".s.PGSQL.{port}.lock"))).ok()?;
    let data = Utf8Path::new(lock.lines().nth(1)?);
    let version = std::fs::read_to_string(data.join("PG_VERSION")).ok()?;
    let version = version.trim();
    let plain = !version.is_empty() && version.len() < 20 && version.chars().all(|c| c.is_ascii_digit() || c == '.');
    plain.then(|| version.to_owned())
}
