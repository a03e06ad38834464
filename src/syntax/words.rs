//! Lines made of words and options: capabilities of slaves (`grammar/capability.pest`), sources of buildouts and
//! what to watch (`grammar/source.pest`).

use pest::Parser as _;
use pest::iterators::Pair;

#[allow(missing_docs)]
mod capability {
    #[derive(pest_derive::Parser)]
    #[grammar = "../grammar/capability.pest"]
    pub(super) struct Parser;
}

#[allow(missing_docs)]
mod source {
    #[derive(pest_derive::Parser)]
    #[grammar = "../grammar/source.pest"]
    pub(super) struct Parser;
}

/// A word, or an option with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word<'a> {
    /// `KEY=VALUE`.
    Option(&'a str, &'a str),
    /// Anything else.
    Plain(&'a str),
}

/// The capability's name and the words after it; none for a blank line.
pub fn capability(line: &str) -> Option<(&str, Vec<Word<'_>>)> {
    use capability::{Parser, Rule};
    let mut pairs = Parser::parse(Rule::line, line).ok()?.next()?.into_inner();
    let name = pairs.next()?.as_str();
    let words = pairs.filter_map(|pair| match pair.as_rule() {
        Rule::option => option(pair),
        Rule::word => Some(Word::Plain(pair.as_str())),
        _ => None,
    });
    Some((name, words.collect()))
}

/// The words of a source or of a line of `watch`.
pub fn source(line: &str) -> Vec<Word<'_>> {
    use source::{Parser, Rule};
    let Ok(pairs) = Parser::parse(Rule::line, line) else {
        return Vec::new();
    };
    pairs
        .flat_map(Pair::into_inner)
        .filter_map(|pair| match pair.as_rule() {
            Rule::option => option(pair),
            Rule::word => Some(Word::Plain(pair.as_str())),
            _ => None,
        })
        .collect()
}

fn option<R: pest::RuleType>(pair: Pair<'_, R>) -> Option<Word<'_>> {
    let mut parts = pair.into_inner();
    Some(Word::Option(parts.next()?.as_str(), parts.next()?.as_str()))
}

#[cfg(test)]
mod tests {
    use super::Word::*;
    use super::*;

    #[test]
    fn options_are_told_from_words() {
        let line = "postgresql 9.1 port=5433 bin=/opt/a=b";
        let words = vec![Plain("9.1"), Option("port", "5433"), Option("bin", "/opt/a=b")];
        assert_eq!(capability(line), Some(("postgresql", words)));
        assert_eq!(capability("selenium display=:0"), Some(("selenium", vec![Option("display", ":0")])));
        let words = [Plain("git"), Plain("http://x/?a=b"), Plain("main"), Option("subdir", "d")];
        assert_eq!(source("git http://x/?a=b  main subdir=d"), words);
    }
}
