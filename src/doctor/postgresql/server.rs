//! Servers that run: one is connected to with what the fragment says, and has to make a database.

use std::time::Duration;

use camino::Utf8Path;

use super::{Case, Checked};
use crate::doctor::kind::{
    POSTGRESQL_CLIENT, POSTGRESQL_CREATEDB, POSTGRESQL_LIB, POSTGRESQL_PASSWORD, POSTGRESQL_PASSWORD_OPEN,
    POSTGRESQL_REFUSED, POSTGRESQL_ROLE, POSTGRESQL_UNREACHABLE,
};
use crate::doctor::{Finding, Mend, Severity, is_of};
use crate::host::secret;
use crate::model::{OfferValue, Secret};
use crate::tool::pg::{Trouble, TroubleKind};

/// Programs that tell a version, the one that builds call most first.
const PROGRAMS: [&str; 3] = ["psql", "pg_dump", "postgres"];

impl Case<'_, '_> {
    pub(super) fn server(&self) -> Checked {
        let mut findings = Vec::new();
        self.check_bin(&mut findings);
        self.check_lib(&mut findings);
        let mut variables = vec![("PGPORT", self.option("port").unwrap_or("5432"))];
        for (name, variable) in [("host", "PGHOST"), ("user", "PGUSER")] {
            variables.extend(self.option(name).map(|value| (variable, value)));
        }
        let password = match self.password(&mut findings) {
            Ok(password) => password,
            Err(finding) => {
                findings.push(*finding);
                return (String::new(), findings);
            }
        };
        variables.extend(password.as_ref().map(|password| ("PGPASSWORD", password.expose())));
        let line = match self.look(&variables) {
            Err(trouble) => {
                findings.push(self.trouble(trouble));
                String::new()
            }
            Ok(look) => {
                self.judge(&look, &mut findings);
                let works = look.refused.is_none();
                findings.extend(look.refused.clone().map(|refused| self.trouble(refused)));
                if works && findings.iter().all(|finding| finding.severity() != Severity::Error) {
                    format!("{} ({}) at {}: {} made a database", self.name(), look.version, look.server, look.user)
                } else {
                    String::new()
                }
            }
        };
        (line, findings)
    }

    /// The password, from where the fragment says that it is.
    fn password(&self, findings: &mut Vec<Finding>) -> Result<Option<Secret>, Box<Finding>> {
        let given = self.offer.and_then(|offer| offer.options.get("passwd")).map(|option| &option.value);
        let Some(OfferValue::Secret(source)) = given else { return Ok(None) };
        let told = |kind, what: String, help: String| {
            let what = format!("`passwd` of {}: {what}", self.name());
            self.at("passwd", Finding::new(kind, what, Mend::advice(help)))
        };
        match secret::read(source) {
            Err(missing) => Err(Box::new(told(&POSTGRESQL_PASSWORD, missing.message, missing.help))),
            Ok(found) => {
                findings.extend(found.warning.map(|(what, help)| told(&POSTGRESQL_PASSWORD_OPEN, what, help)));
                Ok(Some(found.secret))
            }
        }
    }

    fn trouble(&self, trouble: Trouble) -> Finding {
        let user = self.option("user").map_or_else(|| self.patient.user(), str::to_owned);
        let (kind, option) = match trouble.kind {
            TroubleKind::Unreachable | TroubleKind::Other => (&POSTGRESQL_UNREACHABLE, "port"),
            TroubleKind::Refused => (&POSTGRESQL_REFUSED, "user"),
            TroubleKind::NoRole => (&POSTGRESQL_ROLE, "user"),
            TroubleKind::NoCreateDb => (&POSTGRESQL_CREATEDB, "user"),
        };
        let what = format!("{}: {}", self.name(), trouble.message);
        let mend = match trouble.kind {
            TroubleKind::NoRole => self.mend_role(&user),
            TroubleKind::NoCreateDb => self.mend_createdb(&user),
            TroubleKind::Unreachable | TroubleKind::Refused | TroubleKind::Other => {
                trouble.help.map_or_else(Mend::default, Mend::advice)
            }
        };
        self.at(option, Finding::new(kind, what, mend))
    }

    /// Whether the programs that come first on PATH are of the version too.
    fn check_bin(&self, findings: &mut Vec<Finding>) {
        let Some(bin) = self.option("bin").map(Utf8Path::new) else { return };
        let probe = self.patient.workshop.probe(Duration::from_secs(10));
        let program = PROGRAMS.iter().map(|name| bin.join(name)).find(|path| path.is_file());
        let (what, mend) = match program {
            None => (
                format!("`bin` of {} is {bin}, where none of {} is", self.name(), PROGRAMS.join(", ")),
                Mend::advice("correct `bin` in the fragment, or leave it out"),
            ),
            Some(program) => match probe.run(&program, &["--version"]) {
                Err(problem) => (format!("{program} {problem}"), Mend::advice("correct `bin` in the fragment")),
                Ok(output) => {
                    let said =
                        output.stdout.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
                    let (version, said) =
                        (self.offer.and_then(|offer| offer.version.as_ref()), said.unwrap_or("unknown"));
                    if version.is_none_or(|version| is_of(version, said)) {
                        return;
                    }
                    let what = format!("`bin` of {} has programs of PostgreSQL {said}", self.name());
                    (what, Mend::advice("name the directory of that version's programs as `bin` in the fragment"))
                }
            },
        };
        findings.push(self.at("bin", Finding::new(&POSTGRESQL_CLIENT, what, mend)));
    }

    fn check_lib(&self, findings: &mut Vec<Finding>) {
        let Some(lib) = self.option("lib").map(Utf8Path::new) else { return };
        let libpq = lib.read_dir_utf8().ok().into_iter().flatten().flatten();
        if !libpq.into_iter().any(|entry| entry.file_name().starts_with("libpq.")) {
            let what = format!("`lib` of {} is {lib}, where no libpq is", self.name());
            let mend = Mend::advice("correct `lib` in the fragment, or leave it out");
            findings.push(self.at("lib", Finding::new(&POSTGRESQL_LIB, what, mend)));
        }
    }
}
