//! Lines with colours in, the bytes of a text stream out: colours left out where they do not belong, and nothing in a line
//! that the reader would take for a command.

use std::io::Write;

use super::Style;

/// Where a report goes. What cannot be written is left unwritten: a closed terminal is no reason to end a run.
#[derive(Debug)]
pub(super) struct Output<W> {
    out: W,
    colour: bool,
    style: Style,
}

impl<W: Write> Output<W> {
    pub(super) fn new(out: W, colour: bool, style: Style) -> Self {
        Self { out, colour, style }
    }

    /// The line as the stream takes it, without its end.
    pub(super) fn fit(&self, line: &str) -> String {
        let line = if self.colour { line.to_owned() } else { anstream::adapter::strip_str(line).to_string() };
        if self.style == Style::GitHub { harmless(&line) } else { line }
    }

    /// Writes lines, in one piece.
    pub(super) fn lines(&mut self, lines: &[String]) {
        if !lines.is_empty() {
            self.line(&lines.join("\n"));
        }
    }

    /// Writes a line, in one piece.
    pub(super) fn line(&mut self, line: &str) {
        let line = self.fit(line) + "\n";
        self.command(&line);
    }

    /// Writes what is for the machine that reads the stream.
    pub(super) fn command(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Writes what was made fit before.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let _ = self.out.write_all(bytes);
    }

    pub(super) fn flush(&mut self) {
        let _ = self.out.flush();
    }
}

/// A text in which GitHub Actions finds no command. It looks for `::` at the beginning of a line, behind any blanks, and for
/// the older `##[` anywhere.
fn harmless(text: &str) -> String {
    let text = text.replace("##[", "# #[");
    let begins = |line: &str| anstream::adapter::strip_str(line).to_string().trim_start().starts_with("::");
    let lines = text.split('\n').map(|line| if begins(line) { format!("| {line}") } else { line.to_owned() });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_said_is_a_command() {
        assert_eq!(harmless("  ::set-output name=a::b\nc::d"), "|   ::set-output name=a::b\nc::d");
        assert_eq!(harmless("\u{1b}[2m::error::x"), "| \u{1b}[2m::error::x");
        assert_eq!(harmless("name | ##[set-env name=PATH]x"), "name | # #[set-env name=PATH]x");
        assert_eq!(harmless("###[group]"), "## #[group]");
    }
}
