//! `buildout::`: what is inside the buildouts, once their files are put together: parts, references, and what `develop`
//! needs on the slave. Absences are reported only where nothing unknown could fill them.

mod reference;

use std::collections::HashSet;
use std::sync::Arc;

use camino::Utf8Path;

use crate::diagnostic::{Diagnostics, Label, problem};
use crate::dispatch::Graph;
use crate::model::{Configuration, Inside, normal};
use crate::resolve::buildout::{interpolate, not_carried};
use crate::source::{Span, Text};

/// Checks the insides of the buildouts, each configuration once.
pub(super) fn check(graph: &Graph, diagnostics: &mut Diagnostics) {
    let mut done = HashSet::new();
    for build in &graph.farm.builds {
        let (Some(inside), Some(buildout)) = (&build.inside, &build.buildout) else { continue };
        let configuration = &inside.configuration;
        if done.insert(Arc::as_ptr(configuration)) {
            listed(configuration, diagnostics);
            versions(configuration, diagnostics);
            develop(configuration, buildout.span, diagnostics);
            reference::check(configuration, diagnostics);
        }
        driving(inside, diagnostics);
    }
}

/// Whether all sections are known: nothing is extended that was not read, and no extension adds any.
fn is_closed(configuration: &Configuration) -> bool {
    !configuration.open && !configuration.is_extended()
}

/// The values that an option of `[buildout]` can have, references put in.
fn values(configuration: &Configuration, option: &str) -> Vec<Text> {
    let values = configuration.option("buildout", option).map_or(&[][..], |option| &option.values);
    let numbered = values.iter().enumerate();
    numbered.map(|(variant, value)| interpolate(configuration, "buildout", value, variant)).collect()
}

/// The words of values, with the values that they stand in.
fn words(values: &[Text]) -> impl Iterator<Item = (&Text, &str)> {
    values.iter().flat_map(|value| value.split_whitespace().map(move |word| (value, word)))
}

/// Every part that is installed is a section with a recipe.
fn listed(configuration: &Configuration, diagnostics: &mut Diagnostics) {
    if !is_closed(configuration) {
        return;
    }
    let values = values(configuration, "parts");
    for (value, part) in words(&values).filter(|(_, part)| !part.contains("${")) {
        match configuration.sections.get(part) {
            None => missing(configuration, part, value.span_of(part), diagnostics),
            Some(section) if !section.has_recipe() => {
                diagnostics.push(problem::Buildout::PartRecipe { part: part.to_owned() }, section.span);
            }
            Some(_) => {}
        }
    }
}

/// The section of pins, where one is named: the bootstrap adds the usual one, `[versions]`.
fn versions(configuration: &Configuration, diagnostics: &mut Diagnostics) {
    if !is_closed(configuration) {
        return;
    }
    for value in values(configuration, "versions") {
        let name = value.trim();
        if !name.is_empty() && name != "versions" && !name.contains("${") && !configuration.sections.contains_key(name)
        {
            missing(configuration, name, value.span_of(name), diagnostics);
        }
    }
}

fn missing(configuration: &Configuration, section: &str, span: Span, diagnostics: &mut Diagnostics) {
    let known = configuration.sections.keys().map(ToString::to_string).collect();
    diagnostics.push(problem::Buildout::Section { section: section.to_owned(), known }, span);
}

/// What is developed has to be there before anything else happens. Extensions may put it there.
fn develop(configuration: &Configuration, place: Span, diagnostics: &mut Diagnostics) {
    if configuration.is_extended() {
        return;
    }
    let values = values(configuration, "develop");
    for (value, word) in words(&values) {
        let path = word.strip_prefix("${buildout:directory}/").unwrap_or(word);
        // Absolute paths are the slave's own; the rest of a pattern is matched there.
        if path.starts_with(['/', '~']) || path.contains("${") || path.contains("://") {
            continue;
        }
        let is_pattern = |part: &str| part.contains(['*', '?', '[']);
        let known: Vec<&str> = path.split('/').take_while(|part| !is_pattern(part)).collect();
        let directory = normal(&configuration.directory.join(known.join("/")));
        let span = value.span_of(word);
        if !directory.is_dir() {
            diagnostics.push(problem::Buildout::Develop { directory: known.join("/") }, span);
        } else if !configuration.carries(Utf8Path::new(&directory)) {
            diagnostics.push(not_carried(configuration, &directory), span).label(place, Label::ItsBuildout);
        }
    }
}

/// The part that drives the server exists, has a recipe and is installed.
fn driving(inside: &Inside, diagnostics: &mut Diagnostics) {
    let (configuration, part) = (&inside.configuration, &inside.part);
    if !is_closed(configuration) {
        return;
    }
    let values = values(configuration, "parts");
    let Some(section) = configuration.sections.get(&**part) else {
        let with_recipe = configuration.sections.iter().filter(|(_, section)| section.has_recipe());
        let parts = with_recipe.map(|(name, _)| name.to_string()).collect();
        diagnostics.push(problem::Buildout::PartMissing { part: part.clone(), parts }, inside.part_span);
        return;
    };
    if !section.has_recipe() {
        diagnostics.push(problem::Buildout::PartRecipe { part: part.clone() }, section.span);
        return;
    }
    let installed = words(&values).any(|(_, word)| word == part || word.contains("${"));
    // A part that another refers to is installed before that one.
    if !installed && !reference::reached(configuration).contains(&**part) {
        let problem = problem::Buildout::PartNotInstalled { part: part.clone() };
        diagnostics.push(problem, inside.part_span).label(section.span, Label::ItsPart);
    }
}
