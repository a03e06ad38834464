//! Whether a Buildbot master is the farm's. In: a compiled farm, what would be rendered of it, and a master's directory. Out:
//! findings: what is not as rendered, secrets that are not as they have to be, what Buildbot refuses or takes and should not, and
//! steps that are not those of the plans. The configuration is run by Buildbot's own Python in a copy: nothing in the
//! directory is changed.

mod copy;
mod facts;
mod finding;
mod loaded;
mod program;
mod rendered;
mod secrets;
mod steps;
mod telling;
mod trial;

use std::io;
use std::num::NonZeroUsize;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Deserialize;

use crate::Compilation;
use crate::diagnostic::{Failure, plain};
use crate::model::Slave;
use crate::plan::Plan;
use crate::render::buildbot::{Document, split};

use copy::Copy;
use finding::count;
use loaded::{Loaded, LoadedPlan, Pair};
use program::Buildbot;
use trial::{Loading, load};

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
}

/// Where Buildbot is.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its program, or the environment that it is in; else it is looked for.
    pub buildbot: Option<Utf8PathBuf>,
    /// Whether it is an error if there is none.
    pub required: bool,
}

/// The help where there is no Buildbot.
const NO_BUILDBOT: &str =
    "install it (`python3 -m venv venv && venv/bin/pip install buildbot`), or name its program with --buildbot";

/// The help where the configuration was not loaded at all.
const NOT_LOADED: &str = "is Buildbot installed for that Python? Another can be named with --buildbot";

/// A Buildbot, and a copy of the directory that it tries.
struct Trial {
    buildbot: Buildbot,
    copy: Copy,
}

impl Trial {
    /// What farm.py makes of builders on workers by itself.
    fn plain(&self, pairs: &[Pair]) -> Result<Vec<LoadedPlan>, Failure> {
        let plans = trial::plain(&self.buildbot, &self.copy, pairs).map_err(|error| self.failed(&error))?;
        plans.map_err(|why| Failure::error(self.cannot_load(&why)))
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::misuse(format!("{} cannot be run: {}", self.buildbot.program, plain(&error.to_string())))
    }

    fn cannot_load(&self, why: &str) -> String {
        format!("{} cannot load the configuration: {why}", self.buildbot.python)
    }
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
        let rendered = rendered::check(self)?;
        let (secrets_summary, mut secrets) = secrets::check(self, rendered.stale.as_deref());
        let mut checked = vec![Checked::new(Part::Rendered, rendered.summary, rendered.findings)];
        let rest = match self.load(options, None)? {
            None => {
                let why = "no Buildbot was found here: what it makes of master.cfg is not known";
                let missing = Finding::error("no-buildbot", "no Buildbot was found, and --require-buildbot is given");
                let mut configuration = Checked::not(Part::Configuration, why);
                configuration.findings.extend(options.required.then(|| missing.help(NO_BUILDBOT)));
                vec![configuration, Checked::not(Part::Steps, "they are made by Buildbot's own loader")]
            }
            Some((trial, Loading { loaded: Ok(loaded), checkconfig })) => {
                secrets.extend(secrets::unused(self, &loaded.secrets));
                self.loaded(&trial, loaded, checkconfig, rendered.current, &secrets)?
            }
            Some((trial, Loading { loaded: Err(why), .. })) => {
                let finding = Finding::error("not-loaded", trial.cannot_load(&why)).help(NOT_LOADED);
                let summary = format!("not loaded by {}", trial.buildbot.program);
                vec![
                    Checked::new(Part::Configuration, summary, vec![finding]),
                    Checked::not(Part::Steps, "the configuration was not loaded"),
                ]
            }
        };
        checked.push(Checked::new(Part::Secrets, secrets_summary, secrets));
        checked.extend(rest);
        Ok(Report { directory: self.directory.to_string(), checked })
    }

    fn directory_is_there(&self) -> Result<(), Failure> {
        match self.directory.metadata() {
            Ok(metadata) if metadata.is_dir() => Ok(()),
            Ok(_) => Err(Failure::misuse(format!("{} is no directory", self.directory))),
            Err(error) => {
                let failure = Failure::misuse(format!("{}: {}", self.directory, plain(&error.to_string())));
                Err(failure.help(format!("`farmout render buildbot -o {}` makes a master's directory", self.directory)))
            }
        }
    }

    /// Has Buildbot load the configuration, if there is a Buildbot.
    fn load(&self, options: &Options, pairs: Option<&[Pair]>) -> Result<Option<(Trial, Loading)>, Failure> {
        let Some(buildbot) = Buildbot::find(options.buildbot.as_deref(), self.directory)? else { return Ok(None) };
        let copy = Copy::new(self.directory).map_err(|error| {
            let error = plain(&error.to_string());
            Failure::misuse(format!("{} cannot be copied to be tried: {error}", self.directory))
        })?;
        let trial = Trial { buildbot, copy };
        let loading = load(&trial.buildbot, &trial.copy, pairs).map_err(|error| trial.failed(&error))?;
        Ok(Some((trial, loading)))
    }

    /// What there is to say of a configuration that was loaded.
    fn loaded(
        &self,
        trial: &Trial,
        mut loaded: Loaded,
        checkconfig: Option<String>,
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
        let told = |message: &str| !current && message.contains("/farm.json") || secrets::is_told(message, secrets);
        let refused = refused.into_iter().filter(|refusal| !told(&refusal.message));
        let mut findings: Vec<Finding> = refused.map(facts::refused).collect();
        if let Some(said) = checkconfig.filter(|_| !is_refused) {
            let finding = Finding::error("refused", format!("{} checkconfig refuses it", buildbot.program));
            let details = said.lines().map(str::trim).filter(|line| !line.is_empty()).map(ToOwned::to_owned).collect();
            findings.push(Finding { details, ..finding });
        }
        findings.extend(facts::findings(std::mem::take(&mut loaded.facts), &self.document.secrets));
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
        let rendered = rendered::check(self)?;
        if !rendered.current {
            rendered.findings.iter().for_each(|finding| note!("{}", telling::told(finding).trim_end()));
            return Err(Failure::error("what is rendered is not current, so that it is no dry run of this farm"));
        }
        let Some((trial, loading)) = self.load(options, Some(pairs))? else {
            return Err(Failure::misuse("no Buildbot was found, and its loader makes the steps").help(NO_BUILDBOT));
        };
        let loaded = loading.loaded.map_err(|why| Failure::error(trial.cannot_load(&why)).help(NOT_LOADED))?;
        if !loaded.refused.is_empty() || !loaded.farm {
            let refused = loaded.refused.into_iter().map(facts::refused);
            refused.for_each(|finding| note!("{}", telling::told(&finding).trim_end()));
            let help = format!("`farmout check-master {}` says more", self.directory);
            return Err(Failure::error("Buildbot does not load the farm from this configuration").help(help));
        }
        steps::dry_run(self, &loaded)
    }
}
