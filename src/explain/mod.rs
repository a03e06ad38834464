//! What `farmout explain` says: a name comes in, what it stands for goes out as text. Everything is taken from the data
//! that the compiler itself reads, and from the pages of the checks in `fixtures/checks`.

mod builder;
mod capability;
mod list;
mod option;
mod page;
mod template;
mod writer;

use camino::Utf8Path;

use crate::Compilation;
use crate::diagnostic::suggest;
use crate::model::{Declarations, OptionDeclaration};
use crate::resolve::Layout;
use crate::source::{Sources, Span};
use crate::steps::{self, CoreOptions, Templates};

pub use option::{capability_table, option_table};
pub use page::{Page, Prose, pages};
pub use writer::Writer;

/// What names can stand for.
#[derive(Debug)]
pub struct Knowledge {
    options: CoreOptions,
    declarations: Declarations,
    templates: Templates,
    farm: Option<(Layout, Compilation)>,
}

impl Knowledge {
    /// What is built in, and what a farm adds, where there is one.
    pub fn new(farm: Option<(Layout, Compilation)>) -> Self {
        let (declarations, templates) = match &farm {
            Some((_, compilation)) => (compilation.graph.farm.declarations.clone(), compilation.templates.clone()),
            None => (steps::declarations(&[]), Templates::builtin()),
        };
        Self { options: CoreOptions::builtin(), declarations, templates, farm }
    }

    /// Says what a name stands for, each meaning under a head of its own; whether it stands for anything.
    pub fn explain(&self, name: &str, writer: &mut Writer) -> bool {
        let before = writer.len();
        page::explain(name, writer);
        option::explain(self, name, writer);
        template::explain(self, name, writer);
        capability::explain(self, name, writer);
        if let Some((layout, compilation)) = &self.farm {
            builder::explain(layout, compilation, name, writer);
        }
        writer.len() > before
    }

    /// Says which names there are.
    pub fn list(&self, writer: &mut Writer) {
        list::list(self, writer);
    }

    /// The names that are nearest to one that stands for nothing, the nearest first.
    pub fn near(&self, name: &str) -> Vec<String> {
        let names = self.names();
        // `hash-in-value` is how one remembers `ini::hash-in-value`, and `maxfail` an option `pytest.maxfail`.
        let ends = |known: &&String| known.rsplit([':', '.']).next() == Some(name);
        let mut near: Vec<String> = names.iter().filter(ends).cloned().collect();
        near.extend(suggest::near(name, names.iter().map(String::as_str)).into_iter().map(str::to_owned));
        near.dedup();
        near.truncate(3);
        near
    }

    /// All names.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> =
            pages().flat_map(|page| [page.code.name.to_owned(), page.family().to_owned()]).collect();
        names.extend(self.options.manifest.keys().chain(self.options.slave.keys()).cloned());
        for template in self.templates.iter() {
            names.extend(template.aliases.iter().cloned().chain([template.name.clone()]));
            for (option, declared) in &template.options {
                names.extend(declared.aliases.iter().cloned().chain([option.clone()]));
            }
        }
        for declaration in self.declarations.iter() {
            names.push(declaration.name.clone());
            names.extend(declaration.options.keys().map(|option| format!("{}.{option}", declaration.name)));
        }
        if let Some((_, compilation)) = &self.farm {
            names.extend(compilation.graph.builders.iter().map(|builder| builder.name.clone()));
            names.extend(compilation.graph.farm.builds.iter().map(|build| build.name.clone()));
        }
        names.sort();
        names.dedup();
        names
    }
}

/// A place, as `file:line`.
fn place(sources: &Sources, span: Span) -> String {
    let source = sources.get(span.source);
    format!("{}:{}", Utf8Path::new(source.name()), source.position(span.range().start).0)
}

/// What the value of a capability's option is.
fn kind(declared: &OptionDeclaration) -> String {
    match declared.choices.as_slice() {
        [] => declared.kind.expected().to_owned(),
        choices => one_of(choices),
    }
}

fn one_of(choices: &[String]) -> String {
    choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(" or ")
}
