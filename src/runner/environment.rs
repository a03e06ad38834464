//! What a step is given: its placeholders filled in, and its environment.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;

use indexmap::IndexMap;

use super::mask::Mask;
use super::site::{Site, StepUser};
use crate::plan::placeholder::{self, Error};
use crate::plan::{Plan, Step};
use crate::workspace::builder::Workspace;

/// The values of placeholders while a builder runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) site: &'a Site,
    /// The run's id.
    pub(super) run: &'a str,
    pub(super) plan: &'a Plan,
    pub(super) workspace: &'a Workspace,
    /// What earlier steps reported.
    pub(super) properties: &'a IndexMap<String, String>,
}

/// A step's environment.
pub(super) type Environment = IndexMap<OsString, OsString>;

impl Values<'_> {
    /// Fills in a text.
    ///
    /// # Errors
    /// What has no value, in a sentence about `what` the text is.
    pub(super) fn fill(&self, what: &str, text: &str) -> Result<String, String> {
        placeholder::finish(text, |name| self.value(name)).map_err(|error| {
            let why = match &error {
                Error::Unknown(name) => self.why_unknown(name),
                Error::Syntax(_) => None,
            };
            let why = why.map(|why| format!(": {why}")).unwrap_or_default();
            format!("{what} cannot be filled in: {error}{why}")
        })
    }

    fn value(&self, name: &str) -> Option<String> {
        let workspace = self.workspace;
        Some(match name {
            "basedir" => workspace.basedir.to_string(),
            "builder-dir" => workspace.builder.to_string(),
            "build-dir" => workspace.builder.join("build").into_string(),
            "tmp-dir" => workspace.builder.join("tmp").into_string(),
            "caches" => workspace.basedir.join("buildout-caches").into_string(),
            "socket-dir" => workspace.sockets.as_ref()?.to_string(),
            "farmout" => self.site.program.to_string(),
            "run" => self.run.to_owned(),
            _ => {
                if let Some(secret) = name.strip_prefix("secret.") {
                    return self.site.secrets.get(secret).map(|secret| secret.expose().to_owned());
                }
                let property = name.strip_prefix("property.")?;
                return self.properties.get(property).or_else(|| self.plan.properties.get(property)).cloned();
            }
        })
    }

    fn why_unknown(&self, name: &str) -> Option<String> {
        if let Some(secret) = name.strip_prefix("secret.") {
            return Some(format!("the farm has no secret `{secret}`"));
        }
        let property = name.strip_prefix("property.")?;
        let reports = |step: &&Step| step.property.as_deref() == Some(property);
        Some(match self.plan.steps.iter().find(reports) {
            Some(step) => format!("step `{}` should have reported it", step.name),
            None => "no step reports it".to_owned(),
        })
    }

    /// The environment of a step: the site's, the account's, `PATH`, the plan's, the step's; later ones win.
    ///
    /// # Errors
    /// A value that cannot be filled in, in a sentence.
    pub(super) fn environment(&self, step: &Step, user: Option<&StepUser>) -> Result<Environment, String> {
        let mut environment: Environment = self.site.environment.iter().cloned().collect();
        if let Some(user) = user {
            for (name, value) in [("HOME", user.home.as_str()), ("USER", &user.name), ("LOGNAME", &user.name)] {
                environment.insert(name.into(), value.into());
            }
        }
        let mut path: Vec<OsString> = Vec::new();
        for directory in &self.plan.path {
            path.push(self.fill("an element of PATH", directory)?.into());
        }
        if let Some(base) = environment.get(OsStr::new("PATH")) {
            path.extend(base.as_bytes().split(|&byte| byte == b':').map(|part| OsStr::from_bytes(part).to_owned()));
        }
        // An empty element would be the current directory.
        path.retain(|directory| !directory.is_empty());
        environment.insert("PATH".into(), path.join(OsStr::new(":")));
        for (name, value) in self.plan.environment.iter().chain(&step.environment) {
            let value = self.fill(&format!("the variable {name}"), value)?;
            environment.insert(name.into(), value.into());
        }
        environment.retain(|_, value| !value.is_empty());
        Ok(environment)
    }
}

/// How the environment differs from the one that every step starts from, for people to read.
pub(super) fn differences(site: &Site, environment: &Environment, mask: &Mask) -> IndexMap<String, Option<String>> {
    // A dozen of them: looking through all is faster than a map.
    let base = |name: &OsString| site.environment.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value);
    let text = |text: &OsString| mask.text(&text.to_string_lossy());
    let changed = environment.iter().filter(|(name, value)| base(name) != Some(value));
    let changed = changed.map(|(name, value)| (text(name), Some(text(value))));
    let unset = site.environment.iter().filter(|(name, _)| !environment.contains_key(name));
    let unset = unset.map(|(name, _)| (text(name), None));
    changed.chain(unset).collect()
}

/// Whether the plan has a placeholder of this name. A text that is no text with placeholders has none.
pub(super) fn mentions(plan: &Plan, wanted: &str) -> bool {
    plan.texts().any(|text| placeholder::names(text).is_ok_and(|names| names.iter().any(|name| name == wanted)))
}
