//! Excerpts for messages: a few lines around a place, long lines cut, secrets hidden.

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::Source;

/// Bytes shown on each side of a place in a line too long to be read whole.
const MARGIN: usize = 60;
/// A line longer than this is cut.
const LONG: usize = 160;

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
        let end_of = |line: usize| {
            let end = self.lines().get(line + 1).map_or(length, |next| next - 1);
            // A carriage return at the end of what is shown would count as a line of its own.
            if end > self.lines()[line] && self.text.as_bytes()[end - 1] == b'\r' { end - 1 } else { end }
        };
        let too_long = |line: usize| end_of(line) - self.lines()[line] > LONG;
        let (start, end) = if (first..=last).any(too_long) {
            // A window on the place itself. What does not fit is no use to a reader.
            (
                self.boundary(from.saturating_sub(MARGIN).max(self.lines()[first])),
                self.boundary((to.min(from + LONG) + MARGIN).min(end_of(last))),
            )
        } else {
            // Context lines are shown while they are short. Without any, the place itself is asked for, column and all.
            let top = (first.saturating_sub(before)..first).rev().take_while(|line| !too_long(*line)).last();
            let bottom =
                (last + 1..=last + after).take_while(|line| *line < self.lines().len() && !too_long(*line)).last();
            (if before == 0 { from } else { self.lines()[top.unwrap_or(first)] }, end_of(bottom.unwrap_or(last)))
        };
        let line = self.line_of(start);
        let column = start - self.lines()[line];
        let shown = (start, end - start).into();
        let data = &self.visible()[start..end];
        Ok(Box::new(MietteSpanContents::new_named(self.name.clone(), data, shown, line, column, last - first + 1)))
    }
}

impl Source {
    fn boundary(&self, mut at: usize) -> usize {
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    /// The text's bytes, secrets replaced by as many stars, so that columns stay.
    fn visible(&self) -> &[u8] {
        if self.hidden.is_empty() {
            return self.text.as_bytes();
        }
        self.visible.get_or_init(|| {
            let mut bytes = self.text.clone().into_bytes();
            for range in &self.hidden {
                bytes[range.clone()].fill(b'*');
            }
            bytes
        })
    }
}
