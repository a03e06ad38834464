//! Whether a Buildbot master is the farm's. In: a compiled farm, what would be rendered of it, and a master's directory. Out:
//! findings: what is not as rendered, secrets that are not as they have to be, what Buildbot refuses or takes and should not, and
//! steps that are not those of the plans. The configuration is run by Buildbot's own Python in a copy of the directory, which
//! itself is only read.

mod again;
mod call;
mod copy;
mod facts;
mod finding;
mod loaded;
mod program;
mod rendered;
mod secrets;
mod steps;
mod tac;
mod telling;
mod trial;

use std::num::NonZeroUsize;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;
use shell_words::quote;

use crate::Compilation;
use crate::diagnostic::{Failure, plain};
use crate::model::Slave;
use crate::plan::Plan;
use crate::render::buildbot::{Document, split};

use finding::count;
use loaded::{Keepers, Loaded, Pair};
use program::Buildbot;
use trial::{Loading, Trial};

pub use finding::{Checked, Finding, Part, Place};
pub use telling::Report;

/// What a master is to have of a farm: all of it, or its share where what is rendered in its directory is that of one of several.
pub fn share(directory: &Utf8Path, document: Document) -> Document {
    #[derive(Deserialize)]
    struct Rendered {
        master: Option<Numbered>,
    }
    #[derive(Deserialize)]
    struct Numbered {
        number: NonZeroUsize,
        of: NonZeroUsize,
    }
    let text = std::fs::read(directory.join("farm.json")).unwrap_or_default();
    let Ok(Rendered { master: Some(Numbered { number, of }) }) = serde_json::from_slice(&text) else { return document };
    // A number that cannot be has been written by hand, and what is compared with the whole farm is told of.
    if of.get() > document.builds.len() {
        return document;
    }
    split(&document, of).into_iter().nth(number.get() - 1).unwrap_or(document)
}

/// A master's directory, and the farm that it is for.
#[derive(Debug)]
pub struct Master<'a> {
    /// The directory.
    pub directory: &'a Utf8Path,
    /// The farm.
    pub compilation: &'a Compilation,
    /// What is rendered of it.
    pub document: &'a Document,
    /// How this call names the farm: arguments for a shell, each with a blank before it.
    pub farm: &'a str,
}

/// Where Buildbot is, and what it is asked.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its program, or the environment that it is in; else it is looked for.
    pub buildbot: Option<Utf8PathBuf>,
    /// Whether it is an error if there is none.
    pub required: bool,
    /// Whether secrets are looked at.
    pub secrets: bool,
    /// How long Buildbot may take for the configuration.
    pub limit: Duration,
}

/// The help where there is no Buildbot.
const NO_BUILDBOT: &str =
    "install it (`python3 -m venv venv && venv/bin/pip install buildbot`), or name its program with --buildbot";

/// The help where the configuration was not loaded at all.
const NOT_LOADED: &str = "is Buildbot installed for that Python? Another can be named with --buildbot";

/// The finding where the configuration was not loaded at all.
fn not_loaded(trial: &Trial, why: &str) -> Finding {
    let finding = Finding::error("not-loaded", trial.cannot_load(why));
    if why.contains("ModuleNotFoundError") || why.contains("ImportError") { finding.help(NOT_LOADED) } else { finding }
}

/// What there is against the configuration besides what Buildbot's loader has: buildbot.tac, and what `buildbot checkconfig` says
/// of what the loader took.
fn objections(trial: &Trial, loading: &mut Loading) -> Vec<Finding> {
    let mut findings: Vec<Finding> = loading.tac.take().map(facts::refused).into_iter().collect();
    let is_taken = loading.loaded.as_ref().is_ok_and(|loaded| loaded.refused.is_empty());
    if let Some(said) = loading.checkconfig.take().filter(|_| is_taken) {
        let finding = Finding::error("refused", format!("{} checkconfig refuses it", trial.buildbot.program));
        let details = said.lines().map(str::trim).filter(|line| !line.is_empty()).map(ToOwned::to_owned).collect();
        findings.push(Finding { details, ..finding });
    }
    findings
}

impl Master<'_> {
    /// The slave that a worker is.
    fn slave(&self, worker: &str) -> Option<&Slave> {
        let name = self.document.workers.get(worker)?.slave.as_deref().unwrap_or(worker);
        self.compilation.graph.slave(name).map(|(_, slave)| slave)
    }

    /// Whether a text is what something in the farm is called.
    fn is_name(&self, text: &str) -> bool {
        let document = self.document;
        document.workers.iter().any(|(name, worker)| name == text || worker.db_prefix == text)
            || document.builders.iter().any(|builder| builder.name == text || builder.build == text)
    }

    /// Looks at all of it.
    ///
    /// # Errors
    /// A directory that is none, or files that cannot be read.
    pub fn examine(&self, options: &Options) -> Result<Report, Failure> {
        self.directory_is_there()?;
        let buildbot = Buildbot::find(options.buildbot.as_deref(), self.directory)?;
        let rendered = rendered::check(self, buildbot.as_ref())?;
        let tried = buildbot.map(|buildbot| self.load(buildbot, options, None)).transpose()?;
        let loaded = tried.as_ref().and_then(|(_, loading)| loading.loaded.as_ref().ok());
        let secrets = self.secrets(options, rendered.stale.as_deref(), loaded);
        let mut checked = vec![Checked::new(Part::Rendered, rendered.summary, rendered.findings)];
        let rest = match tried {
            None => {
                let why = "no Buildbot was found here: what it makes of master.cfg is not known";
                let missing = Finding::error("no-buildbot", "no Buildbot was found, and --require-buildbot is given");
                let mut configuration = Checked::not(Part::Configuration, why);
                configuration.findings.extend(options.required.then(|| missing.help(NO_BUILDBOT)));
                vec![configuration, Checked::not(Part::Steps, "they are made by Buildbot's own loader")]
            }
            Some((trial, mut loading)) => {
                let mut findings = objections(&trial, &mut loading);
                match loading.loaded {
                    Ok(loaded) => self.loaded(&trial, loaded, findings, rendered.current, &secrets.findings)?,
                    Err(why) => {
                        findings.push(not_loaded(&trial, &why));
                        let summary = format!("not loaded by {}", trial.buildbot.program);
                        vec![
                            Checked::new(Part::Configuration, summary, findings),
                            Checked::not(Part::Steps, "the configuration was not loaded"),
                        ]
                    }
                }
            }
        };
        checked.push(secrets);
        checked.extend(rest);
        Ok(Report { directory: self.directory.to_string(), checked })
    }

    fn secrets(&self, options: &Options, stale: Option<&str>, loaded: Option<&Loaded>) -> Checked {
        if !options.secrets {
            let number = count(self.document.secrets.len(), "secret");
            return Checked::not(Part::Secrets, format!("{number} left out: --without-secrets"));
        }
        let keepers = loaded.and_then(|loaded| loaded.keepers.as_ref());
        let (summary, mut findings) = secrets::check(self, stale, keepers);
        if let (Some(loaded), Some(keepers)) = (loaded, keepers) {
            findings.extend(secrets::unused(self, keepers, &loaded.secrets));
        }
        Checked::new(Part::Secrets, summary, findings)
    }

    fn directory_is_there(&self) -> Result<(), Failure> {
        match self.directory.metadata() {
            Ok(metadata) if metadata.is_dir() => Ok(()),
            Ok(_) => Err(Failure::misuse(format!("{} is no directory", self.directory))),
            Err(error) => {
                let failure = Failure::misuse(format!("{}: {}", self.directory, plain(&error.to_string())));
                Err(failure.help(format!("`{}` makes a master's directory", self.render())))
            }
        }
    }

    /// Has a Buildbot load the configuration.
    fn load(&self, buildbot: Buildbot, options: &Options, pairs: Option<&[Pair]>) -> Result<(Trial, Loading), Failure> {
        let left_out = (!options.secrets).then_some(self.document.secrets.as_slice());
        let trial = Trial::new(buildbot, self.directory, options.limit, left_out)?;
        let loading = trial.load(pairs)?;
        Ok((trial, loading))
    }

    /// What there is to say of a configuration that was loaded.
    fn loaded(
        &self,
        trial: &Trial,
        mut loaded: Loaded,
        objections: Vec<Finding>,
        current: bool,
        secrets: &[Finding],
    ) -> Result<Vec<Checked>, Failure> {
        let buildbot = &trial.buildbot;
        let counts = [
            (loaded.builders, "builder"),
            (loaded.workers, "worker"),
            (loaded.schedulers, "scheduler"),
            (loaded.pollers, "change source"),
        ];
        let counts: Vec<String> = counts.iter().map(|(number, thing)| count(*number, thing)).collect();
        let summary = format!("Buildbot {} ({}): {}", loaded.buildbot, buildbot.program, counts.join(", "));
        let refused = std::mem::take(&mut loaded.refused);
        let is_refused = !refused.is_empty();
        // What is wrong with farmout's own files is told already, and better.
        let keepers: Option<Keepers> = loaded.keepers.take();
        let told = |message: &str| {
            !current && message.contains("/farm.json") || secrets::is_told(message, secrets, keepers.as_ref())
        };
        let refused = refused.into_iter().filter(|refusal| !told(&refusal.message));
        let mut findings: Vec<Finding> = refused.map(facts::refused).collect();
        findings.extend(objections);
        findings.extend(facts::findings(std::mem::take(&mut loaded.facts), &self.document.secrets, trial.secrets));
        let steps = if !loaded.farm {
            if !is_refused {
                let finding = Finding::error("no-farm", "nothing of the farm is in master.cfg");
                let help = "from farm import configure\nconfigure(c)   # after c = BuildmasterConfig = {}";
                findings.push(finding.help(help));
            }
            Checked::not(Part::Steps, "the farm is not in the configuration")
        } else if current {
            let (summary, findings) = steps::check(self, &loaded, |pairs| trial.plain(pairs))?;
            Checked::new(Part::Steps, summary, findings)
        } else {
            Checked::not(Part::Steps, "they are compared when the rendered files are current")
        };
        let configuration = if is_refused && findings.is_empty() {
            Checked::not(
                Part::Configuration,
                format!("Buildbot {} refuses it for what is wrong with other parts", loaded.buildbot),
            )
        } else {
            Checked::new(Part::Configuration, summary, findings)
        };
        Ok(vec![configuration, steps])
    }

    /// The plans of builders on workers as the master has them, and notes of where they are not those of `farmout plan`.
    ///
    /// # Errors
    /// Rendered files that are not current, no Buildbot, or a configuration that it refuses.
    pub fn dry_run(&self, options: &Options, pairs: &[Pair]) -> Result<(Vec<Plan>, Vec<String>), Failure> {
        self.directory_is_there()?;
        let buildbot = Buildbot::find(options.buildbot.as_deref(), self.directory)?;
        let rendered = rendered::check(self, buildbot.as_ref())?;
        if !rendered.current {
            rendered.findings.iter().for_each(|finding| note!("{}", telling::told(finding).trim_end()));
            return Err(Failure::error("what is rendered is not current, so that it is no dry run of this farm"));
        }
        let Some(buildbot) = buildbot else {
            return Err(Failure::misuse("no Buildbot was found, and its loader makes the steps").help(NO_BUILDBOT));
        };
        let (trial, loading) = self.load(buildbot, options, Some(pairs))?;
        let loaded = loading.loaded.map_err(|why| {
            let Finding { what, help, .. } = not_loaded(&trial, &why);
            Failure { help, ..Failure::error(what) }
        })?;
        if !loaded.refused.is_empty() || !loaded.farm {
            let refused = loaded.refused.into_iter().map(facts::refused);
            refused.for_each(|finding| note!("{}", telling::told(&finding).trim_end()));
            let help = format!("`farmout check-master{} {}` says more", self.farm, quote(self.directory.as_str()));
            return Err(Failure::error("Buildbot does not load the farm from this configuration").help(help));
        }
        steps::dry_run(self, &loaded)
    }
}
