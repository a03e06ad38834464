//! A tree to values: what a node must be is said by the caller; each mistake is reported at its place, and decoding goes on
//! after it.

use std::collections::HashSet;
use std::rc::Rc;

use indexmap::IndexMap;

use super::{Kind, Node};
use crate::diagnostic::{Diagnostics, Label, problem};
use crate::source::{Span, Text};

/// Decodes nodes, and collects what is wrong with them.
#[derive(Debug)]
pub struct Decoder<'a> {
    diagnostics: &'a mut Diagnostics,
    errors: usize,
}

impl<'a> Decoder<'a> {
    /// One that reports to `diagnostics`.
    pub fn new(diagnostics: &'a mut Diagnostics) -> Self {
        Self { diagnostics, errors: 0 }
    }

    /// How many mistakes were found so far.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// Reports a mistake.
    pub fn error(&mut self, problem: impl Into<problem::Problem>, span: Span) {
        self.errors += 1;
        self.diagnostics.push(problem, span);
    }

    /// Reports a mistake that has to do with an earlier place.
    pub fn error_after(&mut self, problem: impl Into<problem::Problem>, span: Span, first: Span) {
        self.errors += 1;
        self.diagnostics.push(problem, span).label(first, Label::FirstHere);
    }

    /// Reports something that most probably was not meant.
    pub fn warn(&mut self, problem: impl Into<problem::Problem>, span: Span) {
        self.diagnostics.push(problem, span);
    }

    /// Reports that something else was expected here.
    pub fn unexpected<T>(&mut self, expected: &str, node: &Node) -> Option<T> {
        self.instead(expected, None, node)
    }

    /// Reports that there should be at least one of something.
    pub fn empty<T>(&mut self, expected: &str, node: &Node) -> Option<T> {
        let (expected, found) = (format!("at least {expected}"), "an empty list".to_owned());
        self.error(problem::Farm::Value { expected, found, help: None }, node.span);
        None
    }

    fn instead<T>(&mut self, expected: &str, help: Option<String>, node: &Node) -> Option<T> {
        let expected = expected.to_owned();
        self.error(problem::Farm::Value { expected, found: describe(node), help }, first_line(node));
        None
    }

    /// The fields of a mapping whose keys are known. `what` names the thing that it describes: "a step".
    pub fn fields<'n>(&mut self, node: &'n Node, what: &'static str, known: &[&'static str]) -> Option<Fields<'n>> {
        let Kind::Mapping(entries) = &node.kind else {
            return self.unexpected(&format!("keys and values that describe {what}"), node);
        };
        for (key, _) in entries.iter().filter(|(key, _)| !known.contains(&&**key)) {
            let known = known.iter().map(|key| (*key).to_owned()).collect();
            self.error(problem::Farm::Key { key: key.to_string(), what, known }, key.whole());
        }
        Some(Fields { what, span: node.span, entries })
    }

    /// The entries of a mapping whose keys are free; an empty one where nothing is written.
    pub fn entries<'n>(&mut self, node: &'n Node, expected: &str) -> &'n [(Text, Rc<Node>)] {
        match &node.kind {
            Kind::Mapping(entries) => entries,
            _ => {
                self.unexpected::<()>(expected, node);
                &[]
            }
        }
    }

    /// A mapping whose keys are free. What cannot be decoded is left out.
    pub fn map<T>(
        &mut self,
        node: &Node,
        expected: &str,
        mut value: impl FnMut(&mut Self, &Text, &Node) -> Option<T>,
    ) -> IndexMap<String, T> {
        let entries = self.entries(node, expected);
        entries.iter().filter_map(|(key, node)| Some((key.to_string(), value(self, key, node)?))).collect()
    }

    /// The items of a list. What cannot be decoded is left out.
    pub fn list<T>(
        &mut self,
        node: &Node,
        expected: &str,
        mut item: impl FnMut(&mut Self, &Node) -> Option<T>,
    ) -> Vec<T> {
        match &node.kind {
            Kind::Sequence(items) => items.iter().filter_map(|node| item(self, node)).collect(),
            Kind::Scalar { text, .. } if !node.is_null() && !text.contains(['\n', ',']) => {
                self.instead::<()>(expected, Some(format!("write `[{}]`", &**text)), node);
                Vec::new()
            }
            _ => {
                self.unexpected::<()>(expected, node);
                Vec::new()
            }
        }
    }

    /// A text. Numbers and truth values are taken as they are written.
    pub fn text<'n>(&mut self, node: &'n Node) -> Option<&'n Text> {
        match &node.kind {
            Kind::Scalar { text, .. } if !node.is_null() => Some(text),
            _ => self.unexpected("a text", node),
        }
    }

    /// A text with something in it.
    pub fn word<'n>(&mut self, node: &'n Node, expected: &str) -> Option<&'n Text> {
        match &node.kind {
            Kind::Scalar { text, .. } if !node.is_null() && !text.trim().is_empty() => Some(text),
            _ => self.unexpected(expected, node),
        }
    }

    /// `true` or `false`.
    pub fn boolean(&mut self, node: &Node) -> Option<bool> {
        match &node.kind {
            Kind::Scalar { text, plain: true } if &**text == "true" => Some(true),
            Kind::Scalar { text, plain: true } if &**text == "false" => Some(false),
            _ => self.unexpected("`true` or `false`", node),
        }
    }

    /// A whole number that is not below `least`.
    pub fn number(&mut self, node: &Node, least: u64, expected: &str) -> Option<u64> {
        let number = match &node.kind {
            Kind::Scalar { text, plain: true } => text.parse().ok().filter(|number| *number >= least),
            _ => None,
        };
        number.or_else(|| self.unexpected(expected, node))
    }

    /// One of several words.
    pub fn choice<T: Copy>(&mut self, node: &Node, choices: &[(&str, T)]) -> Option<T> {
        let Kind::Scalar { text, .. } = &node.kind else {
            return self.unexpected(&one_of(choices), node);
        };
        if let Some((_, chosen)) = choices.iter().find(|(word, _)| *word == &**text) {
            return Some(*chosen);
        }
        let near = crate::diagnostic::suggest::nearest(text, choices.iter().map(|(word, _)| *word));
        let help = near.map(|near| format!("did you mean `{near}`?"));
        self.instead(&one_of(choices), help, node)
    }
}

/// The words to choose from: `a`, `b` or `c`.
fn one_of<T>(choices: &[(&str, T)]) -> String {
    let words: Vec<String> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => words.concat(),
    }
}

/// The place of a node, not more than its first line: a whole list in an excerpt says little.
fn first_line(node: &Node) -> Span {
    match &node.kind {
        Kind::Scalar { .. } => node.span,
        Kind::Mapping(entries) => entries.first().map_or(node.span, |(key, _)| key.whole()),
        Kind::Sequence(items) => items.first().map_or(node.span, |item| first_line(item)),
    }
}

/// What a node is, for a message.
fn describe(node: &Node) -> String {
    match &node.kind {
        Kind::Mapping(_) => "a mapping of keys to values".to_owned(),
        Kind::Sequence(_) => "a list".to_owned(),
        Kind::Scalar { .. } if node.is_null() => "nothing".to_owned(),
        Kind::Scalar { text, .. } if text.trim().is_empty() => "an empty text".to_owned(),
        Kind::Scalar { text, .. } => format!("`{}`", text.lines().next().unwrap_or_default()),
    }
}

/// The fields of one thing.
#[derive(Debug)]
pub struct Fields<'n> {
    what: &'static str,
    span: Span,
    entries: &'n [(Text, Rc<Node>)],
}

impl<'n> Fields<'n> {
    /// Where the thing stands.
    pub fn span(&self) -> Span {
        self.span
    }

    /// The value of a key, where it is set.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries
            .iter()
            .find(|(known, _)| &**known == key)
            .map(|(_, node)| node.as_ref())
            .filter(|node| !node.is_null())
    }

    /// Where a key stands.
    pub fn key(&self, key: &str) -> Option<Span> {
        self.entries.iter().find(|(known, _)| &**known == key).map(|(known, _)| known.whole())
    }

    /// The value of a key that must be there.
    pub fn required(&self, decoder: &mut Decoder<'_>, key: &'static str) -> Option<&'n Node> {
        let found = self.get(key);
        if found.is_none() {
            let first = self.entries.first().map(|(key, _)| key.whole());
            let place = self.key(key).or(first).unwrap_or(self.span);
            decoder.error(problem::Farm::MissingKey { key, what: self.what }, place);
        }
        found
    }

    /// A text that must be there and say something.
    pub fn words(&self, decoder: &mut Decoder<'_>, key: &'static str) -> Option<String> {
        let node = self.required(decoder, key)?;
        decoder.word(node, "a text that says something").map(|text| text.to_string())
    }

    /// A text, where it is set.
    pub fn text(&self, decoder: &mut Decoder<'_>, key: &str) -> Option<String> {
        decoder.text(self.get(key)?).map(|text| text.to_string())
    }

    /// A list of different texts, where it is set and is a list.
    pub fn list(&self, decoder: &mut Decoder<'_>, key: &str, expected: &str) -> Option<Vec<Text>> {
        let node = self.get(key)?;
        let mut seen = HashSet::new();
        let texts = decoder.list(node, expected, |decoder, item| decoder.word(item, "a text").cloned());
        let texts = texts.into_iter().filter(|text| seen.insert(text.to_string())).collect();
        matches!(node.kind, Kind::Sequence(_)).then_some(texts)
    }

    /// A list of different texts; an empty one where it is not set.
    pub fn texts(&self, decoder: &mut Decoder<'_>, key: &str, expected: &str) -> Vec<Text> {
        self.list(decoder, key, expected).unwrap_or_default()
    }
}
