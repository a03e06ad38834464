//! Why a server does not serve a slave: what a server or the system said comes in, an [`Obstacle`] goes out, with its words and
//! the option of the capability to change. Pure: it connects to nothing and reads nothing.

use super::connection::quoted;

/// A server that a slave cannot use, or not as its capability says. Alphabetical.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// The system keeps us from the socket.
    #[error("the socket of {server} is closed to this process's user")]
    Closed {
        /// The server.
        server: String,
    },
    /// The role may not create databases.
    #[error("the database user {user} may not create databases")]
    NoCreateDb {
        /// The database user.
        user: String,
    },
    /// A name that stands for no machine.
    #[error("there is no host `{host}`")]
    NoHost {
        /// Its name.
        host: String,
    },
    /// A role that may not log in.
    #[error("the database user {user} may not log in")]
    NoLogin {
        /// The database user.
        user: String,
    },
    /// A password is wanted, and there is none.
    #[error("the server at {server} wants a password of {user}, and there is none")]
    NoPassword {
        /// The server.
        server: String,
        /// The database user.
        user: String,
    },
    /// No such role.
    #[error("the server at {server} has no user {user}")]
    NoRole {
        /// The server.
        server: String,
        /// The database user.
        user: String,
    },
    /// No socket of this port in a directory that is there.
    #[error("no server has a socket for port {port} in {directory}")]
    NoSocket {
        /// Where it was looked for.
        directory: String,
        /// The port.
        port: u16,
        /// The ports of the sockets that are there.
        found: Vec<u16>,
    },
    /// No directory for sockets.
    #[error("there is no directory {directory}, in which the server's socket should be")]
    NoSocketDirectory {
        /// What the capability says.
        directory: String,
    },
    /// `pg_hba.conf` has no line for us.
    #[error("pg_hba.conf of the server at {server} does not let {user} in: {said}")]
    NotAdmitted {
        /// The server.
        server: String,
        /// The database user.
        user: String,
        /// The server's words, which say from where.
        said: String,
        /// Whether the name of the system's user could be enough.
        peer: bool,
    },
    /// The name of the system's user decides, and is another one.
    #[error(
        "the server at {server} lets {user} in only where the system's user has that name (peer), and this is {account}"
    )]
    NotPeer {
        /// The server.
        server: String,
        /// The database user.
        user: String,
        /// Who we are to the system.
        account: String,
    },
    /// It is there, and takes nobody at the moment.
    #[error("the server at {server} takes no connection now: {said}")]
    NotReady {
        /// The server.
        server: String,
        /// Its words.
        said: String,
    },
    /// Programs that are older than the server.
    #[error("psql in {directory} is that of PostgreSQL {client}, older than the server, {version}")]
    OldPrograms {
        /// Where it was found.
        directory: String,
        /// Its version.
        client: String,
        /// The server's.
        version: String,
    },
    /// Something else.
    #[error("cannot connect to PostgreSQL at {server} as {user}: {said}")]
    Other {
        /// The server.
        server: String,
        /// The database user.
        user: String,
        /// What was said.
        said: String,
    },
    /// Nobody listens.
    #[error("nothing listens at {server}")]
    Refused {
        /// The server.
        server: String,
    },
    /// No answer.
    #[error("{server} does not answer")]
    Silent {
        /// The server.
        server: String,
    },
    /// A password that is not the user's.
    #[error("the server at {server} does not take the password of {user}")]
    WrongPassword {
        /// The server.
        server: String,
        /// The database user.
        user: String,
    },
    /// Another server than was meant.
    #[error("the server at {server} is PostgreSQL {version}, but its capability says {wanted}")]
    WrongVersion {
        /// The server.
        server: String,
        /// What it is.
        version: String,
        /// What the capability says it is.
        wanted: String,
        /// The ports of other servers there, and what they are, where they say it.
        found: Vec<(u16, Option<String>)>,
    },
}

/// What a server says when it lets nobody in. Its words may be in any language, the rest is not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal<'a> {
    /// The SQLSTATE.
    pub code: &'a str,
    /// The server's function that refused.
    pub routine: Option<&'a str>,
    /// Its words.
    pub said: &'a str,
}

impl Obstacle {
    /// From what a server said to `user`, who is `account` to the system.
    pub(super) fn of(refusal: Refusal<'_>, server: String, user: &str, account: &str) -> Self {
        let Refusal { code, routine, said } = refusal;
        let (user, said) = (user.to_owned(), said.to_owned());
        match (code, routine) {
            ("28P01", _) => Self::WrongPassword { server, user },
            // Only words tell these two apart; in another language than English it is taken for the usual one.
            ("28000", Some("InitializeSessionUserId")) if said.contains("log in") => Self::NoLogin { user },
            ("28000", Some("InitializeSessionUserId")) => Self::NoRole { server, user },
            ("28000", Some("auth_failed")) => Self::NotPeer { server, user, account: account.to_owned() },
            ("28000", _) => {
                let peer = user == account && server.starts_with("socket ");
                Self::NotAdmitted { server, user, said, peer }
            }
            ("57P03" | "53300", _) => Self::NotReady { server, said },
            _ => Self::Other { server, user, said },
        }
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Closed { .. } => {
                "open the directory and the socket for this user (unix_socket_permissions), or write `host=localhost`, with `user=` and \
                 `passwd=`"
                    .to_owned()
            }
            Self::NoCreateDb { user } => format!(
                "as a superuser: ALTER ROLE {} CREATEDB; or write another user into `user=`",
                quoted(user)
            ),
            Self::NoHost { .. } => {
                "`host=` of the capability is a host's name or address, or the directory of the server's socket".to_owned()
            }
            Self::NoLogin { user } => {
                format!("as a superuser: ALTER ROLE {} LOGIN; or write another user into `user=`", quoted(user))
            }
            Self::NoPassword { .. } => {
                "give it in `passwd=` of the capability, best as `passwd=@FILE` or `passwd=$VARIABLE` (PGPASSWORD)".to_owned()
            }
            Self::NoRole { user, .. } => format!(
                "as a superuser: CREATE ROLE {} LOGIN CREATEDB; or write the user that there is into `user=`",
                quoted(user)
            ),
            Self::NoSocket { found, .. } if found.is_empty() => {
                "start the server, or write into `host=` the directory that `SHOW unix_socket_directories` says".to_owned()
            }
            Self::NoSocket { found, .. } => {
                let ports: Vec<String> = found.iter().map(|port| format!("`port={port}`")).collect();
                format!("start the server; or, if one of those that run is meant, write {}", ports.join(" or "))
            }
            Self::NoSocketDirectory { .. } => {
                "write into `host=` the directory that `SHOW unix_socket_directories` says, on Debian /var/run/postgresql; without \
                 `host=` it is the usual one"
                    .to_owned()
            }
            Self::NotAdmitted { user, peer: true, .. } => format!(
                "add to pg_hba.conf, and reload it: local all {} peer; or write another user into `user=`",
                quoted(user)
            ),
            Self::NotAdmitted { user, server, .. } => {
                let from = if server.starts_with("socket ") { ("local", "") } else { ("host", " samenet") };
                format!(
                    "add to pg_hba.conf, and reload it: {} all {}{} scram-sha-256, and give `passwd=`; or write another user into `user=`",
                    from.0,
                    quoted(user),
                    from.1
                )
            }
            Self::NotPeer { account, .. } => format!(
                "leave `user=` out, or write `user={account}`; or let pg_hba.conf ask for a password (scram-sha-256), and give \
                 `passwd=`"
            ),
            Self::NotReady { .. } => "try again; `max_builds` of the slave says how many builds use it at once".to_owned(),
            Self::OldPrograms { version, .. } => format!(
                "write into `bin=` the directory of the programs of {}, on Debian /usr/lib/postgresql/{0}/bin",
                major(version)
            ),
            Self::Other { .. } => {
                "is this a PostgreSQL server? `host=` and `port=` say where it is, `user=` and `passwd=` who connects".to_owned()
            }
            Self::Refused { server } if server.starts_with("socket ") => {
                "the server has ended and left its socket: start it, or write the `port=` of one that runs".to_owned()
            }
            Self::Refused { .. } => {
                "start the server, or write where it is into `host=` and `port=`; it listens on TCP only where its listen_addresses \
                 says so"
                    .to_owned()
            }
            Self::Silent { .. } => {
                "is `host=` right, and does a firewall let this machine through to `port=`?".to_owned()
            }
            Self::WrongPassword { user, .. } => format!(
                "correct `passwd=` of the capability, or what it names; or, as a superuser: ALTER ROLE {} PASSWORD '…'; a server \
                 says the same of a user whom it does not have",
                quoted(user)
            ),
            Self::WrongVersion { wanted, found, version, .. } => {
                let fits = |(_, is): &&(u16, Option<String>)| is.as_deref().is_some_and(|is| same_major(wanted, is));
                match found.iter().find(fits) {
                    Some((port, _)) => format!("write `port={port}`: the server there is PostgreSQL {wanted}"),
                    None => {
                        let others = found.iter().map(|(port, is)| match is {
                            Some(is) => format!("{port} (PostgreSQL {is})"),
                            None => format!("{port} (which does not say what it is)"),
                        });
                        let others: Vec<String> = others.collect();
                        let found = if others.is_empty() {
                            String::new()
                        } else {
                            format!(" (other ports with a server: {})", others.join(", "))
                        };
                        format!(
                            "write the `port=` of the {wanted} server{found}, or the version of this one: `postgresql {}`",
                            major(version)
                        )
                    }
                }
            }
        }
    }
}

/// The numbers of a version that are its major: one from 10 on, two before.
fn major(version: &str) -> String {
    let parts = numbers(version);
    let count = if parts.first().is_some_and(|first| *first < 10) { 2 } else { 1 };
    parts.iter().take(count).map(u32::to_string).collect::<Vec<_>>().join(".")
}

fn numbers(version: &str) -> Vec<u32> {
    let plain = version.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
    plain.split('.').map_while(|part| part.parse().ok()).collect()
}

/// Whether a capability's version and a server's are the same major version. `9.2-devel` is 9.2, and one without a number
/// is the same as any.
pub(super) fn same_major(wanted: &str, version: &str) -> bool {
    let count = if numbers(version).first().is_some_and(|first| *first < 10) { 2 } else { 1 };
    numbers(wanted).iter().zip(&numbers(version)).take(count).all(|(one, other)| one == other)
}

/// Whether programs of one version are too old for a server of another.
pub(super) fn is_older(client: &str, version: &str) -> bool {
    let (client, version) = (numbers(&major(client)), numbers(&major(version)));
    !client.is_empty() && client < version
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "socket /run/.s.PGSQL.5432";

    fn of(code: &str, routine: &str, said: &str) -> Obstacle {
        Obstacle::of(Refusal { code, routine: Some(routine), said }, SERVER.to_owned(), "me", "builder")
    }

    #[test]
    fn refusals_are_known_in_any_language() {
        let server = || SERVER.to_owned();
        let user = || "me".to_owned();
        assert_eq!(
            of("28000", "InitializeSessionUserId", "Rolle »me« existiert nicht"),
            Obstacle::NoRole { server: server(), user: user() }
        );
        assert_eq!(
            of("28000", "auth_failed", "Peer-Authentifizierung für Benutzer »me« fehlgeschlagen"),
            Obstacle::NotPeer { server: server(), user: user(), account: "builder".to_owned() }
        );
        assert_eq!(
            of("28P01", "auth_failed", "Passwort-Authentifizierung"),
            Obstacle::WrongPassword { server: server(), user: user() }
        );
        assert!(matches!(of("28000", "ClientAuthentication", "kein Eintrag"), Obstacle::NotAdmitted { .. }));
        assert!(matches!(of("57P03", "ProcessStartupPacket", "starting up"), Obstacle::NotReady { .. }));
        assert!(matches!(of("XX000", "somewhere", "?"), Obstacle::Other { .. }));
    }

    #[test]
    fn majors_have_one_number_from_10_on_and_two_before() {
        for (wanted, version, same) in [
            ("15", "15.18 (Debian 15.18-0+deb12u1)", true),
            ("15.8", "15.18", true),
            ("15", "13.23", false),
            ("9.2", "9.2.24", true),
            ("9.2-devel", "9.2.24", true),
            ("9.2", "9.3.1", false),
            ("9", "9.3.1", true),
            ("17rc1", "17.0", true),
            ("18", "18devel", true),
        ] {
            assert_eq!(same_major(wanted, version), same, "{wanted} {version}");
        }
        assert!(is_older("13.23", "15.18") && is_older("9.6.1", "10.2") && is_older("9.2.1", "9.3"));
        assert!(!is_older("15.1", "15.18") && !is_older("16", "15.18") && !is_older("", "15.18"));
    }

    #[test]
    fn every_help_names_an_option_or_the_command_that_mends_it() {
        let (server, user) = (SERVER.to_owned(), "me".to_owned());
        let wrong = |found| Obstacle::WrongVersion {
            server: SERVER.to_owned(),
            version: "13.23".to_owned(),
            wanted: "15".to_owned(),
            found,
        };
        for (obstacle, word) in [
            (Obstacle::NoCreateDb { user: user.clone() }, "ALTER ROLE \"me\" CREATEDB;"),
            (Obstacle::NoRole { server: server.clone(), user: user.clone() }, "CREATE ROLE \"me\" LOGIN CREATEDB;"),
            (Obstacle::NoSocketDirectory { directory: "/x".to_owned() }, "`host=`"),
            (Obstacle::NoSocket { directory: "/x".to_owned(), port: 1, found: vec![] }, "`host=`"),
            (Obstacle::NoSocket { directory: "/x".to_owned(), port: 1, found: vec![5433] }, "`port=5433`"),
            (wrong(vec![(5433, None), (5434, Some("15.1".to_owned()))]), "`port=5434`"),
            (wrong(vec![(5433, None), (5434, Some("14.1".to_owned()))]), "5434 (PostgreSQL 14.1)"),
            (wrong(vec![]), "`postgresql 13`"),
            (Obstacle::WrongPassword { server, user }, "`passwd=`"),
        ] {
            assert!(obstacle.help().contains(word), "{obstacle}: {}", obstacle.help());
        }
    }
}
