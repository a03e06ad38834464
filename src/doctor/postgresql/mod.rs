//! The PostgreSQL servers that a slave offers: each is connected to, or made, as a build does it, as the account; a database is
//! made in it and dropped. Passwords go by the environment only.

mod cluster;
mod mend;
mod server;

use std::time::{Duration, SystemTime};

use super::finding::summary;
use super::kind::{POSTGRESQL_CLOCK, POSTGRESQL_ENCODING, POSTGRESQL_TEMPLATE, POSTGRESQL_VERSION, REMOTE_COPY};
use super::{Finding, Mend, Patient, is_of, named, option};
use crate::diagnostic::suggest;
use crate::host::probe::{Probe, parallel};
use crate::model::{Build, Offer, Value};
use crate::tool::pg::{Look, Trouble, TroubleKind};

const CAPABILITY: &str = "postgresql";

/// Making a cluster takes seconds, on a busy slave a minute; waiting for others on a template one more.
const PATIENCE: Duration = Duration::from_secs(150);

/// A server that works answers at once; one far away takes a second.
const ANSWER: Duration = Duration::from_secs(20);

/// Clocks may differ by so much: the answer takes its time.
const SKEW: f64 = 60.0;

/// What is looked at: an offer, or the default server for builds that ask for none.
struct Case<'p, 'a> {
    patient: &'p Patient<'a>,
    offer: Option<&'a Offer>,
    number: usize,
}

type Checked = (String, Vec<Finding>);

pub(super) fn check(patient: &Patient<'_>) -> Checked {
    let offers = patient.slave.capabilities.get(CAPABILITY).into_iter().flatten();
    let mut cases: Vec<_> =
        offers.enumerate().map(|(number, offer)| Case { patient, offer: Some(offer), number }).collect();
    // A build that is not dispatched over PostgreSQL gets the default server.
    if patient.builds_with(CAPABILITY, None).into_iter().any(makes_databases)
        && cases.iter().all(|case| case.offer.is_some_and(|offer| offer.version.is_some()))
    {
        cases.push(Case { patient, offer: None, number: cases.len() });
    }
    let answers = parallel(&cases, Case::check);
    let mut told = Vec::new();
    let mut findings = Vec::new();
    for (line, found) in answers {
        told.extend((!line.is_empty()).then_some(line));
        findings.extend(found);
    }
    findings.extend(remote_copies(patient));
    let nothing = if cases.is_empty() { "the slave offers none, and no build asks for one" } else { "none in order" };
    (summary(&told, nothing), findings)
}

/// Whether one of the build's steps makes a database.
fn makes_databases(build: &Build) -> bool {
    build.steps.iter().any(|step| step.template == "simple_create")
}

impl Case<'_, '_> {
    fn check(&self) -> Checked {
        match self.offer.and_then(|offer| option(offer, "cluster")) {
            Some("ephemeral") => self.cluster(),
            _ => self.server(),
        }
    }

    /// What it is called.
    fn name(&self) -> String {
        self.offer.map_or_else(|| "the default server".to_owned(), |offer| named(CAPABILITY, offer))
    }

    fn option(&self, name: &str) -> Option<&str> {
        option(self.offer?, name)
    }

    /// At the place of an option of the offer, else of the offer itself.
    fn at(&self, name: &str, finding: Finding) -> Finding {
        let Some(offer) = self.offer else { return finding };
        let span = offer.options.get(name).map_or(offer.span, |option| option.span);
        finding.at(span, &self.patient.compilation.sources)
    }

    fn probe(&self, limit: Duration) -> Probe {
        self.patient.workshop.probe(limit).with("CLICOLOR_FORCE", "0").with("PGCONNECT_TIMEOUT", "5")
    }

    /// Asks the server of these variables, and has it make a database.
    fn look(&self, variables: &[(&str, &str)]) -> Result<Look, Trouble> {
        // One that accepts and says nothing is not waited for as long as one that works.
        self.ask(&[], variables, ANSWER)?;
        let database = format!("farmout-doctor-{}-{}", std::process::id(), self.number);
        self.ask(&["--database", &database], variables, PATIENCE)
    }

    fn ask(&self, more: &[&str], variables: &[(&str, &str)], limit: Duration) -> Result<Look, Trouble> {
        let arguments: Vec<&str> = ["tool", "pg", "look"].iter().chain(more).copied().collect();
        let trouble = |kind, message: String| Trouble { kind, message, help: None };
        let probe = variables.iter().fold(self.probe(limit), |probe, (name, value)| probe.with(name, *value));
        let output = probe
            .output(&self.patient.workshop.program, &arguments)
            .map_err(|problem| trouble(TroubleKind::Unreachable, format!("somebody is there, but {problem}")))?;
        let line = output.stdout.lines().rfind(|line| line.starts_with('{')).unwrap_or_default();
        let answer = serde_json::from_str::<Result<Look, Trouble>>(line);
        answer.map_err(|_| trouble(TroubleKind::Other, super::failure_of(&output.stderr).0))?
    }

    /// What a server that answered lacks: the version, templates, a right clock.
    fn judge(&self, look: &Look, findings: &mut Vec<Finding>) {
        let sources = &self.patient.compilation.sources;
        let version = self.offer.and_then(|offer| offer.version.as_ref());
        if version.is_some_and(|version| !is_of(version, &look.version)) {
            let what = format!("{} at {} is PostgreSQL {}", self.name(), look.server, look.version);
            let mend = Mend::advice("correct the version, or `port` and `host`, in the fragment");
            findings.push(self.at("port", Finding::new(&POSTGRESQL_VERSION, what, mend)));
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        if (look.now - now).abs() > SKEW {
            let apart = look.now - now;
            let order = if apart > 0.0 { "ahead of" } else { "behind" };
            let what = format!("the clock of {} is {:.0} s {order} this machine's", look.server, apart.abs());
            let mend = Mend::advice("set both clocks, and have them kept: timedatectl set-ntp true");
            findings.push(self.at("host", Finding::new(&POSTGRESQL_CLOCK, what, mend)));
        }
        let mut told: Vec<&str> = Vec::new();
        for build in self.patient.builds_with(CAPABILITY, version) {
            let Some(step) = build.steps.iter().find(|step| step.template == "simple_create") else { continue };
            let Some(Value::Text(template)) = build.options.get("db_template") else { continue };
            if told.contains(&template.as_str()) {
                continue;
            }
            told.push(template);
            let (kind, what, mend) = match look.databases.iter().find(|known| known.name == *template) {
                None => {
                    let there: Vec<_> = look.databases.iter().map(|known| known.name.as_str()).collect();
                    let what = format!(
                        "{} has no template database `{template}`, which [{}] copies; it has {}",
                        self.name(),
                        build.name,
                        suggest::list(there)
                    );
                    let mend = match self.option("cluster") {
                        Some(_) => Mend::advice(
                            "a private cluster has the templates of PostgreSQL alone: name one of them as \
                             `db_template`, or give the slave a server that stays",
                        ),
                        None => self.mend_template(template),
                    };
                    (&POSTGRESQL_TEMPLATE, what, mend)
                }
                Some(known) if !known.copyable => {
                    let what = format!(
                        "{} may not copy the database `{template}` of {}, as [{}] does",
                        look.user,
                        self.name(),
                        build.name
                    );
                    (&POSTGRESQL_TEMPLATE, what, self.mend_copy(template))
                }
                Some(known) if known.encoding != "UTF8" => {
                    let what = format!(
                        "the database `{template}` of {}, which [{}] copies, has the encoding {}",
                        self.name(),
                        build.name,
                        known.encoding
                    );
                    (&POSTGRESQL_ENCODING, what, self.mend_encoding())
                }
                Some(_) => continue,
            };
            findings.push(Finding::new(kind, what, mend).at(step.span, sources));
        }
    }
}

/// Programs of `pg_remote_copy` that are not there.
fn remote_copies(patient: &Patient<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for build in patient.builds() {
        let Some(step) = build.steps.iter().find(|step| step.template == "pg_remote_copy") else { continue };
        let Some(Value::List(words)) = build.options.get("pg_remote_copy.executable") else { continue };
        let Some(program) = words.first() else { continue };
        // A path is taken from the build's directory, which is not there yet.
        if !program.contains('/') && patient.places.program(program).is_none() {
            let what = format!(
                "{} cannot find the program `{program}` that [{}] copies its database with",
                patient.user(),
                build.name
            );
            let mend =
                Mend::advice("install it in a directory of PATH, or name it by its path: pg_remote_copy.executable");
            findings.push(Finding::new(&REMOTE_COPY, what, mend).at(step.span, &patient.compilation.sources));
        }
    }
    findings
}
