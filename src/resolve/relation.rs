//! How the options of a build stand to each other, as its step templates declare it. Values and their places come in; reports
//! go out: a number below another that it must not be below, and what counts for nothing without another option.

use std::collections::HashMap;

use indexmap::IndexMap;

use crate::diagnostic::{Diagnostics, Label, problem};
use crate::model::Value;
use crate::source::Span;
use crate::steps::Template;

/// Where an option is set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its name.
    pub name: Span,
    /// Its value.
    pub value: Span,
}

/// What counts for nothing, by the place of its name. A line can count in one section and not in another, which inherits it:
/// only one that counts nowhere is reported.
#[derive(Debug, Default)]
pub(super) struct Idle(IndexMap<Span, Option<problem::Setting>>);

impl Idle {
    /// Reports what counts nowhere.
    pub fn report(self, diagnostics: &mut Diagnostics) {
        for (place, problem) in self.0 {
            if let Some(problem) = problem {
                diagnostics.push(problem, place);
            }
        }
    }

    /// Notes whether a line counts.
    fn note(&mut self, place: Span, problem: Option<problem::Setting>) {
        let counts = problem.is_none();
        let known = self.0.entry(place).or_insert(problem);
        if counts {
            *known = None;
        }
    }
}

/// Looks at the options of a build that are set.
pub(super) fn relations<'a>(
    templates: impl Iterator<Item = &'a Template> + Clone,
    values: &IndexMap<String, Value>,
    places: &HashMap<&str, Place>,
    idle: &mut Idle,
    diagnostics: &mut Diagnostics,
) {
    for (name, declared) in templates.flat_map(|template| &template.options) {
        if let Some(other) = &declared.not_below
            && let (Some(Value::Integer(value)), Some(Value::Integer(least))) = (values.get(name), values.get(other))
            && value < least
            && let Some(place) = places.get(name.as_str()).or_else(|| places.get(other.as_str()))
        {
            let problem =
                problem::Setting::Below { option: name.clone(), value: *value, other: other.clone(), least: *least };
            let diagnostic = diagnostics.push(problem, place.value);
            if let Some(other) = places.get(other.as_str()).filter(|other| other.name != place.name) {
                diagnostic.label(other.value, Label::SetHere);
            }
        }
        let Some(place) = places.get(name.as_str()).filter(|_| values.get(name).is_some_and(Value::is_on)) else {
            continue;
        };
        let on = |option: &String| values.get(option).is_some_and(Value::is_on);
        let counts = declared.only_with.is_empty() || declared.only_with.iter().any(on);
        let problem = || problem::Setting::Idle { option: name.clone(), with: declared.only_with.clone() };
        idle.note(place.name, (!counts).then(problem));
    }
}
