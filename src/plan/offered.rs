//! What a slave offers a builder: the capabilities that the builder gets there, with their options, and what their placeholders
//! stand for.

use indexmap::IndexMap;

use super::Condition;
use super::bind::AT_RUN_TIME;
use super::placeholder::{self, Value};
use crate::compile::secret_name;
use crate::dispatch::{Chosen, required};
use crate::model::{Declarations, Offer, OfferValue, Requirement, Slave, Variant, Version};

/// The capability and the option that a placeholder is about, if it is about one.
pub(crate) fn capability_option(name: &str) -> Option<(&str, &str)> {
    name.split_once('.').filter(|(capability, _)| !["property", "secret"].contains(capability))
}

/// Names that are filled in after the slave's: when a plan is bound to the builder, or when it runs.
fn is_later(name: &str) -> bool {
    ["database", "slave"].contains(&name) || is_at_run_time(name)
}

/// Names that are filled in when a plan runs.
pub(super) fn is_at_run_time(name: &str) -> bool {
    AT_RUN_TIME.contains(&name) || name.starts_with("property.") || name.starts_with("secret.")
}

/// What a slave makes of all builders that get the same capabilities there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    /// Directories before `PATH`.
    pub(crate) path: Vec<String>,
    /// Variables of every step, those of capabilities over that of the temporary directory.
    pub(crate) environment: IndexMap<String, String>,
    /// The texts that `capability.option` and `capability.version` stand for.
    pub(crate) values: IndexMap<String, String>,
    /// Properties that capabilities make.
    pub(crate) properties: IndexMap<String, String>,
    /// The conditions of steps that are met there.
    pub(crate) conditions: Vec<Condition>,
}

/// What a slave offers a builder: its capabilities, each at one version.
#[derive(Debug, Clone)]
pub(crate) struct Offered {
    pub(super) capabilities: IndexMap<String, Bound>,
}

impl Offered {
    /// What a slave offers the builder of these versions and requirements.
    pub(crate) fn new(chosen: &Chosen, requires: &[Requirement], slave: &Slave, declarations: &Declarations) -> Self {
        let mut all: Chosen = chosen.clone();
        all.extend(required(requires, chosen, slave));
        let bound = |(name, version): (String, Option<Version>)| {
            let offer = slave.offer(&name, version.as_ref())?;
            Some((name.clone(), Bound::new(&name, offer, slave, declarations)))
        };
        Self { capabilities: all.into_iter().filter_map(bound).collect() }
    }

    /// What it makes of every builder's steps there: `PATH` and the environment, the values that their placeholders have, and
    /// which conditions it meets. The builder itself plays no part in it, so that many share one.
    ///
    /// # Errors
    /// The name of the part, `path` or `environment`, and the placeholder in it that nothing fills in.
    pub(crate) fn setting(&self, declarations: &Declarations) -> Result<Setting, (&'static str, placeholder::Error)> {
        let fill =
            |text: &str| placeholder::bind(text, |name| if is_later(name) { Value::Later } else { self.value(name) });
        let mut path = Vec::new();
        let mut environment = IndexMap::from([("TMPDIR".to_owned(), "${tmp-dir}".to_owned())]);
        let (mut values, mut conditions) = (IndexMap::new(), Vec::new());
        let mut properties = IndexMap::new();
        for (name, bound) in &self.capabilities {
            let version = bound.version.as_ref().map(Version::to_string);
            properties.extend(version.clone().map(|version| (declarations.version_property(name), version)));
            for (option, value) in &bound.options {
                let text = match value {
                    Value::Known(value) => {
                        // What is secret, or known to the run only, is no property.
                        properties.insert(format!("cap_{name}_{option}"), value.clone());
                        placeholder::escape(value)
                    }
                    Value::Text(text) => text.clone(),
                    Value::Absent | Value::Later => continue,
                };
                values.insert(format!("{name}.{option}"), text);
            }
            values.extend(version.map(|version| (format!("{name}.version"), placeholder::escape(&version))));
            conditions.extend(bound.variant.as_ref().map(|variant| Condition {
                capability: name.clone(),
                option: variant.option.clone(),
                is: variant.is.clone(),
            }));
            let Some(declaration) = declarations.get(name) else { continue };
            for directory in &declaration.path {
                path.push(fill(directory).map_err(|error| ("path", error))?);
            }
            let replaced = bound.variant.iter().flat_map(|variant| &variant.environment);
            for (variable, value) in declaration.environment.iter().chain(replaced) {
                environment.insert(variable.clone(), fill(value).map_err(|error| ("environment", error))?);
            }
        }
        path.retain(|directory| !directory.is_empty());
        environment.retain(|_, value| !value.is_empty());
        Ok(Setting { path, environment, values, properties, conditions })
    }

    /// One offer of a slave alone.
    pub(crate) fn one(capability: &str, offer: &Offer, slave: &Slave, declarations: &Declarations) -> Self {
        let bound = Bound::new(capability, offer, slave, declarations);
        Self { capabilities: IndexMap::from([(capability.to_owned(), bound)]) }
    }

    /// Whether it is offered in a certain way.
    pub(crate) fn meets(&self, condition: &Condition) -> bool {
        let bound = self.capabilities.get(&condition.capability);
        bound
            .and_then(|bound| bound.variant.as_ref())
            .is_some_and(|variant| variant.option == condition.option && variant.is == condition.is)
    }

    /// The version of a capability.
    pub(crate) fn version(&self, capability: &str) -> Option<&Version> {
        self.capabilities.get(capability)?.version.as_ref()
    }

    /// What `capability.option` stands for.
    pub(crate) fn value(&self, name: &str) -> Value {
        let Some((capability, option)) = name.split_once('.') else { return Value::Absent };
        let Some(bound) = self.capabilities.get(capability) else { return Value::Absent };
        match (option, &bound.version) {
            ("version", Some(version)) => Value::Known(version.to_string()),
            _ => bound.options.get(option).cloned().unwrap_or(Value::Absent),
        }
    }
}

/// A capability that the builder gets on the slave.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) version: Option<Version>,
    pub(super) options: IndexMap<String, Value>,
    pub(super) variant: Option<Variant>,
}

impl Bound {
    fn new(name: &str, offer: &Offer, slave: &Slave, declarations: &Declarations) -> Self {
        let mut options: IndexMap<String, Value> = IndexMap::new();
        for (option, given) in &offer.options {
            let value = match &given.value {
                OfferValue::Plain(value) => Value::Known(value.clone()),
                OfferValue::Secret(_) => {
                    let secret = secret_name(&slave.name, name, offer.version.as_ref(), option);
                    Value::Text(format!("${{secret.{secret}}}"))
                }
            };
            options.insert(option.clone(), value);
        }
        let is = |variant: &&Variant| options.get(&variant.option) == Some(&Value::Known(variant.is.clone()));
        let variant = declarations.get(name).and_then(|declaration| declaration.variants.iter().find(is)).cloned();
        for (option, value) in variant.iter().flat_map(|variant| &variant.options) {
            options.insert(option.clone(), Value::Text(value.clone()));
        }
        Self { version: offer.version.clone(), options, variant }
    }
}
