//! One file's sections with `[DEFAULT]`, inheritance and interpolation: which value an option has, and where every byte
//! of it was written.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use indexmap::map::Entry;

use crate::diagnostic::{Diagnostics, Label, Problem};
use crate::source::{Span, Text};
use crate::syntax::ini::{DEFAULT, Document, Setting};

/// Interpolation goes no deeper, as in Python's ConfigParser.
const DEEPEST: usize = 10;
/// Interpolation makes no longer value: a few lines can ask for gigabytes.
const LONGEST: usize = 1 << 20;

/// A file's sections, merged.
#[derive(Debug)]
pub struct Sheet {
    sections: IndexMap<String, Section>,
    default: Section,
    /// What each section inherits from, nearest first.
    parents: HashMap<String, Vec<String>>,
    /// Settings that something asked for, by where their names stand.
    read: RefCell<HashSet<Span>>,
}

#[derive(Debug)]
struct Section {
    span: Option<Span>,
    options: IndexMap<String, Setting>,
}

/// The value of an option in a section.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its value, interpolated; none if that failed, which has been reported.
    pub value: Option<Text>,
    /// Where the option's name stands.
    pub name: Span,
}

impl Sheet {
    /// Merges what is written twice, and reports it.
    pub fn new(document: Document, diagnostics: &mut Diagnostics) -> Self {
        let empty = |span| Section { span, options: IndexMap::new() };
        let mut sheet =
            Self { sections: IndexMap::new(), default: empty(None), parents: HashMap::new(), read: RefCell::default() };
        for written in document.sections {
            let target = if written.name == DEFAULT {
                sheet.default.span.get_or_insert(written.span);
                &mut sheet.default
            } else {
                match sheet.sections.entry(written.name.clone()) {
                    Entry::Vacant(entry) => entry.insert(empty(Some(written.span))),
                    Entry::Occupied(entry) => {
                        let problem = Problem::IniDuplicateSection { section: written.name };
                        let diagnostic = diagnostics.push(problem, written.span);
                        let section = entry.into_mut();
                        section.span.map(|first| diagnostic.label(first, Label::FirstHere));
                        section
                    }
                }
            };
            let mut here: HashSet<String> = HashSet::new();
            for setting in written.options {
                // Across two sections of one name, a second value is the point of the duplicate: reported there.
                if !here.insert(setting.name.clone())
                    && let Some(first) = target.options.get(&setting.name)
                {
                    let problem = Problem::IniDuplicateOption { option: setting.name.clone() };
                    diagnostics.push(problem, setting.span).label(first.span, Label::FirstHere);
                }
                target.options.insert(setting.name.clone(), setting);
            }
        }
        sheet
    }

    /// Follows `inherit` for every section. Afterwards, sections have their parents' options.
    pub fn inherit(&mut self, diagnostics: &mut Diagnostics) {
        let mut direct: HashMap<&str, (&str, Span)> = HashMap::new();
        for (name, section) in &self.sections {
            let Some(setting) = section.options.get("inherit") else { continue };
            self.read.borrow_mut().insert(setting.span);
            let Some(value) = self.interpolate(&setting.value, name, diagnostics) else { continue };
            if value.is_empty() {
                continue;
            }
            match self.sections.get_key_value(&*value) {
                Some((parent, _)) => {
                    direct.insert(name, (parent, value.whole()));
                }
                None => {
                    let known = self.sections.keys().cloned().collect();
                    diagnostics.push(Problem::InheritUnknown { parent: value.to_string(), known }, value.whole());
                }
            }
        }
        let mut parents = HashMap::new();
        let mut reported: HashSet<&str> = HashSet::new();
        for name in self.sections.keys() {
            let mut chain: Vec<&str> = Vec::new();
            let mut known: HashSet<&str> = HashSet::from([name.as_str()]);
            let mut at = name.as_str();
            while let Some((parent, place)) = direct.get(at) {
                if !known.insert(parent) {
                    // Reported once, for the first section of the cycle, and not for those that only lead to it.
                    if parent == name && reported.insert(name) {
                        reported.extend(chain.iter().copied());
                        let names = [&[name.as_str()], &chain[..], &[name.as_str()]].concat();
                        let problem =
                            Problem::InheritCycle { chain: names.iter().map(|name| (*name).to_owned()).collect() };
                        let diagnostic = diagnostics.push(problem, direct[name.as_str()].1);
                        if at != name {
                            diagnostic.label(*place, Label::BackHere);
                        }
                    }
                    break;
                }
                chain.push(parent);
                at = parent;
            }
            parents.insert(name.clone(), chain.into_iter().map(str::to_owned).collect());
        }
        self.parents = parents;
    }

    /// The sections that are not `[DEFAULT]`, and where their names stand.
    pub fn sections(&self) -> impl Iterator<Item = (&str, Span)> {
        self.sections.iter().filter_map(|(name, section)| Some((name.as_str(), section.span?)))
    }

    /// The value of an option: the section's own, else its nearest parent's, else `[DEFAULT]`'s.
    pub fn get(&self, section: &str, option: &str, diagnostics: &mut Diagnostics) -> Option<Found> {
        let parents = self.parents.get(section).map_or(&[][..], Vec::as_slice);
        let chain = std::iter::once(section).chain(parents.iter().map(String::as_str));
        let written = chain.filter_map(|name| Some((name, self.sections.get(name)?.options.get(option)?))).next();
        // A parent's value is interpolated where it was written, a default in the section that reads it.
        let (context, setting) = match written {
            Some(found) => found,
            None => (section, self.default.options.get(option)?),
        };
        self.read.borrow_mut().insert(setting.span);
        Some(Found { value: self.interpolate(&setting.value, context, diagnostics), name: setting.span })
    }

    /// The names of all options that a section has, its own first, then `[DEFAULT]`'s.
    pub fn names(&self, section: &str) -> Vec<&str> {
        let own = self.sections.get(section).into_iter().flat_map(|section| section.options.keys());
        let inherited = self
            .default
            .options
            .keys()
            .filter(|name| !self.sections.get(section).is_some_and(|section| section.options.contains_key(*name)));
        own.chain(inherited).map(String::as_str).collect()
    }

    /// Whether a section other than `[DEFAULT]` sets an option.
    pub fn is_set(&self, option: &str) -> bool {
        self.sections.values().any(|section| section.options.contains_key(option))
    }

    /// The settings that nothing asked for, with their sections.
    pub fn unread(&self) -> Vec<(&str, &Setting)> {
        let read = self.read.borrow();
        let sections = self.sections.iter().map(|(name, section)| (name.as_str(), section));
        sections
            .chain(std::iter::once((DEFAULT, &self.default)))
            .flat_map(|(name, section)| section.options.values().map(move |setting| (name, setting)))
            .filter(|(_, setting)| !read.contains(&setting.span))
            .collect()
    }

    fn interpolate(&self, value: &Text, section: &str, diagnostics: &mut Diagnostics) -> Option<Text> {
        if !value.contains("%(") {
            return Some(value.clone());
        }
        let mut result = Text::empty(value.whole());
        let mut interpolation = Interpolation { sheet: self, section, stack: Vec::new(), diagnostics };
        interpolation.append(value, &mut result).then_some(result)
    }
}

/// One value being interpolated.
struct Interpolation<'a> {
    sheet: &'a Sheet,
    section: &'a str,
    /// The options whose values are being put in, outermost first.
    stack: Vec<String>,
    diagnostics: &'a mut Diagnostics,
}

impl Interpolation<'_> {
    /// Appends `value`, interpolated; false if something was wrong. Goes on after a mistake, to find the others.
    fn append(&mut self, value: &Text, result: &mut Text) -> bool {
        if !value.contains("%(") {
            result.push_text(value);
            return true;
        }
        let mut good = true;
        let mut rest: &str = value;
        while let Some(at) = rest.find('%') {
            result.push_text(&value.part(&rest[..at]));
            let percent = &rest[at..];
            let name = percent.strip_prefix("%(").and_then(|after| after.split_once(')'));
            if let Some(after) = percent.strip_prefix("%%") {
                result.push_derived("%", value.span_of(&percent[..2]));
                rest = after;
            } else if let Some((name, after)) = name.filter(|(_, after)| after.starts_with('s')) {
                let reference = value.span_of(&percent[..name.len() + 4]);
                good &= self.reference(name, reference, result);
                rest = &after[1..];
            } else {
                let shown = percent.find(')').filter(|_| percent.starts_with("%(")).map_or(1, |end| end + 1);
                self.diagnostics.push(Problem::InterpolationPercent, value.span_of(&percent[..shown]));
                good = false;
                rest = &percent[1..];
            }
        }
        result.push_text(&value.part(rest));
        good
    }

    fn reference(&mut self, name: &str, place: Span, result: &mut Text) -> bool {
        let option = name.to_lowercase();
        if option == "__name__" {
            result.push_derived(self.section, place);
            return true;
        }
        let own = self.sheet.sections.get(self.section);
        let Some(setting) =
            own.and_then(|own| own.options.get(&option)).or_else(|| self.sheet.default.options.get(&option))
        else {
            let known = self.sheet.names(self.section).into_iter().map(str::to_owned).collect();
            let parents = self.sheet.parents.get(self.section);
            let inherited = parents.into_iter().flatten().find(|parent| {
                self.sheet.sections.get(*parent).is_some_and(|parent| parent.options.contains_key(&option))
            });
            let problem = Problem::InterpolationUnknown { option, known, inherited: inherited.cloned() };
            self.diagnostics.push(problem, place);
            return false;
        };
        self.sheet.read.borrow_mut().insert(setting.span);
        if self.stack.contains(&option) {
            let chain = self.stack.iter().cloned().chain([option]).collect();
            self.diagnostics.push(Problem::InterpolationCycle { chain }, place);
            return false;
        }
        if self.stack.len() >= DEEPEST {
            self.diagnostics.push(Problem::InterpolationDepth { most: DEEPEST }, place);
            return false;
        }
        if result.len() > LONGEST {
            self.diagnostics.push(Problem::InterpolationLength { most: LONGEST }, place);
            return false;
        }
        self.stack.push(option);
        let good = self.append(&setting.value, result);
        self.stack.pop();
        good
    }
}
