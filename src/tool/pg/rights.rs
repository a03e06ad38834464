//! A server's address in; what the caller may do there without a password out. Reads only, gives no password, and waits no
//! longer than it is told: the question is put to servers that belong to somebody else.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use postgres::fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::{ErrorResponseBody, Message};
use postgres_protocol::message::frontend;
use serde::{Deserialize, Serialize};

use super::Error;
use super::connection::{MAINTENANCE, Server};

/// No answer to what is asked here is as long as this, in bytes.
const LONGEST: usize = 256 * 1024;

/// The code of an error about a database that is not there.
const NO_DATABASE: &str = "3D000";

/// The place in the server's code where a role is looked up that does not exist, or may not log in. Unlike the message, it is
/// the same in all languages.
const ROLE_LOOKUP: &str = "InitializeSessionUserId";

/// Who asked a server, and what it said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    /// The database user, who is the operating system's.
    pub user: String,
    /// The server's version as it says it; only those it lets in are told.
    pub version: Option<String>,
    /// What the user may do.
    #[serde(flatten)]
    pub access: Access,
}

/// What a user may do on a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "access", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Access {
    /// Is let in without a password.
    Open {
        /// Whether it may create databases.
        create_databases: bool,
        /// Whether it is a superuser.
        superuser: bool,
        /// How it was let in, where the server tells: `peer`, `trust`. Those before 16 do not.
        authentication: Option<String>,
    },
    /// Is asked for something that it does not have.
    Asked {
        /// For what: `scram-sha-256`, `md5`, `password`, `gss`, `sspi`.
        authentication: String,
    },
    /// There is no such role.
    NoRole,
    /// Is not let in for another reason, or nobody answers.
    Refused {
        /// In the words of the server or of the system.
        reason: String,
    },
}

impl Rights {
    /// Asks a server, for `limit` at most.
    ///
    /// # Errors
    /// This process's user has no name.
    pub fn ask(host: &str, port: u16, limit: Duration) -> Result<Self, Error> {
        let user = Server::own_user()?;
        let mut rights = Self { user, version: None, access: Access::Refused { reason: String::new() } };
        let end = Instant::now() + limit;
        for database in MAINTENANCE {
            match rights.enter(host, port, database, end) {
                Ok(access) => {
                    rights.access = access;
                    break;
                }
                Err(Stopped::NoDatabase(reason) | Stopped::Other(reason)) if database == MAINTENANCE[1] => {
                    rights.access = Access::Refused { reason };
                }
                Err(Stopped::NoDatabase(_)) => {}
                Err(Stopped::Other(reason)) => {
                    rights.access = Access::Refused { reason };
                    break;
                }
            }
        }
        Ok(rights)
    }

    fn enter(&mut self, host: &str, port: u16, database: &str, end: Instant) -> Result<Access, Stopped> {
        let mut session = Session::open(host, port, end)?;
        // What a superuser could change by mistake is one setting away; these are older than any server that still runs.
        let parameters = [
            ("user", self.user.as_str()),
            ("database", database),
            ("client_encoding", "UTF8"),
            ("default_transaction_read_only", "on"),
        ];
        session.send(|buffer| frontend::startup_message(parameters, buffer))?;
        loop {
            let asked = |name: &str| Ok(Access::Asked { authentication: name.to_owned() });
            match session.receive()? {
                Message::AuthenticationCleartextPassword => return asked("password"),
                Message::AuthenticationMd5Password(_) => return asked("md5"),
                Message::AuthenticationSasl(_) => return asked("scram-sha-256"),
                Message::AuthenticationGss | Message::AuthenticationKerberosV5 => return asked("gss"),
                Message::AuthenticationSspi => return asked("sspi"),
                Message::ParameterStatus(status) if status.name().is_ok_and(|name| name == "server_version") => {
                    self.version = status.value().ok().map(str::to_owned);
                }
                Message::ErrorResponse(body) => {
                    let said = Said::of(&body);
                    return match said {
                        Said { code, routine, message } if code == "28000" && routine == ROLE_LOOKUP => {
                            // English says which of the two it is; in another language the message itself is shown.
                            if message.contains("does not exist") {
                                Ok(Access::NoRole)
                            } else {
                                Err(Stopped::Other(message))
                            }
                        }
                        Said { code, message, .. } if code == NO_DATABASE => Err(Stopped::NoDatabase(message)),
                        Said { message, .. } => Err(Stopped::Other(message)),
                    };
                }
                Message::ReadyForQuery(_) => break,
                _ => {}
            }
        }
        let role = "SELECT rolcreatedb, rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user";
        let row = session.query(role)?;
        let is = |column: usize| row.get(column).is_some_and(|value| value.as_deref() == Some("t"));
        let (createdb, superuser) = (is(0), is(1));
        let authentication = if self.major().is_some_and(|major| major >= 16) {
            let how = session.query("SELECT coalesce(split_part(system_user, ':', 1), 'trust')")?;
            how.into_iter().next().flatten()
        } else {
            None
        };
        // Politeness only: it makes the server's log free of a lost connection.
        let _ = session.send(|buffer| {
            frontend::terminate(buffer);
            Ok(())
        });
        Ok(Access::Open { create_databases: createdb || superuser, superuser, authentication })
    }

    fn major(&self) -> Option<u32> {
        let version = self.version.as_ref()?;
        version[..version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len())].parse().ok()
    }
}

/// Why nothing came of a session.
enum Stopped {
    /// The database is not there; another may be.
    NoDatabase(String),
    Other(String),
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Other(match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it does not answer".to_owned(),
            io::ErrorKind::UnexpectedEof => "it hung up".to_owned(),
            _ => crate::diagnostic::plain(&error.to_string()),
        })
    }
}

/// What an error of the server says.
struct Said {
    code: String,
    routine: String,
    message: String,
}

impl Said {
    fn of(body: &ErrorResponseBody) -> Self {
        let mut said = Self { code: String::new(), routine: String::new(), message: String::new() };
        let mut fields = body.fields();
        while let Ok(Some(field)) = fields.next() {
            let text = || String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'C' => said.code = text(),
                b'R' => said.routine = text(),
                b'M' => said.message = text(),
                _ => {}
            }
        }
        said
    }
}

enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

/// Bytes to and from a server, until a moment that was set before.
struct Session {
    stream: Stream,
    received: BytesMut,
    end: Instant,
}

impl Session {
    fn open(host: &str, port: u16, end: Instant) -> io::Result<Self> {
        let stream = if host.starts_with('/') {
            Stream::Unix(UnixStream::connect(format!("{}/.s.PGSQL.{port}", host.trim_end_matches('/')))?)
        } else {
            Stream::Tcp(TcpStream::connect((host, port))?)
        };
        Ok(Self { stream, received: BytesMut::new(), end })
    }

    fn send(&mut self, write: impl FnOnce(&mut BytesMut) -> io::Result<()>) -> io::Result<()> {
        let mut buffer = BytesMut::new();
        write(&mut buffer)?;
        let left = Some(self.left()?);
        match &mut self.stream {
            Stream::Unix(stream) => stream.set_write_timeout(left).and_then(|()| stream.write_all(&buffer)),
            Stream::Tcp(stream) => stream.set_write_timeout(left).and_then(|()| stream.write_all(&buffer)),
        }
    }

    fn receive(&mut self) -> io::Result<Message> {
        let mut bytes = [0; 4096];
        loop {
            if let Some(message) = Message::parse(&mut self.received)? {
                return Ok(message);
            }
            let left = Some(self.left()?);
            let read = match &mut self.stream {
                Stream::Unix(stream) => stream.set_read_timeout(left).and_then(|()| stream.read(&mut bytes)),
                Stream::Tcp(stream) => stream.set_read_timeout(left).and_then(|()| stream.read(&mut bytes)),
            };
            match read {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.received.extend_from_slice(&bytes[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if self.received.len() > LONGEST {
                return Err(io::Error::other("it does not answer as PostgreSQL does"));
            }
        }
    }

    /// The first row of an answer; a null is none.
    fn query(&mut self, sql: &str) -> Result<Vec<Option<String>>, Stopped> {
        self.send(|buffer| frontend::query(sql, buffer))?;
        let mut row = Vec::new();
        loop {
            match self.receive()? {
                Message::DataRow(body) => {
                    let text =
                        |range: std::ops::Range<usize>| String::from_utf8_lossy(&body.buffer()[range]).into_owned();
                    row = body.ranges().map(|range| Ok(range.map(text))).collect()?;
                }
                Message::ErrorResponse(body) => return Err(Stopped::Other(Said::of(&body).message)),
                Message::ReadyForQuery(_) => return Ok(row),
                _ => {}
            }
        }
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
    }
}
