//! The form of a file of log rules. Types only: `read` makes them of YAML, `rules` makes rules of them.

use regex::Regex;
use schemars::JsonSchema;

/// A file of log rules.
#[derive(Debug, Default, JsonSchema)]
#[schemars(deny_unknown_fields, default)]
pub struct RulesFile {
    /// The rules that it goes on from: they come after its own.
    pub extends: Option<Base>,
    /// Regular expressions for the first line of an entry, with the groups `level`, `logger` and `message`.
    #[schemars(with = "Vec<String>")]
    pub entries: Vec<Regex>,
    /// What to look for: the first that matches takes the line.
    pub rules: Vec<RuleFile>,
    /// What must be in the log: each of them must find a line.
    pub required: Vec<RuleFile>,
    /// What a log is that ends in a traceback.
    pub ending: Option<Ending>,
}

/// Rules that others can go on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Base {
    /// The built-in rules for OpenERP and Odoo.
    Server,
}

/// A rule.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RuleFile {
    /// The heading of its findings; rules can share one.
    pub label: String,
    /// What is searched in the message of an entry; in the whole line where a line begins no entry.
    #[schemars(with = "String")]
    pub regex: Regex,
    /// How bad it is.
    pub severity: Severity,
    /// Only entries of these levels; any line where there is none.
    #[schemars(default)]
    pub levels: Vec<String>,
    /// Only entries whose logger matches.
    #[schemars(with = "Option<String>", default)]
    pub loggers: Option<Regex>,
    /// Not where the message matches.
    #[schemars(with = "Option<String>", default)]
    pub except: Option<Regex>,
    /// What is shown with the line.
    #[schemars(default)]
    pub block: Block,
}

/// What a log is that ends in a traceback.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Ending {
    /// The heading.
    pub label: String,
    /// How bad it is.
    pub severity: Severity,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Severity {
    /// The build fails.
    Error,
    /// It is shown, and that is all.
    Warning,
    /// The line is passed over.
    Ignore,
}

/// What is shown with a line that a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub enum Block {
    /// The line alone.
    Line,
    /// The lines that continue its log entry.
    #[default]
    Entry,
    /// The lines of a test in unittest's report, although each of them may be an entry of its own.
    Test,
}
