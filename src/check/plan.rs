//! What `plan` and `run` would fail of: every builder is lowered and bound here, so that the place is told at once. The graph
//! and the templates come in, diagnostics go out; of files only those are read that plans carry.
//!
//! Lowering each of a hundred thousand builders takes too long, and would say the same again and again. Builders with the
//! same templates and capabilities are lowered once; where a template is the farm's own, once for each set of options. They
//! are bound without slaves: only where a slave offers less than a step asks for, it is looked at which builders it takes.

mod bound;

use std::collections::HashSet;
use std::sync::Arc;

use camino::Utf8Path;
use indexmap::IndexMap;

use crate::diagnostic::{Diagnostics, Label, problem};
use crate::dispatch::{Builder, Graph};
use crate::model::{Build, BuildoutSource, Value};
use crate::plan::{LowerError, files, outline};
use crate::source::Span;
use crate::steps::{Templates, Why};

/// Checks that every builder of a build without mistakes can be planned on every slave that takes it.
pub(super) fn check(graph: &Graph, templates: &Templates, diagnostics: &mut Diagnostics) {
    carried(graph, diagnostics);
    let mut groups: IndexMap<Key<'_>, Vec<&[Builder]>> = IndexMap::new();
    for builders in graph.builders.chunk_by(|one, other| one.build == other.build) {
        if let Some(first) = builders.first().filter(|first| graph.build(first).whole) {
            groups.entry(Key::of(first, graph, templates)).or_default().push(builders);
        }
    }
    let mut binding = bound::Binding::new(graph, templates);
    for (key, builders) in &groups {
        let Some(first) = builders.first().and_then(|builders| builders.first()) else { continue };
        let build = graph.build(first);
        let (procedure, errors) = outline(graph, templates, first, None);
        for error in errors {
            report(&error, build, templates, diagnostics);
        }
        binding.check(&procedure, &key.capabilities, builders, diagnostics);
    }
}

/// What the steps of a builder depend on, as far as one of them could fail.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key<'a> {
    templates: Vec<&'a str>,
    /// Those that the builder gets on every slave.
    capabilities: Vec<&'a str>,
    /// What a farm's own expressions see. The options of built-in templates are of their types, and then these make their
    /// steps: builds may differ in them.
    own: Option<Own>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Own {
    /// The options, by where they are: builds that have the same share them.
    options: *const IndexMap<String, Value>,
    /// The build, where its name or its source decides anything.
    build: Option<usize>,
}

impl<'a> Key<'a> {
    fn of(builder: &'a Builder, graph: &'a Graph, templates: &Templates) -> Self {
        let build = graph.build(builder);
        let mut capabilities: Vec<&str> = builder.chosen.keys().map(String::as_str).collect();
        for requirement in &build.requires {
            if !capabilities.contains(&requirement.capability.as_str()) {
                capabilities.push(&requirement.capability);
            }
        }
        let declared = capabilities.iter().filter_map(|name| graph.farm.declarations.get(name));
        let variants = declared.flat_map(|declaration| &declaration.variants);
        let variants = variants.filter_map(|variant| variant.template.as_deref());
        let names = build.steps.iter().map(|step| step.template.as_str()).chain(variants);
        let mut own =
            names.filter_map(|name| templates.find(name)).filter(|template| !template.is_builtin()).peekable();
        let own = own.peek().is_some().then(|| Own {
            options: Arc::as_ptr(&build.options),
            build: own.any(|template| template.surroundings).then_some(builder.build),
        });
        Self { templates: build.steps.iter().map(|step| step.template.as_str()).collect(), capabilities, own }
    }
}

/// Reports a template that makes no steps, where it says what is wrong, or where the build lists it.
fn report(error: &LowerError, build: &Build, templates: &Templates, diagnostics: &mut Diagnostics) {
    // The files are looked at by themselves; a template that does not exist has been reported.
    let LowerError::Expand(error) = error else { return };
    let listed = listed(build, &error.template, templates);
    let build = build.name.clone();
    let problem = match &error.why {
        Why::NoProgram => problem::Step::NoProgram { step: error.step.clone(), build },
        why => {
            let (step, template) = (error.step.clone(), error.template.clone());
            problem::Step::Fails { step, template, build, message: why.to_string() }
        }
    };
    let diagnostic = diagnostics.push(problem, error.place.unwrap_or(listed));
    if error.place.is_some() {
        diagnostic.label(listed, Label::UsedHere);
    }
}

/// Where a build names a template, or one that has its steps.
fn listed(build: &Build, template: &str, templates: &Templates) -> Span {
    let includes = |name: &str| templates.includes(name, template);
    build.steps.iter().find(|step| includes(&step.template)).map_or(build.span, |step| step.span)
}

/// The files that plans carry, each set of them once.
fn carried(graph: &Graph, diagnostics: &mut Diagnostics) {
    let mut done: HashSet<(&Utf8Path, Option<&Utf8Path>)> = HashSet::new();
    for build in &graph.farm.builds {
        let Some(buildout) = &build.buildout else { continue };
        let BuildoutSource::Standalone { file, with } = &buildout.source else { continue };
        if !done.insert((file, with.as_deref())) || !build.whole {
            continue;
        }
        if let Err(why) = files(build) {
            diagnostics.push(problem::Source::Carry { why }, buildout.span);
        }
    }
}
