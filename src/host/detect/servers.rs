//! PostgreSQL servers. In: directories with sockets and with data, the system's list of sockets and processes, and the
//! configuration of Debian's clusters. Out: where each listens, and what the account may do there. Nothing is changed: one
//! session asks what a role may do.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::clusters;
use super::postgresql::versions;
use super::search::{Search, directories};
use crate::host::Account;
use crate::host::probe::{Probe, parallel};
use crate::tool::pg::{Access, Rights};
use crate::workspace::builder::SOCKETS_PREFIX;

/// How the sockets of servers are named, with the port behind it.
const SOCKET: &str = ".s.PGSQL.";

/// A server on this machine answers at once, or it does not run.
const PATIENCE: Duration = Duration::from_millis(500);

/// A server, or a cluster of Debian's whose server does not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Server {
    /// The directory of its socket, or `localhost` where it has none.
    pub host: String,
    /// Its port, which is also in the socket's name.
    pub port: u16,
    /// Its version as the capability has it, where that can be told.
    pub major: Option<String>,
    /// Debian's name of the cluster, `15/main`.
    pub cluster: Option<String>,
    /// Its data directory, where that can be told.
    pub data: Option<Utf8PathBuf>,
    /// The user that it runs as, who may make roles in it; where that can be told.
    pub owner: Option<String>,
    /// Whether it answers.
    pub runs: bool,
    /// What the account may do there, if it was asked.
    pub rights: Option<Rights>,
}

impl Server {
    fn at(host: &str, port: u16) -> Self {
        Self {
            host: host.to_owned(),
            port,
            major: None,
            cluster: None,
            data: None,
            owner: None,
            runs: true,
            rights: None,
        }
    }

    /// Whether builds could use it as it is.
    pub fn is_usable(&self) -> bool {
        let access = self.rights.as_ref().map(|rights| &rights.access);
        matches!(access, Some(Access::Open { create_databases: true, .. }))
    }
}

/// The servers of a machine, each once, in the order of their places.
pub(super) fn find(search: &Search, account: Option<&Account>) -> Vec<Server> {
    let mut found = Found { search, servers: BTreeMap::new() };
    let mut seen = Vec::new();
    for directory in directories(&search.sockets, &mut seen) {
        for entry in directory.read_dir_utf8().into_iter().flatten().flatten() {
            found.socket(&directory, entry.file_name());
        }
    }
    let listening = search.processes.iter().flat_map(|processes| listening(processes));
    for socket in listening.collect::<Vec<_>>() {
        let (Some(directory), Some(name)) = (socket.parent(), socket.file_name()) else { continue };
        // The usual directories were looked at, under whatever name.
        let known = directory.canonicalize_utf8().is_ok_and(|real| seen.contains(&real));
        if !known {
            found.socket(directory, name);
        }
    }
    let mut data = directories(&search.data, &mut Vec::new());
    let prefixes: Vec<_> = search.prefixes.iter().map(|prefix| prefix.join("data")).collect();
    data.extend(directories(&prefixes, &mut Vec::new()));
    data.extend(search.processes.iter().flat_map(|processes| of_processes(processes)));
    for data in data {
        found.data(&data);
    }
    found.clusters();
    let reachable = |server: &Server| {
        let closed = account.is_some_and(|account| !account.can_reach(&server.host));
        server.cluster.is_some() || !server.host.starts_with('/') || !closed
    };
    found.servers.into_values().filter(reachable).collect()
}

/// Asks each server that runs what the account may do there. `farmout` is the program that asks.
pub(super) fn ask(servers: &mut [Server], farmout: &Utf8Path, probe: &Probe) {
    let running: Vec<usize> = (0..servers.len()).filter(|at| servers[*at].runs).collect();
    let answers = parallel(&running, |at| {
        let server = &servers[*at];
        let port = server.port.to_string();
        let arguments = ["tool", "pg", "rights", "--host", &server.host, "--port", &port, "--limit", "2"];
        let output = probe.run(farmout, &arguments)?;
        serde_json::from_str(&output.stdout).map_err(|error| format!("answers strangely: {error}"))
    });
    for (at, answer) in running.into_iter().zip(answers) {
        let server = &mut servers[at];
        let refused = |reason| Rights { user: String::new(), version: None, access: Access::Refused { reason } };
        let rights: Rights = answer.unwrap_or_else(|problem: String| refused(format!("asking it {problem}")));
        let said = rights.version.as_deref().and_then(versions).map(|(_, major)| major);
        server.major = said.or_else(|| server.major.take());
        server.rights = Some(rights);
    }
}

struct Found<'a> {
    search: &'a Search,
    servers: BTreeMap<(String, u16), Server>,
}

impl Found<'_> {
    /// Notes the server of a socket, if that is one and somebody listens: a crash leaves sockets behind. The private cluster of
    /// a run at work is none of the machine's.
    fn socket(&mut self, directory: &Utf8Path, name: &str) {
        if directory.file_name().is_some_and(|name| name.starts_with(SOCKETS_PREFIX)) {
            return;
        }
        let Some(port) = name.strip_prefix(SOCKET).and_then(|port| port.parse::<u16>().ok()) else { return };
        let path = directory.join(name);
        if UnixStream::connect(&path).is_err() {
            return;
        }
        let mut server = Server::at(directory.as_str(), port);
        server.owner = owner(&path);
        // The second line of the lock names the data directory. Often only the server's own user may read it.
        let lock = fs::read_to_string(directory.join(format!("{name}.lock"))).unwrap_or_default();
        server.data = lock.lines().nth(1).filter(|line| line.starts_with('/')).map(Utf8PathBuf::from);
        server.major = server.data.as_deref().and_then(version);
        self.servers.insert((directory.to_string(), port), server);
    }

    /// Notes the server of a data directory, if it runs: `postmaster.pid` tells where it listens, for who may read it.
    fn data(&mut self, data: &Utf8Path) {
        let text = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let [_, _, _, port, socket, address, ..] = lines.as_slice() else { return };
        let Ok(port) = port.parse::<u16>() else { return };
        let host = if socket.starts_with('/') {
            let directory = self.search.placed(socket);
            if self.known(&directory, port).is_none() {
                self.socket(&directory, &format!("{SOCKET}{port}"));
            }
            directory
        } else if !address.is_empty() && answers(port) {
            let server = self.servers.entry(("localhost".to_owned(), port));
            server.or_insert_with(|| Server::at("localhost", port)).owner = owner(data);
            "localhost".into()
        } else {
            return;
        };
        if let Some(server) = self.known(&host, port) {
            server.data = Some(data.to_owned());
            server.major = version(data).or_else(|| server.major.take());
        }
    }

    /// Gives servers the names that Debian has for them, and notes clusters whose server does not run.
    fn clusters(&mut self) {
        for cluster in clusters::find(self.search) {
            let host = cluster.socket.clone().unwrap_or_else(|| "localhost".into());
            if cluster.socket.is_none() && self.known(&host, cluster.port).is_none() && answers(cluster.port) {
                let server = Server::at("localhost", cluster.port);
                self.servers.insert(("localhost".to_owned(), cluster.port), server);
            }
            let taken = self.known(&host, cluster.port).is_some_and(|server| {
                // Two clusters may be set to one port: the one that runs is the one whose data the server has.
                let other = matches!((&server.data, &cluster.data), (Some(one), Some(other)) if !same(one, other));
                let other = other || server.major.as_ref().is_some_and(|major| *major != cluster.version);
                if !other && server.cluster.is_none() {
                    server.cluster = Some(format!("{}/{}", cluster.version, cluster.name));
                    server.major = Some(cluster.version.clone());
                    server.data = server.data.take().or_else(|| cluster.data.clone());
                    return true;
                }
                false
            });
            if !taken {
                let name = format!("{}/{}", cluster.version, cluster.name);
                let server = Server {
                    major: Some(cluster.version),
                    owner: cluster.data.as_deref().and_then(owner),
                    data: cluster.data,
                    runs: false,
                    cluster: Some(name.clone()),
                    ..Server::at(host.as_str(), cluster.port)
                };
                // Behind those that run, and apart from others that are set to its port.
                self.servers.insert((format!("~{host} {name}"), cluster.port), server);
            }
        }
    }

    fn known(&mut self, host: &Utf8Path, port: u16) -> Option<&mut Server> {
        self.servers
            .values_mut()
            .filter(|server| server.runs && server.port == port)
            .find(|server| same(Utf8Path::new(&server.host), host))
    }
}

/// The sockets of servers that the system knows to be open, wherever they are. It shows the path last, behind a blank.
fn listening(processes: &Utf8Path) -> Vec<Utf8PathBuf> {
    let text = fs::read(processes.join("net/unix")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let paths = text.lines().filter_map(|line| line.find(" /").map(|at| Utf8PathBuf::from(&line[at + 1..])));
    let mut sockets: Vec<_> =
        paths.filter(|path| path.file_name().is_some_and(|name| name.starts_with(SOCKET))).collect();
    sockets.sort();
    sockets.dedup();
    sockets
}

/// The data directories that running servers were given: `postgres -D DIR`.
fn of_processes(processes: &Utf8Path) -> Vec<Utf8PathBuf> {
    let mut found = Vec::new();
    for entry in processes.read_dir_utf8().into_iter().flatten().flatten() {
        if !entry.file_name().bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let Ok(line) = fs::read(entry.path().join("cmdline")) else { continue };
        let line = String::from_utf8_lossy(&line).into_owned();
        let words: Vec<&str> = line.split('\0').collect();
        let program = Utf8Path::new(words[0]).file_name();
        if matches!(program, Some("postgres" | "postmaster"))
            && let Some(data) = words.iter().skip_while(|word| **word != "-D").nth(1)
            && data.starts_with('/')
        {
            found.push(Utf8PathBuf::from(*data));
        }
    }
    found.sort();
    found
}

/// Whether somebody listens to a port of this machine.
fn answers(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port), PATIENCE).is_ok()
}

fn same(one: &Utf8Path, other: &Utf8Path) -> bool {
    one == other || matches!((one.canonicalize_utf8(), other.canonicalize_utf8()), (Ok(one), Ok(other)) if one == other)
}

/// The name of the user whom a file belongs to.
fn owner(path: &Utf8Path) -> Option<String> {
    let user = fs::metadata(path).ok()?.uid();
    Some(nix::unistd::User::from_uid(user.into()).ok()??.name)
}

/// The version of a data directory. Often only the server's own user may read it.
fn version(data: &Utf8Path) -> Option<String> {
    let version = fs::read_to_string(data.join("PG_VERSION")).ok()?;
    let version = version.trim();
    let plain = !version.is_empty() && version.len() < 20 && version.chars().all(|c| c.is_ascii_digit() || c == '.');
    plain.then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_shows() {
        let temporary = tempfile::tempdir().unwrap();
        let processes = Utf8Path::from_path(temporary.path()).unwrap();
        for (name, text) in [
            (
                "net/unix",
                "Num       RefCount Protocol Flags    Type St Inode Path\n\
                 0000: 00000002 00000000 00010000 0001 01 17 /a b/.s.PGSQL.5432\n\
                 0000: 00000003 00000000 00000000 0001 03 18 /a b/.s.PGSQL.5432\n\
                 0000: 00000003 00000000 00000000 0001 03 19 @/abstract\n\
                 0000: 00000003 00000000 00000000 0001 03 20 /run/dbus/socket\n",
            ),
            ("17/cmdline", "/usr/lib/postgresql/15/bin/postgres\0-D\0/data\0-c\0x=y\0"),
            ("18/cmdline", "postgres: checkpointer \0"),
            ("19/cmdline", "vi\0-D\0/no\0"),
            ("20/cmdline", ""),
            ("self/cmdline", "postgres\0-D\0/no\0"),
        ] {
            let path = processes.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        assert_eq!(listening(processes), ["/a b/.s.PGSQL.5432"]);
        assert_eq!(of_processes(processes), ["/data"]);
    }
}
