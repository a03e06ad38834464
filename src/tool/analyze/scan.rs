//! A log's bytes and rules in, findings out. Works in constant memory: long lines are cut, long blocks lose their middle,
//! and of very many findings under one label only the first are kept.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use super::{Block, Line, Rules, Severity};

/// Bytes of a line that are looked at.
const LINE: usize = 64 * 1024;
/// Characters of a line that are shown.
const SHOWN: usize = 600;
/// Lines of a block that are shown from its beginning and from its end: a traceback says the most in its last lines.
const HEAD: usize = 14;
const TAIL: usize = 30;
/// Findings that are kept under one label.
const KEPT: usize = 25;

/// One place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The number of the first line, from 1; none for what is missing.
    pub line: Option<u64>,
    /// The first lines.
    pub head: Vec<String>,
    /// How many lines are left out after them.
    pub skipped: u64,
    /// The last lines.
    pub tail: Vec<String>,
}

impl Finding {
    /// Blank lines at the end of a block say nothing.
    fn trim(&mut self) {
        while self.tail.pop_if(|line| line.trim().is_empty()).is_some() {}
        while self.tail.is_empty() && self.skipped == 0 && self.head.pop_if(|line| line.trim().is_empty()).is_some() {}
    }
}

/// All findings under one label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The label.
    pub label: String,
    /// How bad they are.
    pub severity: Severity,
    /// How many there are; more than are kept, perhaps.
    pub count: u64,
    /// The first of them.
    pub kept: Vec<Finding>,
}

/// What was found in a whole log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// Grouped by label: errors before warnings, else in the order of the rules.
    pub groups: Vec<Group>,
    /// How many lines the log has.
    pub lines: u64,
}

impl Findings {
    /// How many findings of that severity there are.
    pub fn count(&self, severity: Severity) -> u64 {
        self.groups.iter().filter(|group| group.severity == severity).map(|group| group.count).sum()
    }
}

/// Looks through a log.
///
/// # Errors
/// Those of reading.
pub fn scan(rules: &Rules, mut log: impl BufRead) -> io::Result<Findings> {
    let mut scan = Scan::new(rules);
    let mut buffer = Vec::new();
    while read_line(&mut log, &mut buffer)? {
        scan.line(&buffer);
    }
    Ok(scan.finish())
}

/// Reads one line without its end into `line`, of which no more than [`LINE`] bytes are kept; `false` at the end.
fn read_line(log: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let bytes = match log.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if bytes.is_empty() {
            break;
        }
        any = true;
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let part = &bytes[..end.unwrap_or(bytes.len())];
        line.extend_from_slice(&part[..part.len().min(LINE - line.len())]);
        let used = end.map_or(bytes.len(), |end| end + 1);
        log.consume(used);
        if end.is_some() {
            break;
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(any)
}

/// A block that is being read.
struct Open {
    rule: usize,
    block: Block,
    logger: Vec<u8>,
    line: u64,
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
    number: u64,
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
        Self { rules, number: 0, open: None, traceback: None, seen: vec![false; rules.required.len()], found }
    }

    fn line(&mut self, bytes: &[u8]) {
        self.number += 1;
        let line = self.rules.line(bytes);
        self.follow_traceback(bytes, line);
        for (seen, rule) in self.seen.iter_mut().zip(&self.rules.required) {
            *seen = *seen || rule.matches(line);
        }
        if self.open.as_ref().is_some_and(|open| open.goes_on(line)) {
            if let Some(open) = &mut self.open {
                open.push(bytes);
            }
            return;
        }
        self.close();
        let Some((index, rule)) = self.rules.rules.iter().enumerate().find(|(_, rule)| rule.matches(line)) else {
            return;
        };
        self.open = Some(Open {
            rule: index,
            block: rule.block,
            logger: line.head.map_or_else(Vec::new, |(_, logger)| logger.to_vec()),
            line: self.number,
            head: vec![shown(bytes)],
            skipped: 0,
            tail: VecDeque::new(),
        });
    }

    fn follow_traceback(&mut self, bytes: &[u8], line: Line<'_>) {
        const MARK: &[u8] = b"Traceback (most recent call last):";
        if line.message.windows(MARK.len()).any(|window| window == MARK) {
            let first = shown(bytes);
            self.traceback = Some(Traceback { line: self.number, last: (self.number, first.clone()), first });
        } else if line.head.is_none() || line.message.starts_with(b"`") {
            // A backquote is how OpenERP 7.0 spells the continuation lines of unittest's report.
            if let Some(traceback) = &mut self.traceback
                && !bytes.trim_ascii().is_empty()
            {
                traceback.last = (self.number, shown(bytes));
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
        let mut finding =
            Finding { line: Some(open.line), head: open.head, skipped: open.skipped, tail: open.tail.into() };
        finding.trim();
        add(&mut self.found, &rule.label, rule.severity, finding);
    }

    fn finish(mut self) -> Findings {
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
        self.found.lines = self.number;
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
            (Block::Test, head) => {
                let separator = line.message.len() > 20 && line.message.iter().all(|&byte| byte == b'=');
                let end = separator || line.message.starts_with(b"Ran ");
                !end && head.is_none_or(|(_, logger)| logger == self.logger)
            }
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        if self.head.len() < HEAD {
            self.head.push(shown(bytes));
            return;
        }
        self.tail.push_back(shown(bytes));
        if self.tail.len() > TAIL {
            self.tail.pop_front();
            self.skipped += 1;
        }
    }
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
    if group.kept.len() < KEPT {
        group.kept.push(finding);
    }
}

/// A line as it is shown: whatever it holds, cut, and without characters that would drive a terminal.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * SHOWN)]);
    let mut shown: String =
        text.chars().take(SHOWN).map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect();
    if text.chars().count() > SHOWN || bytes.len() > 4 * SHOWN {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
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
}
