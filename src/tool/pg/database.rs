//! Making and dropping a testing database. A killed build leaves clients behind that hold on to it: they are ended first, and
//! what is slow to go is waited for.

use std::time::{Duration, Instant};

use postgres::error::SqlState;

use super::check::{examine, may_create};
use super::connection::quoted;
use super::{Connection, Error, Server};
use crate::tool::say;

/// How long sessions that were told to end may take.
const STRAGGLERS: Duration = Duration::from_secs(20);
/// How long another build may take to copy the same template.
const TEMPLATE: Duration = Duration::from_secs(60);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// Makes the database anew from the template, on the server of the environment.
///
/// # Errors
/// See [`Error`].
pub fn create_database(database: &str, template: &str) -> Result<(), Error> {
    check(database)?;
    if database == template {
        return Err(Error::OwnTemplate(database.to_owned()));
    }
    let server = Server::from_environment()?;
    let mut connection = examine(&server)?;
    may_create(&mut connection)?;
    let exists = has_database(&mut connection, template)?;
    if !exists {
        return Err(Error::NoTemplate { template: template.to_owned(), databases: databases(&mut connection)? });
    }
    drop_if_exists(&mut connection, database)?;
    let sql = format!("CREATE DATABASE {} TEMPLATE {}", quoted(database), quoted(template));
    let started = Instant::now();
    loop {
        let Err(error) = connection.client.batch_execute(&sql) else { break };
        match error.code() {
            Some(code) if *code == SqlState::OBJECT_IN_USE && started.elapsed() < TEMPLATE => {
                if started.elapsed() < PAUSE * 2 {
                    say(format_args!("Waiting for sessions on the template {template} to end"));
                }
                std::thread::sleep(PAUSE);
            }
            Some(code) if *code == SqlState::OBJECT_IN_USE => {
                let sessions = sessions(&mut connection, template)?;
                return Err(Error::TemplateInUse { template: template.to_owned(), sessions });
            }
            Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
                // It may create databases: what it may not is to copy this one.
                return Err(Error::NotCopyable { template: template.to_owned(), user: connection.user, error });
            }
            _ => return Err(Error::Sql(error)),
        }
    }
    say(format_args!("Created database {database} from {template} ({})", server.shown()));
    Ok(())
}

/// Drops the database on the server of the environment. One that does not exist is fine.
///
/// # Errors
/// See [`Error`].
pub fn drop_database(database: &str) -> Result<(), Error> {
    check(database)?;
    let server = Server::from_environment()?;
    let dropped = drop_if_exists(&mut server.connect()?, database)?;
    if !dropped {
        say(format_args!("There is no database {database} ({})", server.shown()));
    }
    Ok(())
}

fn check(database: &str) -> Result<(), Error> {
    // A longer name is cut by the server without a word, and two builds would then share a database.
    if database.is_empty() || database.len() > 63 || database.contains('\0') {
        return Err(Error::Name(database.to_owned()));
    }
    if ["postgres", "template0", "template1"].contains(&database) {
        return Err(Error::Precious(database.to_owned()));
    }
    Ok(())
}

fn has_database(connection: &mut Connection, database: &str) -> Result<bool, Error> {
    Ok(connection.client.query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&database])?.is_some())
}

fn databases(connection: &mut Connection) -> Result<Vec<String>, Error> {
    let rows = connection.client.query("SELECT datname::text FROM pg_database ORDER BY datname", &[])?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

/// Ends the sessions on the database and drops it; `false` if there is none.
fn drop_if_exists(connection: &mut Connection, database: &str) -> Result<bool, Error> {
    if !has_database(connection, database)? {
        return Ok(false);
    }
    let ended = end_sessions(connection, database)?;
    if ended > 0 {
        say(format_args!("Ended {ended} session{} on {database}", if ended == 1 { "" } else { "s" }));
    }
    let plain = format!("DROP DATABASE IF EXISTS {}", quoted(database));
    let force = format!("{plain} WITH (FORCE)");
    let started = Instant::now();
    let mut forced = connection.version >= 130_000;
    while let Err(error) = connection.client.batch_execute(if forced { &force } else { &plain }) {
        match error.code() {
            // We may not end somebody's session: it can still go by itself.
            Some(code) if forced && *code == SqlState::INSUFFICIENT_PRIVILEGE => forced = false,
            Some(code) if *code == SqlState::OBJECT_IN_USE && started.elapsed() < STRAGGLERS => {
                end_sessions(connection, database)?;
                std::thread::sleep(PAUSE);
            }
            Some(code) if *code == SqlState::OBJECT_IN_USE => {
                let sessions = sessions(connection, database)?;
                return Err(Error::InUse { database: database.to_owned(), sessions });
            }
            Some(code) if *code == SqlState::INSUFFICIENT_PRIVILEGE => {
                return Err(Error::NotOwner { database: database.to_owned(), user: connection.user.clone(), error });
            }
            _ => return Err(Error::Sql(error)),
        }
    }
    say(format_args!("Dropped database {database}"));
    Ok(true)
}

/// Tells the sessions on the database to end and returns how many could be told.
fn end_sessions(connection: &mut Connection, database: &str) -> Result<usize, Error> {
    let pid = pid_column(connection);
    let sql = format!("SELECT {pid} FROM pg_stat_activity WHERE datname = $1 AND {pid} <> pg_backend_pid()");
    let mut ended = 0;
    for row in connection.client.query(&sql, &[&database])? {
        let pid: i32 = row.try_get(0)?;
        // One at a time: a session of somebody else's, which we may not end, must not save the others.
        match connection.client.query_one("SELECT pg_terminate_backend($1)", &[&pid]) {
            Ok(row) => ended += usize::from(row.try_get::<_, bool>(0)?),
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {}
            Err(error) => return Err(Error::Sql(error)),
        }
    }
    Ok(ended)
}

/// Who is connected to the database, for an error message.
fn sessions(connection: &mut Connection, database: &str) -> Result<Vec<String>, Error> {
    let pid = pid_column(connection);
    let sql = format!(
        "SELECT {pid}, coalesce(usename::text, '?'), coalesce(application_name, '') FROM pg_stat_activity \
         WHERE datname = $1 AND {pid} <> pg_backend_pid() ORDER BY 1"
    );
    let mut sessions = Vec::new();
    for row in connection.client.query(&sql, &[&database])? {
        let (pid, user, application): (i32, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        sessions.push(format!("process {pid} of {user} {application}").trim_end().to_owned());
    }
    Ok(sessions)
}

/// PostgreSQL 9.2 renamed it.
fn pid_column(connection: &Connection) -> &'static str {
    if connection.version < 90_200 { "procpid" } else { "pid" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_do_harm_are_refused() {
        for name in ["postgres", "template0", "template1"] {
            assert!(matches!(check(name), Err(Error::Precious(_))));
        }
        assert!(matches!(check(""), Err(Error::Name(_))));
        assert!(matches!(check(&"x".repeat(64)), Err(Error::Name(_))));
        assert!(check("it's \"odd\"").is_ok());
        assert_eq!(quoted("it's \"odd\""), "\"it's \"\"odd\"\"\"");
    }
}
