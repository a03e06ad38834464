//! PostgreSQL roles: one in each of Debian's clusters, with the right to make databases and nothing more. It has the account's
//! name, so that the account gets in through the socket without a password.

use serde::{Deserialize, Serialize};

use super::call::{Call, ask};
use super::thing::{Look, Sight, Thing, Undo};
use crate::diagnostic::Failure;

/// The testing databases of slaves that say nothing else (`db_prefix`) begin with this.
const TESTING: &str = "openerp-buildbot-";

/// A role in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// Debian's name of the cluster: `15/main`.
    pub cluster: String,
    /// The user that owns the cluster, and that its first superuser is called after.
    pub administrator: String,
    /// The role's name.
    pub name: String,
}

/// A cluster, as `pg_lsclusters` lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cluster {
    /// `15/main`.
    pub(super) name: String,
    online: bool,
    /// A standby, which takes no changes.
    recovery: bool,
    owner: String,
}

/// What a role may do.
#[derive(Debug, Deserialize)]
struct Rights {
    rolcanlogin: bool,
    rolcreatedb: bool,
    rolsuper: bool,
    rolcreaterole: bool,
    rolreplication: bool,
    /// From PostgreSQL 9.5.
    #[serde(default)]
    rolbypassrls: bool,
    /// Roles that it is a member of.
    member: Vec<String>,
}

impl Cluster {
    /// Debian's clusters; none where its tools are not installed.
    pub(super) fn all() -> Vec<Self> {
        let Ok(text) = ask(&["pg_lsclusters", "--no-header"]) else { return Vec::new() };
        text.lines().filter_map(Self::read).collect()
    }

    fn read(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (version, name, _port, status) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let owner = words.next()?.to_owned();
        let mut status = status.split(',');
        let online = status.next() == Some("online");
        Some(Self { name: format!("{version}/{name}"), online, recovery: status.any(|s| s == "recovery"), owner })
    }

    /// The role of an account in it.
    pub(super) fn role(&self, account: &str) -> Role {
        Role { cluster: self.name.clone(), administrator: self.owner.clone(), name: account.to_owned() }
    }
}

impl Role {
    pub(super) fn title(&self) -> String {
        format!("the PostgreSQL role {} in the cluster {}", self.name, self.cluster)
    }

    pub(super) fn purpose(&self) -> String {
        "makes and drops the databases of builds, and may do nothing more".to_owned()
    }

    pub(super) fn look(&self, sight: Sight<'_>) -> Result<Look, Failure> {
        let ours = sight.record.find(&self.thing());
        let cluster = self.in_cluster();
        if let Some(cluster) = &cluster {
            if cluster.recovery {
                return Ok(Look::Left(
                    "the cluster is a standby; the role is made where it gets its data from".to_owned(),
                ));
            }
            if !cluster.online && ours.is_some_and(|entry| entry.done) {
                return Ok(Look::There(Some("the cluster is down".to_owned())));
            }
            if !cluster.online && !self.is_of_our_server(sight) {
                let start = self.start();
                return Ok(Look::Left(format!("the cluster is down; `{start}` starts it, and then call setup again")));
            }
            if !sight.root {
                return Ok(Look::Left("only root can see whether it is there".to_owned()));
            }
            if cluster.online
                && let Some(rights) = self.rights()?
            {
                return self.judge(&rights);
            }
        }
        let start = cluster.filter(|cluster| !cluster.online).map(|_| self.start());
        let options = "LOGIN CREATEDB NOSUPERUSER NOCREATEROLE NOREPLICATION";
        let create = self.sql(&format!("CREATE ROLE {} {options}", quoted(&self.name)));
        Ok(Look::Missing { made: self.thing(), calls: start.into_iter().chain([create]).collect() })
    }

    fn judge(&self, rights: &Rights) -> Result<Look, Failure> {
        let lacks = [(rights.rolcanlogin, "LOGIN"), (rights.rolcreatedb, "CREATEDB")];
        let lacks: Vec<_> = lacks.into_iter().filter(|(has, _)| !has).map(|(_, right)| right).collect();
        if !lacks.is_empty() {
            let rights = lacks.join(" ");
            let alter = self.sql(&format!("ALTER ROLE {} {rights}", quoted(&self.name)));
            return Err(Failure::error(format!("{} is there without {rights}", self.title()))
                .help(format!("setup changes no role that is there already; if it is for builds: {alter}")));
        }
        let more = [
            (rights.rolsuper, "SUPERUSER"),
            (rights.rolcreaterole, "CREATEROLE"),
            (rights.rolreplication, "REPLICATION"),
            (rights.rolbypassrls, "BYPASSRLS"),
        ];
        let mut more: Vec<String> =
            more.into_iter().filter(|(has, _)| *has).map(|(_, right)| right.to_owned()).collect();
        more.extend(rights.member.iter().map(|role| format!("membership in {role}")));
        if more.is_empty() {
            return Ok(Look::There(None));
        }
        let more = more.join(", ");
        Ok(Look::There(Some(format!(
            "it may do more than builds need ({more}); setup changes no role that is there already"
        ))))
    }

    pub(super) fn undo(&self, sight: Sight<'_>) -> Result<Undo, Failure> {
        let Some(cluster) = self.in_cluster() else { return Ok(Undo::Gone) };
        if !cluster.online {
            return Ok(Undo::Kept(format!("the cluster is down; `{}` starts it", self.start())));
        }
        if !sight.root {
            return Ok(Undo::Calls(vec![self.removal()], None));
        }
        if self.rights()?.is_none() {
            return Ok(Undo::Gone);
        }
        let databases = self.databases()?;
        let (testing, others): (Vec<_>, Vec<_>) = databases.into_iter().partition(|name| name.starts_with(TESTING));
        let names = |databases: &[String]| databases.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        if !others.is_empty() {
            let owns = names(&others);
            let advice = "drop them, or give them another owner with ALTER DATABASE";
            return Ok(Undo::Kept(format!("it owns databases that are not known to be farmout's ({owns}): {advice}")));
        }
        if !testing.is_empty() && !sight.purge {
            return Ok(Undo::Kept(format!("it owns testing databases ({}); --purge drops them", names(&testing))));
        }
        let drops = testing.iter().map(|name| self.sql(&format!("DROP DATABASE {}", quoted(name))));
        Ok(Undo::Calls(drops.chain([self.removal()]).collect(), None))
    }

    fn rights(&self) -> Result<Option<Rights>, Failure> {
        let name = literal(&self.name);
        let member =
            "ARRAY(SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid)";
        let answer = self.query(&format!(
            "SELECT row_to_json(o) FROM (SELECT r.*, {member} AS member FROM pg_roles r WHERE r.rolname = {name}) o"
        ))?;
        let Some(line) = answer.lines().find(|line| !line.is_empty()) else { return Ok(None) };
        let rights = serde_json::from_str(line)
            .map_err(|error| Failure::error(format!("{} answers what cannot be read: {error}", self.cluster)))?;
        Ok(Some(rights))
    }

    fn databases(&self) -> Result<Vec<String>, Failure> {
        let name = literal(&self.name);
        let of = "pg_database d JOIN pg_roles r ON r.oid = d.datdba";
        let answer = self.query(&format!("SELECT d.datname FROM {of} WHERE r.rolname = {name} ORDER BY 1"))?;
        Ok(answer.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    fn query(&self, sql: &str) -> Result<String, Failure> {
        let words = self.psql(sql);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        ask(&words).map_err(|why| {
            Failure::error(format!("the cluster {} cannot be asked about its roles: psql {why}", self.cluster)).help(
                format!(
                    "{} must get in through the socket (`peer` in pg_hba.conf, as Debian has it)",
                    self.administrator
                ),
            )
        })
    }

    fn sql(&self, sql: &str) -> Call {
        Call::Run { variables: Vec::new(), words: self.psql(sql), long: false }
    }

    fn removal(&self) -> Call {
        self.sql(&format!("DROP ROLE {}", quoted(&self.name)))
    }

    /// Debian's psql, which finds the port and the socket of a cluster by itself.
    fn psql(&self, sql: &str) -> Vec<String> {
        let administrator = ["runuser", "-u", &self.administrator, "--"];
        let psql =
            ["/usr/bin/psql", "--cluster", &self.cluster, "-d", "postgres", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c"];
        administrator.into_iter().chain(psql).chain([sql]).map(str::to_owned).collect()
    }

    fn start(&self) -> Call {
        let (version, name) = self.cluster.split_once('/').unwrap_or((&self.cluster, "main"));
        Call::run(["pg_ctlcluster", version, name, "start"])
    }

    /// Whether the server came with packages that setup installed: nobody else can have stopped it on purpose.
    fn is_of_our_server(&self, sight: Sight<'_>) -> bool {
        sight.record.things().any(|thing| matches!(thing, Thing::Packages(packages) if packages.have_server()))
    }

    fn in_cluster(&self) -> Option<Cluster> {
        Cluster::all().into_iter().find(|cluster| cluster.name == self.cluster)
    }

    fn thing(&self) -> Thing {
        Thing::Role(self.clone())
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_read_with_their_state() {
        let read = |line: &str| Cluster::read(line).unwrap();
        let line =
            "15  main    5432 online postgres /var/lib/postgresql/15/main /var/log/postgresql/postgresql-15-main.log";
        let cluster = Cluster { name: "15/main".into(), online: true, recovery: false, owner: "postgres".into() };
        assert_eq!(read(line), cluster);
        assert!(read("9.6 old 5433 online,recovery backup /a /b").recovery);
        assert!(!read("16 main 5434 down postgres /a /b").online);
        assert!(!read("16 main 5434 down,binaries_missing postgres /a /b").online);
        assert_eq!(Cluster::read("16 main"), None);
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("a'b"), "'a''b'");
    }
}
