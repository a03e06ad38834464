//! Excerpts for messages: a few lines around a place, long lines cut, secrets hidden.

use std::ops::Range;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::Source;

/// Bytes shown on each side of a place in a line too long to be read whole.
const MARGIN: usize = 60;
/// A line longer than this is cut.
const LONG: usize = 160;
/// So much of a place is marked in a line that is cut.
const MARKED: usize = 60;
/// Places in a long line that are further from each other are shown by themselves. Neither cuts the other's mark.
const WIDEST: usize = 2 * MARKED + MARGIN;

impl SourceCode for Source {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let length = self.text.len();
        let (from, to) = (span.offset().min(length), (span.offset() + span.len()).min(length));
        let (first, last) = (self.line_of(from), self.line_of(to));
        let too_long = |line: usize| self.is_long(line);
        let (line, column) = self.position(from);
        if before == 0 && after == 0 {
            // Only the place is asked for, line and column.
            let (shown, data) = ((from, to - from).into(), &self.visible()[from..to]);
            let contents = MietteSpanContents::new_named(self.name.clone(), data, shown, line - 1, column - 1, 1);
            return Ok(Box::new(contents));
        }
        let (start, end) = if (first..=last).any(too_long) {
            if to - from > WIDEST {
                return Err(MietteError::OutOfBounds);
            }
            // A window on the place itself. What does not fit is no use to a reader.
            (
                self.boundary(from.saturating_sub(MARGIN).max(self.lines()[first])),
                self.boundary((to + MARGIN).min(self.end_of(last))),
            )
        } else {
            // Context lines are shown while they are short.
            let top = (first.saturating_sub(before)..first).rev().take_while(|line| !too_long(*line)).last();
            let bottom =
                (last + 1..=last + after).take_while(|line| *line < self.lines().len() && !too_long(*line)).last();
            (self.lines()[top.unwrap_or(first)], self.end_of(bottom.unwrap_or(last)))
        };
        // An editor shows no byte order mark.
        let start = start.max(self.mark()).min(from);
        let line = self.line_of(start);
        let column = start - self.lines()[line];
        let shown = (start, end - start).into();
        let data = &self.visible()[start..end];
        Ok(Box::new(MietteSpanContents::new_named(self.name.clone(), data, shown, line, column, last - first + 1)))
    }
}

impl Source {
    /// As much of a place as an excerpt has room to mark.
    pub fn marked(&self, range: Range<usize>) -> Range<usize> {
        let length = self.text.len();
        let (from, to) = (range.start.max(self.mark()).min(length), range.end.min(length));
        let to = to.max(from);
        let long = (self.line_of(from)..=self.line_of(to)).any(|line| self.is_long(line));
        from..if long { self.boundary(to.min(from + MARKED)) } else { to }
    }

    fn is_long(&self, line: usize) -> bool {
        self.end_of(line) - self.lines()[line] > LONG
    }

    fn end_of(&self, line: usize) -> usize {
        let end = self.lines().get(line + 1).map_or(self.text.len(), |next| next - 1);
        // A carriage return at the end of what is shown would count as a line of its own.
        if end > self.lines()[line] && self.text.as_bytes()[end - 1] == b'\r' { end - 1 } else { end }
    }

    fn boundary(&self, mut at: usize) -> usize {
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    /// The text's bytes, secrets replaced by as many stars, and what is not to be seen by what is and takes as many
    /// bytes, so that columns stay.
    fn visible(&self) -> &[u8] {
        if self.hidden.is_empty() && !self.text.contains(is_unseen) {
            return self.text.as_bytes();
        }
        self.visible.get_or_init(|| {
            let mut shown = String::with_capacity(self.text.len());
            let mut rest = self.text.chars().peekable();
            while let Some(c) = rest.next() {
                let ends_line = c == '\n' || c == '\r' && rest.peek().is_none_or(|next| *next == '\n');
                shown.push(match c.len_utf8() {
                    _ if ends_line || c == '\t' || !is_unseen(c) => c,
                    1 => '?',
                    2 => '·',
                    _ => char::REPLACEMENT_CHARACTER,
                });
            }
            let mut bytes = shown.into_bytes();
            for range in &self.hidden {
                bytes[range.clone()].fill(b'*');
            }
            bytes
        })
    }
}

/// Whether a character is not to be seen, hides others, or turns the text around. Joiners, which some scripts need, do none
/// of these.
pub fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
