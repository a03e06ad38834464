//! Private clusters: one is made, started, used and removed by the commands that builds call.

use camino::{Utf8Path, Utf8PathBuf};

use super::{ANSWER, Case, Checked, PATIENCE};
use crate::doctor::kind::{POSTGRESQL_CLUSTER, POSTGRESQL_PROGRAMS, POSTGRESQL_VERSION};
use crate::doctor::{Finding, Mend, failure_of, is_of};
use crate::host::detect::PgInstall;

/// Whom private clusters have as their user.
const USER: &str = "farmout";

impl Case<'_, '_> {
    pub(super) fn cluster(&self) -> Checked {
        let mut findings = Vec::new();
        let line = self.try_cluster(&mut findings);
        (line.unwrap_or_default(), findings)
    }

    fn try_cluster(&self, findings: &mut Vec<Finding>) -> Option<String> {
        let Some(bin) = self.bin() else {
            let what = format!("{} has no `bin`, and no program postgres is on PATH", self.name());
            findings.push(self.at("cluster", Finding::new(&POSTGRESQL_PROGRAMS, what, self.mend_programs())));
            return None;
        };
        let install = match PgInstall::ask(&bin, &self.probe(ANSWER)) {
            Ok(install) => install,
            Err(problem) => {
                let what = format!("{} cannot be started: {problem}", self.name());
                findings.push(self.at("bin", Finding::new(&POSTGRESQL_PROGRAMS, what, self.mend_programs())));
                return None;
            }
        };
        let promised = self.offer.and_then(|offer| offer.version.as_ref());
        if promised.is_some_and(|version| !is_of(version, &install.version)) {
            let what = format!("{} is PostgreSQL {} in {bin}", self.name(), install.version);
            let mend = Mend::advice(format!(
                "write `postgresql {}` in the fragment, or the `bin` of the version that is promised",
                install.major
            ));
            findings.push(self.at("bin", Finding::new(&POSTGRESQL_VERSION, what, mend)));
            return None;
        }
        let place = self.patient.workshop.path().join(format!("pg{}", self.number));
        let tried = self.start(&bin, &place).and_then(|()| {
            let sockets = place.join("s");
            let variables = [("PGHOST", sockets.as_str()), ("PGPORT", "5432"), ("PGUSER", USER)];
            let look = self.look(&variables).map_err(|trouble| (trouble.message, trouble.help))?;
            match look.refused.clone() {
                Some(refused) => Err((refused.message, refused.help)),
                None => Ok(look),
            }
        });
        // Also where the start failed: it may have got half-way.
        let stopped = self.stop(&bin, &place);
        match tried.and_then(|look| stopped.map(|()| look)) {
            Err((message, help)) => {
                let what = format!("a private cluster of {} does not work: {message}", self.name());
                let user = self.patient.user();
                let by_hand = || Mend::advice(format!("try by hand, as {user}: {bin}/initdb -D /tmp/try"));
                let mend = help.map_or_else(by_hand, Mend::advice);
                findings.push(self.at("cluster", Finding::new(&POSTGRESQL_CLUSTER, what, mend)));
                None
            }
            Ok(look) => {
                self.judge(&look, findings);
                Some(format!("{} ({}): a private cluster was made, with a database in it", self.name(), look.version))
            }
        }
    }

    /// The directory of the programs: the option's, else that of `postgres` on PATH.
    fn bin(&self) -> Option<Utf8PathBuf> {
        match self.option("bin") {
            Some(bin) => Some(bin.into()),
            None => self.patient.places.program("postgres")?.parent().map(Utf8Path::to_owned),
        }
    }

    fn start(&self, bin: &Utf8Path, place: &Utf8Path) -> Result<(), (String, Option<String>)> {
        let (data, sockets) = (place.join("data"), place.join("s"));
        let arguments = [
            "start-cluster",
            "--bin",
            bin.as_str(),
            "--data",
            data.as_str(),
            "--socket-dir",
            sockets.as_str(),
            "--superuser",
            USER,
        ];
        self.pg(&arguments)
    }

    fn stop(&self, bin: &Utf8Path, place: &Utf8Path) -> Result<(), (String, Option<String>)> {
        self.pg(&["stop-cluster", "--bin", bin.as_str(), "--data", place.join("data").as_str()])
    }

    fn pg(&self, arguments: &[&str]) -> Result<(), (String, Option<String>)> {
        let arguments: Vec<&str> = ["tool", "pg"].iter().chain(arguments).copied().collect();
        let output = self.probe(PATIENCE).output(&self.patient.workshop.program, &arguments);
        let output = output.map_err(|problem| (format!("`farmout {}` {problem}", arguments[..3].join(" ")), None))?;
        if output.status.success() { Ok(()) } else { Err(failure_of(&output.stderr)) }
    }
}
