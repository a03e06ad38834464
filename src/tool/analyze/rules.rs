//! The rules of the log analysis: a file's text in, compiled rules out.

use std::path::Path;

use regex::Regex;

use super::file::{Base, Block, Ending, RuleFile, RulesFile, Severity};
use super::needles::{self, Needles};
use super::{Error, Mistakes, read};
use crate::diagnostic::Diagnostics;
use crate::source::Sources;

/// The rules for the log of an OpenERP or Odoo server, in the format that a farm writes its own in.
const SERVER: &str = include_str!("builtin/server.yaml");

/// What a traceback of Python begins with.
pub(super) const TRACEBACK: &str = "Traceback (most recent call last):";

/// Levels that nearly every line of a log has.
const COMMON: [&str; 3] = ["DEBUG", "INFO", "TEST"];

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
    pub(super) entries: Vec<Regex>,
}

/// One line of a log, taken apart. A line that begins no entry is all message.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// The level and the logger of the entry that begins here.
    pub head: Option<(&'a str, &'a str)>,
    /// What is said, up to the end of the line.
    pub message: &'a str,
}

impl Rules {
    /// Loads the built-in rules called `server`, or those of a file.
    ///
    /// # Errors
    /// A file that cannot be read, or that has mistakes.
    pub fn load(name: &str) -> Result<Self, Error> {
        if name == "server" {
            return Ok(Self::server());
        }
        let text = std::fs::read_to_string(Path::new(name))
            .map_err(|error| Error::UnreadableRules { rules: name.to_owned(), error })?;
        Self::parse(name, &text)
    }

    /// Those that are built in. That they have no mistake is proved by a test, not hoped for.
    fn server() -> Self {
        let mut sources = Sources::default();
        let id = sources.add("server", SERVER);
        read::read(&sources, id, &mut Diagnostics::default()).into()
    }

    /// Compiles the rules in `text`; `name` is for messages.
    ///
    /// # Errors
    /// A text with mistakes.
    pub fn parse(name: &str, text: &str) -> Result<Self, Error> {
        let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
        let id = sources.add(name, text);
        let file = read::read(&sources, id, &mut diagnostics);
        if diagnostics.has_errors() {
            let mistakes = Box::new(Mistakes { sources, diagnostics });
            return Err(Error::WrongRules { rules: name.to_owned(), mistakes });
        }
        Ok(file.into())
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

impl From<RulesFile> for Rules {
    /// Compiles rules; those that they extend come after them.
    fn from(file: RulesFile) -> Self {
        let base = file.extends.map_or_else(Self::default, |Base::Server| Self::server());
        let compiled = |own: Vec<RuleFile>| own.into_iter().map(Rule::from);
        Self {
            rules: compiled(file.rules).chain(base.rules).collect(),
            required: compiled(file.required).chain(base.required).collect(),
            ending: file.ending.map(|Ending { label, severity }| (label, severity)).or(base.ending),
            entries: file.entries.into_iter().chain(base.entries).collect(),
        }
    }
}

impl From<RuleFile> for Rule {
    /// A rule; the expressions are about the message, the name of the logger, and again the message.
    fn from(file: RuleFile) -> Self {
        let RuleFile { label, regex, severity, levels, loggers, except, block } = file;
        let rare = !levels.is_empty() && !levels.iter().any(|level| COMMON.contains(&level.as_str()));
        let head = rare.then(|| levels.iter().map(|level| level.clone().into()).collect());
        // Names of loggers have much in common with each other: what else the rule asks for is rarer.
        let needles = needles::rarest([needles::of_regex(regex.as_str()), head])
            .or_else(|| needles::rarest([needles::of_regex(loggers.as_ref()?.as_str())]));
        Self { label, severity, block, regex, levels, loggers, except, needles }
    }
}

impl Rule {
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
        for wrong in [
            "rules: [{label: a}]",
            "entries: ['(']",
            "entries: ['(?<level>A)(?<message>)']",
            "extends: nothing",
            "extends: server\nrules: [{label: a, regex: x, severity: error, levels: [ERORR]}]",
            "rules: []",
            "a: b: c",
        ] {
            assert!(matches!(Rules::parse("x", wrong), Err(Error::WrongRules { .. })), "{wrong}");
        }
        let own = "entries: ['^(?<level>.) (?<logger>.) (?<message>)']\nrules: [{label: a, regex: x, severity: error, levels: [E]}]";
        assert!(Rules::parse("x", own).is_ok());
        assert!(matches!(Rules::load("/no/such/file"), Err(Error::UnreadableRules { .. })));
        assert!(Rules::parse("server", SERVER).is_ok_and(|rules| !rules.rules.is_empty() && !rules.entries.is_empty()));
    }
}
