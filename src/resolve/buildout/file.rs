//! One file of a configuration: its text in, its sections with their places out, and what it extends. Mistakes that
//! show in one file are reported here.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::condition::{self, Truth};
use crate::diagnostic::{Diagnostics, Label, problem};
use crate::source::{SourceId, Sources, Span, Text};
use crate::syntax::buildout::{self, Operator, Piece};

/// A file that was read.
#[derive(Debug, Default)]
pub(super) struct File {
    /// The sections that count, or may count, in order; one name may come several times.
    pub sections: Vec<Section>,
    /// What it extends.
    pub extends: Vec<(String, Span)>,
    /// Whether more may belong to it than can be known.
    pub open: bool,
}

/// A section as it is written.
#[derive(Debug)]
pub(super) struct Section {
    pub name: Arc<str>,
    pub span: Span,
    /// Whether it is known to count: its condition is true, or it has none.
    pub certain: bool,
    pub settings: Vec<Setting>,
}

/// An option as it is written.
#[derive(Debug)]
pub(super) struct Setting {
    pub name: Arc<str>,
    pub span: Span,
    pub operator: Operator,
    pub value: Arc<Text>,
}

impl File {
    pub fn parse(sources: &Sources, id: SourceId, diagnostics: &mut Diagnostics) -> Self {
        let written = buildout::parse(sources.get(id).text());
        let place = |piece: Piece<'_>| Span::new(id, piece.span());
        let whole = |section: &&buildout::Section<'_>| !section.broken;
        let first = written.sections.iter().find(whole).map_or(usize::MAX, |section| section.name.start);
        let mut misplaced = false;
        for junk in &written.junk {
            let problem = if junk.text.starts_with('[') {
                problem::Buildout::Header { written: junk.text.to_owned() }
            } else if junk.start < first {
                // The lines before the first section are one mistake.
                if std::mem::replace(&mut misplaced, true) {
                    continue;
                }
                problem::Buildout::NoSection
            } else {
                problem::Buildout::Syntax
            };
            diagnostics.push(problem, place(*junk));
        }
        let mut file = Self::default();
        let mut known: HashMap<(&str, &str), Span> = HashMap::new();
        let names: HashSet<&str> = written.sections.iter().filter(whole).map(|section| section.name.text).collect();
        for section in &written.sections {
            if section.broken {
                // What it was meant to be can be guessed, and not what it lacks.
                file.open = true;
                let name = section.name.text;
                if name.is_empty() || names.contains(name) || known.contains_key(&(name, "")) {
                    continue;
                }
            }
            let condition = section.condition.map_or("", |condition| condition.text);
            let span = place(section.name);
            // Sections of one name under several conditions are how conditions are meant to be used.
            if let Some(first) = known.insert((section.name.text, condition), span) {
                let problem = problem::Buildout::DuplicateSection { section: section.name.text.to_owned() };
                diagnostics.push(problem, span).label(first, Label::FirstHere);
            }
            let truth = condition::evaluate(condition);
            let settings = settings(section, id, diagnostics);
            if truth == Truth::False {
                continue;
            }
            let certain = truth == Truth::True;
            if section.name.text == "buildout" {
                file.buildout(&settings, certain);
            }
            file.sections.push(Section { name: section.name.text.into(), span, certain, settings });
        }
        file
    }

    /// Takes out what makes more files belong to the configuration.
    fn buildout(&mut self, settings: &[Setting], certain: bool) {
        for setting in settings {
            match &*setting.name {
                "extends" => {
                    let words = setting.value.split_whitespace();
                    let words = words.map(|word| (word.to_owned(), setting.value.span_of(word)));
                    if certain && setting.operator == Operator::Set {
                        self.extends = words.collect();
                    } else {
                        // What it is in the end depends on the slave: all of it may belong.
                        self.extends.extend(words);
                        self.open = true;
                    }
                }
                "optional-extends" => self.open = true,
                _ => {}
            }
        }
    }
}

fn settings(section: &buildout::Section<'_>, id: SourceId, diagnostics: &mut Diagnostics) -> Vec<Setting> {
    let place = |piece: Piece<'_>| Span::new(id, piece.span());
    let mut known: HashMap<&str, Span> = HashMap::new();
    let mut settings = Vec::new();
    for setting in &section.options {
        let span = place(setting.name);
        if setting.operator == Operator::Set
            && let Some(first) = known.insert(setting.name.text, span)
        {
            let problem = problem::Buildout::DuplicateOption { option: setting.name.text.to_owned() };
            diagnostics.push(problem, span).label(first, Label::FirstHere);
        }
        let mut value = match setting.lines.first() {
            Some(line) => Text::literal(line.text, place(*line)),
            None => Text::empty(span),
        };
        for line in setting.lines.iter().skip(1) {
            value.push_line(line.text, place(*line));
        }
        settings.push(Setting {
            name: setting.name.text.into(),
            span,
            operator: setting.operator,
            value: Arc::new(value),
        });
    }
    settings
}
