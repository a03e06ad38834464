//! A slave: a host, and what it offers.

use indexmap::IndexMap;

use super::{Offer, SecretSource, Version};
use crate::source::Span;

/// A build host, from its section in a fragment.
#[derive(Debug, Clone)]
pub struct Slave {
    /// Its name.
    pub name: String,
    /// Where its section begins.
    pub span: Span,
    /// What it shows to a master. Empty where that was not said.
    pub password: SecretSource,
    /// Where the password stands; the section's name where it has none.
    pub password_span: Span,
    /// What it offers, by capability: versions in the order written.
    pub capabilities: IndexMap<String, Vec<Offer>>,
    /// Whether something that it offers was not understood, which has been reported.
    pub unclear: bool,
    /// How many builds run at once, if it says.
    pub max_builds: Option<u64>,
    /// Who is told when it is away.
    pub notify_on_missing: Vec<String>,
    /// The highest is chosen first.
    pub priority: Priority,
    /// It takes only builds that require all of these.
    pub only_if_requires: Vec<String>,
    /// The first half of its testing databases' names.
    pub db_prefix: String,
    /// Everything else that its section says.
    pub properties: IndexMap<String, String>,
}

impl Slave {
    /// The offer of a capability at a version (or without one).
    pub fn offer(&self, capability: &str, version: Option<&Version>) -> Option<&Offer> {
        self.capabilities.get(capability)?.iter().find(|offer| offer.version.as_ref() == version)
    }
}

/// A finite number, as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Priority {
    /// Its value.
    pub value: f64,
    /// Its text.
    pub text: String,
}

impl Priority {
    /// Reads a finite number.
    pub fn parse(text: &str) -> Option<Self> {
        let value = text.trim().parse::<f64>().ok().filter(|value| value.is_finite())?;
        Some(Self { value, text: text.trim().to_owned() })
    }

    /// The number for JSON: a whole one without a point.
    pub fn number(&self) -> serde_json::Number {
        match self.value {
            whole if whole.fract() == 0.0 && whole.abs() < 1e15 => serde_json::Number::from(whole as i64),
            other => serde_json::Number::from_f64(other).unwrap_or_else(|| serde_json::Number::from(0)),
        }
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self { value: 0.0, text: "0".to_owned() }
    }
}
