//! What mends servers. A command as the server's own user is safe where the caller is that user, or root.

use std::os::unix::fs::MetadataExt;

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::{Uid, User, geteuid};

use super::Case;
use crate::doctor::Mend;
use crate::doctor::finding::command;
use crate::host::needs::Need;

/// Where servers put their sockets when nobody says.
const SOCKET_DIRECTORIES: [&str; 2] = ["/var/run/postgresql", "/tmp"];

impl Case<'_, '_> {
    /// Makes the role.
    pub(super) fn mend_role(&self, user: &str) -> Mend {
        self.as_superuser("createuser", &["--createdb", user], &format!("CREATE ROLE {} LOGIN CREATEDB", quoted(user)))
    }

    /// Lets the role make databases.
    pub(super) fn mend_createdb(&self, user: &str) -> Mend {
        let sql = format!("ALTER ROLE {} CREATEDB", quoted(user));
        self.as_superuser("psql", &["-d", "postgres", "-c", &sql], &sql)
    }

    /// Lets everybody who may make databases copy the database.
    pub(super) fn mend_copy(&self, template: &str) -> Mend {
        let sql = format!("ALTER DATABASE {} IS_TEMPLATE true", quoted(template));
        self.as_superuser("psql", &["-d", "postgres", "-c", &sql], &sql).safe(false)
    }

    /// Makes an empty template, which whoever wrote the manifest has to fill.
    pub(super) fn mend_template(&self, template: &str) -> Mend {
        let sql = format!("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0 IS_TEMPLATE true", quoted(template));
        self.as_superuser("psql", &["-d", "postgres", "-c", &sql], &sql)
            .safe(false)
            .and("and fill it with what builds expect in it; or name another as `db_template` of the build")
    }

    pub(super) fn mend_encoding(&self) -> Mend {
        Mend::advice(
            "name a template that has UTF8 as `db_template`, such as one made by \
             `createdb -E UTF8 -T template0 NAME`; or make the cluster anew with `initdb -E UTF8`",
        )
    }

    pub(super) fn mend_programs(&self) -> Mend {
        let needs = Need::all();
        let server: Vec<&Need> = needs.iter().filter(|need| need.name == "PostgreSQL server").collect();
        self.patient
            .install(&server)
            .safe(false)
            .and("or correct `bin`: `farmout slave detect` prints the lines for what is installed, and downloads versions with --embedded")
    }

    /// A command of the database's superuser's, who has the same name as the system's user that the server runs as.
    fn as_superuser(&self, program: &str, arguments: &[&str], sql: &str) -> Mend {
        let words = format!("as a superuser of the database: {sql};");
        let Some(directory) = self.socket_directory() else { return Mend::advice(words) };
        let port = self.option("port").unwrap_or("5432");
        let owner = directory.join(format!(".s.PGSQL.{port}")).metadata().ok().map(|found| found.uid());
        let Some(owner) = owner.and_then(|uid| User::from_uid(Uid::from_raw(uid)).ok().flatten()) else {
            return Mend::advice(words);
        };
        let beside = self.option("bin").map(|bin| Utf8Path::new(bin).join(program)).filter(|path| path.is_file());
        let Some(program) = beside.or_else(|| self.patient.places.program(program)) else { return Mend::advice(words) };
        let mut line = if owner.uid == geteuid() {
            Vec::new()
        } else if self.patient.is_root() {
            command(&["runuser", "-u", &owner.name, "--"])
        } else {
            command(&["sudo", "-u", &owner.name])
        };
        line.extend(command(&[program.as_str(), "-h", directory.as_str(), "-p", port]));
        line.extend(command(arguments));
        Mend::commands(vec![line]).safe(owner.uid == geteuid() || self.patient.is_root())
    }

    /// Where the server's socket is; none if it is reached through the network.
    fn socket_directory(&self) -> Option<Utf8PathBuf> {
        let port = self.option("port").unwrap_or("5432");
        let has = |directory: &Utf8Path| directory.join(format!(".s.PGSQL.{port}")).exists();
        match self.option("host") {
            Some(host) => Some(Utf8PathBuf::from(host)).filter(|host| host.is_absolute() && has(host)),
            None => SOCKET_DIRECTORIES.map(Utf8PathBuf::from).into_iter().find(|directory| has(directory)),
        }
    }
}

/// Quotes a name for SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
