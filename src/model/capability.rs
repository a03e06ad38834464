//! Capabilities: what is declared of them, what slaves offer, what builds ask for.

use indexmap::IndexMap;
use schemars::JsonSchema;

use super::{Filter, OptionType, SecretSource, Version};
use crate::source::Span;

/// What farmout knows of a capability; the built-in ones and a farm's own are the same kind of data.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Declaration {
    /// Its name in manifests and fragments.
    #[schemars(rename = "capability")]
    pub name: String,
    /// What it is, one line.
    pub help: String,
    /// What builder names call it; else its name.
    #[schemars(default)]
    pub abbreviation: Option<String>,
    /// The property that tells a build which version it got; else `<name>_version`.
    #[schemars(default)]
    pub version_property: Option<String>,
    /// The options that a slave may give.
    #[schemars(default)]
    pub options: IndexMap<String, OptionDeclaration>,
    /// Directories put before PATH, with placeholders `${<name>.<option>}`.
    #[schemars(default)]
    pub path: Vec<String>,
    /// Environment of every step, with the same placeholders.
    #[schemars(default)]
    pub environment: IndexMap<String, String>,
    /// What changes for certain values of an option.
    #[schemars(default)]
    pub variants: Vec<Variant>,
    /// The plain properties by which old fragments offer it.
    #[schemars(default)]
    pub properties: Option<Properties>,
}

/// An option of a capability.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OptionDeclaration {
    /// What it is, one line.
    pub help: String,
    /// What its value is.
    #[schemars(default, rename = "type")]
    pub kind: OptionType,
    /// The only values that it may have, if there are such.
    #[schemars(default)]
    pub choices: Vec<String>,
    /// Whether its value must never be seen.
    #[schemars(default)]
    pub secret: bool,
    /// Why it does nothing any more, if so.
    #[schemars(default)]
    pub unused: Option<String>,
}

/// What changes when a slave sets an option to a certain value.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Variant {
    /// The option.
    pub option: String,
    /// The value.
    pub is: String,
    /// Options that then have these values, placeholders included.
    #[schemars(default)]
    pub options: IndexMap<String, String>,
    /// Environment that then replaces the capability's.
    #[schemars(default)]
    pub environment: IndexMap<String, String>,
    /// The step template that makes it ready, and cleans it up.
    #[schemars(default)]
    pub template: Option<String>,
}

/// The plain properties by which old fragments offer a capability.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Properties {
    /// The one that holds the version.
    pub version: String,
    /// Options, and the properties that hold them.
    pub options: IndexMap<String, String>,
}

impl Declaration {
    /// What builder names call it.
    pub fn abbreviation(&self) -> &str {
        self.abbreviation.as_deref().unwrap_or(&self.name)
    }

    /// The property that tells a build which version it got.
    pub fn version_property(&self) -> String {
        self.version_property.clone().unwrap_or_else(|| format!("{}_version", self.name))
    }
}

/// All declared capabilities by name.
#[derive(Debug, Clone, Default)]
pub struct Declarations(IndexMap<String, Declaration>);

impl Declarations {
    /// Adds a declaration; a farm's own replaces a built-in one of the same name.
    pub fn add(&mut self, declaration: Declaration) {
        self.0.insert(declaration.name.clone(), declaration);
    }

    /// The declaration of a capability. Slaves may offer capabilities that nobody declared.
    pub fn get(&self, name: &str) -> Option<&Declaration> {
        self.0.get(name)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Declaration> {
        self.0.values()
    }

    /// What builder names call a capability, declared or not.
    pub fn abbreviation<'a>(&'a self, name: &'a str) -> &'a str {
        self.get(name).map_or(name, Declaration::abbreviation)
    }

    /// The property that tells a build which version of a capability it got, declared or not.
    pub fn version_property(&self, name: &str) -> String {
        self.get(name).map_or_else(|| format!("{name}_version"), Declaration::version_property)
    }
}

/// One version of a capability that a slave offers.
#[derive(Debug, Clone)]
pub struct Offer {
    /// The version; a capability need not have one.
    pub version: Option<Version>,
    /// Where it is offered.
    pub span: Span,
    /// Its options.
    pub options: IndexMap<String, OfferOption>,
}

/// An option of an offer.
#[derive(Debug, Clone)]
pub struct OfferOption {
    /// The value.
    pub value: OfferValue,
    /// Where it was given.
    pub span: Span,
}

/// The value of an option of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OfferValue {
    /// One that may be seen.
    Plain(String),
    /// One that must not be, or where it is.
    Secret(SecretSource),
}

/// What a build asks of a slave: a capability, and which versions of it will do.
#[derive(Debug, Clone)]
pub struct Requirement {
    /// The capability.
    pub capability: String,
    /// Where it is asked for.
    pub span: Span,
    /// Which versions will do.
    pub filter: Filter,
}

/// A capability over whose versions a build is dispatched.
#[derive(Debug, Clone)]
pub struct Dispatch {
    /// The capability and the versions that will do.
    pub requirement: Requirement,
    /// `not-used`: the capability does not matter, and there is one builder.
    pub not_used: bool,
}

impl std::fmt::Display for Requirement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let filter = self.filter.to_string();
        f.write_str(&self.capability)?;
        if filter.is_empty() { Ok(()) } else { write!(f, " {filter}") }
    }
}
