//! Regular expressions in, the literal texts out of which a line must have one for any of them to match. Nearly no line of a
//! log has one, and the others are passed over at the speed of memory. Decides nothing: a line that has one is looked at.

use aho_corasick::{AhoCorasick, MatchKind};
use regex_syntax::hir::literal::Extractor;
use regex_syntax::hir::{Hir, HirKind};

/// Texts that are shorter are in nearly every line.
const SHORTEST: usize = 3;

/// Texts to look for, all at once.
#[derive(Debug)]
pub struct Needles(AhoCorasick);

impl Needles {
    /// Of texts that are within each other only the inner ones are looked for.
    ///
    /// # Panics
    /// With more texts than any file of rules has: billions.
    pub fn new(mut texts: Vec<Vec<u8>>) -> Self {
        texts.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
        let mut inner: Vec<Vec<u8>> = Vec::new();
        for text in texts {
            if !inner.iter().any(|known| memchr::memmem::find(&text, known).is_some()) {
                inner.push(text);
            }
        }
        let search = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(&inner);
        Self(search.expect("the size of the automaton is limited by that of the rules"))
    }

    /// Where the first of them begins.
    pub fn find(&self, bytes: &[u8]) -> Option<usize> {
        self.0.find(bytes).map(|found| found.start())
    }
}

/// Texts of which each match of `regex` has at least one; none if there is no telling, or if they are too short to help.
pub fn of_regex(regex: &str) -> Option<Vec<Vec<u8>>> {
    needed(&regex_syntax::parse(regex).ok()?)
}

/// Out of several such sets, the one that the fewest lines have: going by the shortest text in each.
pub fn rarest(sets: impl IntoIterator<Item = Option<Vec<Vec<u8>>>>) -> Option<Vec<Vec<u8>>> {
    let shortest = |set: &Vec<Vec<u8>>| set.iter().map(Vec::len).min().unwrap_or(usize::MAX);
    sets.into_iter().flatten().filter(|set| shortest(set) >= SHORTEST).max_by_key(shortest)
}

fn needed(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Capture(capture) => needed(&capture.sub),
        HirKind::Repetition(repetition) if repetition.min > 0 => rarest([beginnings(hir), needed(&repetition.sub)]),
        HirKind::Alternation(branches) => {
            branches.iter().map(needed).collect::<Option<Vec<_>>>().map(|sets| sets.concat())
        }
        // What a match begins with, after each of its parts; and what is deeper in a part than its beginning.
        HirKind::Concat(parts) => rarest((0..parts.len()).flat_map(|at| {
            let rest = Hir::concat(parts[at..].to_vec());
            [if matches!(rest.kind(), HirKind::Concat(_)) { beginnings(&rest) } else { None }, needed(&parts[at])]
        })),
        _ => rarest([beginnings(hir)]),
    }
}

fn beginnings(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    let found = Extractor::new().extract(hir);
    Some(found.literals()?.iter().map(|literal| literal.as_bytes().to_vec()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(regex: &str) -> Option<Vec<String>> {
        let texts = of_regex(regex)?;
        Some(texts.into_iter().map(|text| String::from_utf8(text).unwrap()).collect())
    }

    #[test]
    fn what_each_match_has_is_found_wherever_it_is() {
        let is = |regex: &str, expected: &[&str]| assert_eq!(of(regex).unwrap(), expected, "{regex}");
        is("^Failed to load", &["Failed to load"]);
        is(r"\d+ failed, \d+ error\(s\) of \d+ tests", &[" error(s) of "]);
        is(r"^(?:FAIL|ERROR): \S", &["FAIL: ", "ERROR: "]);
        is(r"^Modules loaded\.|(one|two) \d+$", &["Modules loaded.", "one ", "two "]);
        is(r"x*(?:Critical)+y", &["Critical"]);
        is(r"[ab]*needle.*", &["needle"]);
        is("x{4}|xyz", &["xxxx", "xyz"]);
    }

    #[test]
    fn where_there_is_no_telling_there_is_none() {
        for regex in ["", ".*", r"\d+", "ab", "(?:needle)?", "needle|", "needle|[a-z]+", "("] {
            assert_eq!(of(regex), None, "{regex}");
        }
    }

    #[test]
    fn case_does_not_matter_where_it_does_not() {
        let texts = of("(?i)boom").unwrap();
        assert!(texts.contains(&"bOOm".to_owned()) && texts.len() == 16, "{texts:?}");
    }

    #[test]
    fn the_first_place_is_found() {
        let needles = Needles::new([&b"ERROR: "[..], b"ERROR", b"CRITICAL"].map(<[u8]>::to_vec).into());
        assert_eq!(needles.0.patterns_len(), 2);
        assert_eq!(needles.find(b"an ERROR: or a CRITICAL"), Some(3));
        assert_eq!(needles.find(b"an error"), None);
    }
}
