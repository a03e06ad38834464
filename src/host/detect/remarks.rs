//! What stands behind a fragment in comments. In: a machine. Out: lines for the reader: what was found and is no capability,
//! what builds cannot use as it is, and what to do about it.

use super::fragment::Lines;
use super::{Buildout, Kind, Machine, Program, Server, Supply};
use crate::host::needs::Weight;
use crate::tool::pg::Access;

/// Of the ports that are taken, no more are named.
const NAMED: usize = 8;

impl Machine {
    /// Adds the comments. None of them may look like a line of `capability` behind its `#`: that would be one that was taken
    /// out by hand.
    pub(super) fn remarks(&self, text: &mut Lines) {
        if self.postgresql.is_empty() {
            let advice = "Install it, or add a downloaded one: farmout slave detect --embedded 17";
            text.add(format_args!("# No PostgreSQL server is installed. {advice}"));
        }
        for python in &self.pythons {
            let (minor, path) = (&python.minor, &python.path);
            if let Buildout::No { reason, remedy } = &python.buildout {
                text.add(format_args!("# Python {minor} ({path}) is left out: {reason}; {remedy}"));
            } else if python.headers.is_none() && self.user.is_some() {
                text.add(format_args!(
                    "# Python {minor} ({path}) has no headers, and eggs with C in them need them; on Debian and Ubuntu: \
                     apt-get install python{minor}-dev"
                ));
            }
        }
        self.servers(text);
        let mut explained = None;
        for other in &self.out_of_reach {
            // Usually one closed directory stands before all of them: it is explained once.
            if explained != Some((&other.reason, &other.remedy)) {
                explained = Some((&other.reason, &other.remedy));
                text.add(format_args!("# Out of reach: {}. To use it: {}", other.reason, other.remedy));
            }
            text.add(format_args!("#   Python {}: {}", other.minor, other.path));
        }
        if self.programs(Kind::VersionControl).next().is_none() {
            text.add(format_args!("# No client of a version control system was found (git, hg, brz, bzr)."));
        }
        for (what, kinds) in [
            ("Version control", &[Kind::VersionControl][..]),
            ("For Selenium", &[Kind::Driver]),
            ("Compilers and the like", &[Kind::Compiler, Kind::Web]),
        ] {
            let programs = kinds.iter().flat_map(|kind| self.programs(*kind));
            let programs: Vec<_> =
                programs.map(|program| format!("{} {} ({})", program.name, program.version, program.path)).collect();
            if !programs.is_empty() {
                text.add(format_args!("# {what}: {}", programs.join(", ")));
            }
        }
        let hidden = [Kind::Reports, Kind::Office, Kind::Browser].into_iter().flat_map(|kind| self.programs(kind));
        for Program { name, version, path, .. } in hidden.filter(|program| !program.on_path) {
            text.add(format_args!("# Not on PATH, so that builds do not find it: {name} {version} ({path})"));
        }
        self.supplies(text);
        self.free_ports(text);
        for note in &self.notes {
            text.add(format_args!("# Note: {note}"));
        }
    }

    /// The servers that builds cannot use as they are, or that are no alternative to an installation.
    fn servers(&self, text: &mut Lines) {
        let installed =
            |server: &Server| self.postgresql.iter().any(|install| Some(&install.major) == server.major.as_ref());
        let idle: Vec<_> =
            self.servers.iter().filter(|server| !server.runs).filter_map(|server| server.cluster.as_deref()).collect();
        if !idle.is_empty() {
            text.add(format_args!(
                "# Clusters that do not run: {}. To start one: sudo pg_ctlcluster VERSION NAME start",
                idle.join(", ")
            ));
        }
        let others: Vec<_> =
            self.servers.iter().filter(|server| server.runs && !(server.is_usable() && installed(server))).collect();
        if others.is_empty() {
            return;
        }
        text.add(format_args!("# PostgreSQL servers that no line above is for:"));
        let user = self.user.as_deref().unwrap_or("the user");
        for server in others {
            let (name, place) = (name(server), format!("port={} host={}", server.port, server.host));
            let version = server.major.as_deref().unwrap_or("VERSION");
            let access = server.rights.as_ref().map(|rights| &rights.access);
            // createuser and psql of another version do as well.
            let who = server.owner.as_deref().unwrap_or("postgres");
            let as_owner = |command: &str| format!("sudo -u {who} {command}");
            let at = format!("--host={} --port={}", server.host, server.port);
            let what = match access {
                None => "was not asked".to_owned(),
                Some(Access::Open { create_databases: true, .. }) => {
                    format!("{user} may create databases there. To use it, offer: postgresql {version} {place}")
                }
                Some(Access::Open { .. }) => format!(
                    "{user} may not create databases there. To let it: {}",
                    as_owner(&format!("psql {at} --dbname=postgres --command='ALTER ROLE \"{user}\" CREATEDB'"))
                ),
                Some(Access::NoRole) => format!(
                    "there is no role {user} yet. To make one: {}",
                    as_owner(&format!("createuser {at} --createdb {user}"))
                ),
                Some(Access::Asked { authentication }) if is_password(authentication) => format!(
                    "it asks {user} for a password ({authentication}). To use it, offer: postgresql {version} {place} user=USER \
                     passwd=…"
                ),
                Some(Access::Asked { authentication }) => {
                    format!("it asks {user} for what builds do not have ({authentication})")
                }
                Some(Access::Refused { reason }) => format!("it does not let {user} in: {reason}"),
            };
            text.add(format_args!("#   {name} ({place}): {what}"));
        }
    }

    /// What eggs and parts need from the system.
    fn supplies(&self, text: &mut Lines) {
        let names = |wanted: &dyn Fn(&Supply) -> bool| -> Vec<&str> {
            self.supplies.iter().filter(|supply| wanted(supply)).map(|supply| supply.name.as_str()).collect()
        };
        let headers = names(&|supply| supply.header && supply.found);
        if !headers.is_empty() {
            text.add(format_args!("# Headers for eggs: {}", headers.join(", ")));
        }
        let missing = names(&|supply| !supply.found && supply.weight != Weight::Optional);
        if !missing.is_empty() {
            let install =
                self.install.as_ref().map(|command| format!(". To install it: sudo {command}")).unwrap_or_default();
            text.add(format_args!(
                "# Missing, and eggs of a usual OpenERP or Odoo need it: {}{install}",
                missing.join(", ")
            ));
        }
    }

    fn free_ports(&self, text: &mut Lines) {
        if self.ports.is_empty() {
            return;
        }
        let ranges = self.ports.iter().map(|ports| {
            let taken: Vec<_> = ports.taken.iter().take(NAMED).map(u16::to_string).collect();
            let more = if ports.taken.len() > NAMED { " …" } else { "" };
            let taken =
                if taken.is_empty() { "all free".to_owned() } else { format!("taken: {}{more}", taken.join(" ")) };
            format!("{}-{} by {} ({taken})", ports.min, ports.max, ports.step)
        });
        text.add(format_args!("# Ports that tests of builds choose from: {}", ranges.collect::<Vec<_>>().join(", ")));
    }
}

/// What people call a server.
fn name(server: &Server) -> String {
    match (&server.cluster, &server.major) {
        (Some(cluster), _) => format!("Cluster {cluster}"),
        (None, Some(major)) => format!("PostgreSQL {major}"),
        (None, None) => "PostgreSQL of an unknown version".to_owned(),
    }
}

/// Whether a slave's line can have what a server asks for.
fn is_password(authentication: &str) -> bool {
    matches!(authentication, "scram-sha-256" | "md5" | "password")
}
