//! What a slave offers a builder: the capabilities that the builder gets there, with their options, and what their placeholders
//! stand for.

use indexmap::IndexMap;

use super::Condition;
use super::placeholder::Value;
use crate::compile::secret_name;
use crate::dispatch::{Chosen, required};
use crate::model::{Declarations, Offer, OfferValue, Requirement, Slave, Variant, Version};

/// The capability and the option that a placeholder is about, if it is about one.
pub(crate) fn capability_option(name: &str) -> Option<(&str, &str)> {
    name.split_once('.').filter(|(capability, _)| !["property", "secret"].contains(capability))
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
