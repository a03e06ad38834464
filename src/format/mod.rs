//! The usual layout of manifests and slave fragments. A text comes in, and the same text laid out comes out: sections,
//! options, their order and every comment stay, and so does every value.
//!
//! One freedom is taken. Where an option is known to be a list, its first line goes below the name when there are
//! more lines, so that all entries look alike: such an option is read line by line, and blank lines do not count. Any
//! other value stays the same to the last byte, and so does a list that another value takes in by `%(name)s`.

mod lists;

use crate::diagnostic::Diagnostics;
use crate::source::Sources;
use crate::syntax::ini::{self, Line};

use lists::Lists;

/// Lays a text out. A text without syntax errors keeps its meaning.
pub fn format(text: &str) -> String {
    let lines = ini::lines(text);
    let lists = Lists::of(text, &lines);
    let mut layout = Layout::default();
    let mut skip = false;
    for (at, line) in lines.iter().enumerate() {
        match *line {
            // The line went up to its option's name.
            Line::Continuation(_) if std::mem::take(&mut skip) => {}
            Line::Blank => layout.push(Kind::Blank, String::new()),
            Line::Comment(comment) => layout.push(Kind::Comment, comment.to_owned()),
            Line::Section(header) => layout.push(Kind::Section, header.to_owned()),
            Line::Continuation(words) => layout.push(Kind::Value, format!("    {words}")),
            Line::Junk(junk) => layout.push(Kind::Value, junk.to_owned()),
            Line::Option { name, value, comment } => {
                let more = lines[at + 1..]
                    .iter()
                    .take_while(|line| !matches!(line, Line::Option { .. } | Line::Section(_) | Line::Junk(_)))
                    .filter(|line| matches!(line, Line::Continuation(_)))
                    .count();
                let is_list = comment.is_empty() && lists.contains(name);
                let written = option(name, value, comment);
                match (is_list, value, more, lines.get(at + 1)) {
                    (true, "", 1, Some(Line::Continuation(only)))
                        if *only != "\"\"" && option(name, only, "").is_some() =>
                    {
                        layout.push(Kind::Value, option(name, only, "").unwrap_or_default());
                        skip = true;
                    }
                    (true, first, 1.., _) if !matches!(first, "" | "\"\"") && option(name, "", "").is_some() => {
                        layout.push(Kind::Value, option(name, "", "").unwrap_or_default());
                        layout.push(Kind::Value, format!("    {first}"));
                    }
                    _ => layout.push(Kind::Value, written.unwrap_or_else(|| original(text, at))),
                }
            }
        }
    }
    layout.finish()
}

/// Whether two texts say the same: the same sections with the same options, and the same values; of lists, the same
/// entries.
pub fn same_meaning(one: &str, other: &str) -> bool {
    let lists = Lists::of(one, &ini::lines(one));
    let (one, other) = (parse(one), parse(other));
    one.sections.len() == other.sections.len()
        && one.sections.iter().zip(&other.sections).all(|(one, other)| {
            one.name == other.name
                && one.options.len() == other.options.len()
                && one.options.iter().zip(&other.options).all(|(one, other)| {
                    let same = || *one.value == *other.value;
                    let same_entries = || lists.contains(&one.name) && one.value.lines().eq(other.value.lines());
                    one.name == other.name && (same() || same_entries())
                })
        })
}

fn parse(text: &str) -> ini::Document {
    let mut sources = Sources::default();
    let id = sources.add("text", text);
    ini::parse(&sources, id, &mut Diagnostics::default())
}

/// The first line of an option in the usual form; none where that would be read as something else (`rem = x` would be
/// a comment, `x =;y` would lose its value).
fn option(name: &str, value: &str, comment: &str) -> Option<String> {
    let name = name.to_lowercase();
    let parts = [name.as_str(), "=", value, comment];
    let written = parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" ");
    let read = ini::lines(&written);
    (read == [Line::Option { name: &name, value, comment }]).then_some(written)
}

/// A line as it is, without the blanks behind it.
fn original(text: &str, at: usize) -> String {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    text.split('\n').nth(at).unwrap_or_default().trim_end().to_owned()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Blank,
    Comment,
    Section,
    Value,
}

/// The lines that come out, with blank ones where they belong.
#[derive(Debug, Default)]
struct Layout {
    lines: Vec<(Kind, String)>,
}

impl Layout {
    fn push(&mut self, kind: Kind, line: String) {
        let last = self.lines.last().map(|(kind, _)| *kind);
        match (kind, last) {
            (Kind::Blank, None | Some(Kind::Blank)) => return,
            // Options follow their header; a comment may stand apart from it.
            (Kind::Value, Some(Kind::Blank)) if self.kind_from_end(1) == Some(Kind::Section) => {
                self.lines.pop();
            }
            (Kind::Section, Some(Kind::Comment)) => self.part_comments(),
            (Kind::Section, Some(Kind::Section | Kind::Value)) => self.lines.push((Kind::Blank, String::new())),
            _ => {}
        }
        self.lines.push((kind, line));
    }

    fn kind_from_end(&self, back: usize) -> Option<Kind> {
        let at = self.lines.len().checked_sub(back + 1)?;
        self.lines.get(at).map(|(kind, _)| *kind)
    }

    /// Before a section with comments right above it: they belong to it, and the blank line goes before them, unless
    /// they are all that the section before has.
    fn part_comments(&mut self) {
        let comments = self.lines.iter().rev().take_while(|(kind, _)| *kind == Kind::Comment).count();
        match self.kind_from_end(comments) {
            Some(Kind::Section) => self.lines.push((Kind::Blank, String::new())),
            Some(Kind::Value) => self.lines.insert(self.lines.len() - comments, (Kind::Blank, String::new())),
            _ => {}
        }
    }

    fn finish(mut self) -> String {
        while self.lines.last().is_some_and(|(kind, _)| *kind == Kind::Blank) {
            self.lines.pop();
        }
        self.lines.into_iter().map(|(_, line)| line + "\n").collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: &str, after: &str) {
        assert_eq!(format(before), after);
        assert_eq!(format(after), after, "not stable");
        assert!(same_meaning(before, after), "{before:?}");
    }

    #[test]
    fn lists_of_several_lines_go_below_their_name() {
        check(
            "[a]\nwatch = git u b\n\thg v c\nbuild-for=postgresql\nx = one\n two\n",
            "[a]\nwatch =\n    git u b\n    hg v c\nbuild-for = postgresql\nx = one\n    two\n",
        );
        check("[a]\nwatch =\n   git u b\n", "[a]\nwatch = git u b\n");
        check("[a]\nwatch = git u b ; old\n   git u c\n", "[a]\nwatch = git u b ; old\n    git u c\n");
        check("[a]\nwatch = git u b\n git u c\nx = %(WATCH)s\n", "[a]\nwatch = git u b\n    git u c\nx = %(WATCH)s\n");
        check("[a]\nwatch =\n git u ;b\n", "[a]\nwatch =\n    git u ;b\n");
    }

    #[test]
    fn in_a_fragment_only_its_own_options_are_lists() {
        check(
            "[a]\npassword: x\nwatch = 1\n 2\ncapability = a\n b\n",
            "[a]\npassword = x\nwatch = 1\n    2\ncapability =\n    a\n    b\n",
        );
    }

    #[test]
    fn blank_lines_part_sections() {
        check(
            "\u{FEFF}\r\n# top\r\n[a]\r\n\r\nX : 1  \r\n\r\n\r\ny=2\r\n# of b\r\n[b] rest \r\n[c]",
            "# top\n[a]\nx = 1\n\ny = 2\n\n# of b\n[b] rest\n\n[c]\n",
        );
        check("[a]\n# of a\n[b]\n\n\n# apart\n\n\nx=1\n\n", "[a]\n# of a\n\n[b]\n\n# apart\n\nx = 1\n");
        check("", "");
        check("\n \n", "");
    }

    #[test]
    fn what_would_read_differently_stays() {
        check("[a]\nrem=1\nx =;y\ny = ;z\nz =  a   ; b  \n", "[a]\nrem=1\nx =;y\ny = ;z\nz = a ; b\n");
        check("[a]\nx = \"\"\n   # part of x\n#not\n  more\n", "[a]\nx = \"\"\n    # part of x\n#not\n    more\n");
        check("[a]\n\u{a0}#x = 1\nÜ = 1\n", "[a]\n\u{a0}#x = 1\nü = 1\n");
    }
}
