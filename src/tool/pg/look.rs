//! What a server is, for who asks before a build does. The environment's PG variables in, facts out; with a name, a database is
//! made and dropped again, as a build does.

use serde::{Deserialize, Serialize};

use super::{Connection, Error, Obstacle, Server, create_database, drop_database};
use crate::diagnostic::Failure;

/// What a server says of itself and of the user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// Where it is, for people.
    pub server: String,
    /// Who is connected.
    pub user: String,
    /// Its version: `15.20`, `9.6.24`.
    pub version: String,
    /// Its time, in seconds since 1970.
    pub now: f64,
    /// Its databases.
    pub databases: Vec<Database>,
    /// Why a database could not be made or dropped, if that was tried.
    pub refused: Option<Trouble>,
}

/// A database of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Its encoding: `UTF8`.
    pub encoding: String,
    /// Whether the user may copy it.
    pub copyable: bool,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Of which kind.
    pub kind: TroubleKind,
    /// In a clause.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// Kinds of trouble that are mended in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TroubleKind {
    /// Nobody answers.
    Unreachable,
    /// The server does not let the user in.
    Refused,
    /// The server has no such user.
    NoRole,
    /// The user may not create databases.
    NoCreateDb,
    /// Anything else.
    Other,
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Obstacle(obstacle) => obstacle.into(),
            _ => TroubleKind::Other,
        };
        let failure = Failure::from(error);
        Self { kind, message: failure.message, help: failure.help }
    }
}

impl From<&Obstacle> for TroubleKind {
    fn from(obstacle: &Obstacle) -> Self {
        match obstacle {
            Obstacle::NoCreateDb { .. } => Self::NoCreateDb,
            Obstacle::NoRole { .. } => Self::NoRole,
            Obstacle::NoLogin { .. }
            | Obstacle::NoPassword { .. }
            | Obstacle::NotAdmitted { .. }
            | Obstacle::NotPeer { .. }
            | Obstacle::WrongPassword { .. } => Self::Refused,
            Obstacle::Closed { .. }
            | Obstacle::NoHost { .. }
            | Obstacle::NoSocket { .. }
            | Obstacle::NoSocketDirectory { .. }
            | Obstacle::NotReady { .. }
            | Obstacle::Refused { .. }
            | Obstacle::Silent { .. } => Self::Unreachable,
            Obstacle::OldPrograms { .. } | Obstacle::Other { .. } | Obstacle::WrongVersion { .. } => Self::Other,
        }
    }
}

/// Looks at the server of the environment; makes and drops a database, if one is named.
///
/// # Errors
/// It cannot be reached, or does not answer what it is asked.
pub fn look(database: Option<&str>) -> Result<Look, Trouble> {
    let server = Server::from_environment()?;
    let mut connection = server.connect()?;
    let mut look = ask(&server, &mut connection).map_err(Error::Sql)?;
    drop(connection);
    if let Some(database) = database {
        let tried = create_database(database, "template1").and_then(|()| drop_database(database));
        look.refused = tried.err().map(Trouble::from);
    }
    Ok(look)
}

fn ask(server: &Server, connection: &mut Connection) -> Result<Look, postgres::Error> {
    let client = &mut connection.client;
    let version: String = client.query_one("SHOW server_version", &[])?.try_get(0)?;
    let now: f64 = client.query_one("SELECT extract(epoch FROM now())::float8", &[])?.try_get(0)?;
    let sql = "SELECT datname::text, pg_encoding_to_char(encoding)::text, \
               datistemplate OR pg_has_role(datdba, 'USAGE') FROM pg_database ORDER BY datname";
    let database = |row: &postgres::Row| {
        Ok(Database { name: row.try_get(0)?, encoding: row.try_get(1)?, copyable: row.try_get(2)? })
    };
    let databases = client.query(sql, &[])?.iter().map(database).collect::<Result<_, postgres::Error>>()?;
    let version = version.split_whitespace().next().unwrap_or_default().to_owned();
    Ok(Look { server: server.shown(), user: connection.user.clone(), version, now, databases, refused: None })
}
