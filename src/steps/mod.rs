//! Step templates: what steps a phase is made of, as data. The built-in ones are in the format of a farm's own.

mod expand;
mod expression;
mod file;
mod link;
mod option;
mod properties;
mod shelf;
mod template;

use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};
use minijinja::Environment;

use crate::diagnostic::{Diagnostics, problem};
use crate::model::{Declaration, Declarations, Declared, DeclaredOptions, OptionType, Value};
use crate::resolve;
use crate::source::{SourceId, Sources, Span};
use crate::syntax::yaml::{self, Decoder};

pub use expand::{ExpandError, Expansion, MOST_STEPS, PlacedStep, Why, values};
pub use template::{Argument, Continues, Item, LinkedStep, StepPlace, StepTemplate, Template, TemplateFile, Use};

use shelf::Shelf;

const BUILTIN: &[&str] = &[
    include_str!("builtin/archive.yaml"),
    include_str!("builtin/autocommit.yaml"),
    include_str!("builtin/bootstrap.yaml"),
    include_str!("builtin/buildout.yaml"),
    include_str!("builtin/bzr.yaml"),
    include_str!("builtin/doc.yaml"),
    include_str!("builtin/ephemeral-cluster.yaml"),
    include_str!("builtin/functional.yaml"),
    include_str!("builtin/git.yaml"),
    include_str!("builtin/hg.yaml"),
    include_str!("builtin/hgtag.yaml"),
    include_str!("builtin/http-port.yaml"),
    include_str!("builtin/install-modules-test.yaml"),
    include_str!("builtin/install-modules.yaml"),
    include_str!("builtin/noop.yaml"),
    include_str!("builtin/nose.yaml"),
    include_str!("builtin/openerpcommand-initialize-tests.yaml"),
    include_str!("builtin/packaging-upload.yaml"),
    include_str!("builtin/packaging.yaml"),
    include_str!("builtin/pg_remote_copy.yaml"),
    include_str!("builtin/simple_create.yaml"),
    include_str!("builtin/standalone.yaml"),
    include_str!("builtin/static-analysis.yaml"),
    include_str!("builtin/update-openerp.yaml"),
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

impl CoreOptions {
    /// Those that are built in: all of them.
    pub fn builtin() -> Self {
        // That it is well formed is proved by a test, not hoped for.
        serde_yaml::from_str(OPTIONS).unwrap_or_else(|error| unreachable!("built-in options: {error}"))
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
    let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
    for text in CAPABILITIES {
        let id = sources.add("<built in>", text);
        let document = yaml::parse(&sources, id, &mut diagnostics);
        let read = resolve::declaration(&mut Decoder::new(&mut diagnostics), &document.root);
        read.into_iter().for_each(|read| declarations.add(read.declaration));
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
    /// Whether there may be more that are not known, because `farm.yaml` has a mistake.
    incomplete: bool,
    environment: Environment<'static>,
}

impl Templates {
    /// The built-in templates.
    pub fn builtin() -> Self {
        Self::load(&Sources::default(), &[], false, &mut Diagnostics::default())
    }

    /// The built-in templates, and the farm's own on top of them; mistakes in those are reported. `incomplete`: the farm
    /// may have others that are not known.
    pub fn load(sources: &Sources, own: &[SourceId], incomplete: bool, diagnostics: &mut Diagnostics) -> Self {
        let environment = expand::environment();
        let mut shelf = Shelf::default();
        let (mut builtin, mut said) = (Sources::default(), Diagnostics::default());
        for &text in BUILTIN {
            let id = builtin.add("<built in>", text);
            let written = file::read(&builtin, id, &environment, &mut said).written;
            shelf.builtin.extend(written.map(|written| (written.file.name.clone(), written)));
        }
        let own = own.iter().map(|id| file::read(sources, *id, &environment, diagnostics)).collect();
        shelf.add(own, diagnostics);
        let (templates, broken) = shelf.link(diagnostics);
        Self { templates, broken, incomplete, environment }
    }

    /// The template of this name or alias.
    pub fn find(&self, name: &str) -> Option<&Template> {
        let alias = || self.templates.values().find(|template| template.aliases.iter().any(|alias| alias == name));
        self.templates.get(name).or_else(alias).map(Arc::as_ref)
    }

    /// The template that a line of a list of steps calls, by its name there or an alias.
    pub fn listed(&self, line: &str, place: Use) -> Option<&Template> {
        let alias = || self.of(place).find(|template| template.aliases.iter().any(|alias| alias == line));
        self.of(place).find(|template| template.written() == line).or_else(alias)
    }

    /// Whether a template is another one, or does all that it does.
    pub fn includes(&self, name: &str, other: &str) -> bool {
        name == other
            || self.find(name).is_some_and(|template| {
                template.name == other || template.uses.iter().any(|used| used != name && self.includes(used, other))
            })
    }

    /// Whether there is, or may be, a template of this name that could not be read, which has been reported.
    pub fn is_broken(&self, name: &str) -> bool {
        self.broken.contains(name) || (self.incomplete && self.find(name).is_none())
    }

    /// Reports the templates that variants of capabilities name and that are none.
    pub fn check_variants(&self, variants: &[(String, Span)], diagnostics: &mut Diagnostics) {
        for (name, place) in variants {
            let known = self.find(name).is_some_and(|template| template.place == Use::Capability);
            if !known && !self.is_broken(name) {
                let known = self.of(Use::Capability).map(|template| template.name.clone()).collect();
                diagnostics.push(problem::Capability::VariantTemplate { template: name.clone(), known }, *place);
            }
        }
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

    /// The names of all options of all templates, each once.
    pub fn option_names(&self) -> impl Iterator<Item = &str> {
        let names: IndexSet<&str> =
            self.iter().flat_map(|template| template.options.keys().map(String::as_str)).collect();
        names.into_iter()
    }

    /// The default of an option, which may ask for the values of options before it.
    ///
    /// # Errors
    /// What is wrong with the default, which a farm's own template can have.
    pub fn default(&self, declared: &Declared, values: &IndexMap<String, Value>) -> Result<Option<Value>, String> {
        let Some(default) = &declared.default else {
            return Ok(match declared.kind {
                OptionType::Commands | OptionType::Lines | OptionType::List | OptionType::Words => {
                    Some(Value::List(Vec::new()))
                }
                OptionType::Text | OptionType::TextWithProperties => Some(Value::Text(String::new())),
                _ => None,
            });
        };
        let text = expand::default(&self.environment, default, values)?;
        let wrong = || format!("its default `{text}` is not {}", declared.kind.expected_from(declared.minimum));
        declared.kind.read(&text).filter(|value| value.is_at_least(declared.minimum)).map(Some).ok_or_else(wrong)
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
        let templates = Templates::load(&Sources::default(), &[], false, &mut diagnostics);
        assert_eq!(templates.iter().count(), BUILTIN.len());
        let (mut sources, mut said) = (Sources::default(), Diagnostics::default());
        for &text in BUILTIN {
            let id = sources.add("<built in>", text);
            assert!(file::read(&sources, id, templates.environment(), &mut said).written.is_some(), "{said:?}");
        }
        for text in CAPABILITIES {
            let id = sources.add("<built in>", text);
            let document = yaml::parse(&sources, id, &mut said);
            resolve::declaration(&mut Decoder::new(&mut said), &document.root);
        }
        assert!(said.sorted().is_empty() && diagnostics.sorted().is_empty(), "{said:?} {diagnostics:?}");
        assert_eq!(declarations(&[]).iter().count(), CAPABILITIES.len());
        assert!(!CoreOptions::builtin().manifest.is_empty());
    }

    /// A build has one value for an option, whichever of its templates ask for it.
    #[test]
    fn templates_agree_on_the_options_that_they_share() {
        let templates = Templates::builtin();
        let mut known: IndexMap<&str, (&str, &Declared)> = IndexMap::new();
        for template in templates.iter() {
            for (name, declared) in &template.options {
                let (first, other) = *known.entry(name).or_insert((&template.name, declared));
                let same = declared.kind == other.kind
                    && declared.default == other.default
                    && declared.required == other.required
                    && declared.aliases == other.aliases
                    && declared.choices == other.choices
                    && declared.minimum == other.minimum
                    && declared.non_empty == other.non_empty
                    && declared.not_below == other.not_below
                    && declared.only_with == other.only_with;
                assert!(same, "`{name}` of {first} and of {}", template.name);
            }
        }
    }
}
