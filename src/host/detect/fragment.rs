//! What was found, as a file for `slaves.cfg`. In: a machine, a slave's name, a password. Out: text, always the same for
//! the same machine but for the password. Nothing is read.

use std::fmt::Write;

use super::Machine;
use super::offer::Offer;
use crate::model::Secret;

/// Begins the comment that lists what a fragment has offered. What is taken out of the value, but not of this, does not
/// come back.
pub(super) const OFFERED: &str = "# Offered so far, so that `--update` adds only what is new: ";

impl Machine {
    /// A complete, commented fragment for `slaves.cfg` (or a file of its own in `slaves.d`).
    ///
    /// Comes in: the slave's name (one line without `]`) and its password. Goes out: text in the farm's INI dialect. What is
    /// no capability of a farm's own accord (clients, servers, what is out of reach) stands in comments, at the
    /// first column: an indented one would be part of the value.
    pub fn fragment(&self, slave: &str, password: &Secret) -> String {
        let (offers, others) = self.offers();
        let mut text = Lines::default();
        text.add(format_args!(
            "# Found on this machine by `farmout slave detect`. Take out what builds should not use."
        ));
        if let Some(user) = &self.user {
            let host: Vec<_> = self.host.iter().chain(&self.system).map(String::as_str).collect();
            let host = if host.is_empty() { "Here".to_owned() } else { format!("On {}", host.join(", ")) };
            text.add(format_args!("# {host}, builds run as the user {user}."));
        }
        text.add(format_args!("# `cluster=ephemeral`: each run starts a private PostgreSQL server and removes it."));
        if offers.iter().any(|offer| !offer.alternatives.is_empty()) {
            let user = self.user.as_deref().unwrap_or("the user");
            text.add(format_args!(
                "# A commented line below one is for a server that runs, where {user} may create databases: to use it, take its # \
                 away, and the line above it out."
            ));
        }
        text.add(format_args!("[{slave}]"));
        text.add(format_args!("password = {}", password.expose()));
        text.add(format_args!("max_builds = 1"));
        if offers.is_empty() {
            text.add(format_args!("# No PostgreSQL, Python or wkhtmltopdf that builds can use was found."));
        } else {
            text.add(format_args!("capability ="));
        }
        for offer in &offers {
            text.add(format_args!("    {}", offer.line()));
            for alternative in &offer.alternatives {
                text.add(format_args!("{}", commented(alternative)));
            }
        }
        if !offers.is_empty() {
            text.add(format_args!("{}", offered(&offers)));
        }
        text.add(format_args!(""));
        for other in &others {
            text.add(format_args!("# Left out, as an option's value cannot hold white space or %: {}", other.line()));
        }
        self.remarks(&mut text);
        text.text
    }
}

/// A line of the value that does not count, and does where its `#` becomes a blank.
pub(super) fn commented(line: &str) -> String {
    format!("#   {line}")
}

/// The comment that lists what was offered.
pub(super) fn offered(offers: &[Offer]) -> String {
    let mut names: Vec<(&str, Vec<&str>)> = Vec::new();
    for offer in offers {
        match names.iter_mut().find(|(name, _)| *name == offer.name) {
            Some((_, versions)) => versions.push(&offer.version),
            None => names.push((&offer.name, vec![&offer.version])),
        }
    }
    let names: Vec<_> = names.into_iter().map(|(name, versions)| format!("{name} {}", versions.join(" "))).collect();
    format!("{OFFERED}{}", names.join(", "))
}

/// Lines of a text.
#[derive(Debug, Default)]
pub(super) struct Lines {
    text: String,
}

impl Lines {
    /// Adds a line, and only one: a path or a message could hold a line break or another control character.
    pub fn add(&mut self, arguments: std::fmt::Arguments<'_>) {
        let one = arguments.to_string().replace(char::is_control, " ");
        let _ = writeln!(self.text, "{one}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::detect::{Buildout, Kind, OutOfReach, PgInstall, Ports, Program, Python, Server, Supply};
    use crate::host::needs::Weight;
    use crate::tool::pg::{Access, Rights};

    fn install(major: &str, version: &str, bin: &str) -> PgInstall {
        PgInstall { major: major.into(), version: version.into(), bin: bin.into(), psql: true }
    }

    fn python(minor: &str, path: &str) -> Python {
        let headers = Some("/usr/include".into());
        Python { minor: minor.into(), version: format!("{minor}.1"), path: path.into(), headers, ..Python::default() }
    }

    fn program(kind: Kind, name: &str, version: &str) -> Program {
        let path = format!("/usr/bin/{name}").into();
        Program { name: name.into(), kind, version: version.into(), path, on_path: true }
    }

    fn server(host: &str, port: u16, cluster: Option<&str>, access: Access) -> Server {
        let rights = Rights { user: "farmout".into(), version: None, access };
        Server {
            host: host.into(),
            port,
            major: cluster.map(|name| name.split('/').next().unwrap().to_owned()),
            cluster: cluster.map(str::to_owned),
            data: None,
            owner: Some("postgres".into()),
            runs: true,
            rights: Some(rights),
        }
    }

    fn open(create_databases: bool) -> Access {
        Access::Open { create_databases, superuser: false, authentication: None }
    }

    #[test]
    fn everything_in_one_fragment() {
        let no = |reason: &str, remedy: &str| Buildout::No { reason: reason.into(), remedy: remedy.into() };
        let run = "/var/run/postgresql";
        let machine = Machine {
            host: Some("atlas".into()),
            system: Some("Debian GNU/Linux 12 (bookworm)".into()),
            user: Some("farmout".into()),
            postgresql: vec![
                install("9.6", "9.6.24", "/usr/lib/postgresql/9.6/bin"),
                install("15", "15.18", "/usr/lib/postgresql/15/bin"),
                install("16", "16.4", "/opt/with space/bin"),
            ],
            servers: vec![
                server("/tmp", 5440, None, Access::Asked { authentication: "scram-sha-256".into() }),
                server(run, 5432, Some("15/main"), open(true)),
                server(run, 5433, Some("15/second"), open(false)),
                server(run, 5434, Some("9.6/main"), Access::NoRole),
                server("localhost", 5441, None, Access::Refused { reason: "no pg_hba.conf entry".into() }),
                Server { runs: false, rights: None, ..server(run, 5435, Some("9.6/old"), Access::NoRole) },
            ],
            pythons: vec![
                Python {
                    buildout: no("no zc.buildout is known that can still be installed with it", "use 2.7"),
                    ..python("2.6", "/opt/python-2.6/bin/python2.6")
                },
                python("2.7", "/opt/python-2.7/bin/python2.7"),
                Python { headers: None, ..python("3.11", "/usr/bin/python3.11") },
            ],
            out_of_reach: vec![OutOfReach {
                minor: "3.12".into(),
                path: "/root/.pyenv/versions/3.12.1/bin/python3.12".into(),
                reason: "the user farmout cannot enter /root".into(),
                remedy: "open it".into(),
            }],
            programs: vec![
                program(Kind::VersionControl, "git", "2.39.5"),
                program(Kind::Reports, "wkhtmltopdf", "0.12.6"),
                program(Kind::Browser, "chromium", "120.0.6099.224"),
                program(Kind::Driver, "chromedriver", "120.0.6099.224"),
                Program { on_path: false, ..program(Kind::Office, "libreoffice", "7.4.7.2") },
                program(Kind::Compiler, "gcc", "12.2.0"),
            ],
            supplies: [("libpq", true, true), ("libxslt", true, false), ("svn", false, false)]
                .map(|(name, header, found)| Supply {
                    name: name.into(),
                    purpose: "an egg".into(),
                    weight: if header { Weight::Usual } else { Weight::Optional },
                    header,
                    found,
                    packages: Vec::new(),
                })
                .into(),
            install: Some("apt-get install -y libxslt1-dev".into()),
            ports: vec![
                Ports { min: 6069, max: 7068, step: 5, free: 200, taken: vec![] },
                Ports { min: 9069, max: 11069, step: 5, free: 399, taken: vec![9069, 9074] },
            ],
            notes: vec!["two\nlines".into()],
        };
        insta::with_settings!({
            snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"),
            prepend_module_to_snapshot => false,
        }, {
            insta::assert_snapshot!("slave-fragment", machine.fragment("local", &Secret::new("SECRET")));
            insta::assert_snapshot!("slave-fragment-of-nothing", Machine::default().fragment("bare", &Secret::new("SECRET")));
        });
    }
}
