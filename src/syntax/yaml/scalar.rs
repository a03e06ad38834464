//! Where each character of a scalar was written: a value without its quotes, escapes and folded lines comes in with what
//! stands in the file, a [`Text`] goes out.

use saphyr_parser::ScalarStyle;

use crate::source::{Span, Text};

/// The text of a scalar. `written` is what stands at `span`.
pub(super) fn text(value: &str, written: &str, span: Span, style: ScalarStyle) -> Text {
    if value == written {
        return Text::literal(value, span);
    }
    let mut reading = Reading { written, at: 0, span };
    match style {
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => reading.at = 1,
        // The line of `|` or `>` says how the others are to be read.
        ScalarStyle::Literal | ScalarStyle::Folded => reading.at = written.find('\n').map_or(0, |end| end + 1),
        ScalarStyle::Plain => {}
    }
    let mut text = Text::literal("", Span::new(span.source, span.range()));
    // What is the same in both is one piece.
    let mut run: Option<(usize, usize)> = None;
    for (at, c) in value.char_indices() {
        let (from, to) = reading.next(c, style);
        let end = at + c.len_utf8();
        let same = reading.written.get(from..to) == value.get(at..end);
        match run {
            Some((_, begin)) if same && begin + (at - run.map_or(0, |(first, _)| first)) == from => {}
            _ => {
                flush(&mut text, value, run.take(), at, span);
                if same {
                    run = Some((at, from));
                } else {
                    text.push_derived(&value[at..end], Span::new(span.source, reading.place(from)..reading.place(to)));
                }
            }
        }
    }
    flush(&mut text, value, run, value.len(), span);
    text
}

fn flush(text: &mut Text, value: &str, run: Option<(usize, usize)>, end: usize, span: Span) {
    if let Some((first, begin)) = run {
        let start = span.range().start + begin;
        text.push(&value[first..end], Span::new(span.source, start..start + (end - first)));
    }
}

struct Reading<'a> {
    written: &'a str,
    at: usize,
    span: Span,
}

impl Reading<'_> {
    fn place(&self, at: usize) -> usize {
        self.span.range().start + at
    }

    /// What was written for the next character of the value.
    fn next(&mut self, c: char, style: ScalarStyle) -> (usize, usize) {
        let rest = |at: usize| self.written.get(at..).unwrap_or_default();
        let mut at = self.at;
        loop {
            let left = rest(at);
            if style == ScalarStyle::DoubleQuoted && left.starts_with(['\\']) {
                let escaped = left[1..].chars().next();
                if matches!(escaped, Some('\n' | '\r')) {
                    // An escaped line end joins two lines.
                    at += 1 + (left[1..].len() - left[1..].trim_start().len());
                    continue;
                }
                let length = match escaped {
                    Some('x') => 4,
                    Some('u') => 6,
                    Some('U') => 10,
                    Some(other) => 1 + other.len_utf8(),
                    None => 1,
                };
                let end = (at + length).min(self.written.len());
                self.at = end;
                return (at, end);
            }
            if style == ScalarStyle::SingleQuoted && c == '\'' && left.starts_with("''") {
                self.at = at + 2;
                return (at, at + 2);
            }
            let Some(found) = left.chars().next() else { return (at, at) };
            if found == c || (c.is_whitespace() && found.is_whitespace()) {
                self.at = at + found.len_utf8();
                return (at, self.at);
            }
            if !found.is_whitespace() {
                // Not found: what stands here is the nearest that can be told.
                return (at, at);
            }
            // Indentation, and the rest of a fold.
            at += found.len_utf8();
        }
    }
}
