//! The Pythons that a slave offers: each is asked what it is, and has to make an environment in which pip can be imported.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

use super::finding::summary;
use super::kind::{
    PYTHON_BROKEN, PYTHON_HEADERS, PYTHON_MISSING, PYTHON_MODULES, PYTHON_NO_VENV, PYTHON_OLD, PYTHON_OUT_OF_REACH,
    PYTHON_VENV_ONLINE, PYTHON_VERSION, PYTHON_VIRTUALENV,
};
use super::{Finding, Kind, Mend, Patient, is_of, named, option};
use crate::host::needs::Need;
use crate::host::probe::parallel;
use crate::model::{Offer, Version};

const CAPABILITY: &str = "python";
const QUESTION: &str = include_str!("python.py");

/// An answer.
const ANSWER: Duration = Duration::from_secs(15);

/// Making an environment with pip in it.
const MAKING: Duration = Duration::from_secs(180);

/// What it says of itself.
#[derive(Debug, Deserialize)]
struct Said {
    version: String,
    venv: bool,
    pip: bool,
    virtualenv: bool,
    header: String,
    headers: bool,
    missing: Vec<String>,
}

/// What is looked at: an offer, or the default Python for builds that ask for none.
struct Case<'p, 'a> {
    patient: &'p Patient<'a>,
    offer: Option<&'a Offer>,
    number: usize,
}

pub(super) fn check(patient: &Patient<'_>) -> (String, Vec<Finding>) {
    let offers = patient.slave.capabilities.get(CAPABILITY).into_iter().flatten();
    let mut cases: Vec<_> =
        offers.enumerate().map(|(number, offer)| Case { patient, offer: Some(offer), number }).collect();
    let default = Case { patient, offer: None, number: cases.len() };
    let real = |case: &Case<'_, '_>| case.program().ok().and_then(|program| program.canonicalize_utf8().ok());
    let known = real(&default).is_some_and(|default| cases.iter().any(|case| real(case).as_ref() == Some(&default)));
    if !known && !patient.builds_with(CAPABILITY, None).is_empty() {
        cases.push(default);
    }
    let mut told = Vec::new();
    let mut findings = Vec::new();
    for (line, found) in parallel(&cases, Case::check) {
        told.extend(line);
        findings.extend(found);
    }
    (summary(&told, if cases.is_empty() { "the slave takes no build" } else { "none in order" }), findings)
}

impl Case<'_, '_> {
    fn check(&self) -> (Option<String>, Vec<Finding>) {
        let mut findings = Vec::new();
        let line = self.try_python(&mut findings);
        (line.filter(|_| findings.is_empty()), findings)
    }

    /// What it is called in a fragment.
    fn name(&self) -> String {
        self.offer.map_or_else(|| "the default Python".to_owned(), |offer| named(CAPABILITY, offer))
    }

    fn found(&self, kind: &'static Kind, what: String, mend: Mend) -> Finding {
        let finding = Finding::new(kind, what, mend);
        let Some(offer) = self.offer else { return finding };
        let span = offer.options.get("bin").map_or(offer.span, |option| option.span);
        finding.at(span, &self.patient.compilation.sources)
    }

    fn try_python(&self, findings: &mut Vec<Finding>) -> Option<String> {
        let program = match self.program() {
            Ok(program) => program,
            Err(finding) => {
                findings.push(*finding);
                return None;
            }
        };
        let said = match self.ask(&program) {
            Ok(said) => said,
            Err(problem) => {
                let what = format!("{} ({program}) {problem}", self.name());
                findings.push(self.found(
                    &PYTHON_BROKEN,
                    what,
                    Mend::advice("install it anew, or name another as `bin`"),
                ));
                return None;
            }
        };
        let promised = self.offer.and_then(|offer| offer.version.as_ref());
        if promised.is_some_and(|version| !is_of(version, &said.version)) {
            let what = format!("{} is Python {} ({program})", self.name(), said.version);
            let mend = Mend::advice("correct the version or `bin` in the fragment");
            findings.push(self.found(&PYTHON_VERSION, what, mend));
        }
        if ["2.4.", "2.5.", "2.6."].iter().any(|old| said.version.starts_with(old)) {
            let what = format!("{} is Python {}", self.name(), said.version);
            findings.push(self.found(
                &PYTHON_OLD,
                what,
                Mend::advice("install Python 2.7, the oldest that farmout can use"),
            ));
            return None;
        }
        if said.virtualenv {
            let what = format!("{} ({program}) is the Python of a virtualenv", self.name());
            let mend = Mend::advice("name the Python that the environment was made with as `bin`");
            findings.push(self.found(&PYTHON_VIRTUALENV, what, mend));
        }
        if !said.missing.is_empty() {
            let what = format!("{} ({program}) cannot import {}", self.name(), said.missing.join(", "));
            let mend = Mend::advice(
                "compile it anew with the headers of OpenSSL, zlib and expat installed, or take the distribution's",
            );
            findings.push(self.found(&PYTHON_MODULES, what, mend));
            return None;
        }
        let made = self.make(&program, &said);
        if !said.headers {
            let what = format!("{} ({program}) has no headers: {} is missing", self.name(), said.header);
            findings.push(self.found(&PYTHON_HEADERS, what, self.install("Python headers", &program, &said)));
        }
        if let Err(finding) = made {
            findings.push(*finding);
        }
        Some(format!("{} ({}): an environment was made", self.name(), said.version))
    }

    /// The interpreter: the option's, else the one of that version on the builds' PATH.
    fn program(&self) -> Result<Utf8PathBuf, Box<Finding>> {
        let version = self.offer.and_then(|offer| offer.version.as_ref());
        let named = self.offer.and_then(|offer| option(offer, "bin"));
        let user = self.patient.user();
        let Some(path) = named.filter(|bin| bin.contains('/')).map(Utf8Path::new) else {
            let default = format!("python{}", version.map_or("3", Version::as_str));
            let name = named.unwrap_or(&default);
            return self.patient.places.program(name).ok_or_else(|| {
                let what = format!("{}: {user} finds no {name} on PATH", self.name());
                Box::new(self.found(&PYTHON_MISSING, what, Mend::advice(format!(
                    "install {name}, or name it as `bin` in the fragment: `farmout slave detect` prints what is installed"
                ))))
            });
        };
        if !path.is_file() {
            let what = format!("{}: there is no {path}", self.name());
            let mend = Mend::advice("correct `bin` in the fragment: `farmout slave detect` prints what is installed");
            return Err(Box::new(self.found(&PYTHON_MISSING, what, mend)));
        }
        match &self.patient.account {
            Some(account) if !account.can_execute(path) => {
                let closed = path.ancestors().skip(1).filter(|above| !account.can_reach(above)).last();
                let (why, remedy) = match closed {
                    Some(closed) => (
                        format!("cannot enter {closed}"),
                        format!("install Python outside of {closed}, or open that directory: chmod o+x {closed}"),
                    ),
                    None => ("may not execute it".to_owned(), format!("chmod o+rx {path}")),
                };
                let what = format!("{} ({path}) is out of reach: {user} {why}", self.name());
                Err(Box::new(self.found(&PYTHON_OUT_OF_REACH, what, Mend::advice(remedy))))
            }
            _ => Ok(path.to_owned()),
        }
    }

    fn ask(&self, program: &Utf8Path) -> Result<Said, String> {
        let output = self.patient.workshop.probe(ANSWER).run(program, &["-E", "-c", QUESTION])?;
        let line = output.stdout.lines().rfind(|line| line.starts_with('{'));
        line.and_then(|line| serde_json::from_str(line).ok())
            .ok_or_else(|| "does not answer as a Python does".to_owned())
    }

    /// Makes an environment in the way that bootstrap does, and imports pip in it.
    fn make(&self, program: &Utf8Path, said: &Said) -> Result<(), Box<Finding>> {
        let probe = self.patient.workshop.probe(MAKING).with("PYTHONNOUSERSITE", "1");
        let directory = self.patient.workshop.path().join(format!("python{}", self.number));
        let other = self.offer.and_then(|offer| option(offer, "venv")).filter(|other| *other != "auto");
        let failed = |what, mend| Box::new(self.found(&PYTHON_NO_VENV, what, mend));
        if let Some(other) = other {
            probe.run(other, &["--python", program.as_str(), directory.as_str()]).map_err(|problem| {
                let what = format!("`venv` of {} is {other}, which {problem}", self.name());
                let mend =
                    "name a program that works as `venv` in the fragment, or leave it out, and bootstrap finds a way";
                failed(what, Mend::advice(mend))
            })?;
        } else if said.venv {
            let made = probe.run(program, &["-m", "venv", directory.as_str()]);
            made.map_err(|problem| self.without_venv(program, said, &format!("-m venv {problem}")))?;
        } else {
            let two = said.version.starts_with("2.");
            let why = if two { "Python 2 has no module venv" } else { "it has no venv with ensurepip" };
            return Err(self.without_venv(program, said, why));
        }
        probe.run(directory.join("bin/python"), &["-c", "import pip, ssl, zlib"]).map(drop).map_err(|problem| {
            let what =
                format!("in an environment of {} ({program}), pip cannot be imported: it {problem}", self.name());
            failed(what, self.install("venv", program, said))
        })
    }

    /// A Python that makes no environments by itself: bootstrap then has any pip download virtualenv.
    fn without_venv(&self, program: &Utf8Path, said: &Said, why: &str) -> Box<Finding> {
        let what = format!("{} ({program}) cannot make an environment by itself: {why}", self.name());
        let python3 = self.patient.places.program("python3").and_then(|python3| self.ask(&python3).ok());
        let pip = said.pip || python3.is_some_and(|python3| python3.pip);
        let mend = if said.version.starts_with("2.") {
            Mend::advice("name a virtualenv of that Python's age as `venv` in the fragment, 20.15 or older for 2.7")
        } else {
            self.install("venv", program, said)
        };
        Box::new(self.found(if pip { &PYTHON_VENV_ONLINE } else { &PYTHON_NO_VENV }, what, mend))
    }

    /// What installs a need of the system's own Python; another's is its maker's business.
    fn install(&self, need: &str, program: &Utf8Path, said: &Said) -> Mend {
        let real = program.canonicalize_utf8().unwrap_or_else(|_| program.to_owned());
        let minor = said.version.rsplit_once('.').map_or(said.version.as_str(), |(minor, _)| minor);
        if real.parent() != Some(Utf8Path::new("/usr/bin")) {
            return Mend::advice(format!("install Python {minor} anew, with all that belongs to it"));
        }
        let system = Utf8Path::new("/usr/bin/python3").canonicalize_utf8().ok();
        let needs = Need::all();
        let wanted: Vec<&Need> = needs.iter().filter(|known| known.name == need).collect();
        let mend = self.patient.install(&wanted);
        if system == Some(real) {
            return mend;
        }
        // Not the distribution's default: its packages have the version in their names.
        let commands = mend
            .commands
            .into_iter()
            .map(|words| words.into_iter().map(|word| word.replace("python3-", &format!("python{minor}-"))).collect());
        Mend::commands(commands.collect())
    }
}
