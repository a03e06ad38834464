//! Bytes in, the same bytes out with every secret's value replaced by `***`, also one that arrives in pieces.

use std::borrow::Cow;
use std::collections::HashMap;

use aho_corasick::automaton::{Automaton as _, StateID};
use aho_corasick::nfa::noncontiguous::NFA;
use aho_corasick::{AhoCorasick, Anchored, MatchKind};

use crate::model::Secrets;

const MASK: &str = "***";

/// Knows the values to hide.
#[derive(Debug, Clone)]
pub(super) struct Mask(Option<Values>);

impl Mask {
    /// Hides all of these; empty values are nothing to hide. A value of several lines is also hidden line by line.
    pub(super) fn new(secrets: &Secrets) -> Self {
        let mut values: Vec<&[u8]> = Vec::new();
        for secret in secrets.values() {
            let whole = secret.expose();
            let trimmed = whole.trim();
            let lines = trimmed.lines().map(str::trim).filter(|line| line.len() >= 8);
            values.extend([whole, trimmed].into_iter().chain(lines).map(str::as_bytes));
        }
        values.retain(|value| !value.is_empty());
        values.sort_unstable();
        values.dedup();
        Self(Values::new(values))
    }

    /// The text with every value hidden.
    pub(super) fn text(&self, text: &str) -> String {
        let mut stream = self.stream();
        let mut masked = stream.push(text.as_bytes()).into_owned();
        masked.extend(stream.finish());
        String::from_utf8_lossy(&masked).into_owned()
    }

    /// For output that comes in pieces.
    pub(super) fn stream(&self) -> MaskedStream<'_> {
        MaskedStream { values: self.0.as_ref(), held: Vec::new(), covered: 0 }
    }
}

/// Values to be found, at least one, and none empty.
#[derive(Debug, Clone)]
struct Values {
    /// Finds where the first of them begins, and is fast where there is none.
    first: AhoCorasick,
    /// Finds all of them, those that overlap too.
    finder: AhoCorasick,
    /// Finds their beginnings.
    beginnings: NFA,
    /// By its state: the length of the longest end of what it has read that is less than a value and may become one.
    unfinished: HashMap<StateID, usize>,
    longest: usize,
}

impl Values {
    fn new(mut values: Vec<&[u8]>) -> Option<Self> {
        let longest = values.iter().map(|value| value.len()).max()?;
        // These fail only for more text than any machine holds.
        let first = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(&values).ok()?;
        let finder = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&values).ok()?;
        let beginnings = NFA::builder().match_kind(MatchKind::Standard).build(&values).ok()?;
        let start = beginnings.start_state(Anchored::No).ok()?;
        let after = |state, bytes: &[u8]| {
            bytes.iter().fold(state, |state, &byte| beginnings.next_state(Anchored::No, state, byte))
        };
        // Having read a beginning, the automaton is in a state of that beginning's own.
        let mut unfinished = HashMap::from([(start, 0)]);
        for value in &values {
            let mut state = start;
            for (index, byte) in value[..value.len() - 1].iter().enumerate() {
                state = after(state, &[*byte]);
                unfinished.insert(state, index + 1);
            }
        }
        // A whole value that begins no other one may end with a beginning, which is shorter and therefore known by then.
        values.sort_unstable_by_key(|value| value.len());
        for value in values {
            let length = unfinished.get(&after(start, &value[1..])).copied().unwrap_or(0);
            unfinished.entry(after(start, value)).or_insert(length);
        }
        Some(Self { first, finder, beginnings, unfinished, longest })
    }

    /// Where the longest end of `bytes` begins that may be the beginning of a value.
    fn unfinished(&self, bytes: &[u8]) -> usize {
        let Ok(mut state) = self.beginnings.start_state(Anchored::No) else { return bytes.len() };
        for &byte in &bytes[bytes.len().saturating_sub(self.longest - 1)..] {
            state = self.beginnings.next_state(Anchored::No, state, byte);
        }
        bytes.len() - self.unfinished.get(&state).copied().unwrap_or(0)
    }

    /// The parts of the bytes that are values; those that overlap are one.
    fn parts(&self, bytes: &[u8]) -> Vec<(usize, usize)> {
        let mut parts: Vec<(usize, usize)> = Vec::new();
        let Some(first) = self.first.find(bytes) else { return parts };
        let before = first.start();
        for found in self.finder.find_overlapping_iter(&bytes[before..]) {
            let mut start = before + found.start();
            // Matches come by their end, so a long one may reach back before several.
            while let Some(&(before, _)) = parts.last().filter(|(_, end)| *end > start) {
                start = start.min(before);
                parts.pop();
            }
            parts.push((start, before + found.end()));
        }
        parts
    }
}

/// One output on its way. It holds back at most one byte less than the longest value.
///
/// A value is found where its bytes follow each other. Two processes that write to the same output at the same time can
/// put theirs between them; what they make of a value then is no value.
#[derive(Debug)]
pub(super) struct MaskedStream<'a> {
    /// None if there is nothing to hide.
    values: Option<&'a Values>,
    /// Bytes that may be the beginning of a value.
    held: Vec<u8>,
    /// How many of them are part of a value already, whose mask is out.
    covered: usize,
}

impl MaskedStream<'_> {
    /// Takes a piece and gives what can be shown by now.
    pub(super) fn push<'p>(&mut self, piece: &'p [u8]) -> Cow<'p, [u8]> {
        let Some(values) = self.values else { return Cow::Borrowed(piece) };
        if self.held.is_empty() {
            let parts = values.parts(piece);
            if parts.is_empty() {
                let (shown, held) = piece.split_at(values.unfinished(piece));
                self.held.extend_from_slice(held);
                return Cow::Borrowed(shown);
            }
        }
        self.held.extend_from_slice(piece);
        let until = values.unfinished(&self.held);
        Cow::Owned(self.release(values, until))
    }

    /// Gives the rest: no more will come.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        self.values.map(|values| self.release(values, self.held.len())).unwrap_or_default()
    }

    fn release(&mut self, values: &Values, until: usize) -> Vec<u8> {
        let mut shown = Vec::with_capacity(until);
        // Everything before `at` is out, and everything before `hidden` is part of a value.
        let (mut at, mut hidden) = (0, self.covered);
        for (start, end) in values.parts(&self.held) {
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
        let mut shown: Vec<u8> = pieces.iter().flat_map(|piece| stream.push(piece.as_bytes()).into_owned()).collect();
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
        fn what_is_held_back_is_the_longest_end_that_may_become_a_value(
            text in "[abc]{0,24}",
            values in prop::collection::vec("[abc]{1,6}", 1..4),
        ) {
            let bytes = text.as_bytes();
            let may_become = |end: &[u8]| values.iter().any(|value| value.len() > end.len() && value.as_bytes().starts_with(end));
            let wanted = (0..=bytes.len()).find(|&at| may_become(&bytes[at..])).unwrap();
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            prop_assert_eq!(mask(&values).0.unwrap().unfinished(bytes), wanted);
        }

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
