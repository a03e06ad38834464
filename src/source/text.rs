//! A string that knows where each of its bytes was written, through continuation lines and interpolation.

use std::ops::{Deref, Range};
use std::slice;

use super::Span;

/// A string made of pieces of the user's files.
///
/// A value's lines come from several lines of a file, and interpolation puts parts of other values in: each piece
/// remembers its place, so that a mistake inside the string can be shown where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    string: String,
    /// What lies between two pieces (the line ends that join lines) belongs to the one before.
    pieces: Pieces,
    /// Where the whole value stands; also the place of an empty text.
    whole: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Piece {
    /// Where it begins in the string.
    at: usize,
    /// Where it was written.
    span: Span,
    /// Whether string and file are the same, byte by byte (an escape such as `%%` is not).
    literal: bool,
}

/// The pieces of a text, ordered by `at`. Nearly every value has just one, which takes no memory of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pieces {
    One(Piece),
    /// None, or more than one.
    Many(Vec<Piece>),
}

impl Pieces {
    const NONE: Self = Self::Many(Vec::new());

    fn push(&mut self, piece: Piece) {
        match self {
            Self::Many(pieces) if pieces.is_empty() => *self = Self::One(piece),
            Self::Many(pieces) => pieces.push(piece),
            Self::One(first) => *self = Self::Many(vec![*first, piece]),
        }
    }
}

impl Deref for Pieces {
    type Target = [Piece];

    fn deref(&self) -> &[Piece] {
        match self {
            Self::One(piece) => slice::from_ref(piece),
            Self::Many(pieces) => pieces,
        }
    }
}

impl Text {
    /// An empty text whose place is `whole`.
    pub fn empty(whole: Span) -> Self {
        Self { string: String::new(), pieces: Pieces::NONE, whole }
    }

    /// The text `string` that stands at `span` as it is.
    pub fn literal(string: &str, span: Span) -> Self {
        if string.is_empty() {
            return Self::empty(span);
        }
        Self { string: string.to_owned(), pieces: Pieces::One(Piece { at: 0, span, literal: true }), whole: span }
    }

    /// The text `string`, which is nowhere written but stands for something at `span`, such as a default for the section
    /// that does not set it.
    pub fn derived(string: &str, span: Span) -> Self {
        let mut text = Self::empty(span);
        text.push_derived(string, span);
        text
    }

    /// Appends what stands literally at `span`.
    pub fn push(&mut self, string: &str, span: Span) {
        self.piece(string, span, true);
    }

    /// Appends what stands for something written differently at `span`.
    pub fn push_derived(&mut self, string: &str, span: Span) {
        self.piece(string, span, false);
    }

    /// Appends another text, keeping its places.
    pub fn push_text(&mut self, other: &Self) {
        let at = self.string.len();
        self.string.push_str(&other.string);
        for piece in other.pieces.iter() {
            self.pieces.push(Piece { at: at + piece.at, ..*piece });
        }
    }

    /// Appends a line end, which has no place of its own, and grows the whole to `span`'s end.
    pub fn push_line(&mut self, line: &str, span: Span) {
        self.string.reserve(1 + line.len());
        self.string.push('\n');
        self.whole = self.whole.to(span);
        self.push(line, span);
    }

    /// Appends a line end and another text, keeping its places; the whole stays where it is.
    pub fn push_text_line(&mut self, other: &Self) {
        self.string.push('\n');
        self.push_text(other);
    }

    fn piece(&mut self, string: &str, span: Span, literal: bool) {
        if !string.is_empty() {
            self.pieces.push(Piece { at: self.string.len(), span, literal });
            self.string.push_str(string);
        }
    }

    /// Where the whole value stands.
    pub fn whole(&self) -> Span {
        self.whole
    }

    /// Where a range of the string was written. A range over several places is shown up to the end of its first.
    pub fn span(&self, range: Range<usize>) -> Span {
        let Some(index) = self.pieces.partition_point(|piece| piece.at <= range.start).checked_sub(1) else {
            return self.whole;
        };
        let piece = self.pieces[index];
        if !piece.literal {
            return piece.span;
        }
        let length = piece.span.range().len();
        let place = |at: usize| piece.span.range().start + (at - piece.at).min(length);
        Span::new(piece.span.source, place(range.start)..place(range.end.max(range.start)))
    }

    /// The range of bytes of `part`, which is a slice of this text.
    pub fn range_of(&self, part: &str) -> Range<usize> {
        let start = (part.as_ptr() as usize).saturating_sub(self.string.as_ptr() as usize);
        start..start + part.len()
    }

    /// Where `part`, a slice of this text, was written.
    pub fn span_of(&self, part: &str) -> Span {
        self.span(self.range_of(part))
    }

    /// The part `part` of this text as a text of its own.
    pub fn part(&self, part: &str) -> Self {
        let range = self.range_of(part);
        let whole = self.span(range.clone());
        let mut text = Self { string: part.to_owned(), pieces: Pieces::NONE, whole };
        let first = self.pieces.partition_point(|piece| piece.at <= range.start).saturating_sub(1);
        for (index, piece) in self.pieces.iter().enumerate().skip(first).take_while(|(_, piece)| piece.at < range.end) {
            let end = self.pieces.get(index + 1).map_or(self.string.len(), |next| next.at);
            if range.start < end {
                let from = piece.at.max(range.start);
                let span = if piece.literal { self.span(from..end.min(range.end)) } else { piece.span };
                text.pieces.push(Piece { at: from - range.start, span, literal: piece.literal });
            }
        }
        text
    }

    /// The lines that say something, each trimmed.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.string.lines().map(str::trim).filter(|line| !line.is_empty())
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.string
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    #[test]
    fn all_of_a_derived_text_stands_at_its_place() {
        let mut sources = Sources::default();
        let id = sources.add("x", "[é]\n");
        let name = Span::new(id, 1..3);
        let text = Text::derived("postgresql", name);
        assert_eq!((text.span(0..10), text.span(4..6), text.span_of(&text)), (name, name, name));
    }

    #[test]
    fn places_survive_joining_and_interpolation() {
        let mut sources = Sources::default();
        let id = sources.add("x", "a = one\n    two %% three\n");
        let at = |range: Range<usize>| Span::new(id, range);
        let mut text = Text::literal("one", at(4..7));
        text.push_line("two ", at(12..16));
        text.push_derived("%", at(16..18));
        text.push(" three", at(18..24));
        assert_eq!(&*text, "one\ntwo % three");
        assert_eq!(text.span(0..3), at(4..7));
        assert_eq!(text.span(4..7), at(12..15));
        assert_eq!(text.span(8..9), at(16..18));
        assert_eq!(sources.slice(text.span(10..15)), "three");
        assert_eq!(text.whole(), at(4..16));
        let part = text.part(&text[8..15]);
        assert_eq!((&*part, sources.slice(part.span(2..7))), ("% three", "three"));
    }
}
