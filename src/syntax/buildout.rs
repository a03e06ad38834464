//! A zc.buildout configuration's text in, its sections and options with their places out. Knows nothing of what they mean, and
//! reads no other file: `extends` is somebody else's.

use std::ops::Range;

use pest::Parser as _;
use pest::iterators::Pair;

use grammar::{Parser, Rule};

#[allow(missing_docs)]
mod grammar {
    #[derive(pest_derive::Parser)]
    #[grammar = "../grammar/buildout.pest"]
    pub(super) struct Parser;
}

/// A piece of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// What is written there, without white space at the ends.
    pub text: &'a str,
    /// The byte where it starts.
    pub start: usize,
}

/// A whole file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct File<'a> {
    /// The sections in the order in which they stand. One name may come several times: later options win.
    pub sections: Vec<Section<'a>>,
    /// Lines that are nothing of the language, and those before the first section.
    pub junk: Vec<Piece<'a>>,
}

/// `[name]` or `[name : condition]` with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section<'a> {
    /// The name.
    pub name: Piece<'a>,
    /// A Python expression; where it is false the section does not count.
    pub condition: Option<Piece<'a>>,
    /// The options in the order in which they stand. Names keep their case.
    pub options: Vec<Setting<'a>>,
    /// Whether its header is no header: the name is what was probably meant, or nothing.
    pub broken: bool,
}

/// `name = value` with the lines that continue it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<'a> {
    /// The name.
    pub name: Piece<'a>,
    /// What the value does.
    pub operator: Operator,
    /// The lines of the value that are not blank.
    pub lines: Vec<Piece<'a>>,
}

/// What a value does to the one that is inherited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `=`: replaces it.
    Set,
    /// `+=`: adds lines to it.
    Add,
    /// `-=`: takes lines out of it.
    Remove,
}

impl Piece<'_> {
    /// The bytes that it takes up.
    pub fn span(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }
}

impl Setting<'_> {
    /// The value, its lines joined with line feeds.
    pub fn value(&self) -> String {
        self.lines.iter().map(|line| line.text).collect::<Vec<_>>().join("\n")
    }
}

/// Parses a configuration. Every text is one: what cannot be read is in [`File::junk`].
pub fn parse(text: &str) -> File<'_> {
    let mut file = File::default();
    let Ok(pairs) = Parser::parse(Rule::file, text) else {
        // The grammar takes any line as junk, so that this is never reached; a file that is all junk says it, if it were.
        file.junk.push(Piece { text, start: 0 });
        return file;
    };
    for pair in pairs.flat_map(Pair::into_inner) {
        match pair.as_rule() {
            Rule::header => file.sections.extend(section(pair)),
            Rule::option => match (file.sections.last_mut(), piece(&pair)) {
                (Some(section), _) => section.options.extend(setting(pair)),
                (None, piece) => file.junk.push(piece),
            },
            Rule::junk => {
                let line = piece(&pair);
                // What follows belongs to whatever this begins, and not to the section above.
                if pair.as_str().starts_with('[') {
                    file.sections.push(broken(line));
                }
                file.junk.push(line);
            }
            _ => {}
        }
    }
    file
}

/// `${section:option}` in a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference<'a> {
    /// All of it.
    pub whole: &'a str,
    /// The section and the option; an empty section is the reference's own. None if it is not written as one.
    pub target: Option<(&'a str, &'a str)>,
}

/// A value, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fragment<'a> {
    /// `$$`, which stands for `$`.
    Dollar(&'a str),
    /// Text that stands for itself.
    Literal(&'a str),
    /// A reference.
    Reference(Reference<'a>),
}

/// Takes a value apart, as zc.buildout does: first at every `$$`, then at references, which end at the next `}`.
pub fn fragments(value: &str) -> Vec<Fragment<'_>> {
    let mut fragments = Vec::new();
    let mut rest = value;
    loop {
        let end = rest.find("$$").unwrap_or(rest.len());
        let mut piece = &rest[..end];
        while let Some(at) = piece.find("${") {
            let Some(length) = piece[at..].find('}') else { break };
            if at > 0 {
                fragments.push(Fragment::Literal(&piece[..at]));
            }
            let whole = &piece[at..=at + length];
            fragments.push(Fragment::Reference(Reference { whole, target: target(&whole[2..length]) }));
            piece = &piece[at + length + 1..];
        }
        if !piece.is_empty() {
            fragments.push(Fragment::Literal(piece));
        }
        let Some(after) = rest.get(end + 2..) else { return fragments };
        fragments.push(Fragment::Dollar(&rest[end..end + 2]));
        rest = after;
    }
}

fn target(inside: &str) -> Option<(&str, &str)> {
    let (section, option) = inside.split_once(':')?;
    let simple = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || "-._ ".contains(c));
    (simple(section) && simple(option) && !option.is_empty()).then_some((section, option))
}

fn section(pair: Pair<'_, Rule>) -> Option<Section<'_>> {
    let mut parts = pair.into_inner();
    let name = piece(&parts.next()?);
    let condition = parts.find(|part| part.as_rule() == Rule::condition).map(|part| piece(&part));
    Some(Section { name, condition, options: Vec::new(), broken: false })
}

/// The section that a line was probably meant to begin.
fn broken(line: Piece<'_>) -> Section<'_> {
    let inside = line.text.trim_start_matches(['[', ' ', '\t']);
    let start = line.start + line.text.len() - inside.len();
    let end = inside.find(|c: char| c.is_whitespace() || "[]{}:#;=".contains(c)).unwrap_or(inside.len());
    Section { name: Piece { text: &inside[..end], start }, condition: None, options: Vec::new(), broken: true }
}

fn setting(pair: Pair<'_, Rule>) -> Option<Setting<'_>> {
    let mut parts = pair.into_inner();
    let name = piece(&parts.next()?);
    let operator = match parts.next()?.as_str() {
        "+=" => Operator::Add,
        "-=" => Operator::Remove,
        _ => Operator::Set,
    };
    let values = parts.flat_map(|part| match part.as_rule() {
        Rule::value => Some(part),
        _ => part.into_inner().find(|part| part.as_rule() == Rule::value),
    });
    let lines = values.map(|value| piece(&value)).filter(|piece| !piece.text.is_empty()).collect();
    Some(Setting { name, operator, lines })
}

fn piece<'a>(pair: &Pair<'a, Rule>) -> Piece<'a> {
    let text = pair.as_str();
    let start = pair.as_span().start() + (text.len() - text.trim_start().len());
    Piece { text: text.trim(), start }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_taken_apart() {
        let text = "\u{feff}# comment\n[buildout]  ; comment\nextends =\n    base.cfg\n; between\n\n\tother.cfg  \nparts += a b\nparts -= c\n\
                    [ versions : python_version < '3' and x[0] ]\nzc.buildout=2.13.8\n[a:b]#\nX: y = z\n<= base\n=> other\n";
        let file = parse(text);
        assert!(file.junk.is_empty(), "{:?}", file.junk);
        let [buildout, versions, last] = &file.sections[..] else { panic!("{file:?}") };
        assert_eq!(buildout.name.text, "buildout");
        assert_eq!(buildout.options[0].value(), "base.cfg\nother.cfg");
        assert_eq!(&text[buildout.options[0].lines[1].span()], "other.cfg");
        let operators: Vec<_> = buildout.options.iter().map(|option| option.operator).collect();
        assert_eq!(operators, [Operator::Set, Operator::Add, Operator::Remove]);
        assert_eq!(buildout.options[1].name.text, "parts");
        assert_eq!(versions.condition.unwrap().text, "python_version < '3' and x[0]");
        assert_eq!(versions.options[0].value(), "2.13.8");
        assert_eq!((last.name.text, last.condition.unwrap().text), ("a", "b"));
        assert_eq!((last.options[0].name.text, last.options[0].value()), ("X", "y = z".to_owned()));
        assert_eq!((last.options[1].name.text, last.options[1].value()), ("<", "base".to_owned()));
    }

    #[test]
    fn references_are_told_from_escapes() {
        use Fragment::{Dollar, Literal};
        let reference = |whole, target| Fragment::Reference(Reference { whole, target });
        assert_eq!(
            fragments("a ${b:c}$${d:e} ${:f}${HOME}"),
            [
                Literal("a "),
                reference("${b:c}", Some(("b", "c"))),
                Dollar("$$"),
                Literal("{d:e} "),
                reference("${:f}", Some(("", "f"))),
                reference("${HOME}", None),
            ]
        );
        assert_eq!(fragments("${a:b:c}"), [reference("${a:b:c}", None)]);
        assert_eq!(fragments("${a:b"), [Literal("${a:b")]);
        assert_eq!(fragments("x$$"), [Literal("x"), Dollar("$$")]);
        assert_eq!(fragments(""), []);
    }

    #[test]
    fn what_is_none_of_the_language_is_said_and_passed_over() {
        let file = parse("early = 1\n[a]\n  indented\nnothing\n[b\nc = 1\r\n  d\r\n[e]");
        let junk: Vec<_> = file.junk.iter().map(|piece| piece.text).collect();
        assert_eq!(junk, ["early = 1", "indented", "nothing", "[b"]);
        let names: Vec<_> = file.sections.iter().map(|section| (section.name.text, section.broken)).collect();
        assert_eq!(names, [("a", false), ("b", true), ("e", false)]);
        assert!(file.sections[0].options.is_empty());
        assert_eq!(file.sections[1].options[0].value(), "1\nd");
        for text in ["", "\n", " ", "[a]\nb =", "[a]\nb", "#", "[a]\n b", "[]", "[a:]", "\u{b}\n[é]\né = é"] {
            parse(text);
        }
    }
}
