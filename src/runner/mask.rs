//! Bytes in, the same bytes out with every secret's value replaced by `***`, also one that arrives in pieces.

use aho_corasick::{AhoCorasick, MatchKind};

use crate::model::Secrets;

const MASK: &str = "***";

/// Knows the values to hide.
#[derive(Debug, Clone)]
pub(super) struct Mask {
    /// Finds the values; none if there is nothing to hide.
    finder: Option<AhoCorasick>,
    values: Vec<Vec<u8>>,
}

impl Mask {
    /// Hides all of these; empty values are nothing to hide. A value of several lines is also hidden line by line.
    pub(super) fn new(secrets: &Secrets) -> Self {
        let mut values: Vec<Vec<u8>> = Vec::new();
        for secret in secrets.values() {
            let whole = secret.expose();
            let trimmed = whole.trim();
            let lines = trimmed.lines().map(str::trim).filter(|line| line.len() >= 8);
            values.extend([whole, trimmed].into_iter().chain(lines).map(|value| value.as_bytes().to_vec()));
        }
        values.retain(|value| !value.is_empty());
        values.sort();
        values.dedup();
        // Building fails only for more text than any machine holds.
        let finder = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&values).ok();
        Self { finder: finder.filter(|_| !values.is_empty()), values }
    }

    /// The text with every value hidden.
    pub(super) fn text(&self, text: &str) -> String {
        let mut stream = self.stream();
        let mut masked = stream.push(text.as_bytes());
        masked.extend(stream.finish());
        String::from_utf8_lossy(&masked).into_owned()
    }

    /// For output that comes in pieces.
    pub(super) fn stream(&self) -> MaskedStream<'_> {
        MaskedStream { mask: self, held: Vec::new(), covered: 0 }
    }

    /// Where the longest end of `bytes` begins that may be the beginning of a value.
    fn unfinished(&self, bytes: &[u8]) -> usize {
        let longest = self.values.iter().map(Vec::len).max().unwrap_or(0);
        let first = bytes.len().saturating_sub(longest.saturating_sub(1));
        let may_begin =
            |tail: &[u8]| self.values.iter().any(|value| value.len() > tail.len() && value.starts_with(tail));
        (first..bytes.len()).find(|&at| may_begin(&bytes[at..])).unwrap_or(bytes.len())
    }
}

/// One output on its way. It holds back at most one byte less than the longest value.
#[derive(Debug)]
pub(super) struct MaskedStream<'a> {
    mask: &'a Mask,
    /// Bytes that may be the beginning of a value.
    held: Vec<u8>,
    /// How many of them are part of a value already, whose mask is out.
    covered: usize,
}

impl MaskedStream<'_> {
    /// Takes a piece and gives what can be shown by now.
    pub(super) fn push(&mut self, piece: &[u8]) -> Vec<u8> {
        if self.mask.finder.is_none() {
            return piece.to_vec();
        }
        self.held.extend_from_slice(piece);
        let until = self.mask.unfinished(&self.held);
        self.release(until)
    }

    /// Gives the rest: no more will come.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        self.release(self.held.len())
    }

    fn release(&mut self, until: usize) -> Vec<u8> {
        let mut shown = Vec::with_capacity(until);
        // Everything before `at` is out, and everything before `hidden` is part of a value.
        let (mut at, mut hidden) = (0, self.covered);
        for (start, end) in self.joined() {
            if start >= until {
                break;
            }
            if start >= hidden {
                at = at.max(hidden);
                shown.extend_from_slice(&self.held[at..start]);
                shown.extend_from_slice(MASK.as_bytes());
                at = start;
            }
            hidden = hidden.max(end);
        }
        at = at.max(hidden);
        if at < until {
            shown.extend_from_slice(&self.held[at..until]);
        }
        self.covered = hidden.saturating_sub(until);
        self.held.drain(..until);
        shown
    }

    /// The parts of the held bytes that are values; those that overlap are one.
    fn joined(&self) -> Vec<(usize, usize)> {
        let Some(finder) = &self.mask.finder else { return Vec::new() };
        let mut parts: Vec<(usize, usize)> = Vec::new();
        for found in finder.find_overlapping_iter(&self.held) {
            let mut start = found.start();
            // Matches come by their end, so a long one may reach back before several.
            while let Some(&(before, _)) = parts.last().filter(|(_, end)| *end > start) {
                start = start.min(before);
                parts.pop();
            }
            parts.push((start, found.end()));
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Secret;

    fn mask(values: &[&str]) -> Mask {
        Mask::new(&values.iter().enumerate().map(|(n, value)| (n.to_string(), Secret::new(*value))).collect())
    }

    fn in_pieces(mask: &Mask, pieces: &[&str]) -> String {
        let mut stream = mask.stream();
        let mut shown: Vec<u8> = pieces.iter().flat_map(|piece| stream.push(piece.as_bytes())).collect();
        shown.extend(stream.finish());
        String::from_utf8(shown).unwrap()
    }

    #[test]
    fn values_are_hidden_whole_and_in_pieces() {
        let mask = mask(&["hunter2", "", "ab\n"]);
        assert_eq!(mask.text("x hunter2 hunter y ab z"), "x *** hunter y *** z");
        assert_eq!(in_pieces(&mask, &["x hun", "ter", "2hunte", "r"]), "x ***hunter");
    }

    #[test]
    fn a_value_that_begins_another_is_hidden_with_it() {
        assert_eq!(in_pieces(&mask(&["abc", "abcdef"]), &["abc", "def abc", "d"]), "*** ***d");
        assert_eq!(in_pieces(&mask(&["xab", "abc"]), &["xab", "c!"]), "***!");
        assert_eq!(in_pieces(&mask(&["aa"]), &["a", "a", "a", "a", "b"]), "***b");
        assert_eq!(in_pieces(&mask(&["ab"]), &["aba", "b"]), "******");
    }

    #[test]
    fn no_secrets_no_change() {
        assert_eq!(in_pieces(&mask(&[]), &["a", "b"]), "ab");
    }

    proptest! {
        #[test]
        fn cutting_changes_nothing(text in "[abc]{0,24}", cut in 0usize..24, values in prop::collection::vec("[abc]{1,4}", 1..4)) {
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            let mask = mask(&values);
            let cut = cut.min(text.len());
            let whole = mask.text(&text);
            prop_assert_eq!(in_pieces(&mask, &[&text[..cut], &text[cut..]]), whole.clone());
            let bytewise: Vec<&str> = (0..text.len()).map(|at| &text[at..=at]).collect();
            prop_assert_eq!(in_pieces(&mask, &bytewise), whole.clone());
            for value in values {
                prop_assert!(!whole.contains(value), "{} shows {}", whole, value);
            }
        }
    }
}
