//! The expressions of a step template: checked when the template is read, whether a build uses it or not.

use std::ops::Range;

use minijinja::Environment;

use crate::diagnostic::problem;
use crate::resolve::placeholder;
use crate::source::{Span, Text};
use crate::syntax::yaml::Decoder;

/// What the expressions of steps see.
const NAMES: [&str; 9] = ["build", BUILDER, "configuration", "inside", "locked", "option", "source", "subdir", ITEM];
/// What they see besides in a step that is there for each item of a list; the last of the names above.
const ITEM: &str = "item";
/// What differs between builds of the same templates and options.
const SURROUNDINGS: [&str; 6] = ["build", BUILDER, "configuration", "inside", "source", "subdir"];
/// What differs between builders of one build.
const BUILDER: &str = "builder";

/// Which options the expressions of a template read.
#[derive(Debug, Default)]
pub(super) struct Reads {
    /// The options, and where they are read.
    pub options: Vec<(String, Span)>,
    /// Whether some are read that only a value names.
    pub computed: bool,
    /// Whether what comes out depends on the build's name or source, but for these being in it.
    pub surroundings: bool,
    /// Whether any asks for the builder's name.
    pub builder: bool,
}

/// Checks expressions, and notes what they read.
#[derive(Debug)]
pub(super) struct Checker<'e> {
    pub environment: &'e Environment<'static>,
    pub reads: Reads,
    /// Whether the step is there for each item of a list.
    pub item: bool,
}

impl Checker<'_> {
    fn names(&self) -> &'static [&'static str] {
        if self.item { &NAMES } else { &NAMES[..NAMES.len() - 1] }
    }

    /// A text with `{{ … }}` and `${…}` in it.
    pub(super) fn text(&mut self, text: &Text, decoder: &mut Decoder<'_>) {
        if !text.contains('{') {
            return;
        }
        let mut masked = text.to_string();
        if text.contains("{{") || text.contains("{%") || text.contains("{#") {
            let undeclared = match self.environment.template_from_str(text) {
                Ok(template) => template.undeclared_variables(false),
                Err(error) => return mistake(&error, text, decoder),
            };
            self.reads.builder |= undeclared.contains(BUILDER);
            for tag in tags(text) {
                self.tokens(text, &tag.tokens, &undeclared, self.names(), decoder);
                // No placeholder begins or ends in what is filled in.
                masked.replace_range(tag.range.clone(), &"x".repeat(tag.range.len()));
            }
        }
        placeholder::check(text, &masked, None, decoder);
    }

    /// The default of an option: it may ask for other options, and for nothing else.
    pub(super) fn default(&mut self, text: &Text, decoder: &mut Decoder<'_>) {
        match self.environment.template_from_str(text) {
            Ok(template) => {
                let undeclared = template.undeclared_variables(false);
                for tag in tags(text) {
                    self.tokens(text, &tag.tokens, &undeclared, &["option"], decoder);
                }
            }
            Err(error) => mistake(&error, text, decoder),
        }
    }

    /// An expression by itself.
    pub(super) fn expression(&mut self, text: &Text, decoder: &mut Decoder<'_>) {
        match self.environment.compile_expression(text) {
            Ok(expression) => {
                let undeclared = expression.undeclared_variables(false);
                self.reads.surroundings |= SURROUNDINGS.iter().any(|name| undeclared.contains(*name));
                self.reads.builder |= undeclared.contains(BUILDER);
                self.tokens(text, &tokens(text, 0, false).0, &undeclared, self.names(), decoder);
            }
            Err(error) => mistake(&error, text, decoder),
        }
    }

    /// Notes which options are read, and reports names that stand for nothing.
    fn tokens(
        &mut self,
        text: &Text,
        tokens: &[Range<usize>],
        undeclared: &std::collections::HashSet<String>,
        known: &[&str],
        decoder: &mut Decoder<'_>,
    ) {
        let token = |at: usize| tokens.get(at).map_or("", |range| &text[range.clone()]);
        for (at, range) in tokens.iter().enumerate() {
            let name = token(at);
            // A tag that is a name alone, or an attribute of it, is filled in whatever it stands for.
            let plain = at == 0 && (tokens.len() == 1 || (tokens.len() == 3 && token(1) == "."));
            self.reads.surroundings |= !plain && SURROUNDINGS.contains(&name) && undeclared.contains(name);
            if (at > 0 && matches!(token(at - 1), "." | "|")) || !undeclared.contains(name) {
                continue;
            }
            if name == "option" {
                match (token(at + 1), token(at + 2), token(at + 3)) {
                    (".", "get" | "items" | "keys" | "values", "(") => self.computed(),
                    (".", option, _) => self.read(option, text.span(tokens[at + 2].clone())),
                    ("[", quoted, "]") if quoted.starts_with(['"', '\'']) && quoted.len() > 1 => {
                        let place = tokens[at + 2].start + 1..tokens[at + 2].end - 1;
                        self.read(&text[place.clone()], text.span(place));
                    }
                    _ => self.computed(),
                }
            } else if !known.contains(&name) && !self.environment.globals().any(|(global, _)| global == name) {
                let known = known.iter().map(|name| (*name).to_owned()).collect();
                decoder.error(problem::Step::Name { name: name.to_owned(), known }, text.span(range.clone()));
            }
        }
    }

    fn read(&mut self, option: &str, span: Span) {
        self.reads.options.push((option.to_owned(), span));
    }

    fn computed(&mut self) {
        self.reads.computed = true;
    }
}

/// Reports what minijinja says about a text, at its place.
fn mistake(error: &minijinja::Error, text: &Text, decoder: &mut Decoder<'_>) {
    let range = error.range().filter(|range| range.end <= text.len()).unwrap_or(0..text.len());
    // Whole characters; and what is missing at the end is shown at the last one.
    let last = text.char_indices().next_back().map_or(0, |(at, _)| at);
    let start = (0..=range.start.min(last)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let end = (range.end.max(start + 1)..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let range = start..end;
    decoder.error(problem::Step::Expression { message: super::expand::describe(error) }, text.span(range));
}

/// A `{{ … }}`, `{% … %}` or `{# … #}` of a text that is well formed.
struct Tag {
    range: Range<usize>,
    tokens: Vec<Range<usize>>,
}

fn tags(text: &str) -> Vec<Tag> {
    let mut tags = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find('{').map(|found| at + found) {
        let rest = &text[found..];
        let (tokens, end) = if rest.starts_with("{#") {
            (Vec::new(), rest.find("#}").map_or(text.len(), |end| found + end + 2))
        } else if rest.starts_with("{{") || rest.starts_with("{%") {
            tokens(text, found + 2, true)
        } else {
            at = found + 1;
            continue;
        };
        tags.push(Tag { range: found..end, tokens });
        at = end;
    }
    tags
}

/// The words, strings and signs of an expression, and where it ends: at the end of its tag, or of the text.
fn tokens(text: &str, from: usize, tag: bool) -> (Vec<Range<usize>>, usize) {
    let mut tokens = Vec::new();
    let mut at = from;
    let mut depth = 0usize;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if tag && depth == 0 && (rest.starts_with("}}") || rest.starts_with("%}")) {
            return (tokens, at + 2);
        }
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let length = match c {
            '"' | '\'' => string(rest, c),
            c if word(c) => rest.find(|c| !word(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        match c {
            '{' | '[' | '(' => depth += 1,
            '}' | ']' | ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if !c.is_whitespace() {
            tokens.push(at..at + length);
        }
        at += length;
    }
    (tokens, at)
}

/// How long a string is, its quotation marks included.
fn string(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Diagnostics;
    use crate::source::Sources;

    fn reads(text: &str) -> (Vec<String>, bool, Vec<String>) {
        let mut sources = Sources::default();
        let id = sources.add("x", text);
        let text = Text::literal(text, Span::new(id, 0..text.len()));
        let environment = super::super::expand::environment();
        let mut diagnostics = Diagnostics::default();
        let mut checker = Checker { environment: &environment, reads: Reads::default(), item: false };
        checker.text(&text, &mut Decoder::new(&mut diagnostics));
        let said = diagnostics.sorted().into_iter();
        let said = said.map(|said| format!("{}: {}", said.code, sources.slice(said.span))).collect();
        let options = checker.reads.options.iter().map(|(option, span)| {
            assert_eq!(option, sources.slice(*span));
            option.clone()
        });
        (options.collect(), checker.reads.computed, said)
    }

    #[test]
    fn what_is_read_is_found_where_it_stands() {
        let (options, computed, said) = reads(
            "é {{ option['a.b'] | join(',') }} option.no {# option.no #}{{ {'x': {}} }} {% if \
            option.c and source.option %}x{% endif %}{{ \"option['no']\" }} ${build-dir}/{{ subdir }}",
        );
        assert_eq!((options.join(" "), computed, said.len()), ("a.b c".to_owned(), false, 0), "{said:?}");
        assert!(reads("{{ option[build.name] }}").1 && reads("{{ option | length }}").1);
        assert!(reads("{% for option in [1] %}{{ option }}{% endfor %}").0.is_empty());
    }

    #[test]
    fn mistakes_have_their_places() {
        let said = |text| reads(text).2;
        assert_eq!(said("x {{ option['a' }} y"), ["steps::expression: }"]);
        assert_eq!(said("x {{ option"), ["steps::expression: option"]);
        assert_eq!(said("{{ optoin.a }} {{ range(3) | list }}"), ["steps::expression: optoin"]);
        assert_eq!(said("{{ subdir }} ${buidl-dir} ${"), ["farm::placeholder: ${"]);
        assert_eq!(said("{{ subdir }} ${buidl-dir} ${x.y:-{{ subdir }}}"), ["farm::placeholder: buidl-dir"]);
    }
}
