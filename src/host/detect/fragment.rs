//! What was found, as a file for `slaves.cfg`. In: a machine, a slave's name, a password. Out: text, always the same for
//! the same machine but for the password. Nothing is read.

use std::fmt::Write;

use camino::Utf8Path;

use super::Machine;
use crate::model::Secret;

impl Machine {
    /// A complete, commented fragment for `slaves.cfg` (or a file of its own in `slaves.d`).
    ///
    /// Comes in: the slave's name (one line without `]`) and its password. Goes out: text in the farm's INI dialect. What is
    /// no capability of a farm's own accord (clients, running servers, what is out of reach) stands in comments, at the
    /// first column: an indented one would be part of the value.
    pub fn fragment(&self, slave: &str, password: &Secret) -> String {
        let mut capabilities = String::new();
        let mut comments = String::new();
        for install in &self.postgresql {
            let line = format!("postgresql {} bin={} cluster=ephemeral", install.major, install.bin);
            add(&mut capabilities, &mut comments, &line, &install.bin);
        }
        for python in &self.pythons {
            let line = format!("python {} bin={}", python.minor, python.path);
            add(&mut capabilities, &mut comments, &line, &python.path);
        }
        if let Some(wkhtmltopdf) = &self.wkhtmltopdf {
            line(&mut capabilities, format_args!("    wkhtmltopdf {}", wkhtmltopdf.version));
        }
        let mut text = String::new();
        line(
            &mut text,
            format_args!("# Found on this machine by `farmout slave detect`. Take out what builds should not use."),
        );
        line(
            &mut text,
            format_args!("# `cluster=ephemeral`: each run starts a private PostgreSQL server and removes it."),
        );
        line(&mut text, format_args!("[{slave}]"));
        line(&mut text, format_args!("password = {}", password.expose()));
        line(&mut text, format_args!("max_builds = 1"));
        if capabilities.is_empty() {
            line(&mut text, format_args!("# No PostgreSQL, Python or wkhtmltopdf that builds can use was found."));
        } else {
            line(&mut text, format_args!("capability ="));
            text.push_str(&capabilities);
        }
        text.push_str(&comments);
        text.push_str(&self.remarks());
        text
    }

    /// The comments behind the section.
    fn remarks(&self) -> String {
        let mut text = String::new();
        if self.postgresql.is_empty() {
            let advice = "Install it, or add a downloaded one: farmout slave detect --embedded 17";
            line(&mut text, format_args!("# No PostgreSQL server is installed. {advice}"));
        }
        for python in self.pythons.iter().filter(|python| !python.venv && !python.virtualenv && !python.pip) {
            let path = &python.path;
            let advice = if python.minor.starts_with("2.") {
                format!("give it pip: {path} -m ensurepip")
            } else {
                format!("on Debian and Ubuntu: apt-get install python{}-venv", python.minor)
            };
            line(&mut text, format_args!("# Python {} ({path}) cannot make environments; {advice}", python.minor));
        }
        if !self.servers.is_empty() {
            line(
                &mut text,
                format_args!("# PostgreSQL servers that run. To use one instead of a private cluster, write"),
            );
            line(&mut text, format_args!("#     postgresql VERSION port=PORT host=SOCKET-DIRECTORY"));
        }
        for server in &self.servers {
            let version = server.major.as_deref().unwrap_or("of an unknown version");
            let cluster = server.cluster.as_ref().map(|name| format!(", cluster {name}")).unwrap_or_default();
            line(
                &mut text,
                format_args!("#   PostgreSQL {version}: port={} host={}{cluster}", server.port, server.socket),
            );
        }
        let mut explained = None;
        for other in &self.out_of_reach {
            // Usually one closed directory stands before all of them: it is explained once.
            if explained != Some((&other.reason, &other.remedy)) {
                explained = Some((&other.reason, &other.remedy));
                line(&mut text, format_args!("# Out of reach: {}. To use it: {}", other.reason, other.remedy));
            }
            line(&mut text, format_args!("#   python {} bin={}", other.minor, other.path));
        }
        let clients: Vec<_> =
            self.clients.iter().map(|client| format!("{} {} ({})", client.name, client.version, client.path)).collect();
        if clients.is_empty() {
            line(&mut text, format_args!("# No client of a version control system was found (git, hg, brz, bzr)."));
        } else {
            line(&mut text, format_args!("# Version control: {}", clients.join(", ")));
        }
        for note in &self.notes {
            line(&mut text, format_args!("# Note: {note}"));
        }
        text
    }
}

/// Whether a path can be the value of a capability's option: white space would end it, and `%` has a meaning of its own
/// where anything else in the value interpolates.
pub(super) fn is_writable(path: &Utf8Path) -> bool {
    !path.as_str().contains(|c: char| c.is_whitespace() || c.is_control() || c == '%')
}

/// A line of the value, or a comment where its path cannot be written there.
fn add(capabilities: &mut String, comments: &mut String, text: &str, path: &Utf8Path) {
    if is_writable(path) {
        line(capabilities, format_args!("    {text}"));
    } else {
        line(comments, format_args!("# Left out, as an option's value cannot hold white space or %: {text}"));
    }
}

/// Adds a line, and only one: a path or a message could hold a line break or another control character.
fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    let one = arguments.to_string().replace(char::is_control, " ");
    let _ = writeln!(text, "{one}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::detect::{Client, OutOfReach, PgInstall, Python, Server};

    #[test]
    fn everything_in_one_fragment() {
        let python = |minor: &str, path: &str, venv| Python {
            minor: minor.into(),
            version: format!("{minor}.1"),
            path: path.into(),
            venv,
            virtualenv: false,
            pip: venv,
        };
        let machine = Machine {
            postgresql: vec![
                PgInstall {
                    major: "9.6".into(),
                    version: "9.6.24".into(),
                    bin: "/usr/lib/postgresql/9.6/bin".into(),
                    psql: true,
                },
                PgInstall {
                    major: "15".into(),
                    version: "15.18".into(),
                    bin: "/opt/with space/bin".into(),
                    psql: true,
                },
            ],
            servers: vec![
                Server { socket: "/tmp".into(), port: 5433, major: None, cluster: None },
                Server {
                    socket: "/var/run/postgresql".into(),
                    port: 5432,
                    major: Some("15".into()),
                    cluster: Some("15/main".into()),
                },
            ],
            pythons: vec![
                python("2.7", "/opt/python-2.7/bin/python2.7", false),
                python("3.11", "/usr/bin/python3.11", true),
            ],
            out_of_reach: vec![OutOfReach {
                minor: "3.12".into(),
                path: "/root/.pyenv/versions/3.12.1/bin/python3.12".into(),
                reason: "the user farmout cannot enter /root".into(),
                remedy: "open it".into(),
            }],
            clients: vec![Client { name: "git".into(), version: "2.39.5".into(), path: "/usr/bin/git".into() }],
            wkhtmltopdf: Some(Client {
                name: "wkhtmltopdf".into(),
                version: "0.12.6".into(),
                path: "/usr/bin/wkhtmltopdf".into(),
            }),
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
