//! The rules of the log analysis: a file's text in, compiled rules out.

use std::path::Path;

use regex::Regex;
use serde::Deserialize;

use super::Error;
use super::needles::{self, Needles};

/// The rules for the log of an OpenERP or Odoo server, in the format that a farm writes its own in.
const SERVER: &str = include_str!("builtin/server.yaml");

/// What a traceback of Python begins with.
pub(super) const TRACEBACK: &str = "Traceback (most recent call last):";

/// Levels that nearly every line of a log has.
const COMMON: [&str; 3] = ["DEBUG", "INFO", "TEST"];

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The build fails.
    Error,
    /// It is shown, and that is all.
    Warning,
    /// The line is passed over.
    Ignore,
}

/// What is shown with a line that a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Block {
    /// The line alone.
    Line,
    /// The lines that continue its log entry.
    #[default]
    Entry,
    /// The lines of a test in unittest's report, although each of them may be an entry of its own.
    Test,
}

/// One thing to look for.
#[derive(Debug)]
pub struct Rule {
    /// The heading of its findings.
    pub label: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is shown with it.
    pub block: Block,
    regex: Regex,
    levels: Vec<String>,
    loggers: Option<Regex>,
    except: Option<Regex>,
    /// Every line that it matches has one of them, if anything is known of these lines.
    needles: Option<Vec<Vec<u8>>>,
}

/// A whole set of rules.
#[derive(Debug, Default)]
pub struct Rules {
    /// Tried in order; the first that matches takes the line.
    pub rules: Vec<Rule>,
    /// What must be in the log.
    pub required: Vec<Rule>,
    /// Label and severity of a log that ends in a traceback.
    pub ending: Option<(String, Severity)>,
    entries: Vec<Regex>,
}

/// One line of a log, taken apart. A line that begins no entry is all message.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// The level and the logger of the entry that begins here.
    pub head: Option<(&'a str, &'a str)>,
    /// What is said, up to the end of the line.
    pub message: &'a str,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    extends: Option<String>,
    #[serde(default)]
    entries: Vec<String>,
    #[serde(default)]
    rules: Vec<Entry>,
    #[serde(default)]
    required: Vec<Entry>,
    ending: Option<Ending>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    label: String,
    regex: String,
    severity: Severity,
    #[serde(default)]
    levels: Vec<String>,
    loggers: Option<String>,
    except: Option<String>,
    #[serde(default)]
    block: Block,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ending {
    label: String,
    severity: Severity,
}

impl Rules {
    /// Loads the built-in rules called `server`, or those of a file.
    ///
    /// # Errors
    /// A file that cannot be read, that is not of the format, or that has a malformed regular expression.
    pub fn load(name: &str) -> Result<Self, Error> {
        if name == "server" {
            return Self::parse(name, SERVER);
        }
        let text = std::fs::read_to_string(Path::new(name))
            .map_err(|error| Error::UnreadableRules { rules: name.to_owned(), error })?;
        Self::parse(name, &text)
    }

    /// Compiles the rules in `text`; `name` is for messages.
    ///
    /// # Errors
    /// A text that is not of the format, or that has a malformed regular expression.
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        let file: File =
            serde_yaml::from_str(text).map_err(|error| Error::MalformedRules { rules: name.to_owned(), error })?;
        let base = match file.extends.as_deref() {
            None => Self::default(),
            Some("server") if name != "server" => Self::parse("server", SERVER)?,
            Some(other) => return Err(Error::UnknownBase { rules: name.to_owned(), base: other.to_owned() }),
        };
        let compile = |entries: Vec<Entry>| entries.into_iter().map(|entry| Rule::compile(name, entry));
        let mut rules = compile(file.rules).collect::<Result<Vec<_>, _>>()?;
        let mut required = compile(file.required).collect::<Result<Vec<_>, _>>()?;
        let mut entries = file.entries.iter().map(|text| entry(name, text)).collect::<Result<Vec<_>, _>>()?;
        rules.extend(base.rules);
        required.extend(base.required);
        entries.extend(base.entries);
        let ending = file.ending.map(|ending| (ending.label, ending.severity)).or(base.ending);
        if rules.is_empty() && required.is_empty() && ending.is_none() {
            return Err(Error::NothingToFind { rules: name.to_owned() });
        }
        Ok(Self { rules, required, ending, entries })
    }

    /// What a line has that any rule matches, or that begins a traceback; none where that may be any line.
    pub(super) fn needles(&self) -> Option<Needles> {
        let mut all = vec![TRACEBACK.as_bytes().to_vec()];
        for rule in self.rules.iter().chain(&self.required) {
            all.extend_from_slice(rule.needles.as_ref()?);
        }
        Some(Needles::new(all))
    }

    /// Takes a line apart.
    pub fn line<'a>(&self, line: &'a str) -> Line<'a> {
        for regex in &self.entries {
            if let Some(found) = regex.captures(line) {
                let part = |name| found.name(name).map_or("", |part| part.as_str());
                let message = found.name("message").map_or("", |part| &line[part.start()..]);
                return Line { head: Some((part("level"), part("logger"))), message };
            }
        }
        Line { head: None, message: line }
    }
}

impl Rule {
    fn compile(name: &str, entry: Entry) -> Result<Self, Error> {
        let rare = !entry.levels.is_empty() && !entry.levels.iter().any(|level| COMMON.contains(&level.as_str()));
        let levels = rare.then(|| entry.levels.iter().map(|level| level.clone().into()).collect());
        // Names of loggers have much in common with each other: what else the rule asks for is rarer.
        let needles = needles::rarest([needles::of_regex(&entry.regex), levels])
            .or_else(|| needles::rarest([needles::of_regex(entry.loggers.as_deref()?)]));
        Ok(Self {
            needles,
            label: entry.label,
            severity: entry.severity,
            block: entry.block,
            regex: regex(name, &entry.regex)?,
            levels: entry.levels,
            loggers: entry.loggers.map(|text| regex(name, &text)).transpose()?,
            except: entry.except.map(|text| regex(name, &text)).transpose()?,
        })
    }

    /// Whether the rule takes this line.
    pub fn matches(&self, line: Line<'_>) -> bool {
        let head = match line.head {
            Some((level, logger)) => {
                (self.levels.is_empty() || self.levels.iter().any(|wanted| wanted == level))
                    && self.loggers.as_ref().is_none_or(|regex| regex.is_match(logger))
            }
            None => self.levels.is_empty() && self.loggers.is_none(),
        };
        head && self.regex.is_match(line.message)
            && !self.except.as_ref().is_some_and(|regex| regex.is_match(line.message))
    }
}

/// Compiles an expression for the beginning of an entry.
fn entry(rules: &str, text: &str) -> Result<Regex, Error> {
    let regex = regex(rules, text)?;
    match ["level", "logger", "message"]
        .into_iter()
        .find(|group| !regex.capture_names().flatten().any(|name| name == *group))
    {
        Some(group) => Err(Error::MissingGroup { rules: rules.to_owned(), regex: text.to_owned(), group }),
        None => Ok(regex),
    }
}

fn regex(rules: &str, text: &str) -> Result<Regex, Error> {
    Regex::new(text).map_err(|error| Error::MalformedRegex { rules: rules.to_owned(), regex: text.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(text: &str) -> Option<&'static str> {
        let rules = Box::leak(Box::new(Rules::load("server").unwrap()));
        let line = rules.line(text);
        rules.rules.iter().find(|rule| rule.matches(line)).map(|rule| rule.label.as_str())
    }

    #[test]
    fn the_forms_of_all_series_are_known() {
        let today = |rest: &str| label(&format!("2026-11-22 16:25:24,372 11306 {rest}"));
        let failing = Some("Failing tests");
        let failed = Some("The server says that tests failed");
        assert_eq!(today("ERROR db odoo.addons.sale.tests.test_sale: FAIL: TestSale.test_total"), failing);
        assert_eq!(
            today("ERROR db odoo.tests.result: 1 failed, 0 error(s) of 31 tests when loading database 'db'"),
            failed
        );
        assert_eq!(
            today("ERROR db odoo.tests.runner: 0 failed, 12 error(s) of 31 tests when loading database 'db'"),
            failed
        );
        assert_eq!(
            today("INFO db odoo.tests.result: 0 failed, 0 error(s) of 31 tests when loading database 'db'"),
            None
        );
        assert_eq!(today("TEST db openerp.modules.module: FAIL: test_fail (openerp.addons.x.tests.T)"), failing);
        assert_eq!(today("ERROR db odoo.addons.sale.tests.common: no chart of accounts"), Some("Errors in tests"));
        assert_eq!(today("CRITICAL db odoo.service.server: nobody expects this"), Some("Critical"));
        assert_eq!(today("INFO db odoo.sql_db: the words ERROR and CRITICAL in a message"), None);
        let old = |rest: &str| label(&format!("[2011-06-01 10:00:00,123][db] {rest}"));
        assert_eq!(old("WARNING:tests.sale:AssertionError in Python code : total"), failing);
        assert_eq!(old("ERROR:tests.sale:ValueError"), Some("Errors in tests"));
        assert_eq!(old("WARNING:sale:AssertionError"), None);
        assert_eq!(label("FAIL: test_a (openerp.addons.x.tests.T)"), failing);
        assert_eq!(label("CRITICAL is just a word here"), None);
    }

    #[test]
    fn a_farms_rules_come_first() {
        let text = "extends: server\nrules: [{label: known, regex: old bug, levels: [CRITICAL], severity: ignore, except: new}]";
        let rules = Rules::parse("mine.yaml", text).unwrap();
        let first = |text: &str| {
            let text = format!("2026-11-22 16:25:24,372 1 CRITICAL db odoo: {text}");
            rules.rules.iter().find(|rule| rule.matches(rules.line(&text))).map(|rule| rule.severity)
        };
        assert_eq!(first("the old bug"), Some(Severity::Ignore));
        assert_eq!(first("the old bug, new form"), Some(Severity::Error));
    }

    #[test]
    fn a_message_goes_on_to_the_end_of_the_line() {
        let text =
            "entries: ['^(?<level>[A-Z]+) (?<logger>\\S+) (?<message>[a-z]+)']\nending: {label: a, severity: error}";
        let rules = Rules::parse("mine.yaml", text).unwrap();
        let line = rules.line("INFO shop what it says");
        assert_eq!((line.head, line.message), (Some(("INFO", "shop")), "what it says"));
    }

    #[test]
    fn nearly_no_line_is_looked_at() {
        let needles = Rules::load("server").unwrap().needles().unwrap();
        for logger in ["odoo.modules.loading", "odoo.addons.sale.tests.test_sale", "openerp.tools.yaml_import"] {
            let line = format!("2026-11-22 16:25:24,372 1 INFO db {logger}: Starting TestSale.test_error");
            assert_eq!(needles.find(line.as_bytes()), None);
        }
        let any = Rules::parse("x", "extends: server\nrules: [{label: a, regex: '', levels: [], severity: warning}]")
            .unwrap();
        assert!(any.needles().is_none());
    }

    #[test]
    fn mistakes_in_a_file_are_errors() {
        assert!(matches!(Rules::parse("x", "rules: [{label: a}]"), Err(Error::MalformedRules { .. })));
        assert!(matches!(Rules::parse("x", "entries: ['(']"), Err(Error::MalformedRegex { .. })));
        assert!(matches!(Rules::parse("x", "entries: ['(?<level>A)(?<message>)']"), Err(Error::MissingGroup { .. })));
        assert!(matches!(Rules::parse("x", "extends: nothing"), Err(Error::UnknownBase { .. })));
        assert!(matches!(Rules::parse("x", "rules: []"), Err(Error::NothingToFind { .. })));
        assert!(matches!(Rules::load("/no/such/file"), Err(Error::UnreadableRules { .. })));
    }
}
