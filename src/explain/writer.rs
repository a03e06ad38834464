//! Text for a person: heads, paragraphs and facts, wrapped at a width.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

const HEAD: Style = AnsiColor::Cyan.on_default().bold();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
/// How far the values of facts are indented.
const COLUMN: usize = 18;

/// Writes text in colour; the stream takes the colours out where they are not wanted.
#[derive(Debug)]
pub struct Writer {
    text: String,
    width: usize,
}

impl Writer {
    /// For lines of `width` columns, where that is of any use.
    pub fn new(width: usize) -> Self {
        Self { text: String::new(), width: width.clamp(40, 100) }
    }

    /// What was written.
    pub fn finish(self) -> String {
        self.text
    }

    /// How much was written.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// A head: a name, and what kind of thing it is.
    pub(super) fn head(&mut self, name: &str, kind: &str) {
        if !self.is_empty() {
            self.text.push('\n');
        }
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{HEAD}{name}{HEAD:#}  {DIM}{kind}{DIM:#}");
    }

    /// An empty line.
    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A paragraph.
    pub(super) fn paragraph(&mut self, text: &str) {
        self.wrapped(text, "  ", "  ");
    }

    /// A fact, left out where it is empty. Each line of the value is wrapped by itself.
    pub(super) fn fact(&mut self, name: &str, value: &str) {
        let hang = " ".repeat(COLUMN);
        for (index, line) in value.lines().enumerate() {
            let name = if index == 0 { name } else { "" };
            let begin = format!("  {DIM}{name:<width$}{DIM:#}", width = COLUMN - 2);
            let space = if name.len() < COLUMN - 2 { "" } else { " " };
            self.wrapped(line, &format!("{begin}{space}"), &hang);
        }
    }

    /// One of several things below a fact's name, with what is said about it.
    pub(super) fn item(&mut self, fact: &str, name: &str, text: &str) {
        let begin = format!("  {DIM}{fact:<width$}{DIM:#}{BOLD}{name}{BOLD:#}: ", width = COLUMN - 2);
        self.wrapped(text, &begin, &" ".repeat(COLUMN + 2));
    }

    /// More about an item.
    pub(super) fn detail(&mut self, text: &str) {
        self.wrapped(text, &" ".repeat(COLUMN + 2), &" ".repeat(COLUMN + 4));
    }

    /// A command, which is wrapped between its words only.
    pub(super) fn command(&mut self, words: &[String]) {
        // The words of a template hold expressions with spaces in them.
        let words: Vec<_> = words.iter().map(|word| word.replace(' ', "\u{a0}")).collect();
        let before = self.text.len();
        self.detail(&words.join(" "));
        let written = self.text.split_off(before);
        self.text.push_str(&written.replace('\u{a0}', " "));
    }

    /// Text that stays as it is, indented.
    pub(super) fn verbatim(&mut self, text: &str) {
        for line in text.lines() {
            let indent = if line.is_empty() { "" } else { "    " };
            let _ = writeln!(self.text, "{indent}{line}");
        }
    }

    fn wrapped(&mut self, text: &str, first: &str, others: &str) {
        let options = textwrap::Options::new(self.width)
            .initial_indent(first)
            .subsequent_indent(others)
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            // Not what the features that other crates ask of textwrap make the default.
            .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .break_words(false);
        let _ = writeln!(self.text, "{}", textwrap::fill(text, options));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_between_words_and_keeps_its_place() {
        let mut writer = Writer::new(40);
        writer.head("name", "kind");
        writer.fact("first", "a value that is longer than what fits\nanother");
        writer.command(&["bin/run".to_owned(), "--with={{ an expression of some length }}".to_owned()]);
        let text = anstream::adapter::strip_str(&writer.finish()).to_string();
        let lines: Vec<&str> = text.lines().collect();
        let gap = " ".repeat(COLUMN);
        assert_eq!(lines[0], "name  kind");
        assert_eq!(lines[1], "  first           a value that is longer");
        assert_eq!(lines[2], format!("{gap}than what fits"));
        assert_eq!(lines[3], format!("{gap}another"));
        assert!(lines[5].ends_with("  --with={{ an expression of some length }}"), "{text}");
    }
}
