//! One file's sections with `[DEFAULT]`, inheritance and interpolation: which value an option has, and where every byte
//! of it was written.

use std::cell::Cell;
use std::collections::HashMap;
use std::collections::HashSet;

use indexmap::IndexMap;
use indexmap::map::Entry;

use super::inherit::Inheritance;
use super::interpolate::{Budget, interpolate, references};
use crate::diagnostic::{Diagnostics, Label, problem, suggest};
use crate::source::{Span, Text};
use crate::syntax::ini::{DEFAULT, Document, Setting};

/// A message lists no more names than this, and a `…` for the others.
const LISTED: usize = 40;
/// The names that are looked at, in all, for one that was meant: with very many mistakes the last ones get no proposal.
const COMPARED: usize = 1 << 18;

/// A file's sections, merged.
#[derive(Debug)]
pub struct Sheet {
    sections: IndexMap<String, Section>,
    default: Section,
    inheritance: Inheritance,
    pub(super) budget: Budget,
    /// How many names have been looked at for one that was meant.
    compared: Cell<usize>,
    /// Whether a section was left out because its header has a mistake: what is not here may be in it.
    pub lacks: bool,
}

#[derive(Debug)]
struct Section {
    span: Option<Span>,
    options: IndexMap<String, Stored>,
}

#[derive(Debug)]
struct Stored {
    setting: Setting,
    /// The number, in the file, of the section that it was written in: two sections may have one name.
    part: usize,
    /// Whether something asked for it.
    read: Cell<bool>,
}

/// The value of an option in a section.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its value, interpolated; none if that failed, which has been reported.
    pub value: Option<Text>,
    /// Where the option's name stands.
    pub name: Span,
}

/// Where a section has an option from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The option.
    pub option: &'a str,
    /// The section that sets it.
    pub section: &'a str,
    /// Where its name stands there.
    pub span: Span,
}

impl Sheet {
    /// Merges what is written twice, and reports it.
    pub fn new(document: Document, diagnostics: &mut Diagnostics) -> Self {
        let empty = |span, options| Section { span, options: IndexMap::with_capacity(options) };
        let mut sheet = Self {
            sections: IndexMap::with_capacity(document.sections.len()),
            default: empty(None, 0),
            inheritance: Inheritance::default(),
            budget: Budget::default(),
            compared: Cell::new(0),
            lacks: false,
        };
        let broken = document.sections.iter().any(|section| section.broken);
        let whole = document.sections.iter().filter(|section| broken && !section.broken);
        let whole: HashSet<String> = whole.map(|section| section.name.clone()).collect();
        for (part, written) in document.sections.into_iter().enumerate() {
            // A broken header counts as what it was probably meant to be, unless that would put its options among others.
            let name = written.name.as_str();
            let taken = name.is_empty() || whole.contains(name) || sheet.sections.contains_key(name);
            if written.broken && name != DEFAULT && taken {
                sheet.lacks = true;
                continue;
            }
            let target = if written.name == DEFAULT {
                sheet.default.span.get_or_insert(written.span);
                &mut sheet.default
            } else {
                match sheet.sections.entry(written.name.clone()) {
                    Entry::Vacant(entry) => entry.insert(empty(Some(written.span), written.options.len())),
                    Entry::Occupied(entry) => {
                        let problem = problem::Ini::DuplicateSection { section: written.name };
                        let diagnostic = diagnostics.push(problem, written.span);
                        let section = entry.into_mut();
                        section.span.map(|first| diagnostic.label(first, Label::FirstHere));
                        section
                    }
                }
            };
            for setting in written.options {
                let (name, span) = (setting.name.clone(), setting.span);
                let stored = Stored { setting, part, read: Cell::new(false) };
                // Across two sections of one name, a second value is the point of the duplicate: reported there.
                if let Some(first) = target.options.insert(name, stored).filter(|first| first.part == part) {
                    let problem = problem::Ini::DuplicateOption { option: first.setting.name };
                    diagnostics.push(problem, span).label(first.setting.span, Label::FirstHere);
                }
            }
        }
        sheet
    }

    /// Follows `inherit` for every section. Afterwards, sections have their parents' options.
    pub fn inherit(&mut self, diagnostics: &mut Diagnostics) {
        let mut parents = vec![None; self.sections.len()];
        let mut places: HashMap<usize, Span> = HashMap::new();
        for (index, (name, section)) in self.sections.iter().enumerate() {
            let Some(stored) = section.options.get("inherit") else { continue };
            stored.read.set(true);
            let Some(value) = interpolate(self, &stored.setting.value, name, diagnostics) else { continue };
            if value.is_empty() {
                continue;
            }
            match self.sections.get_index_of(&*value) {
                Some(parent) => {
                    parents[index] = Some(parent);
                    places.insert(index, value.whole());
                }
                None if self.lacks => {}
                None => {
                    let known = self.proposals(&value, self.sections.keys().map(String::as_str));
                    diagnostics.push(problem::Inherit::Unknown { parent: value.to_string(), known }, value.whole());
                }
            }
        }
        let (inheritance, circles) = Inheritance::new(parents);
        for circle in circles {
            let name = |at: &usize| self.sections.get_index(*at).map_or_else(String::new, |(name, _)| name.clone());
            let chain: Vec<String> = circle.iter().chain(circle.first()).map(name).collect();
            let places: Vec<Span> = circle.iter().filter_map(|at| places.get(at).copied()).collect();
            if let Some((first, others)) = places.split_first() {
                let problem = problem::Inherit::Cycle { chain: chain.clone() };
                diagnostics.push(problem, *first).circle(&chain[1..], others, Label::Inherits);
            }
        }
        self.inheritance = inheritance;
    }

    /// The sections that are not `[DEFAULT]`, and where their names stand.
    pub fn sections(&self) -> impl Iterator<Item = (&str, Span)> {
        self.sections.iter().filter_map(|(name, section)| Some((name.as_str(), section.span?)))
    }

    /// The value of an option: the section's own, else its nearest parent's, else `[DEFAULT]`'s.
    pub fn get(&self, section: &str, option: &str, diagnostics: &mut Diagnostics) -> Option<Found> {
        let sets = |at: usize| self.sections.get_index(at).is_some_and(|(_, at)| at.options.contains_key(option));
        let index = self.sections.get_index_of(section);
        let setter = index.and_then(|index| self.inheritance.setter(index, option, sets));
        let setter = setter.and_then(|at| self.sections.get_index(at));
        // A parent's value is interpolated where it was written, a default in the section that reads it.
        let (context, stored) = match setter {
            Some((name, section)) => (name.as_str(), section.options.get(option)?),
            None => (section, self.default.options.get(option)?),
        };
        stored.read.set(true);
        let setting = &stored.setting;
        // A section's own value is as long as it is written; one that all sections have may come to terabytes.
        if setter.is_none_or(|(name, _)| name != section) && !self.budget.spend(setting.value.len()) {
            diagnostics.push(problem::Interpolation::Shared { most: Budget::MOST }, setting.value.whole());
            return Some(Found { value: None, name: setting.span });
        }
        Some(Found { value: interpolate(self, &setting.value, context, diagnostics), name: setting.span })
    }

    /// The section that a reference in a section finds an option in: itself or `[DEFAULT]`.
    pub(super) fn holder<'a>(&self, section: &'a str, option: &str) -> &'a str {
        let own = self.sections.get(section).is_some_and(|own| own.options.contains_key(option));
        if own { section } else { DEFAULT }
    }

    /// An option as a reference in a section finds it: its own or `[DEFAULT]`'s.
    pub(super) fn referred(&self, section: &str, option: &str) -> Option<&Setting> {
        let own = self.sections.get(section).and_then(|own| own.options.get(option));
        let stored = own.or_else(|| self.default.options.get(option))?;
        stored.read.set(true);
        Some(&stored.setting)
    }

    /// Takes an option as read that a reference with a mistake most probably means, and what its own value refers to:
    /// that nothing reads them is this mistake, and not another.
    pub(super) fn assume_read(&self, section: &str, option: &str) {
        let mut open = vec![option.to_lowercase()];
        while let Some(option) = open.pop() {
            let own = self.sections.get(section).and_then(|own| own.options.get(&option));
            let Some(stored) = own.or_else(|| self.default.options.get(&option)) else { continue };
            if !stored.read.replace(true) {
                open.extend(references(&stored.setting.value).map(str::to_lowercase));
            }
        }
    }

    /// A section from which `section` inherits an option.
    pub(super) fn inherited(&self, section: &str, option: &str) -> Option<&str> {
        let sets = |at: usize| self.sections.get_index(at).is_some_and(|(_, at)| at.options.contains_key(option));
        let setter = self.inheritance.nearby(self.sections.get_index_of(section)?, sets)?;
        self.sections.get_index(setter).map(|(name, _)| name.as_str())
    }

    /// Of the names that would have been right, those that a message needs: the nearest, or the first few.
    pub(super) fn proposals<'a>(&self, written: &str, names: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
        if self.compared.get() >= COMPARED {
            return Vec::new();
        }
        match self.near(written, names.clone()) {
            Some(near) => vec![near],
            None => {
                let more = names.clone().nth(LISTED).map(|_| "…");
                names.take(LISTED).chain(more).map(str::to_owned).collect()
            }
        }
    }

    /// The nearest of the names that would have been right.
    pub(super) fn near<'a>(&self, written: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
        let most = COMPARED.saturating_sub(self.compared.get());
        let mut compared = 0;
        let near = suggest::nearest(written, names.take(most).inspect(|_| compared += 1));
        self.compared.set(self.compared.get() + compared);
        near.map(str::to_owned)
    }

    /// The names of all options that a section has, its own first, then `[DEFAULT]`'s.
    pub fn names(&self, section: &str) -> impl Iterator<Item = &str> + Clone {
        let own = self.sections.get(section);
        let inherited = move |name: &&String| !own.is_some_and(|own| own.options.contains_key(*name));
        let default = self.default.options.keys().filter(inherited);
        own.into_iter().flat_map(|own| own.options.keys()).chain(default).map(String::as_str)
    }

    /// Where a section has each of its options from: itself, its parents, then `[DEFAULT]`.
    pub fn origins<'a>(&'a self, section: &'a str) -> Vec<Origin<'a>> {
        let index = self.sections.get_index_of(section);
        let chain = index.into_iter().flat_map(|index| self.inheritance.chain(index));
        let chain = chain.filter_map(|at| self.sections.get_index(at)).map(|(name, section)| (name.as_str(), section));
        let mut known: HashSet<&str> = HashSet::new();
        let mut origins = Vec::new();
        for (name, written) in chain.chain(std::iter::once((DEFAULT, &self.default))) {
            for Stored { setting, .. } in written.options.values() {
                // A parent's `inherit` is followed, not inherited.
                let followed = setting.name == "inherit" && name != section;
                if !followed && known.insert(&setting.name) {
                    origins.push(Origin { option: &setting.name, section: name, span: setting.span });
                }
            }
        }
        origins
    }

    /// Whether a section other than `[DEFAULT]` sets an option.
    pub fn is_set(&self, option: &str) -> bool {
        self.sections.values().any(|section| section.options.contains_key(option))
    }

    /// The settings that nothing asked for, with their sections.
    pub fn unread(&self) -> Vec<(&str, &Setting)> {
        let sections = self.sections.iter().map(|(name, section)| (name.as_str(), section));
        sections
            .chain(std::iter::once((DEFAULT, &self.default)))
            .flat_map(|(name, section)| section.options.values().map(move |stored| (name, stored)))
            .filter(|(_, stored)| !stored.read.get())
            .map(|(name, stored)| (name, &stored.setting))
            .collect()
    }
}
