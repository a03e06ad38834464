//! Files to one configuration: later files over earlier ones, `+=`, `-=` and `<=` carried out.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;

use super::file::File;
use crate::diagnostic::{Diagnostics, Label, problem};
use crate::model::{Configuration, ConfigurationOption, ConfigurationSection};
use crate::source::{Span, Text};
use crate::syntax::buildout::Operator;

/// So many values of one option are kept at most: conditions upon conditions multiply.
const MOST_VALUES: usize = 8;

/// `<=` leads no deeper.
const DEEPEST: usize = 100;

/// What the files say, each after those that it extends.
#[derive(Debug, Default)]
pub(super) struct Merging {
    sections: IndexMap<Arc<str>, Section>,
}

#[derive(Debug, Clone)]
struct Section {
    span: Span,
    options: IndexMap<Arc<str>, Changes>,
}

/// What happens to an option, in order. It is carried out last, since the value that is added to may come by `<=`.
#[derive(Debug, Clone)]
struct Changes {
    span: Span,
    list: Vec<Change>,
}

#[derive(Debug, Clone)]
struct Change {
    operator: Operator,
    value: Arc<Text>,
    certain: bool,
}

impl Merging {
    /// Adds a file; those that it extends have been added.
    pub fn add(&mut self, file: &File) {
        for written in &file.sections {
            let section = self
                .sections
                .entry(written.name.clone())
                .or_insert_with(|| Section { span: written.span, options: IndexMap::new() });
            for setting in &written.settings {
                let change =
                    Change { operator: setting.operator, value: setting.value.clone(), certain: written.certain };
                section.change(&setting.name, setting.span, change);
            }
        }
    }

    /// Carries everything out, and puts the sections into `configuration`.
    pub fn finish(self, configuration: &mut Configuration, diagnostics: &mut Diagnostics) {
        let open = configuration.open;
        let mut expanding =
            Expanding { merging: &self, open, macros: HashSet::new(), done: HashMap::new(), diagnostics };
        for (name, written) in &self.sections {
            let Some(section) = expanding.section(name, written.span, &mut Vec::new()) else { continue };
            let options = section.options.iter().filter(|(name, _)| &***name != "<").map(|(name, changes)| {
                let option = ConfigurationOption { span: changes.span, values: changes.carry_out() };
                (name.clone(), option)
            });
            let section = ConfigurationSection { span: section.span, options: options.collect(), is_macro: false };
            configuration.sections.insert(name.clone(), section);
        }
        let options = configuration.sections.values().flat_map(|section| section.options.values());
        configuration.variants = options.map(|option| option.values.len()).max().unwrap_or(1);
        for name in expanding.macros {
            if let Some(section) = configuration.sections.get_mut(&name) {
                section.is_macro = true;
            }
        }
    }
}

/// `<=` being carried out.
struct Expanding<'a> {
    merging: &'a Merging,
    /// Whether more sections may exist than are known.
    open: bool,
    /// The sections that others take options from.
    macros: HashSet<Arc<str>>,
    /// The sections that are finished.
    done: HashMap<Arc<str>, Section>,
    diagnostics: &'a mut Diagnostics,
}

impl<'a> Expanding<'a> {
    /// A section with the options of those that it names by `<=`; `chain` are the sections that led here, and where they
    /// were named.
    fn section(&mut self, name: &Arc<str>, place: Span, chain: &mut Vec<(Arc<str>, Span)>) -> Option<Cow<'a, Section>> {
        let own = self.merging.sections.get(name)?;
        // zc.buildout leaves its own section alone.
        let Some(named) = own.options.get("<").filter(|_| &**name != "buildout") else {
            return Some(Cow::Borrowed(own));
        };
        // Deeper than zc.buildout could follow itself: nothing is said, and nothing taken.
        if chain.len() > DEEPEST {
            return None;
        }
        if let Some(done) = self.done.get(name) {
            return Some(Cow::Owned(done.clone()));
        }
        chain.push((name.clone(), place));
        let mut result = Section { span: own.span, options: IndexMap::new() };
        for value in named.carry_out() {
            for line in value.lines() {
                if let Some(inherited) = self.named(&value, line, chain) {
                    // Of several, the last counts; what it adds is added to nothing.
                    for (name, changes) in &inherited.options {
                        result.options.insert(name.clone(), changes.clone());
                    }
                }
            }
        }
        for (name, changes) in &own.options {
            for change in &changes.list {
                result.change(name, changes.span, change.clone());
            }
        }
        chain.pop();
        self.done.insert(name.clone(), result.clone());
        Some(Cow::Owned(result))
    }

    fn named(&mut self, value: &Text, line: &str, chain: &mut Vec<(Arc<str>, Span)>) -> Option<Cow<'a, Section>> {
        let place = value.span_of(line);
        if let Some(at) = chain.iter().position(|(name, _)| &**name == line) {
            let places: Vec<Span> = chain[at..].iter().skip(1).map(|(_, place)| *place).collect();
            let chain = chain[at..].iter().map(|(name, _)| format!("[{name}]")).chain([format!("[{line}]")]);
            let chain: Vec<String> = chain.collect();
            let problem = problem::Buildout::MacroCycle { chain: chain.clone() };
            self.diagnostics.push(problem, place).circle(&chain, &places, Label::TakesFrom);
            return None;
        }
        let Some((name, _)) = self.merging.sections.get_key_value(line) else {
            if !self.open {
                let known = self.merging.sections.keys().map(ToString::to_string).collect();
                let problem = problem::Buildout::Section { section: line.to_owned(), known };
                self.diagnostics.push(problem, place);
            }
            return None;
        };
        self.macros.insert(name.clone());
        self.section(&name.clone(), place, chain)
    }
}

impl Section {
    fn change(&mut self, name: &Arc<str>, span: Span, change: Change) {
        let changes = self.options.entry(name.clone()).or_insert_with(|| Changes { span, list: Vec::new() });
        if change.certain && change.operator == Operator::Set {
            changes.span = span;
            changes.list.clear();
        }
        changes.list.push(change);
    }
}

impl Changes {
    /// The values that come out, at least one.
    fn carry_out(&self) -> Vec<Arc<Text>> {
        let mut values: Vec<Arc<Text>> = Vec::new();
        for change in &self.list {
            match (change.operator, change.certain) {
                (Operator::Set, true) => values = vec![change.value.clone()],
                (Operator::Set, false) => values.push(change.value.clone()),
                (Operator::Add, true) if !values.is_empty() => {
                    values = values.iter().map(|value| added(value, &change.value)).collect();
                }
                (Operator::Add, true) => values.push(change.value.clone()),
                (Operator::Add, false) => {
                    let value = values.last().map_or(change.value.clone(), |value| added(value, &change.value));
                    values.push(value);
                }
                (Operator::Remove, true) => {
                    values = values.iter().map(|value| removed(value, &change.value)).collect();
                }
                // What may be taken out may be there.
                (Operator::Remove, false) => {}
            }
            values.truncate(MOST_VALUES);
        }
        if values.is_empty() {
            values.push(Arc::new(Text::empty(self.span)));
        }
        values
    }
}

fn added(value: &Text, lines: &Text) -> Arc<Text> {
    if value.is_empty() {
        return Arc::new(lines.clone());
    }
    let mut sum = value.clone();
    sum.push_text_line(lines);
    Arc::new(sum)
}

fn removed(value: &Text, lines: &Text) -> Arc<Text> {
    let out: HashSet<&str> = lines.lines().collect();
    let mut rest: Option<Text> = None;
    for line in value.lines().filter(|line| !out.contains(line)) {
        match &mut rest {
            Some(rest) => rest.push_text_line(&value.part(line)),
            None => rest = Some(value.part(line)),
        }
    }
    Arc::new(rest.unwrap_or_else(|| Text::empty(value.whole())))
}
