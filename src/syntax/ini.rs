//! Manifests and slave fragments: the INI dialect that Python 2's ConfigParser reads (see `grammar/ini.pest`).

use memchr::{memchr_iter, memchr2};
use pest::Parser as _;

use grammar::{Parser, Rule};

use crate::diagnostic::{Diagnostics, Label, problem};
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
    /// Whether its header has a mistake, which was reported: the name is what was probably meant, or nothing.
    pub broken: bool,
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
        lines.push(match pair.as_rule() {
            Rule::section => Line::Section(line),
            Rule::option => {
                let (name, value) = split_option(pair.as_str());
                let (value, comment) = split_comment(value);
                Line::Option { name, value, comment }
            }
            Rule::indented => Line::Continuation(line.trim_start()),
            Rule::comment => Line::Comment(line),
            _ => Line::Junk(line),
        });
    }
    lines
}

/// The name of an option, trimmed, and what follows the delimiter.
fn split_option(line: &str) -> (&str, &str) {
    // The grammar has seen a delimiter.
    let at = memchr2(b'=', b':', line.as_bytes()).unwrap_or_default();
    (line[..at].trim(), &line[at + 1..])
}

/// The name as it is compared; nearly all are written so.
fn lowercase(name: &str) -> String {
    let lower = name.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if lower { name.to_owned() } else { name.to_lowercase() }
}

/// The first line of a value, and the comment behind it: ` ;` begins one there; `#` never does.
fn split_comment(value: &str) -> (&str, &str) {
    let comment = after_blank(b';', value).unwrap_or(value.len());
    let (written, comment) = value.split_at(comment);
    (written.trim(), comment.trim_end())
}

/// The first `mark` in a value that stands behind white space.
fn after_blank(mark: u8, value: &str) -> Option<usize> {
    memchr_iter(mark, value.as_bytes()).find(|at| value[..*at].ends_with(char::is_whitespace))
}

/// The name that a broken header was probably meant to have; nothing where that is hard to tell.
fn meant(header: &str) -> &str {
    let inside = header.trim_start_matches('[');
    let end = inside.find([']', '[', ';', '#', '=', ':']).unwrap_or(inside.len());
    let guess = inside[..end].trim();
    if inside[end..].starts_with(['=', ':']) { &inside[..0] } else { guess }
}

/// Reads one source. Mistakes are reported, and everything else is read all the same.
pub fn parse(sources: &Sources, id: SourceId, diagnostics: &mut Diagnostics) -> Document {
    let text = sources.get(id).text();
    let mut reading =
        Reading { id, text, document: Document::default(), options: Vec::new(), diagnostics, misplaced: false };
    if let Some(at) = text.find('\0') {
        reading.diagnostics.push(problem::Ini::Binary, Span::new(id, at..at + 1));
        return reading.document;
    }
    // The grammar takes every text: what is none of the known lines is `junk`.
    if let Ok(mut pairs) = Parser::parse(Rule::file, text)
        && let Some(file) = pairs.next()
    {
        for line in file.into_inner() {
            reading.line(line.as_rule(), line.as_str());
        }
    }
    reading.end();
    reading.document
}

struct Reading<'a> {
    id: SourceId,
    text: &'a str,
    document: Document,
    /// The options of the last section so far: once they are known, they take no more room than they need.
    options: Vec<Setting>,
    diagnostics: &'a mut Diagnostics,
    /// Whether the lines before the first section have been reported: they are one mistake.
    misplaced: bool,
}

impl Reading<'_> {
    fn line(&mut self, rule: Rule, line: &str) {
        match rule {
            Rule::section => {
                let (header, _) = line[1..].split_once(']').unwrap_or_default();
                self.section(header, false);
            }
            Rule::option => self.option(line),
            Rule::indented => self.continuation(line),
            Rule::junk if line.starts_with('[') => {
                let name = meant(line);
                self.diagnostics.push(problem::Ini::SectionHeader { name: name.to_owned() }, self.span(line));
                // What follows belongs to whatever this begins, and not to the section above.
                self.section(name, true);
            }
            Rule::junk if !line.trim().is_empty() && self.inside(line) => {
                self.diagnostics.push(problem::Ini::Syntax, self.span(line));
            }
            _ => {}
        }
    }

    fn section(&mut self, name: &str, broken: bool) {
        self.end();
        let (name, span) = (name.to_owned(), self.span(name));
        self.document.sections.push(Section { name, span, options: Vec::new(), broken });
    }

    /// Ends the last section.
    fn end(&mut self) {
        if let Some(section) = self.document.sections.last_mut() {
            section.options = self.options.drain(..).collect();
        }
    }

    fn option(&mut self, line: &str) {
        if !self.inside(line) {
            return;
        }
        let (name, value) = split_option(line);
        let (written, _) = split_comment(value);
        let written = if written == "\"\"" { "" } else { written };
        let place = if written.is_empty() { self.span(value).beginning() } else { self.span(written) };
        self.hash(written);
        let setting = Setting { name: lowercase(name), span: self.span(name), value: Text::literal(written, place) };
        self.options.push(setting);
    }

    fn continuation(&mut self, line: &str) {
        let words = line.trim();
        if words.is_empty() {
            return;
        }
        let place = self.span(words);
        let Some(option) = self.options.last_mut() else {
            if self.inside(line) {
                self.diagnostics.push(problem::Ini::Indented, place);
            }
            return;
        };
        option.value.push_line(words, place);
        if words.starts_with(['#', ';']) {
            let (name, at) = (option.name.clone(), option.span);
            self.diagnostics.push(problem::Ini::IndentedComment { option: name }, place).label(at, Label::ItsOption);
        } else {
            self.hash(words);
        }
    }

    /// People believe that ` #` begins a comment.
    fn hash(&mut self, value: &str) {
        if let Some(at) = after_blank(b'#', value) {
            let span = self.span(&value[at..]);
            self.diagnostics.push(problem::Ini::HashInValue, span);
        }
    }

    /// Whether a section has begun; if not, the first such line is reported.
    fn inside(&mut self, line: &str) -> bool {
        let inside = !self.document.sections.is_empty();
        if !inside && !self.misplaced {
            self.misplaced = true;
            self.diagnostics.push(problem::Ini::NoSection, self.span(line));
        }
        inside
    }

    /// The span of `part`, a slice of the text, without the line's carriage return.
    fn span(&self, part: &str) -> Span {
        let start = part.as_ptr() as usize - self.text.as_ptr() as usize;
        Span::new(self.id, start..start + part.trim_end_matches('\r').len())
    }
}
