//! The properties that whoever starts a build gives it.

use indexmap::IndexMap;

use super::farm::Pick;
use crate::Compilation;
use crate::diagnostic::Failure;
use crate::model::is_property;
use crate::plan::Plan;

/// The arguments.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct PropertyArguments {
    /// A property of the builds, such as buildout-tag=1.2 for those of a tag; may be repeated
    #[arg(long = "property", value_name = "NAME=VALUE", value_parser = read)]
    properties: Vec<(String, String)>,
}

/// Reads one argument.
fn read(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is written NAME=VALUE")?;
    if !is_property(name) {
        return Err(format!("`{name}` cannot be the name of a property: letters, digits, `-`, `_` and `.`"));
    }
    if value.chars().any(char::is_control) {
        return Err(format!("the value of `{name}` has a control character in it"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

impl PropertyArguments {
    /// Whether none was given.
    pub(super) fn is_empty(&self) -> bool {
        self.properties.is_empty()
    }

    /// The properties as they were given.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.properties.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The properties, checked against what a builder has by itself.
    pub(super) fn given(&self, compilation: &Compilation) -> Result<IndexMap<String, String>, Failure> {
        let declarations = &compilation.graph.farm.declarations;
        let mut given = IndexMap::new();
        for (name, value) in &self.properties {
            let of = |name: &str| declarations.iter().any(|known| declarations.version_property(&known.name) == name);
            if name == "build_requires" || of(name) {
                return Err(Failure::misuse(format!("the property `{name}` is the builder's own"))
                    .help("what a builder is for is said by its name: give the name of another builder"));
            }
            if given.insert(name.clone(), value.clone()).is_some_and(|other| other != *value) {
                return Err(Failure::misuse(format!("the property `{name}` is given twice, with different values")));
            }
        }
        Ok(given)
    }
}

/// The plans that have all the properties that they need. One that was asked for by its name must be among them; others are
/// left out, and that is said.
///
/// # Errors
/// A builder that was asked for lacks a property, or all of them do.
pub(super) fn complete(plans: Vec<Plan>, pick: &Pick) -> Result<Vec<Plan>, Failure> {
    let (complete, lacking): (Vec<_>, Vec<_>) =
        plans.into_iter().partition(|plan| plan.missing_properties().is_empty());
    if let Some(first) = lacking.first().filter(|_| complete.is_empty() || !pick.is_all()) {
        return Err(Failure::misuse(lack(first)).help(how_to_give(first)));
    }
    for plan in &lacking {
        note!("{}; it is left out ({})", lack(plan), how_to_give(plan));
    }
    Ok(complete)
}

/// Says which plans lack properties; a dry run has them still.
pub(super) fn note(plans: &[Plan]) {
    for plan in plans.iter().filter(|plan| !plan.missing_properties().is_empty()) {
        note!("{}: {}", lack(plan), how_to_give(plan));
    }
}

fn lack(plan: &Plan) -> String {
    let names: Vec<_> = plan.missing_properties().iter().map(|name| format!("`{name}`")).collect();
    let properties = if names.len() == 1 { "the property" } else { "the properties" };
    format!("builder {} needs {properties} {}", plan.builder, names.join(" and "))
}

fn how_to_give(plan: &Plan) -> String {
    let arguments: Vec<_> = plan.missing_properties().iter().map(|name| format!("--property {name}=…")).collect();
    format!("give {} with `{}`", if arguments.len() == 1 { "it" } else { "them" }, arguments.join(" "))
}
