//! Manifests and slave fragments: the INI dialect that Python 2's ConfigParser reads (see `grammar/ini.pest`).

use pest::Parser as _;
use pest::iterators::Pair;

use grammar::{Parser, Rule};

use crate::diagnostic::{Diagnostics, Label, Problem};
use crate::source::{SourceId, Sources, Span, Text};

#[allow(missing_docs)]
mod grammar {
    #[derive(pest_derive::Parser)]
    #[grammar = "../grammar/ini.pest"]
    pub(super) struct Parser;
}

/// The section whose options all sections of its file see.
pub const DEFAULT: &str = "DEFAULT";

/// A file as it is written: nothing merged, nothing resolved.
#[derive(Debug, Default)]
pub struct Document {
    /// The sections in order, duplicates included.
    pub sections: Vec<Section>,
}

/// A section as it is written.
#[derive(Debug)]
pub struct Section {
    /// Its name, in its own case.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// The options in order, duplicates included.
    pub options: Vec<Setting>,
}

/// An option and its value as they are written.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The name in lower case.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// The value: trimmed lines, joined by line ends.
    pub value: Text,
}

/// A line as the grammar sees it, with its parts trimmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// Nothing, or white space.
    Blank,
    /// A comment that takes the whole line.
    Comment(&'a str),
    /// The beginning of a section: all of the line, since what follows the bracket is free.
    Section(&'a str),
    /// The first line of an option.
    Option {
        /// The name in its own case.
        name: &'a str,
        /// What follows the delimiter, as written: `""` is `""` here.
        value: &'a str,
        /// The comment after it, from its `;` on; empty if there is none.
        comment: &'a str,
    },
    /// A line that continues the option above it.
    Continuation(&'a str),
    /// None of these.
    Junk(&'a str),
}

/// The lines of a text one by one, for those who care how it is laid out. A byte order mark is no part of the first.
pub fn lines(text: &str) -> Vec<Line<'_>> {
    let mut pairs = Parser::parse(Rule::file, text)
        .ok()
        .and_then(|mut pairs| pairs.next())
        .map(|file| file.into_inner().peekable());
    let mut at = text.len() - text.strip_prefix('\u{FEFF}').unwrap_or(text).len();
    let mut lines = Vec::new();
    for line in text[at..].split('\n') {
        let pair = pairs.as_mut().and_then(|pairs| pairs.next_if(|pair| pair.as_span().start() == at));
        at += line.len() + 1;
        let line = line.trim_end();
        let Some(pair) = pair.filter(|pair| pair.as_rule() != Rule::EOI && !line.is_empty()) else {
            lines.push(if line.is_empty() { Line::Blank } else { Line::Comment(line) });
            continue;
        };
        let rule = pair.as_rule();
        let mut parts = pair.into_inner();
        lines.push(match (rule, parts.next(), parts.next()) {
            (Rule::section, ..) => Line::Section(line),
            (Rule::option, Some(name), Some(value)) => {
                let (value, comment) = split_comment(value.as_str());
                Line::Option { name: name.as_str().trim(), value, comment }
            }
            (Rule::indented, Some(words), _) => Line::Continuation(words.as_str().trim()),
            (Rule::comment, ..) => Line::Comment(line),
            _ => Line::Junk(line),
        });
    }
    lines
}

/// The first line of a value, and the comment behind it: ` ;` begins one there; `#` never does.
fn split_comment(value: &str) -> (&str, &str) {
    let comment = value.match_indices(';').map(|(at, _)| at).find(|at| {
        let before = value[..*at].chars().next_back();
        before.is_some_and(char::is_whitespace)
    });
    let (written, comment) = value.split_at(comment.unwrap_or(value.len()));
    (written.trim(), comment.trim_end())
}

/// Reads one source. Mistakes are reported, and everything else is read all the same.
pub fn parse(sources: &Sources, id: SourceId, diagnostics: &mut Diagnostics) -> Document {
    let text = sources.get(id).text();
    let mut reading = Reading { id, text, document: Document::default(), diagnostics, misplaced: false };
    if let Some(at) = text.find('\0') {
        reading.diagnostics.push(Problem::IniBinary, Span::new(id, at..at + 1));
        return reading.document;
    }
    // The grammar takes every text: what is none of the known lines is `junk`.
    if let Ok(mut pairs) = Parser::parse(Rule::file, text)
        && let Some(file) = pairs.next()
    {
        for line in file.into_inner() {
            reading.line(line);
        }
    }
    reading.document
}

struct Reading<'a> {
    id: SourceId,
    text: &'a str,
    document: Document,
    diagnostics: &'a mut Diagnostics,
    /// Whether the lines before the first section have been reported: they are one mistake.
    misplaced: bool,
}

impl Reading<'_> {
    fn line(&mut self, line: Pair<'_, Rule>) {
        let span = self.span(line.as_str());
        let (rule, whole) = (line.as_rule(), line.as_str());
        let mut parts = line.into_inner();
        match (rule, parts.next(), parts.next()) {
            (Rule::section, Some(header), _) => {
                let (name, span) = (header.as_str().to_owned(), self.span(header.as_str()));
                self.document.sections.push(Section { name, span, options: Vec::new() });
            }
            (Rule::option, Some(name), Some(value)) => self.option(name.as_str(), value.as_str(), span),
            (Rule::indented, Some(words), _) => self.continuation(words.as_str(), span),
            (Rule::junk, ..) if !whole.trim().is_empty() && self.inside(span) => {
                let problem = if whole.starts_with('[') {
                    Problem::IniSectionHeader { written: whole.trim().to_owned() }
                } else {
                    Problem::IniSyntax
                };
                self.diagnostics.push(problem, span);
            }
            _ => {}
        }
    }

    fn option(&mut self, name: &str, value: &str, line: Span) {
        let trimmed = name.trim();
        if !self.inside(line) {
            return;
        }
        let (written, _) = split_comment(value);
        let written = if written == "\"\"" { "" } else { written };
        let place = if written.is_empty() { self.span(value).beginning() } else { self.span(written) };
        self.hash(written);
        let setting =
            Setting { name: trimmed.to_lowercase(), span: self.span(trimmed), value: Text::literal(written, place) };
        if let Some(section) = self.document.sections.last_mut() {
            section.options.push(setting);
        }
    }

    fn continuation(&mut self, words: &str, line: Span) {
        let words = words.trim();
        if words.is_empty() {
            return;
        }
        let place = self.span(words);
        let option = self.document.sections.last_mut().and_then(|section| section.options.last_mut());
        let Some(option) = option else {
            if self.inside(line) {
                self.diagnostics.push(Problem::IniIndented, place);
            }
            return;
        };
        option.value.push_line(words, place);
        let (name, at) = (option.name.clone(), option.span);
        if words.starts_with(['#', ';']) {
            self.diagnostics.push(Problem::IniIndentedComment { option: name }, place).label(at, Label::ItsOption);
        } else {
            self.hash(words);
        }
    }

    /// People believe that ` #` begins a comment.
    fn hash(&mut self, value: &str) {
        let found = value.match_indices('#').find(|(at, _)| value[..*at].ends_with(char::is_whitespace));
        if let Some((at, _)) = found {
            let span = self.span(&value[at..]);
            self.diagnostics.push(Problem::IniHashInValue, span);
        }
    }

    /// Whether a section has begun; if not, the first such line is reported.
    fn inside(&mut self, line: Span) -> bool {
        let inside = !self.document.sections.is_empty();
        if !inside && !self.misplaced {
            self.misplaced = true;
            self.diagnostics.push(Problem::IniNoSection, line);
        }
        inside
    }

    /// The span of `part`, a slice of the text, without the line's carriage return.
    fn span(&self, part: &str) -> Span {
        let start = part.as_ptr() as usize - self.text.as_ptr() as usize;
        Span::new(self.id, start..start + part.trim_end_matches('\r').len())
    }
}
