//! What can go wrong with databases and clusters: the wording of all of it.

use std::io;

use super::connection::quoted;
use super::obstacle::Obstacle;
use crate::diagnostic::Failure;

/// A database or a cluster that could not be made or removed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Encryption is asked for.
    #[error("PGSSLMODE={0} asks for an encrypted connection, which this command cannot make")]
    Encryption(String),
    /// A file operation.
    #[error("cannot {what} {path}: {error}")]
    File {
        /// The operation, as in "cannot …".
        what: &'static str,
        /// The path.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// A directory that is not ours to wipe.
    #[error("{0} holds files that `farmout tool pg start-cluster` did not put there")]
    Foreign(String),
    /// Sessions that do not end.
    #[error("database `{database}` cannot be dropped: sessions on it do not end")]
    InUse {
        /// The database.
        database: String,
        /// Whose they are.
        sessions: Vec<String>,
    },
    /// A name that the server would cut or refuse.
    #[error("`{0}` cannot be a database's name: it must have 1 to 63 bytes")]
    Name(String),
    /// A program of PostgreSQL is not where it should be.
    #[error("there is no {program} in {place}")]
    NoProgram {
        /// The program.
        program: String,
        /// The directory, or PATH.
        place: String,
    },
    /// No such template.
    #[error("there is no template database `{template}`")]
    NoTemplate {
        /// The database.
        template: String,
        /// Those that there are.
        databases: Vec<String>,
    },
    /// The operating system does not know who we are.
    #[error("PGUSER is not set, and this process's user has no name")]
    NoUser,
    /// A database that may not be copied.
    #[error("the database user {user} may not copy `{template}`: {}", said(error))]
    NotCopyable {
        /// The database.
        template: String,
        /// The database user.
        user: String,
        /// What the server says.
        error: postgres::Error,
    },
    /// A database of somebody else's.
    #[error("the database user {user} may not drop `{database}`: {}", said(error))]
    NotOwner {
        /// The database.
        database: String,
        /// The database user.
        user: String,
        /// What the server says.
        error: postgres::Error,
    },
    /// A variable that should hold a number.
    #[error("{0}={1} is not a number in range")]
    Number(&'static str, String),
    /// The server is not there, does not let us in, or is another one than the slave says.
    #[error(transparent)]
    Obstacle(#[from] Obstacle),
    /// A database as its own template.
    #[error("`{0}` cannot be made from itself")]
    OwnTemplate(String),
    /// A database that every server needs.
    #[error("`{0}` belongs to the server itself and is never dropped")]
    Precious(String),
    /// A program of PostgreSQL failed.
    #[error("{program} failed ({status})")]
    Program {
        /// The program.
        program: &'static str,
        /// How it ended.
        status: String,
        /// The last lines of its output or of the server's log.
        log: String,
    },
    /// PostgreSQL does not run as root.
    #[error("PostgreSQL does not run as root, and neither does this command")]
    Root,
    /// The path of the socket is longer than an operating system can address.
    #[error("the socket {path} would have {} bytes, and 107 are the most that a Unix socket's path can have", path.len())]
    SocketPath {
        /// The path.
        path: String,
    },
    /// SQL that failed.
    #[error("PostgreSQL said no: {}", said(.0))]
    Sql(#[from] postgres::Error),
    /// The server lives on.
    #[error("the server of {data} (process {pid}) does not end")]
    Stuck {
        /// The data directory.
        data: String,
        /// The server's process.
        pid: i32,
    },
    /// Somebody uses the template.
    #[error("the template database `{template}` is in use and cannot be copied")]
    TemplateInUse {
        /// The database.
        template: String,
        /// Who.
        sessions: Vec<String>,
    },
    /// The server does not answer.
    #[error("the new server does not answer at {server}")]
    Unanswered {
        /// The socket.
        server: String,
        /// What the last try said, and the last lines of the log.
        log: String,
    },
    /// Something about a version that cannot be read.
    #[error("`{program} --version` printed no version: {said}")]
    Version {
        /// The program's path.
        program: String,
        /// What it printed.
        said: String,
    },
}

/// All that the client library says: its own words are only "db error" or "error connecting to server".
pub(super) fn said(error: &postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => match error.detail() {
            Some(detail) => format!("{} ({detail})", error.message()),
            None => error.message().to_owned(),
        },
        None => match std::error::Error::source(error) {
            Some(source) => source.to_string(),
            None => error.to_string(),
        },
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let misuse = matches!(
            error,
            Error::Encryption(_)
                | Error::Foreign(_)
                | Error::Name(_)
                | Error::NoProgram { .. }
                | Error::Number(..)
                | Error::OwnTemplate(_)
                | Error::Precious(_)
                | Error::Root
                | Error::SocketPath { .. }
        );
        let failure = if misuse { Self::misuse(message) } else { Self::error(message) };
        match help(&error) {
            Some(help) => failure.help(help),
            None => failure,
        }
    }
}

fn help(error: &Error) -> Option<String> {
    let fixed = |text: &str| Some(text.to_owned());
    match error {
        Error::Encryption(_) => fixed("use a Unix socket or a private network, and unset PGSSLMODE"),
        Error::Foreign(_) => fixed("give a directory that does not exist yet"),
        Error::File { .. } => fixed("does the directory belong to the user of this slave?"),
        Error::InUse { sessions, .. } | Error::TemplateInUse { sessions, .. } if !sessions.is_empty() => {
            Some(format!("end them, or connect them elsewhere:\n{}", sessions.join("\n")))
        }
        Error::InUse { .. } | Error::TemplateInUse { .. } => {
            fixed("nobody is connected to it any more: try again, and look at pg_prepared_xacts")
        }
        Error::Name(_) => fixed("PostgreSQL cuts longer names without a word: shorten the slave's `db_prefix`"),
        Error::NoProgram { .. } => {
            fixed("give the directory of PostgreSQL's server programs, on Debian /usr/lib/postgresql/MAJOR/bin")
        }
        Error::NoTemplate { databases, .. } => {
            Some(format!("set the build's `db_template` to one that there is: {}", databases.join(", ")))
        }
        Error::NotCopyable { template, .. } => {
            Some(format!("as a superuser, from PostgreSQL 9.5: ALTER DATABASE {} IS_TEMPLATE true;", quoted(template)))
        }
        Error::NotOwner { database, user, .. } => {
            Some(format!("as a superuser: ALTER DATABASE {} OWNER TO {};", quoted(database), quoted(user)))
        }
        Error::NoUser => fixed("set PGUSER"),
        Error::Program { log, .. } | Error::Unanswered { log, .. } if !log.is_empty() => {
            Some(format!("it said:\n{log}"))
        }
        Error::Root => {
            fixed("run it as the slave's own user, as in `setpriv --reuid=USER --regid=USER --clear-groups …`")
        }
        Error::SocketPath { .. } => fixed("give a shorter --socket-dir, as in /tmp/farmout-USER"),
        Error::Obstacle(obstacle) => Some(obstacle.help()),
        Error::Number(..)
        | Error::OwnTemplate(_)
        | Error::Precious(_)
        | Error::Program { .. }
        | Error::Sql(_)
        | Error::Stuck { .. }
        | Error::Unanswered { .. }
        | Error::Version { .. } => None,
    }
}
