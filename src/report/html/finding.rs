//! What a reader has to see first of a step that went wrong: its log in, the telling lines of it out.

use serde::Serialize;

use super::logs::Log;
use super::model::Step;
use crate::report::excerpt::Lines;
use crate::runner::Outcome;

/// Lines of an analysis: all of it, but for one that found something everywhere.
const ANALYSIS: (usize, usize) = (400, 50);
/// Lines of any other step: the error is mostly at the end.
const ORDINARY: (usize, usize) = (0, 40);

/// The telling lines of a step's log.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// The step.
    pub(super) step: String,
    pub(super) outcome: Outcome,
    pub(super) reason: Option<String>,
    pub(super) analysis: bool,
    /// Lines with their numbers; none of them where the log is empty.
    pub(super) lines: Vec<Line>,
    /// How many lines the log has.
    pub(super) of: u64,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Line {
    pub(super) number: u64,
    /// Without control characters, and not too long.
    pub(super) text: String,
    /// Lines before it are left out.
    pub(super) gap: bool,
}

/// The finding of a step, if it went wrong.
pub(super) fn finding(step: &Step, log: Option<&Log>) -> Option<Finding> {
    if !matches!(step.outcome, Outcome::Failure | Outcome::Warnings | Outcome::Interrupted) {
        return None;
    }
    let analysis = step.is_analysis();
    let (first, last) = if analysis { ANALYSIS } else { ORDINARY };
    let lines = log.map(|log| excerpt(log, first, last)).unwrap_or_default();
    let of = log.map_or(0, |log| log.lines);
    Some(Finding { step: step.name.clone(), outcome: step.outcome, reason: step.reason.clone(), analysis, lines, of })
}

/// What the analyses found comes first: they say what the output of the others means.
pub(super) fn sort(findings: &mut [Finding]) {
    let severity = |outcome| if outcome == Outcome::Warnings { 1 } else { 0 };
    findings.sort_by_key(|finding| (!finding.analysis, severity(finding.outcome)));
}

/// The first and the last lines of a log.
fn excerpt(log: &Log, first: usize, last: usize) -> Vec<Line> {
    let text = log.bytes.strip_suffix(b"\n").unwrap_or(&log.bytes);
    if text.is_empty() {
        return Vec::new();
    }
    // Where each of the last lines begins, without looking at those before them.
    let mut begin = memchr::memrchr_iter(b'\n', text).nth(last.saturating_sub(1)).map_or(0, |end| end + 1);
    let mut lines = Vec::new();
    let mut head = 0;
    for (index, end) in memchr::memchr_iter(b'\n', text).take(first).enumerate() {
        if head >= begin {
            break;
        }
        lines.push(Line { number: index as u64 + 1, text: clean(&text[head..end]), gap: false });
        head = end + 1;
    }
    begin = begin.max(head);
    let rest: Vec<_> = text[begin..].split(|&byte| byte == b'\n').collect();
    let number = log.lines - rest.len() as u64;
    let follows = |number: u64| lines.last().map_or(0, |line: &Line| line.number) + 1 == number;
    let gap = !follows(number + 1);
    for (number, (index, line)) in (number + 1..).zip(rest.into_iter().enumerate()) {
        lines.push(Line { number, text: clean(line), gap: gap && index == 0 });
    }
    lines
}

fn clean(line: &[u8]) -> String {
    let (mut lines, mut text) = (Lines::default(), String::new());
    lines.push(line, |line| text = line);
    lines.finish().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str, first: usize, last: usize) -> Vec<(u64, String, bool)> {
        let lines = text.lines().count() as u64;
        let log = Log { bytes: text.as_bytes().to_vec(), lines, gap: None };
        excerpt(&log, first, last).into_iter().map(|line| (line.number, line.text, line.gap)).collect()
    }

    #[test]
    fn lines_keep_their_numbers() {
        let line = |number: u64, gap| (number, number.to_string(), gap);
        let text: String = (1..=9).map(|number| format!("{number}\n")).collect();
        assert_eq!(numbers(&text, 0, 2), [line(8, true), line(9, false)]);
        assert_eq!(numbers(&text, 1, 2), [line(1, false), line(8, true), line(9, false)]);
        let all: Vec<_> = (1..=9).map(|number| line(number, false)).collect();
        for (first, last) in [(0, 9), (0, 50), (5, 4), (5, 5), (400, 50), (9, 1)] {
            assert_eq!(numbers(&text, first, last), all, "{first} {last}");
        }
        assert_eq!(numbers("", 4, 5), []);
        assert_eq!(numbers("\n", 4, 5), []);
        assert_eq!(numbers("\x1b[31mred\x1b[0m\r\nlast", 4, 5), [(1, "red".into(), false), (2, "last".into(), false)]);
    }
}
