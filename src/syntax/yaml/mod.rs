//! YAML: a text to a tree in which every node knows its place. What keys and values mean is not known here.
//!
//! A file with a syntax error is read up to it. Anchors are followed; what has no meaning in farmout's files, such as tags
//! and merge keys, is reported.

mod decode;
mod scalar;
mod words;

pub use decode::{Decoder, Fields};

use std::collections::HashMap;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::diagnostic::{Diagnostics, Label, problem};
use crate::source::{SourceId, Sources, Span, Text};

/// No file of a person has more; with aliases of aliases, a small one could.
const MOST_NODES: usize = 20_000;

/// Nor is any nested deeper.
const DEEPEST: usize = 64;

/// A node.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Anything that is written in one piece.
    Scalar {
        /// The value.
        text: Text,
        /// Whether it was written without quotes: then it may be a number, a truth value or nothing.
        plain: bool,
    },
    /// Keys and values.
    Mapping(Vec<(Text, Rc<Node>)>),
    /// Items.
    Sequence(Vec<Rc<Node>>),
}

impl Node {
    /// Whether nothing is written here.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true } if matches!(&**text, "" | "~" | "null" | "Null" | "NULL"))
    }
}

/// A file, read.
#[derive(Debug)]
pub struct Document {
    /// Its one node; an empty mapping where nothing is written.
    pub root: Node,
    /// Whether it was read to its end.
    pub complete: bool,
}

/// Reads a text.
pub fn parse(sources: &Sources, id: SourceId, diagnostics: &mut Diagnostics) -> Document {
    let text = sources.get(id).text();
    let mut building = Building::new(id, text, diagnostics);
    // Where it could no longer be read.
    let mut end = None;
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => {
                let range = building.byte(span.start.index())..building.byte(span.end.index());
                if !building.event(event, Span::new(id, range.clone())) {
                    end = Some(range.start);
                    break;
                }
            }
            Err(error) => {
                let at = building.byte(error.marker().index()).min(text.len());
                let line = at + text[at..].find('\n').unwrap_or(text.len() - at);
                let begin = text[..at].rfind('\n').map_or(0, |end| end + 1);
                let indentation = text[begin..].chars().take_while(|c| c.is_whitespace() && *c != '\n');
                let (what, help) =
                    words::of(if indentation.into_iter().any(|c| c == '\t') { "tab" } else { error.info() });
                let problem = problem::Farm::Yaml { what: what.to_owned(), help };
                building.diagnostics.push(problem, Span::new(id, at..line.max(at)));
                end = Some(at);
                break;
            }
        }
    }
    Document { complete: end.is_none(), root: building.finish(end) }
}

/// A collection that is not closed yet.
enum Open {
    Mapping { entries: Vec<(Text, Rc<Node>)>, key: Option<Key> },
    Sequence(Vec<Rc<Node>>),
}

/// The key whose value comes next; none for one that was reported.
struct Key(Option<Text>);

struct Building<'a> {
    id: SourceId,
    text: &'a str,
    /// The parser counts characters; where all of them are bytes there is nothing to look up.
    bytes: Option<Vec<u32>>,
    open: Vec<(Open, Span, usize)>,
    root: Option<Node>,
    anchors: HashMap<usize, (Rc<Node>, usize)>,
    /// How many nodes the tree has, those of aliases included.
    nodes: usize,
    diagnostics: &'a mut Diagnostics,
}

impl<'a> Building<'a> {
    fn new(id: SourceId, text: &'a str, diagnostics: &'a mut Diagnostics) -> Self {
        // Sources are below 4 GiB.
        let offsets = || text.char_indices().map(|(at, _)| u32::try_from(at).unwrap_or(u32::MAX)).collect();
        let bytes = (!text.is_ascii()).then(offsets);
        Self { id, text, bytes, open: Vec::new(), root: None, anchors: HashMap::new(), nodes: 0, diagnostics }
    }

    fn byte(&self, character: usize) -> usize {
        match &self.bytes {
            None => character.min(self.text.len()),
            Some(bytes) => bytes.get(character).map_or(self.text.len(), |at| *at as usize),
        }
    }

    fn refuse(&mut self, what: &str, help: &'static str, span: Span) {
        self.diagnostics.push(problem::Farm::Yaml { what: what.to_owned(), help }, span);
    }

    /// Takes what the parser saw; whether to go on.
    fn event(&mut self, event: Event<'_>, span: Span) -> bool {
        match event {
            Event::Scalar(value, style, anchor, tag) => {
                self.tag(tag.is_some(), span);
                let span = self.trimmed(span, style);
                let written = self.text.get(span.range()).unwrap_or_default();
                let text = scalar::text(&value, written, span, style);
                self.node(Node { span, kind: Kind::Scalar { text, plain: style == ScalarStyle::Plain } }, anchor, 1);
            }
            Event::MappingStart(anchor, tag) => {
                self.begin(Open::Mapping { entries: Vec::new(), key: None }, span, anchor, tag.is_some());
            }
            Event::SequenceStart(anchor, tag) => {
                self.begin(Open::Sequence(Vec::new()), span, anchor, tag.is_some());
            }
            Event::MappingEnd | Event::SequenceEnd => self.close(span),
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some((node, size)) => self.add(node, size),
                None => {
                    self.refuse("an anchor cannot hold itself", "write out what belongs here", span);
                    self.add(Rc::new(Node { span, kind: Kind::Sequence(Vec::new()) }), 1);
                }
            },
            Event::DocumentStart(_) if self.root.is_some() => {
                self.refuse(
                    "a second document begins here",
                    "a file of a farm is one document: remove the `---`",
                    span,
                );
                return false;
            }
            Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing | Event::StreamStart | Event::StreamEnd => {}
        }
        if self.nodes > MOST_NODES || self.open.len() > DEEPEST {
            self.refuse(
                "no file of a farm is as large or as deeply nested",
                "check the brackets and the aliases before this",
                span,
            );
            return false;
        }
        true
    }

    fn begin(&mut self, open: Open, span: Span, anchor: usize, tag: bool) {
        self.tag(tag, span);
        self.open.push((open, span, anchor));
    }

    fn tag(&mut self, tag: bool, span: Span) {
        if tag {
            self.refuse("tags have no meaning here", "write the value without its `!…`", span);
        }
    }

    /// Some scalars begin at their anchor or tag, and end where the next token begins.
    fn trimmed(&self, span: Span, style: ScalarStyle) -> Span {
        let mut start = span.range().start;
        let mut written = self.text.get(span.range()).unwrap_or_default();
        while written.starts_with(['&', '!']) {
            let rest = written.find(char::is_whitespace).map_or("", |end| written[end..].trim_start());
            start += written.len() - rest.len();
            written = rest;
        }
        let length = match style {
            ScalarStyle::Literal | ScalarStyle::Folded => written.len(),
            _ => written.trim_end().len(),
        };
        Span::new(self.id, start..start + length)
    }

    fn close(&mut self, end: Span) {
        let Some((open, start, anchor)) = self.open.pop() else { return };
        let kind = match open {
            Open::Mapping { entries, .. } => Kind::Mapping(entries),
            Open::Sequence(items) => Kind::Sequence(items),
        };
        // A block ends where the next thing begins; its last child knows better.
        let last = match &kind {
            Kind::Mapping(entries) => entries.last().map(|(_, value)| value.span),
            Kind::Sequence(items) => items.last().map(|item| item.span),
            Kind::Scalar { .. } => None,
        };
        let closed = self.text.get(end.range()).is_some_and(|end| matches!(end, "}" | "]"));
        let last = if closed { Some(end) } else { last };
        let span = last.filter(|last| last.end >= start.start).map_or(start, |last| start.to(last));
        let size = 1 + match &kind {
            Kind::Mapping(entries) => entries.len(),
            _ => 0,
        };
        self.node(Node { span, kind }, anchor, size);
    }

    fn node(&mut self, node: Node, anchor: usize, size: usize) {
        let node = Rc::new(node);
        if anchor > 0 {
            self.anchors.insert(anchor, (Rc::clone(&node), count(&node)));
        }
        self.add(node, size);
    }

    fn add(&mut self, node: Rc<Node>, size: usize) {
        self.nodes += size;
        let entries = match self.open.last_mut() {
            None => {
                self.root = Some(Rc::unwrap_or_clone(node));
                return;
            }
            Some((Open::Sequence(items), ..)) => return items.push(node),
            Some((Open::Mapping { entries, key }, ..)) => match key.take() {
                Some(Key(name)) => return entries.extend(name.map(|name| (name, node))),
                None => entries,
            },
        };
        let found = match &node.kind {
            Kind::Scalar { text, .. } => {
                let first = entries.iter().find(|(known, _)| **known == **text).map(|(known, _)| known.whole());
                Ok((text.clone(), first))
            }
            _ => Err(node.span),
        };
        let next = self.key(found);
        if let Some((Open::Mapping { key, .. }, ..)) = self.open.last_mut() {
            *key = Some(next);
        }
    }

    fn key(&mut self, found: Result<(Text, Option<Span>), Span>) -> Key {
        match found {
            Ok((text, _)) if &*text == "<<" => {
                self.refuse(
                    "merge keys are not read",
                    "write the keys out, or use an alias for a whole value",
                    text.whole(),
                );
                Key(None)
            }
            Ok((text, Some(first))) => {
                let problem = problem::Farm::DuplicateKey { key: text.to_string() };
                self.diagnostics.push(problem, text.whole()).label(first, Label::FirstHere);
                Key(None)
            }
            Ok((text, None)) => Key(Some(text)),
            Err(span) => {
                self.refuse("a key is a single word", "quote it if its characters are special", span);
                Key(None)
            }
        }
    }

    /// The whole tree. Of a file that was read up to a byte, the entries on the lines before.
    fn finish(mut self, end: Option<usize>) -> Node {
        self.open.truncate(1);
        let mut root = match (self.root, self.open.pop()) {
            (Some(root), _) if !root.is_null() => root,
            (None, Some((Open::Mapping { entries, .. }, span, _))) => Node { span, kind: Kind::Mapping(entries) },
            _ => Node { span: Span::new(self.id, 0..0), kind: Kind::Mapping(Vec::new()) },
        };
        if let (Some(end), Kind::Mapping(entries)) = (end, &mut root.kind) {
            let line = self.text.get(..end).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
            entries.retain(|(_, value)| value.span.range().end <= line);
        }
        root
    }
}

/// How many nodes there are in one.
fn count(node: &Node) -> usize {
    1 + match &node.kind {
        Kind::Scalar { .. } => 0,
        Kind::Mapping(entries) => entries.iter().map(|(_, value)| count(value)).sum(),
        Kind::Sequence(items) => items.iter().map(|item| count(item)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Sources, Document, Vec<&'static str>) {
        let mut sources = Sources::default();
        let id = sources.add("x", text);
        let mut diagnostics = Diagnostics::default();
        let document = parse(&sources, id, &mut diagnostics);
        let codes = diagnostics.sorted().iter().map(|said| said.code).collect();
        (sources, document, codes)
    }

    /// However a text is written, a word in it is found where it stands.
    #[test]
    fn words_are_found_in_scalars_of_every_style() {
        for written in [
            "é x here y",
            "'é it''s here'",
            "&anchor \"é\\t\\u00e9\\\n    \\\"here\\\"\"",
            "\"é a\n    b\n\n    here\"",
            "é a\n    b\n\n    here c",
            "|\n    é\n      a\n\n    here\n",
            ">-\n    é\n    here a\n",
            "|2-\r\n    é\r\n    here a\r\n",
        ] {
            let text = format!("é: [a]\nkey: {written}\nlast: b\n");
            let (sources, document, codes) = read(&text);
            assert!(codes.is_empty(), "{text}");
            let Kind::Mapping(entries) = &document.root.kind else { panic!("{text}") };
            let Kind::Scalar { text: value, .. } = &entries[1].1.kind else { panic!("{text}") };
            let at = value.find("here").unwrap();
            assert_eq!(sources.slice(value.span(at..at + 4)), "here", "{written:?}");
        }
    }

    #[test]
    fn what_is_too_large_or_too_deep_is_refused() {
        let bomb = format!(
            "a: &a [x]\n{}",
            "bcdefghijklmno"
                .chars()
                .fold((String::new(), 'a'), |(text, last), name| {
                    (format!("{text}{name}: &{name} [*{last}, *{last}, *{last}, *{last}]\n"), name)
                })
                .0
        );
        for text in [bomb, "- ".repeat(100_000), "[".repeat(100_000), format!("{}\n", "? ".repeat(5000))] {
            let (_, document, codes) = read(&text);
            assert_eq!((document.complete, codes), (false, vec!["farm::yaml"]), "{}", &text[..10]);
        }
    }

    #[test]
    fn an_empty_file_says_nothing() {
        for text in ["", "# nothing\n", "---\n", "\n\n"] {
            let (_, document, codes) = read(text);
            assert!(document.complete && codes.is_empty(), "{text:?}");
            assert!(matches!(document.root.kind, Kind::Mapping(entries) if entries.is_empty()), "{text:?}");
        }
    }
}
