//! The file of a step template: YAML to a [`TemplateFile`], each mistake reported at its place.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::Environment;

use super::expression::{Checker, Reads};
use super::option::{option, option_name};
use super::template::{Argument, Continues, Every, Item, Limit, StepPlace, StepTemplate, TemplateFile, Use};
use crate::diagnostic::{Diagnostics, problem};
use crate::model::Declared;
use crate::plan::OnFailure;
use crate::resolve::environment;
use crate::source::{SourceId, Sources, Span, Text};
use crate::syntax::yaml::{self, Decoder, Kind, Node};

const KEYS: [&str; 10] =
    ["template", "written", "help", "place", "aliases", "needs", "options", "steps", "clean-up", "continues"];

const STEP: &[&str] = &[
    "name",
    "help",
    "when",
    "each",
    "run",
    "program",
    "write",
    "directory",
    "environment",
    "lock",
    "makes-way",
    "infrastructure",
    "permanent",
    "idle-timeout",
    "timeout",
    "on-failure",
    "property",
    "keep",
    "follow",
];

const FAILURES: [(&str, OnFailure); 4] =
    [("halt", OnFailure::Halt), ("flunk", OnFailure::Flunk), ("warn", OnFailure::Warn), ("ignore", OnFailure::Ignore)];

/// What a time limit should be.
const SECONDS: &str = "a number of seconds, 1 or more";

/// What an exit status should be.
const STATUS: &str = "an exit status, 1 to 255";

/// Names of steps are names of log files, and stand in columns.
const LONGEST_NAME: usize = 50;

/// A template's file, read.
#[derive(Debug)]
pub(super) struct Reading {
    /// Its name, and where it stands, even where the rest cannot be understood.
    pub name: Option<(String, Span)>,
    /// The names that it had once.
    pub aliases: Vec<Text>,
    /// What it says; none where there is a mistake.
    pub written: Option<Written>,
}

/// The file of a template, and where it says what.
#[derive(Debug)]
pub(super) struct Written {
    /// The file.
    pub file: TemplateFile,
    /// Where its place is given.
    pub place: Span,
    /// The places of its `use:`, in their order.
    pub uses: Vec<Span>,
    /// The places of its own steps, then of those of its clean-up, in their order.
    pub step_places: Vec<Arc<StepPlace>>,
    /// The places of what it needs, in their order.
    pub needs: Vec<Span>,
    /// Where its options are declared, in their order.
    pub options: Vec<Span>,
    /// The options that its expressions read.
    pub reads: Reads,
}

/// Reads the file of a template.
pub(super) fn read(
    sources: &Sources,
    id: SourceId,
    environment: &Environment<'static>,
    diagnostics: &mut Diagnostics,
) -> Reading {
    let document = yaml::parse(sources, id, diagnostics);
    let mut decoder = Decoder::new(diagnostics);
    let decoder = &mut decoder;
    let none = Reading { name: None, aliases: Vec::new(), written: None };
    let Some(fields) = decoder.fields(&document.root, "a step template", &KEYS) else { return none };
    if !document.complete {
        // What stands after the mistake is not known: only the name is taken.
        let name = fields.get("template").and_then(|node| match &node.kind {
            Kind::Scalar { text, .. } => Some((text.to_string(), text.whole())),
            _ => None,
        });
        return Reading { name, ..none };
    }
    let name = fields
        .required(decoder, "template")
        .and_then(|node| decoder.word(node, "a name").map(|text| (text.trim().to_owned(), text.whole())));
    let help = fields.words(decoder, "help");
    let place = fields.required(decoder, "place").and_then(|node| {
        let choices = Use::ALL.map(|place| (place.name(), place));
        Some((decoder.choice(node, &choices)?, node.span))
    });
    let aliases = fields.texts(decoder, "aliases", "a list of names");
    let needs = fields.texts(decoder, "needs", "a list of step templates");
    let mut checker = Checker { environment, reads: Reads::default(), item: false };
    let mut declared = Vec::new();
    let options = fields.get("options").map(|node| {
        decoder.map(node, "options by name", |decoder, key, node| {
            option_name(key, decoder);
            declared.push(key.whole());
            option(decoder, node, &mut checker)
        })
    });
    let mut steps =
        Steps { checker: &mut checker, known: HashMap::new(), uses: Vec::new(), texts: Vec::new(), places: Vec::new() };
    let items = fields
        .get("steps")
        .map(|node| decoder.list(node, "a list of steps", |decoder, node| steps.item(decoder, node)));
    // A step of the clean-up may have the name of one that it cleans up after: plans number them.
    steps.known.clear();
    let clean_up = fields
        .get("clean-up")
        .map(|node| decoder.list(node, "a list of steps", |decoder, node| steps.step(decoder, node)));
    let continues = fields.get("continues").and_then(|node| steps.continues(decoder, node));
    let (uses, step_places) = (steps.uses, steps.places);
    let called = fields.get("written").and_then(|node| decoder.word(node, "a name"));
    let fine = decoder.errors() == 0;
    let written = match (&name, help, place) {
        (Some((name, _)), Some(help), Some((place, place_span))) if fine => Some(Written {
            file: TemplateFile {
                name: name.clone(),
                written: called.map(|text| text.trim().to_owned()),
                help,
                place,
                aliases: aliases.iter().map(|text| text.to_string()).collect(),
                needs: needs.iter().map(|text| text.to_string()).collect(),
                options: options.unwrap_or_default(),
                steps: items.unwrap_or_default(),
                clean_up: clean_up.unwrap_or_default(),
                continues,
            },
            place: place_span,
            uses,
            step_places,
            needs: needs.iter().map(Text::whole).collect(),
            options: declared,
            reads: checker.reads,
        }),
        _ => None,
    };
    Reading { name, aliases, written }
}

struct Steps<'c, 'e> {
    checker: &'c mut Checker<'e>,
    /// The names of the steps so far that are there in any case.
    known: HashMap<String, Span>,
    uses: Vec<Span>,
    /// The texts and expressions of the step that is being read.
    texts: Vec<Text>,
    /// Where the steps are that were read.
    places: Vec<Arc<StepPlace>>,
}

impl Steps<'_, '_> {
    fn item(&mut self, decoder: &mut Decoder<'_>, node: &Node) -> Option<Item> {
        let Kind::Mapping(entries) = &node.kind else {
            return self.step(decoder, node).map(|step| Item::Step(Box::new(step)));
        };
        if !entries.iter().any(|(key, _)| &**key == "use") {
            return self.step(decoder, node).map(|step| Item::Step(Box::new(step)));
        }
        let fields = decoder.fields(node, "an item with `use`", &["use"])?;
        let used =
            fields.required(decoder, "use").and_then(|node| decoder.word(node, "the name of a step template"))?;
        self.uses.push(used.whole());
        Some(Item::Use { r#use: used.trim().to_owned() })
    }

    fn step(&mut self, decoder: &mut Decoder<'_>, node: &Node) -> Option<StepTemplate> {
        let fields = decoder.fields(node, "a step", STEP)?;
        self.texts.clear();
        let always = fields.get("when").is_none();
        let name = fields.required(decoder, "name").and_then(|node| self.name(decoder, node, always));
        let help = fields.words(decoder, "help");
        let each = fields.get("each").and_then(|node| self.expression(decoder, node));
        self.checker.item = each.is_some();
        let when = fields.get("when").and_then(|node| self.expression(decoder, node));
        let run = fields
            .get("run")
            .map(|node| decoder.list(node, "a command, a word an item", |decoder, node| self.argument(decoder, node)));
        let write = fields.get("write").and_then(|node| decoder.boolean(node)).unwrap_or_default();
        let command = match (&run, write) {
            (Some(_), true) => Some(problem::Step::RunAndWrite),
            (None, false) => Some(problem::Step::NoCommand),
            (Some(run), false) if run.is_empty() => Some(problem::Step::NoCommand),
            (Some(run), false) if matches!(&run[0], Argument::One(program) if program.trim().is_empty()) => {
                Some(problem::Step::NoCommand)
            }
            _ => None,
        };
        if let Some(problem) = command {
            let place = ["write", "run", "name"].iter().find_map(|key| fields.key(key)).unwrap_or(fields.span());
            decoder.error(problem, place);
        }
        let program = fields.get("program").and_then(|node| decoder.word(node, "the name of an option"));
        if let Some(option) = program {
            self.checker.reads.options.push((option.trim().to_owned(), option.whole()));
        }
        let directory = fields.get("directory").and_then(|node| self.text(decoder, node));
        let follow = fields
            .get("follow")
            .map(|node| decoder.list(node, "a list of files", |decoder, node| self.text(decoder, node)));
        let variables = fields.get("environment").map(|node| {
            environment(decoder, node, &mut |decoder, text| {
                self.checker.text(text, decoder);
                self.texts.push(text.clone());
            })
        });
        self.checker.item = false;
        let idle_timeout = fields.get("idle-timeout").and_then(|node| self.limit(decoder, node));
        let timeout = fields.get("timeout").and_then(|node| self.limit(decoder, node));
        let permanent = fields.get("permanent").map(|node| permanent(decoder, node)).unwrap_or_default();
        let (name, help) = (name?, help?);
        let place = fields.get("name").map_or(fields.span(), |node| node.span);
        self.places.push(Arc::new(StepPlace { name: place, texts: std::mem::take(&mut self.texts) }));
        Some(StepTemplate {
            name,
            help,
            when,
            each,
            run: run.unwrap_or_default(),
            program: program.map(|option| option.trim().to_owned()),
            write,
            directory,
            environment: variables.unwrap_or_default(),
            lock: fields.get("lock").and_then(|node| plain(decoder, node)),
            makes_way: fields.get("makes-way").and_then(|node| decoder.boolean(node)).unwrap_or_default(),
            infrastructure: fields.get("infrastructure").and_then(|node| decoder.boolean(node)).unwrap_or_default(),
            permanent,
            idle_timeout,
            timeout,
            on_failure: fields.get("on-failure").and_then(|node| decoder.choice(node, &FAILURES)),
            property: fields.get("property").and_then(|node| plain(decoder, node)),
            keep: fields.get("keep").and_then(|node| plain(decoder, node)),
            follow: follow.unwrap_or_default(),
        })
    }

    /// The name of a step. Steps with a `when` may share one: they can stand for each other.
    fn name(&mut self, decoder: &mut Decoder<'_>, node: &Node, always: bool) -> Option<String> {
        let expected = "a name of at most 50 characters: `a` to `z`, digits and `-`";
        let text = decoder.word(node, expected)?;
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.len() > LONGEST_NAME || !text.chars().all(fine) {
            return decoder.unexpected(expected, node);
        }
        if !always {
            return Some(text.to_string());
        }
        if let Some(first) = self.known.get(&**text) {
            decoder.error_after(problem::Step::SameName { step: text.to_string() }, text.whole(), *first);
            return None;
        }
        self.known.insert(text.to_string(), text.whole());
        Some(text.to_string())
    }

    /// The buildout that the templates after it work in.
    fn continues(&mut self, decoder: &mut Decoder<'_>, node: &Node) -> Option<Continues> {
        let fields = decoder.fields(node, "`continues`", &["subdir", "configuration"])?;
        let mut text = |key: &'static str| fields.required(decoder, key).and_then(|node| self.text(decoder, node));
        let (subdir, configuration) = (text("subdir"), text("configuration"));
        Some(Continues { subdir: subdir?, configuration: configuration? })
    }

    /// Seconds, or an expression that makes them.
    fn limit(&mut self, decoder: &mut Decoder<'_>, node: &Node) -> Option<Limit> {
        match &node.kind {
            // What begins like a number is meant to be one.
            Kind::Scalar { text, .. } if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                self.expression(decoder, node).map(Limit::Expression)
            }
            _ => decoder.number(node, 1, SECONDS).and_then(NonZeroU64::new).map(Limit::Seconds),
        }
    }

    fn argument(&mut self, decoder: &mut Decoder<'_>, node: &Node) -> Option<Argument> {
        let Kind::Mapping(entries) = &node.kind else { return self.text(decoder, node).map(Argument::One) };
        let has = |wanted: &str| entries.iter().any(|(key, _)| &**key == wanted);
        if has("command-of") {
            let fields = decoder.fields(node, "an argument", &["command-of"])?;
            let command_of =
                fields.required(decoder, "command-of").and_then(|node| decoder.choice(node, &Every::ALL))?;
            return Some(Argument::CommandOf { command_of });
        }
        if has("each") {
            let fields = decoder.fields(node, "an argument", &["each", "with"])?;
            let each = fields.required(decoder, "each").and_then(|node| self.expression(decoder, node));
            let with = fields.get("with").and_then(|node| self.text(decoder, node));
            return Some(Argument::Each { each: each?, with });
        }
        let fields = decoder.fields(node, "an argument", &["when", "arguments"])?;
        let when = fields.required(decoder, "when").and_then(|node| self.expression(decoder, node));
        let arguments = fields
            .required(decoder, "arguments")
            .map(|node| decoder.list(node, "a list of arguments", |decoder, node| self.text(decoder, node)));
        Some(Argument::When { when: when?, arguments: arguments? })
    }

    fn text(&mut self, decoder: &mut Decoder<'_>, node: &Node) -> Option<String> {
        let text = decoder.text(node)?;
        self.checker.text(text, decoder);
        self.texts.push(text.clone());
        Some(text.to_string())
    }

    fn expression(&mut self, decoder: &mut Decoder<'_>, node: &Node) -> Option<String> {
        let text = decoder.word(node, "an expression")?;
        self.checker.expression(text, decoder);
        self.texts.push(text.clone());
        Some(text.to_string())
    }
}

/// Exit statuses that say something.
fn permanent(decoder: &mut Decoder<'_>, node: &Node) -> Vec<u8> {
    decoder.list(node, "a list of exit statuses", |decoder, node| {
        let status = decoder.number(node, 1, STATUS)?;
        u8::try_from(status).ok().or_else(|| decoder.unexpected(STATUS, node))
    })
}

/// The name of a lock, of a property or of a file.
fn plain(decoder: &mut Decoder<'_>, node: &Node) -> Option<String> {
    let expected = "a name of letters, digits, `-`, `_` and `.`";
    let text = decoder.word(node, expected)?;
    let fine = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if fine { Some(text.to_string()) } else { decoder.unexpected(expected, node) }
}

/// The options of a file that nothing reads: neither its own expressions nor those of what it uses.
pub(super) fn unread<'w>(
    written: &'w Written,
    used: &'w IndexMap<String, Declared>,
) -> impl Iterator<Item = (&'w String, Span)> {
    let declared = written.file.options.keys().zip(written.options.iter().copied());
    let read = |option: &String| written.reads.options.iter().any(|(read, _)| read == option);
    declared.filter(move |(option, _)| !written.reads.computed && !used.contains_key(*option) && !read(option))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// However a file is broken, it is read, and what is said of it stands in it.
        #[test]
        fn a_broken_file_is_read_all_the_same(
            which in 0..super::super::BUILTIN.len(),
            (from, length, at) in (0.0..1.0f64, 0..30usize, 0.0..1.0f64),
            put in prop::sample::select(vec![
                "", "{{", "}}", "${", "é", "'", "\"", "\\", "\n", "\t", "  ", "- ", ": ", "[", "}", "&a ", "*a", "|\n", "<<: ",
                "{% for x in option %}", "{{ option['é'", "{#", "? ", "---\n", "!x ", "\r\n", "%", "\u{feff}",
            ]),
        ) {
            let mut text = super::super::BUILTIN[which].to_owned();
            let place = |part: f64, text: &str| {
                let at = (part * text.len() as f64) as usize;
                (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
            };
            let from = place(from, &text);
            let to = (from + length..).find(|at| *at >= text.len() || text.is_char_boundary(*at)).unwrap_or(from);
            text.replace_range(from..to.min(text.len()), "");
            let at = place(at, &text);
            text.insert_str(at, put);
            let mut sources = Sources::default();
            let id = sources.add("x", text.as_str());
            let mut diagnostics = Diagnostics::default();
            read(&sources, id, &super::super::expand::environment(), &mut diagnostics);
            for said in diagnostics.sorted() {
                prop_assert!(text.get(said.span.range()).is_some(), "{said:?}");
                prop_assert!(said.problem.wording().message.len() < 5000);
            }
        }
    }
}
