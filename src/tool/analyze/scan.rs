//! A log's bytes and rules in, findings out. Works in constant memory: long lines are cut, long blocks lose their middle,
//! and of very many findings under one label only the first are kept.

use std::collections::VecDeque;
use std::io::{self, Read};

use super::findings::{Finding, Findings, Group};
use super::lines::Lines;
use super::needles::Needles;
use super::rules::TRACEBACK;
use super::{Block, Line, Rules, Severity};

/// Characters of a line that are shown.
const SHOWN: usize = 600;
/// Lines of a block that are shown from its beginning and from its end: a traceback says the most in its last lines.
const HEAD: usize = 14;
const TAIL: usize = 30;
/// Findings that are kept under one label.
const KEPT: usize = 25;

/// Looks through a log.
///
/// # Errors
/// Those of reading.
pub fn scan(rules: &Rules, log: impl Read) -> io::Result<Findings> {
    scan_with(rules, rules.needles().as_ref(), log)
}

fn scan_with(rules: &Rules, needles: Option<&Needles>, log: impl Read) -> io::Result<Findings> {
    let mut lines = Lines::new(log);
    let mut scan = Scan::new(rules);
    loop {
        // In a block or a traceback each line counts; elsewhere only those that could begin one.
        let needles = needles.filter(|_| scan.open.is_none() && scan.traceback.is_none());
        let Some((number, line)) = lines.next(needles)? else { break };
        scan.line(number, &String::from_utf8_lossy(line));
    }
    Ok(scan.finish(lines.number()))
}

/// A block that is being read.
struct Open {
    rule: usize,
    block: Block,
    logger: String,
    line: u64,
    /// Whether it will be shown, rather than only counted.
    kept: bool,
    head: Vec<String>,
    skipped: u64,
    tail: VecDeque<String>,
}

/// The last traceback, as long as nothing follows it.
struct Traceback {
    line: u64,
    first: String,
    /// The last line that is not blank, and its number.
    last: (u64, String),
}

struct Scan<'a> {
    rules: &'a Rules,
    open: Option<Open>,
    traceback: Option<Traceback>,
    seen: Vec<bool>,
    found: Findings,
}

impl<'a> Scan<'a> {
    fn new(rules: &'a Rules) -> Self {
        let mut found = Findings::default();
        for rule in rules.rules.iter().filter(|rule| rule.severity != Severity::Ignore) {
            group(&mut found, &rule.label, rule.severity);
        }
        Self { rules, open: None, traceback: None, seen: vec![false; rules.required.len()], found }
    }

    fn line(&mut self, number: u64, text: &str) {
        let line = self.rules.line(text);
        self.follow_traceback(number, text, line);
        for (seen, rule) in self.seen.iter_mut().zip(&self.rules.required) {
            *seen = *seen || rule.matches(line);
        }
        if let Some(open) = &mut self.open
            && open.goes_on(line)
        {
            open.push(text);
            return;
        }
        self.close();
        let Some((index, rule)) = self.rules.rules.iter().enumerate().find(|(_, rule)| rule.matches(line)) else {
            return;
        };
        let kept =
            rule.severity != Severity::Ignore && group(&mut self.found, &rule.label, rule.severity).kept.len() < KEPT;
        let mut open = Open {
            rule: index,
            block: rule.block,
            logger: line.head.map_or_else(String::new, |(_, logger)| logger.to_owned()),
            line: number,
            kept,
            head: Vec::new(),
            skipped: 0,
            tail: VecDeque::new(),
        };
        open.push(text);
        self.open = Some(open);
        if rule.block == Block::Line {
            self.close();
        }
    }

    fn follow_traceback(&mut self, number: u64, text: &str, line: Line<'_>) {
        if line.message.contains(TRACEBACK) {
            let first = shown(text);
            self.traceback = Some(Traceback { line: number, last: (number, first.clone()), first });
        } else if line.head.is_none() || is_quoted(line) {
            if let Some(traceback) = &mut self.traceback
                && !text.trim_ascii().is_empty()
            {
                traceback.last = (number, shown(text));
            }
        } else {
            self.traceback = None;
        }
    }

    /// Files the block that is being read under its label.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let rule = &self.rules.rules[open.rule];
        if rule.severity == Severity::Ignore {
            return;
        }
        let group = group(&mut self.found, &rule.label, rule.severity);
        group.count += 1;
        if open.kept {
            let mut finding =
                Finding { line: Some(open.line), head: open.head, skipped: open.skipped, tail: open.tail.into() };
            finding.trim();
            group.kept.push(finding);
        }
    }

    fn finish(mut self, lines: u64) -> Findings {
        self.close();
        for (seen, rule) in self.seen.iter().zip(&self.rules.required) {
            if !seen {
                let finding = Finding { line: None, head: Vec::new(), skipped: 0, tail: Vec::new() };
                add(&mut self.found, &rule.label, rule.severity, finding);
            }
        }
        if let (Some((label, severity)), Some(traceback)) = (&self.rules.ending, self.traceback) {
            let (end, last) = traceback.last;
            let finding = Finding {
                line: Some(traceback.line),
                head: vec![traceback.first],
                skipped: (end - traceback.line).saturating_sub(1),
                tail: if end > traceback.line { vec![last] } else { Vec::new() },
            };
            add(&mut self.found, label, *severity, finding);
        }
        self.found.lines = lines;
        self.found.groups.retain(|group| group.count > 0 && group.severity != Severity::Ignore);
        self.found.groups.sort_by_key(|group| group.severity);
        self.found
    }
}

impl Open {
    /// Whether `line` still belongs to the block.
    fn goes_on(&self, line: Line<'_>) -> bool {
        match (self.block, line.head) {
            (Block::Line, _) => false,
            (Block::Entry, head) => head.is_none(),
            (Block::Test, None) => !ends_report(line.message),
            (Block::Test, Some((_, logger))) => {
                logger == self.logger && (is_quoted(line) || line.message.starts_with(TRACEBACK))
            }
        }
    }

    fn push(&mut self, text: &str) {
        if !self.kept {
            return;
        }
        if self.head.len() < HEAD {
            self.head.push(shown(text));
            return;
        }
        self.tail.push_back(shown(text));
        if self.tail.len() > TAIL {
            self.tail.pop_front();
            self.skipped += 1;
        }
    }
}

/// Whether an entry is a continuation line of unittest's report, as OpenERP 6.1 to Odoo 12 log it.
fn is_quoted(line: Line<'_>) -> bool {
    line.message.starts_with('`')
}

/// Whether a line of unittest's report begins its next part.
fn ends_report(line: &str) -> bool {
    let separator = line.len() > 20 && line.bytes().all(|byte| byte == b'=');
    separator || line.strip_prefix("Ran ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn group<'a>(found: &'a mut Findings, label: &str, severity: Severity) -> &'a mut Group {
    let known = found.groups.iter().position(|group| group.label == label && group.severity == severity);
    let index = known.unwrap_or_else(|| {
        found.groups.push(Group { label: label.to_owned(), severity, count: 0, kept: Vec::new() });
        found.groups.len() - 1
    });
    &mut found.groups[index]
}

fn add(found: &mut Findings, label: &str, severity: Severity, finding: Finding) {
    let group = group(found, label, severity);
    group.count += 1;
    group.kept.push(finding);
}

/// A line as it is shown: whatever it holds, cut, and without colours and characters that would drive a terminal.
fn shown(text: &str) -> String {
    let plain = anstream::adapter::strip_str(text).to_string();
    let mut rest = plain.chars();
    let mut shown: String =
        rest.by_ref().take(SHOWN).map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
    if rest.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    fn found(log: &[u8]) -> Findings {
        scan(&Rules::load("server").unwrap(), log).unwrap()
    }

    #[test]
    fn an_empty_log_lacks_its_evidence() {
        let found = found(b"");
        assert_eq!((found.lines, found.count(Severity::Error)), (0, 1));
        assert_eq!(found.groups[0].kept[0].line, None);
    }

    #[test]
    fn any_bytes_and_any_length_are_read() {
        let mut log = b"2026-11-22 16:25:24,372 1 CRITICAL db odoo: \xff\xfe".to_vec();
        log.extend(std::iter::repeat_n(b'x', 3_000_000));
        log.extend(b"\n2026-11-22 16:25:24,372 1 INFO db odoo: Modules loaded.\n\0\xc3\n\r\n");
        let found = found(&log);
        assert_eq!((found.lines, found.count(Severity::Error)), (4, 1));
        assert!(found.groups[0].kept[0].head[0].chars().count() <= SHOWN + 1);
    }

    #[test]
    fn long_blocks_keep_both_ends_and_many_findings_are_counted() {
        let mut log = String::from("2026-11-22 16:25:24,372 1 CRITICAL db odoo: boom\n");
        for number in 0..500 {
            log.push_str(&format!("  line {number}\n"));
        }
        for _ in 0..100 {
            log.push_str("2026-11-22 16:25:24,372 1 CRITICAL db odoo: Modules loaded. Not.\n");
        }
        let found = found(log.as_bytes());
        let group = &found.groups[0];
        assert_eq!((group.count, group.kept.len()), (101, KEPT));
        let first = &group.kept[0];
        assert_eq!(first.head.len() as u64 + first.skipped + first.tail.len() as u64, 501);
        assert_eq!(first.tail.last().unwrap(), "  line 499");
    }

    #[test]
    fn a_traceback_counts_only_at_the_end() {
        let traceback = "2026-11-22 16:25:24,372 1 INFO db odoo: Modules loaded.\nTraceback (most recent call last):\n  File\nValueError\n\n";
        assert_eq!(found(traceback.as_bytes()).count(Severity::Error), 1);
        let more = format!("{traceback}2026-11-22 16:25:24,372 1 INFO db odoo: on we go\n");
        assert_eq!(found(more.as_bytes()).count(Severity::Error), 0);
    }

    proptest::proptest! {
        /// Passing over lines changes nothing that is found.
        #[test]
        fn all_lines_and_some_lines_give_the_same(
            parts in proptest::collection::vec((0..HEADS.len(), 0..TEXTS.len(), 0..TEXTS.len()), 0..60),
            server in proptest::bool::ANY,
        ) {
            let (rules, needles) = if server { &*SERVER } else { &*OWN };
            let mut log = Vec::new();
            for (head, first, second) in parts {
                log.extend_from_slice(HEADS[head].as_bytes());
                log.extend_from_slice(TEXTS[first]);
                log.extend_from_slice(TEXTS[second]);
                log.push(b'\n');
            }
            let all = scan_with(rules, None, log.as_slice()).unwrap();
            assert_eq!(scan_with(rules, Some(needles), log.as_slice()).unwrap(), all);
        }
    }

    const HEADS: [&str; 9] = [
        "",
        "2026-11-22 16:25:24,372 1 INFO db odoo.modules.loading: ",
        "2026-11-22 16:25:24,372 1 ERROR db odoo.sql_db: ",
        "2026-11-22 16:25:24,372 1 ERROR db odoo.addons.x.tests.test_x: ",
        "2026-11-22 16:25:24,372 1 INFO db odoo.addons.x.tests.test_x: ",
        "2026-11-22 16:25:24,372 1 _ERROR db odoo.addons.x.tests.test_x: ",
        "2026-11-22 16:25:24,372 1 CRITICAL db odoo: ",
        "2026-11-22 16:25:24,372 1 WARNING db openerp.tools.yaml_import: ",
        "[2011-06-01 10:00:00,123][db] WARNING:tests.x:",
    ];

    const TEXTS: [&[u8]; 18] = [
        b"",
        b"",
        b"FAIL: TestX.test_x",
        b"ERROR: test_x (x.X)",
        b"ERROR",
        TRACEBACK.as_bytes(),
        b"` File",
        b"AssertionError",
        b"Assertion \"\xff\" FAILED",
        b"Failed to load x",
        b"Failed to initialize database",
        b"1 failed, 0 error(s) of 3 tests",
        b"Module x: 1 failures, 0 errors",
        b"=============================",
        b"Ran 3 tests",
        b"invalid module names, ignored: x",
        b"Modules loaded.",
        b"  File x\r",
    ];

    /// Rules with what they need; compiled once.
    static SERVER: LazyLock<(Rules, Needles)> = LazyLock::new(|| with_needles("extends: server"));
    static OWN: LazyLock<(Rules, Needles)> = LazyLock::new(|| {
        with_needles(
            r"{extends: server, rules: [
            {label: a, regex: '', loggers: 'loading$', severity: ignore},
            {label: b, regex: '(?i)file', except: 'x', severity: warning, block: line},
            {label: c, regex: 'x{3}|test_x \(', severity: warning, block: test}]}",
        )
    });

    fn with_needles(rules: &str) -> (Rules, Needles) {
        let rules = Rules::parse("own", rules).unwrap();
        let needles = rules.needles().unwrap();
        (rules, needles)
    }
}
