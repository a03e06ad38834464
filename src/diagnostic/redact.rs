//! Words without secrets: a message quotes what was written, and a line with a mistake may hold a password. What the
//! sources hide comes in, and stars stand in its place in the words that go out.

use std::collections::HashMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use super::Diagnostic;
use super::problem::Wording;
use crate::source::{Source, SourceId, Sources, Span};

/// A secret shorter than this is only looked for in what is said of its own line: elsewhere it is a common syllable.
const SHORT: usize = 4;

/// Finds the secrets of each source; made when first needed.
#[derive(Debug)]
pub(super) struct Redaction<'a> {
    sources: &'a Sources,
    known: HashMap<SourceId, Known>,
}

/// The secrets of a source.
#[derive(Debug)]
struct Known {
    /// Finds those that are long enough to be looked for everywhere; none where there are none.
    everywhere: Option<AhoCorasick>,
    /// Those with short pieces in the order of their places, each with the end of the furthest so far.
    short: Vec<(Range<usize>, usize)>,
}

impl<'a> Redaction<'a> {
    pub(super) fn new(sources: &'a Sources) -> Self {
        Self { sources, known: HashMap::new() }
    }

    /// Takes the secrets of the files that a diagnostic is about out of its words.
    pub(super) fn apply(&mut self, wording: &mut Wording, diagnostic: &Diagnostic) {
        // What is said of passwords names slaves and files, whatever their passwords are.
        if wording.code.starts_with("secret::") {
            return;
        }
        let sources = self.sources;
        for span in std::iter::once(diagnostic.span).chain(diagnostic.related.iter().map(|related| related.0)) {
            let source = sources.get(span.source);
            let known = self.known.entry(span.source).or_insert_with(|| Known::new(source));
            let near = finder(known.near(source, span));
            for finder in [known.everywhere.as_ref(), near.as_ref()].into_iter().flatten() {
                let texts = [Some(&mut wording.message), Some(&mut wording.label), wording.help.as_mut()];
                texts.into_iter().flatten().for_each(|text| star(text, finder));
            }
        }
    }
}

impl Known {
    fn new(source: &Source) -> Self {
        let secrets = source.hidden().flat_map(|(_, secret)| pieces(secret));
        let everywhere = finder(secrets.filter(|piece| piece.len() >= SHORT));
        let short = source.hidden().filter(|(_, secret)| pieces(secret).any(|piece| piece.len() < SHORT));
        let mut short: Vec<_> = short.map(|(range, _)| (range, 0)).collect();
        short.sort_by_key(|(range, _)| range.start);
        let mut furthest = 0;
        for (range, end) in &mut short {
            furthest = furthest.max(range.end);
            *end = furthest;
        }
        Self { everywhere, short }
    }

    /// The short secrets on the lines of a place.
    fn near<'s>(&self, source: &'s Source, span: Span) -> impl Iterator<Item = &'s str> {
        let lines = source.lines_of(span.range());
        let before = self.short.partition_point(|(range, _)| range.start < lines.end);
        let near = self.short[..before].iter().rev().take_while(move |(_, furthest)| lines.start < *furthest);
        let near = near.filter(move |(range, _)| lines.start < range.end);
        let secret = |(range, _): &(Range<usize>, usize)| source.text().get(range.clone()).unwrap_or_default();
        near.flat_map(move |near| pieces(secret(near))).filter(|piece| piece.len() < SHORT)
    }
}

/// What a message may quote of a secret: all of it, each of its words, and what is beside references to other options.
/// The names of these are no secret.
fn pieces(secret: &str) -> impl Iterator<Item = &str> {
    let words = secret.split_whitespace().flat_map(|word| {
        word.split("%(").enumerate().map(|(index, part)| match part.split_once(")s") {
            Some((_, rest)) if index > 0 => rest,
            _ => part,
        })
    });
    std::iter::once(secret.trim()).chain(words).filter(|piece| piece.contains(char::is_alphanumeric))
}

fn finder<'s>(secrets: impl Iterator<Item = &'s str>) -> Option<AhoCorasick> {
    let secrets: Vec<_> = secrets.collect();
    if secrets.is_empty() {
        return None;
    }
    // Names are lower-cased on their way into a message. Only a file of gigabytes would be too large to search for.
    AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).ascii_case_insensitive(true).build(secrets).ok()
}

/// Puts stars into what is quoted. The words around it are our own, though some are passwords to somebody.
fn star(text: &mut String, finder: &AhoCorasick) {
    let (Some(start), Some(end)) = (text.find('`'), text.rfind('`')) else { return };
    let quoted = &text[start..end];
    if finder.is_match(quoted) {
        let mut shown = String::with_capacity(quoted.len());
        finder.replace_all_with(quoted, &mut shown, |_, found, shown| {
            shown.extend(found.chars().map(|_| '*'));
            true
        });
        text.replace_range(start..end, &shown);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::{Diagnostics, problem};

    /// The message about the word `word`, standing at `at` of `text`, whose parts `hidden` are secret.
    fn message(text: &str, hidden: &[&str], at: &str, word: &str) -> String {
        let mut sources = Sources::default();
        let id = sources.add("slaves.cfg", text);
        for secret in hidden {
            let start = text.find(secret).unwrap();
            sources.hide(Span::new(id, start..start + secret.len()));
        }
        let start = text.find(at).unwrap();
        let mut diagnostics = Diagnostics::default();
        let problem = problem::Version::Syntax { version: word.to_owned() };
        let diagnostic = diagnostics.push(problem, Span::new(id, start..start + at.len()));
        let mut wording = diagnostic.problem.wording();
        Redaction::new(&sources).apply(&mut wording, diagnostic);
        wording.message
    }

    #[test]
    fn our_own_words_are_no_secrets() {
        assert_eq!(message("password = version\n", &["version\n"], "version", "aVersion"), "`a*******` is no version");
        assert_eq!(
            message("password = hunter2\n", &["hunter2\n"], "password", "a`hunter2"),
            "`a`*******` is no version"
        );
    }

    #[test]
    fn secrets_are_taken_out_of_words() {
        let text = "password = Hunter2-%(name)s x y\nversion = pg\n";
        let hidden = ["Hunter2-%(name)s x y"];
        assert_eq!(message(text, &hidden, "version", "ahunter2-b"), "`a********b` is no version");
        assert_eq!(message(text, &hidden, "version", "name"), "`name` is no version");
        assert_eq!(message(text, &hidden, "version", "x"), "`x` is no version");
        assert_eq!(message(text, &hidden, "password", "x"), "`*` is no version");
        assert_eq!(message(text, &[], "password", "Hunter2"), "`Hunter2` is no version");
    }
}
