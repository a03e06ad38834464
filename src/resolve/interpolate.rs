//! Interpolation: `%(name)s` in a value, the values of other options put in. Every byte keeps its place.

use std::cell::Cell;

use super::Sheet;
use crate::diagnostic::{Diagnostics, Label, problem};
use crate::source::{Span, Text};

/// Interpolation goes no deeper, as in Python's ConfigParser.
const DEEPEST: usize = 10;
/// Interpolation makes no longer value: a few lines can ask for gigabytes.
const LONGEST: usize = 1 << 20;
/// A value has no more references, those in what is put in included: references to nothing make it no longer.
const MOST_REFERENCES: usize = 1 << 16;

/// What the values of a file that are not simply written where they are read have taken so far: the bytes of those that
/// sections inherit or have from `[DEFAULT]`, and the bytes and references of interpolated ones.
#[derive(Debug, Default)]
pub(super) struct Budget(Cell<usize>);

impl Budget {
    /// All of them together grow no longer than this.
    pub(super) const MOST: usize = 1 << 27;

    /// Takes something; false if there is nothing left.
    pub(super) fn spend(&self, amount: usize) -> bool {
        let spent = self.0.get().saturating_add(amount);
        self.0.set(spent);
        spent <= Self::MOST
    }
}

/// A value with what it refers to put in; none if something was wrong, which has been reported.
pub(super) fn interpolate(sheet: &Sheet, value: &Text, section: &str, diagnostics: &mut Diagnostics) -> Option<Text> {
    if !value.contains("%(") {
        return Some(value.clone());
    }
    let mut result = Text::empty(value.whole());
    let mut interpolation =
        Interpolation { sheet, section, stack: Vec::new(), references: 0, too_long: false, diagnostics };
    let good = interpolation.append(value, &mut result);
    let references = interpolation.references;
    // What is too much is told of the next reference.
    sheet.budget.spend(result.len() + references);
    good.then_some(result)
}

/// The names that a value refers to, as far as they are well written.
pub(super) fn references(value: &str) -> impl Iterator<Item = &str> {
    value.split("%(").skip(1).filter_map(|rest| Some(rest.split_once(")s")?.0))
}

/// One value being interpolated.
struct Interpolation<'a> {
    sheet: &'a Sheet,
    section: &'a str,
    /// The options whose values are being put in, outermost first, and where they are referred to.
    stack: Vec<(String, Span)>,
    /// How many references there have been.
    references: usize,
    /// It has been reported that the value grows out of all bounds.
    too_long: bool,
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
        // The next `)`, looked for once: a value of nothing but `%(` must not be read again for each of them.
        let mut close = value.find(')');
        while let Some(at) = rest.find('%') {
            result.push_text(&value.part(&rest[..at]));
            let percent = &rest[at..];
            let start = value.len() - percent.len();
            if close.is_some_and(|close| close < start) {
                close = percent.find(')').map(|close| start + close);
            }
            let name = close
                .filter(|_| percent.starts_with("%("))
                .map(|close| (&value[start + 2..close], &value[close + 1..]));
            if let Some(after) = percent.strip_prefix("%%") {
                result.push_derived("%", value.span_of(&percent[..2]));
                rest = after;
            } else if let Some((name, after)) = name.filter(|(_, after)| after.starts_with('s')) {
                let reference = value.span_of(&percent[..name.len() + 4]);
                good &= self.reference(name, reference, result);
                rest = &after[1..];
            } else {
                let shown = close.filter(|_| percent.starts_with("%(")).map_or(1, |close| close + 1 - start);
                if let Some((name, _)) = name {
                    self.sheet.assume_read(self.section, name);
                }
                self.diagnostics.push(problem::Interpolation::Percent, value.span_of(&percent[..shown]));
                good = false;
                rest = &percent[1..];
            }
        }
        result.push_text(&value.part(rest));
        good
    }

    fn reference(&mut self, name: &str, place: Span, result: &mut Text) -> bool {
        self.references += 1;
        let option = name.to_lowercase();
        if option == "__name__" {
            result.push_derived(self.section, place);
            return true;
        }
        let Some(setting) = self.sheet.referred(self.section, &option) else {
            let near = self.sheet.near(&option, self.sheet.names(self.section));
            let inherited = self.sheet.inherited(self.section, &option).map(str::to_owned);
            match (&inherited, &near) {
                (Some(parent), _) => self.sheet.assume_read(parent, &option),
                (None, Some(near)) => self.sheet.assume_read(self.section, near),
                (None, None) => {}
            }
            self.diagnostics.push(problem::Interpolation::Unknown { option, near, inherited }, place);
            return false;
        };
        if let Some(at) = self.stack.iter().position(|(name, _)| *name == option) {
            let circle = &self.stack[at..];
            let chain: Vec<String> = circle.iter().map(|(name, _)| name).chain([&option]).cloned().collect();
            let of = |option: &String| format!("{option} of [{}]", self.sheet.holder(self.section, option));
            let sections: Vec<String> = chain.iter().map(of).collect();
            let places: Vec<Span> = circle.iter().skip(1).map(|(_, place)| *place).collect();
            let problem = problem::Interpolation::Cycle { chain, sections: sections.clone() };
            self.diagnostics.push(problem, place).circle(&sections, &places, Label::RefersTo);
            return false;
        }
        if self.stack.len() >= DEEPEST {
            self.diagnostics.push(problem::Interpolation::Depth { most: DEEPEST }, place);
            return false;
        }
        if self.too_long || result.len() > LONGEST || self.references > MOST_REFERENCES || !self.sheet.budget.spend(0) {
            // The first place says it all.
            if !self.too_long {
                self.diagnostics.push(problem::Interpolation::Length { most: LONGEST }, place);
            }
            self.too_long = true;
            return false;
        }
        self.stack.push((option, place));
        let good = self.append(&setting.value, result);
        self.stack.pop();
        good
    }
}
