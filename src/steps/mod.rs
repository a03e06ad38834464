//! Step templates: what steps a phase is made of, as data. The built-in ones are in the format of a farm's own.

mod expand;
mod link;
mod template;

use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use minijinja::Environment;

use crate::diagnostic::{Diagnostics, problem};
use crate::model::{Declaration, Declarations, Declared, DeclaredOptions, OptionType, Value};
use crate::resolve::yaml;
use crate::source::{SourceId, Sources, Span};

pub use expand::{ExpandError, Expansion, values};
pub use template::{Argument, Item, LinkedStep, StepTemplate, Template, TemplateFile, Use};

use link::{Shelf, Written};

const BUILTIN: [&str; 8] = [
    include_str!("builtin/bootstrap.yaml"),
    include_str!("builtin/buildout.yaml"),
    include_str!("builtin/ephemeral-cluster.yaml"),
    include_str!("builtin/git.yaml"),
    include_str!("builtin/install-modules-test.yaml"),
    include_str!("builtin/noop.yaml"),
    include_str!("builtin/simple_create.yaml"),
    include_str!("builtin/standalone.yaml"),
];

const CAPABILITIES: [&str; 3] = [
    include_str!("../model/builtin/capabilities/postgresql.yaml"),
    include_str!("../model/builtin/capabilities/python.yaml"),
    include_str!("../model/builtin/capabilities/wkhtmltopdf.yaml"),
];

const OPTIONS: &str = include_str!("../model/builtin/options.yaml");

/// The options of manifests and of slave fragments that are no step template's.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoreOptions {
    /// Of manifests.
    pub manifest: DeclaredOptions,
    /// Of slave fragments.
    pub slave: DeclaredOptions,
    /// Of manifests, once; why they do nothing any more. A `*` at the end stands for any rest of a name.
    pub deprecated: IndexMap<String, String>,
}

/// Reads data that is built in. That it is well formed is proved by a test, not hoped for.
fn builtin<T: for<'de> serde::Deserialize<'de>>(text: &str) -> T {
    match serde_yaml::from_str(text) {
        Ok(data) => data,
        Err(error) => unreachable!("built-in data: {error}"),
    }
}

impl CoreOptions {
    /// Those that are built in: all of them.
    pub fn builtin() -> Self {
        builtin(OPTIONS)
    }

    /// Why an option does nothing any more, if it did something once.
    pub fn deprecated(&self, option: &str) -> Option<&str> {
        let is = |pattern: &str| match pattern.strip_suffix('*') {
            Some(beginning) => option.starts_with(beginning),
            None => option == pattern,
        };
        self.deprecated.iter().find(|(pattern, _)| is(pattern)).map(|(_, why)| why.as_str())
    }
}

/// The built-in capabilities, and a farm's own on top of them.
pub fn declarations(own: &[Declaration]) -> Declarations {
    let mut declarations = Declarations::default();
    for text in CAPABILITIES {
        declarations.add(builtin(text));
    }
    own.iter().cloned().for_each(|declaration| declarations.add(declaration));
    declarations
}

/// All step templates by name.
#[derive(Debug, Clone)]
pub struct Templates {
    templates: IndexMap<String, Arc<Template>>,
    /// The names of those with a mistake.
    broken: IndexSet<String>,
    environment: Environment<'static>,
}

impl Templates {
    /// The built-in templates, and the farm's own on top of them; mistakes in those are reported.
    pub fn load(sources: &Sources, own: &[SourceId], diagnostics: &mut Diagnostics) -> Self {
        let environment = expand::environment();
        let mut shelf = Shelf::default();
        for text in BUILTIN {
            let file: TemplateFile = builtin(text);
            shelf.builtin.insert(file.name.clone(), Written { file, uses: Vec::new() });
        }
        for id in own {
            let text = sources.get(*id).text();
            let Some(file) = yaml::<TemplateFile>(sources, *id, diagnostics) else {
                let name = text.lines().find_map(|line| line.strip_prefix("template:"));
                shelf.broken.extend(name.map(|name| name.trim().to_owned()));
                continue;
            };
            let place = |found: &str| {
                let at = text.find(found).unwrap_or(0);
                Span::new(*id, at..(at + found.len()).min(text.len()))
            };
            if let Some((expression, message)) = expand::first_mistake(&environment, &file) {
                diagnostics.push(problem::Step::Expression { message }, place(&expression));
                shelf.broken.insert(file.name);
                continue;
            }
            let uses = file.steps.iter().filter_map(|item| match item {
                Item::Use { r#use: name } => Some(place(&format!("use: {name}"))),
                Item::Step(_) => None,
            });
            let uses = uses.collect();
            shelf.own.insert(file.name.clone(), Written { file, uses });
        }
        let (templates, broken) = shelf.link(diagnostics);
        Self { templates, broken, environment }
    }

    /// The template of this name or alias.
    pub fn find(&self, name: &str) -> Option<&Template> {
        let alias = || self.templates.values().find(|template| template.aliases.iter().any(|alias| alias == name));
        self.templates.get(name).or_else(alias).map(Arc::as_ref)
    }

    /// Whether there is a template of this name that could not be read, which has been reported.
    pub fn is_broken(&self, name: &str) -> bool {
        self.broken.contains(name)
    }

    /// All templates, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Template> {
        self.templates.values().map(Arc::as_ref)
    }

    /// The templates that may stand in one place.
    pub fn of(&self, place: Use) -> impl Iterator<Item = &Template> {
        self.iter().filter(move |template| template.place == place)
    }

    /// The names of the templates that read an option.
    pub fn readers(&self, option: &str) -> Vec<String> {
        let reads = |template: &&Template| {
            template
                .options
                .iter()
                .any(|(name, declared)| name == option || declared.aliases.iter().any(|a| a == option))
        };
        // A part is read through the templates that use it, which have its options too.
        self.iter()
            .filter(|template| template.place != Use::Part)
            .filter(reads)
            .map(|template| template.name.clone())
            .collect()
    }

    /// The names of all options of all templates.
    pub fn option_names(&self) -> impl Iterator<Item = &str> {
        self.iter().flat_map(|template| template.options.keys().map(String::as_str))
    }

    /// The default of an option, which may ask for the values of options before it.
    ///
    /// # Errors
    /// What is wrong with the default, which a farm's own template can have.
    pub fn default(&self, declared: &Declared, values: &IndexMap<String, Value>) -> Result<Option<Value>, String> {
        let Some(default) = &declared.default else {
            return Ok(match declared.kind {
                OptionType::Lines | OptionType::List | OptionType::Words => Some(Value::List(Vec::new())),
                OptionType::Text => Some(Value::Text(String::new())),
                _ => None,
            });
        };
        let text = expand::default(&self.environment, default, values)?;
        let wrong = || format!("its default `{text}` is not {}", declared.kind.expected());
        declared.kind.read(&text).map(Some).ok_or_else(wrong)
    }

    /// The environment in which the templates' expressions are evaluated.
    pub fn environment(&self) -> &Environment<'static> {
        &self.environment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_data_is_well_formed() {
        let mut diagnostics = Diagnostics::default();
        let templates = Templates::load(&Sources::default(), &[], &mut diagnostics);
        assert_eq!(templates.iter().count(), BUILTIN.len());
        for text in BUILTIN {
            assert_eq!(expand::first_mistake(templates.environment(), &builtin(text)), None, "{text}");
        }
        assert_eq!(declarations(&[]).iter().count(), CAPABILITIES.len());
        assert!(!CoreOptions::builtin().manifest.is_empty());
    }
}
