//! The files of all templates in, each to be found by its name: which of two stands for a name is settled here. What uses
//! what is not looked at.

use std::collections::HashMap;

use indexmap::{IndexMap, IndexSet};

use super::file::{Reading, Written};
use crate::diagnostic::{Diagnostics, Label, problem};
use crate::source::Span;

/// All templates that are written down, by name. One of the farm's own hides a built-in one of its name, which it alone
/// can still use.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    pub(super) builtin: IndexMap<String, Written>,
    pub(super) own: IndexMap<String, Written>,
    /// The names of those that cannot be read, which has been reported.
    pub(super) broken: IndexSet<String>,
}

/// A template on the shelf: its name, and whether it is of the farm's own.
pub(super) type Key<'a> = (&'a str, bool);

impl Shelf {
    /// Adds the files of the farm's own templates. Each name stands for one template.
    pub(super) fn add(&mut self, own: Vec<Reading>, diagnostics: &mut Diagnostics) {
        let mut names: HashMap<String, Span> = HashMap::new();
        for reading in own {
            let aliases = reading.aliases.iter().map(|alias| (alias.to_string(), alias.whole()));
            let mut fine = true;
            for (name, place) in reading.name.clone().into_iter().chain(aliases) {
                if let Some(first) = names.get(&name) {
                    let problem = problem::Step::Duplicate { template: name };
                    diagnostics.push(problem, place).label(*first, Label::FirstHere);
                    fine = false;
                } else {
                    names.insert(name, place);
                }
            }
            let Some((name, _)) = reading.name else { continue };
            let written = reading.written.filter(|written| fine && self.replaces(written, diagnostics));
            match written {
                Some(written) => {
                    self.own.insert(name, written);
                }
                // A first one of this name stays.
                None if self.own.contains_key(&name) => {}
                None => {
                    self.broken.insert(name);
                }
            }
        }
    }

    /// Whether a template of the farm's own can stand where the built-in one of its name stands, if there is such a one.
    fn replaces(&self, written: &Written, diagnostics: &mut Diagnostics) -> bool {
        let (name, place) = (&written.file.name, written.file.place);
        let Some(builtin) = self.builtin.get(name).filter(|builtin| builtin.file.place != place) else { return true };
        let problem = problem::Step::Replaces { template: name.clone(), place: builtin.file.place.name() };
        diagnostics.push(problem, written.place);
        false
    }

    /// All files.
    pub(super) fn written(&self) -> impl Iterator<Item = &Written> {
        self.own.values().chain(self.builtin.values())
    }

    pub(super) fn get(&self, (name, own): Key<'_>) -> Option<&Written> {
        if own { self.own.get(name) } else { self.builtin.get(name) }
    }

    /// The template that another one calls by a name.
    pub(super) fn used<'a>(&'a self, by: Key<'_>, name: &str) -> Option<Key<'a>> {
        let own = self.own.get_key_value(name).filter(|_| by != (name, true)).map(|(name, _)| (name.as_str(), true));
        own.or_else(|| self.builtin.get_key_value(name).map(|(name, _)| (name.as_str(), false)))
    }
}
