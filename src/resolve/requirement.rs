//! Lines of `build-for` and `build-requires` to requirements.

use std::ops::Range;

use crate::diagnostic::{Diagnostics, Label, Problem, problem};
use crate::model::{Criterion, Dispatch, Filter, Operator, Requirement, Version, satisfiable};
use crate::source::Text;
use crate::syntax::filter::{Kind, tokens};

/// No line or value of words is longer: a repository, some paths, a dozen versions.
const LONGEST: usize = 1 << 14;

/// Whether a value, or a line of it, can be one of words; reported if it is too long for that.
pub(super) fn fits(value: &Text, line: &str, diagnostics: &mut Diagnostics) -> Option<()> {
    if line.len() > LONGEST {
        // What references put in stands elsewhere, and is not what is too long.
        let place = if value.contains('\n') { value.span_of(line) } else { value.whole() };
        diagnostics.push(problem::Setting::Length { most: LONGEST }, place);
        return None;
    }
    Some(())
}

/// Reads `build-requires`. A line with a mistake is reported and left out.
pub fn requirements(value: &Text, diagnostics: &mut Diagnostics) -> Vec<Requirement> {
    if fits(value, value, diagnostics).is_none() {
        return Vec::new();
    }
    value
        .lines()
        .filter_map(|line| {
            let dispatch = dispatch_line(value, line, diagnostics)?;
            if dispatch.not_used {
                diagnostics.push(problem::Filter::NotUsed, dispatch.requirement.span);
                return None;
            }
            Some(dispatch.requirement)
        })
        .collect()
}

/// Reads `build-for`. A line with a mistake is reported and left out.
pub fn dispatch(value: &Text, diagnostics: &mut Diagnostics) -> Vec<Dispatch> {
    let mut dispatch: Vec<Dispatch> = Vec::new();
    if fits(value, value, diagnostics).is_none() {
        return dispatch;
    }
    for line in value.lines() {
        let Some(next) = dispatch_line(value, line, diagnostics) else { continue };
        let capability = &next.requirement.capability;
        match dispatch.iter().find(|other| other.requirement.capability == *capability) {
            Some(first) => {
                let problem = problem::Dispatch::Twice { capability: capability.clone() };
                diagnostics.push(problem, next.requirement.span).label(first.requirement.span, Label::FirstHere);
            }
            None => dispatch.push(next),
        }
    }
    dispatch
}

fn dispatch_line(value: &Text, line: &str, diagnostics: &mut Diagnostics) -> Option<Dispatch> {
    let tokens = tokens(line);
    let (_, name) = *tokens.first()?;
    let span = value.span_of(line);
    if name.is_empty() {
        diagnostics.push(problem::Filter::NoCapability, span);
        return None;
    }
    let rest = &tokens[1..];
    let not_used = rest.iter().any(|(kind, _)| *kind == Kind::NotUsed);
    if not_used && rest.len() > 1 {
        diagnostics.push(problem::Filter::NotUsedAndMore, span);
        return None;
    }
    let filter = if not_used { Filter::default() } else { filter(value, rest, diagnostics)? };
    Some(Dispatch { requirement: Requirement { capability: name.to_owned(), span, filter }, not_used })
}

/// OR binds less than AND, which may be left out. None if there is a mistake.
fn filter(value: &Text, tokens: &[(Kind, &str)], diagnostics: &mut Diagnostics) -> Option<Filter> {
    let mut alternatives: Vec<Vec<Criterion>> = Vec::new();
    let mut criteria: Vec<Criterion> = Vec::new();
    // Where each alternative is written, the one that is being read last.
    let mut places: Vec<Range<usize>> = Vec::new();
    let mut good = true;
    let mut rest = tokens.iter().copied().peekable();
    // The keyword that waits for a criterion.
    let mut open: Option<&str> = None;
    let mut mistake = |diagnostics: &mut Diagnostics, problem: Problem, at: &str| {
        diagnostics.push(problem, value.span_of(at));
        good = false;
    };
    while let Some((kind, text)) = rest.next() {
        match kind {
            Kind::Operator | Kind::WrongOperator => {
                open = None;
                let place = value.range_of(text);
                match places.get_mut(alternatives.len()) {
                    Some(begun) => begun.end = place.end,
                    None => places.push(place),
                }
                let operator = Operator::parse(text);
                if operator.is_none() {
                    mistake(diagnostics, problem::Filter::Operator { operator: text.to_owned() }.into(), text);
                }
                match rest.next_if(|(next, _)| matches!(next, Kind::Version | Kind::WrongWord)) {
                    Some((_, version)) => {
                        if let Some(begun) = places.last_mut() {
                            begun.end = value.range_of(version).end;
                        }
                        match (operator, Version::parse(version)) {
                            (Some(operator), Some(version)) => criteria.push(Criterion { operator, version }),
                            (_, None) => mistake(
                                diagnostics,
                                problem::Version::Syntax { version: version.to_owned() }.into(),
                                version,
                            ),
                            (None, _) => {}
                        }
                    }
                    None => mistake(diagnostics, problem::Filter::NoVersion { operator: text.to_owned() }.into(), text),
                }
            }
            Kind::And | Kind::Or => {
                if open.is_some() || criteria.is_empty() && alternatives.is_empty() {
                    mistake(diagnostics, problem::Filter::Keyword { keyword: text.to_owned() }.into(), text);
                }
                open = Some(text);
                if kind == Kind::Or && !criteria.is_empty() {
                    alternatives.push(std::mem::take(&mut criteria));
                }
            }
            Kind::Version => {
                mistake(diagnostics, problem::Filter::NoOperator { version: text.to_owned() }.into(), text)
            }
            Kind::WrongWord if text.starts_with('#') => {
                let comment = &value[value.range_of(text).start..];
                let comment = comment.lines().next().unwrap_or(comment).trim_end();
                diagnostics.retract("ini::hash-in-value", value.span_of(comment));
                mistake(diagnostics, problem::Filter::Comment.into(), comment);
                break;
            }
            Kind::Name | Kind::NotUsed | Kind::WrongWord => {
                mistake(diagnostics, problem::Filter::Word { word: text.to_owned() }.into(), text)
            }
        }
    }
    if let Some(keyword) = open {
        mistake(diagnostics, problem::Filter::Keyword { keyword: keyword.to_owned() }.into(), keyword);
    }
    if !criteria.is_empty() {
        alternatives.push(criteria);
    }
    if good {
        for (criteria, place) in alternatives.iter().zip(places) {
            if !satisfiable(criteria) {
                good = false;
                diagnostics.push(problem::Filter::Impossible, value.span(place));
            }
        }
    }
    good.then_some(Filter { alternatives })
}
