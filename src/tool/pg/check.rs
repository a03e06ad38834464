//! Whether the server of the environment is the one that the slave's capability promises: its version is PGCLUSTER's, and the
//! user may make databases in it. Before anything is made, so that what is wrong is said of the server and not of a database.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::obstacle::{is_older, same_major};
use super::{Connection, Error, Obstacle, Server};
use crate::tool::{process, say};

/// More servers than this are not asked for their versions.
const MOST: usize = 16;

/// Says what the server is, where it is the right one.
///
/// # Errors
/// See [`Error`].
pub fn check() -> Result<(), Error> {
    let server = Server::from_environment()?;
    let mut connection = examine(&server)?;
    may_create(&mut connection)?;
    say(format_args!(
        "PostgreSQL {} answers at {}, and {} may create databases",
        connection.release,
        server.shown(),
        connection.user
    ));
    Ok(())
}

/// Connects to the server, which is then of the right version. Programs that are too old for it are told of.
pub(super) fn examine(server: &Server) -> Result<Connection, Error> {
    let connection = server.connect()?;
    if let Some(wanted) = wanted()
        && !same_major(&wanted, &connection.release)
    {
        let (version, found) = (connection.release, found(server));
        return Err(Obstacle::WrongVersion { server: server.shown(), version, wanted, found }.into());
    }
    if let Some(obstacle) = programs(&connection.release) {
        say(format_args!("warning: {obstacle}\n  help: {}", obstacle.help()));
    }
    Ok(connection)
}

/// Whether the user may create databases.
pub(super) fn may_create(connection: &mut Connection) -> Result<(), Error> {
    let sql = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user";
    let may: bool = connection.client.query_one(sql, &[])?.try_get(0)?;
    if may { Ok(()) } else { Err(Obstacle::NoCreateDb { user: connection.user.clone() }.into()) }
}

/// The version that the capability says: Debian's name for a cluster, which plans set, begins with it.
fn wanted() -> Option<String> {
    let cluster = env::var("PGCLUSTER").ok()?;
    let version = cluster.split_once('/').map(|(version, _)| version)?;
    version.starts_with(|c: char| c.is_ascii_digit()).then(|| version.to_owned())
}

/// The other servers in the same directory for sockets, and what they are, where they let us in.
fn found(server: &Server) -> Vec<(u16, Option<String>)> {
    let ports = server.neighbours().into_iter().take(MOST);
    ports.map(|port| (port, server.beside(port).connect().ok().map(|connection| connection.release))).collect()
}

/// What is wrong with the programs that steps will find. None need be there.
fn programs(version: &str) -> Option<Obstacle> {
    let path = env::var_os("PATH")?;
    let psql = env::split_paths(&path).filter(|directory| directory.is_absolute()).find_map(|directory| {
        let program = directory.join("psql");
        program.is_file().then_some(program)
    })?;
    let client = release_of(&psql)?;
    let directory = psql.parent().map(Path::display)?.to_string();
    is_older(&client, version).then(|| Obstacle::OldPrograms { directory, client, version: version.to_owned() })
}

/// What a psql says that it is: `psql (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn release_of(psql: &PathBuf) -> Option<String> {
    let output = process::capture(Command::new(psql).arg("--version").env("LC_ALL", "C")).ok()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
}
