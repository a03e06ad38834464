//! The environment's PG variables in, a connection to the maintenance database out.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postgres::config::SslMode;
use postgres::error::SqlState;
use postgres::{Client, Config, NoTls};

use super::Error;

/// Databases that every server has, in the order in which they are tried for maintenance.
pub(super) const MAINTENANCE: [&str; 2] = ["postgres", "template1"];
/// Where servers put their sockets when nobody says: Debian and Red Hat, and as PostgreSQL itself does.
const SOCKET_DIRECTORIES: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// A server and who connects to it, as libpq reads them from the environment.
#[derive(Clone)]
pub struct Server {
    /// A host's name or address, or a socket's directory (absolute).
    pub host: String,
    /// The port, which is part of a socket's name too.
    pub port: u16,
    /// The database user.
    pub user: String,
    password: Option<String>,
    timeout: Duration,
}

impl Server {
    /// Reads PGHOST, PGPORT, PGUSER, PGPASSWORD and PGCONNECT_TIMEOUT (seconds); an empty one counts as unset.
    ///
    /// Without PGHOST it is the first usual directory that has the port's socket, else `localhost`.
    ///
    /// # Errors
    /// A port that is none, no user, or PGSSLMODE asks for encryption.
    pub fn from_environment() -> Result<Self, Error> {
        let get = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let number = |name: &'static str| {
            let parsed = get(name).map(|value| value.trim().parse::<u16>().map_err(|_| Error::Number(name, value)));
            parsed.transpose()
        };
        if let Some(mode) = get("PGSSLMODE")
            && (mode == "require" || mode.starts_with("verify"))
        {
            return Err(Error::Encryption(mode));
        }
        let port = number("PGPORT")?.unwrap_or(5432);
        let socket = |directory: &&&str| Path::new(directory).join(format!(".s.PGSQL.{port}")).exists();
        let usual = || SOCKET_DIRECTORIES.iter().find(socket).map_or("localhost", |directory| directory).to_owned();
        let user = match get("PGUSER") {
            Some(user) => user,
            None => Self::own_user()?,
        };
        let timeout = number("PGCONNECT_TIMEOUT")?.filter(|&seconds| seconds > 0).unwrap_or(15);
        Ok(Self {
            host: get("PGHOST").unwrap_or_else(usual),
            port,
            user,
            password: get("PGPASSWORD"),
            timeout: Duration::from_secs(timeout.into()),
        })
    }

    /// The user that a server takes this process for: the operating system's.
    pub(super) fn own_user() -> Result<String, Error> {
        match nix::unistd::User::from_uid(nix::unistd::geteuid()) {
            Ok(Some(user)) => Ok(user.name),
            _ => Err(Error::NoUser),
        }
    }

    /// The server with this socket, for a user who needs no password.
    pub fn at(socket_directory: &Path, port: u16, user: &str) -> Self {
        let host = socket_directory.display().to_string();
        Self { host, port, user: user.to_owned(), password: None, timeout: Duration::from_secs(5) }
    }

    /// Connects to the maintenance database: `postgres`, or `template1` where there is none.
    ///
    /// # Errors
    /// Nobody answers, or lets us in.
    pub fn connect(&self) -> Result<Connection, Error> {
        let mut config = Config::new();
        config.user(&self.user).port(self.port).connect_timeout(self.timeout).ssl_mode(SslMode::Disable);
        config.application_name("farmout");
        if self.host.starts_with('/') {
            config.host_path(PathBuf::from(&self.host));
        } else {
            config.host(&self.host);
        }
        if let Some(password) = &self.password {
            config.password(password);
        }
        let missing = |error: &postgres::Error| error.code() == Some(&SqlState::INVALID_CATALOG_NAME);
        let mut client = config.dbname(MAINTENANCE[0]).connect(NoTls);
        if client.as_ref().is_err_and(missing) {
            client = config.dbname(MAINTENANCE[1]).connect(NoTls);
        }
        let mut client =
            client.map_err(|error| Error::Connect { server: self.shown(), user: self.user.clone(), error })?;
        let version: String = client.query_one("SHOW server_version_num", &[])?.try_get(0)?;
        Ok(Connection { client, version: version.parse().unwrap_or(0), user: self.user.clone() })
    }

    /// The server for people: its socket, or host and port.
    pub fn shown(&self) -> String {
        if self.host.starts_with('/') {
            format!("socket {}/.s.PGSQL.{}", self.host.trim_end_matches('/'), self.port)
        } else {
            format!("{} port {}", self.host, self.port)
        }
    }
}

/// A connection to a server's maintenance database.
pub struct Connection {
    /// What SQL goes to.
    pub client: Client,
    /// The server's version as a number: 90224 for 9.2.24, 150008 for 15.8.
    pub version: u32,
    /// Who is connected.
    pub user: String,
}

/// Quotes a name for SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
