//! The file of rules: YAML to a [`RulesFile`], each mistake reported at its place.

use regex::Regex;

use super::file::{Base, Block, Ending, RuleFile, RulesFile, Severity};
use crate::diagnostic::{Diagnostics, problem, suggest};
use crate::source::{SourceId, Sources, Text};
use crate::syntax::yaml::{self, Decoder, Fields, Node};

const SEVERITIES: [(&str, Severity); 3] =
    [("error", Severity::Error), ("warning", Severity::Warning), ("ignore", Severity::Ignore)];

const BLOCKS: [(&str, Block); 3] = [("line", Block::Line), ("entry", Block::Entry), ("test", Block::Test)];

/// The levels of OpenERP and Odoo: Python's, and those that they add to them.
const LEVELS: [&str; 10] =
    ["DEBUG", "DEBUG_RPC", "DEBUG_RPC_ANSWER", "DEBUG_SQL", "INFO", "TEST", "RUNBOT", "WARNING", "ERROR", "CRITICAL"];

/// Reads rules. What has a mistake is left out.
pub(super) fn read(sources: &Sources, id: SourceId, diagnostics: &mut Diagnostics) -> RulesFile {
    let document = yaml::parse(sources, id, diagnostics);
    let mut decoder = Decoder::new(diagnostics);
    let decoder = &mut decoder;
    let known = ["extends", "entries", "rules", "required", "ending"];
    let Some(fields) = decoder.fields(&document.root, "a file of log rules", &known) else {
        return RulesFile::default();
    };
    // Entries of other forms have levels of their own.
    let own_levels = fields.get("entries").is_some();
    let list = |decoder: &mut Decoder<'_>, key: &str| {
        fields
            .get(key)
            .map(|node| decoder.list(node, "a list of rules", |decoder, node| rule(decoder, node, own_levels)))
            .unwrap_or_default()
    };
    let extends = fields.get("extends").and_then(|node| decoder.choice(node, &[("server", Base::Server)]));
    let (rules, required) = (list(decoder, "rules"), list(decoder, "required"));
    let entries = fields.get("entries").map(|node| decoder.list(node, "a list of regular expressions", entry));
    let ending = fields.get("ending").and_then(|node| {
        let fields = decoder.fields(node, "the ending", &["label", "severity"])?;
        let (label, severity) = (fields.words(decoder, "label"), severity(decoder, &fields));
        Some(Ending { label: label?, severity: severity? })
    });
    if decoder.errors() == 0 && extends.is_none() && rules.is_empty() && required.is_empty() && ending.is_none() {
        decoder.error(problem::Farm::NothingToFind, document.root.span);
    }
    RulesFile { extends, entries: entries.unwrap_or_default(), rules, required, ending }
}

fn rule(decoder: &mut Decoder<'_>, node: &Node, own_levels: bool) -> Option<RuleFile> {
    let known = ["label", "regex", "severity", "levels", "loggers", "except", "block"];
    let fields = decoder.fields(node, "a rule", &known)?;
    let label = fields.words(decoder, "label");
    let wanted = fields.required(decoder, "regex").and_then(|node| regex(decoder, node));
    let severity = severity(decoder, &fields);
    let levels = fields.texts(decoder, "levels", "a list of levels");
    // Where a server lowers a level, it puts `_` before it.
    let unknown = |level: &&Text| !LEVELS.contains(&level.strip_prefix('_').unwrap_or(level));
    for level in levels.iter().filter(unknown).filter(|_| !own_levels) {
        let near = suggest::nearest(level, LEVELS).map(|near| format!("did you mean `{near}`?"));
        let help = near.unwrap_or_else(|| format!("the levels are {}", suggest::list(LEVELS.into_iter())));
        let (expected, found) = ("a level of a server's log".to_owned(), format!("`{}`", &**level));
        decoder.error(problem::Farm::Value { expected, found, help: Some(help) }, level.whole());
    }
    let levels = levels.iter().map(|level| level.to_string()).collect();
    let mut optional = |key: &str| fields.get(key).and_then(|node| regex(decoder, node));
    let (loggers, except) = (optional("loggers"), optional("except"));
    let block = fields.get("block").and_then(|node| decoder.choice(node, &BLOCKS)).unwrap_or_default();
    Some(RuleFile { label: label?, regex: wanted?, severity: severity?, levels, loggers, except, block })
}

fn severity(decoder: &mut Decoder<'_>, fields: &Fields<'_>) -> Option<Severity> {
    fields.required(decoder, "severity").and_then(|node| decoder.choice(node, &SEVERITIES))
}

/// The parts of an entry's first line.
const GROUPS: [&str; 3] = ["level", "logger", "message"];

/// Compiles an expression for the beginning of an entry.
fn entry(decoder: &mut Decoder<'_>, node: &Node) -> Option<Regex> {
    let regex = regex(decoder, node)?;
    let missing = |group: &&str| !regex.capture_names().flatten().any(|name| name == *group);
    if let Some(group) = GROUPS.into_iter().find(missing) {
        decoder.error(problem::Farm::Group { group }, node.span);
        return None;
    }
    Some(regex)
}

fn regex(decoder: &mut Decoder<'_>, node: &Node) -> Option<Regex> {
    let text = decoder.text(node)?;
    Regex::new(text)
        .map_err(|error| {
            // The last line says what is wrong; those above it draw the place.
            let said = error.to_string();
            let why = said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            decoder.error(problem::Farm::Regex { why }, text.whole());
        })
        .ok()
}
