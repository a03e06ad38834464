//! The log of a step in, the few lines of it that a report shows out, in bounded memory.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _};

use anstream::adapter::strip_bytes;
use camino::Utf8Path;

/// Which lines are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// Lines from the beginning.
    pub(super) first: usize,
    /// Lines from the end.
    pub(super) last: usize,
}

impl Window {
    const ORDINARY: Self = Self { first: 0, last: 30 };
    /// Of an analysis every finding counts, the first ones most, and the total is at the end.
    const ANALYSIS: Self = Self { first: 50, last: 10 };

    /// The lines that matter of a step with this name.
    pub(super) fn of(step: &str) -> Self {
        let analysis = step == "analysis"
            || step.ends_with("-analysis")
            || step.starts_with("analyse")
            || step.starts_with("analyze");
        if analysis { Self::ANALYSIS } else { Self::ORDINARY }
    }
}

/// The beginning and the end of a step's output.
#[derive(Debug)]
pub(super) struct Excerpt {
    window: Window,
    first: Vec<String>,
    last: VecDeque<String>,
    left_out: usize,
}

impl Excerpt {
    /// Nothing yet.
    pub(super) fn new(window: Window) -> Self {
        Self { window, first: Vec::new(), last: VecDeque::new(), left_out: 0 }
    }

    /// The lines of a log that are within the window.
    ///
    /// # Errors
    /// The log cannot be read.
    pub(super) fn of(log: &Utf8Path, window: Window) -> io::Result<Vec<String>> {
        let (mut excerpt, mut lines) = (Self::new(window), Lines::default());
        let (mut file, mut buffer) = (File::open(log)?, vec![0; 64 * 1024]);
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => lines.push(&buffer[..count], |line| excerpt.push(line)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        lines.finish().into_iter().for_each(|line| excerpt.push(line));
        Ok(excerpt.lines().collect())
    }

    /// Takes the next line.
    pub(super) fn push(&mut self, line: String) {
        if self.first.len() < self.window.first {
            self.first.push(line);
            return;
        }
        self.last.push_back(line);
        if self.last.len() > self.window.last {
            self.last.pop_front();
            self.left_out += 1;
        }
    }

    /// The lines; where some between them were left out, a line says so. Those before the first are not missed.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let gap = (self.left_out > 0 && !self.first.is_empty()).then(|| format!("… {} lines left out", self.left_out));
        self.first.iter().cloned().chain(gap).chain(self.last.iter().cloned())
    }
}

/// Cuts output that comes in pieces into lines fit to show: UTF-8, no control characters, not too long.
#[derive(Debug, Default)]
pub(super) struct Lines {
    current: Vec<u8>,
    /// More of the current line than is kept was dropped.
    cut: bool,
    /// What comes next is written over what there is of the line.
    rewinds: bool,
}

impl Lines {
    /// The bytes of a line that are kept.
    const LIMIT: usize = 500;

    /// Takes a piece and gives each line that it ends to `line`.
    pub(super) fn push(&mut self, bytes: &[u8], mut line: impl FnMut(String)) {
        for (number, part) in bytes.split(|&byte| byte == b'\n').enumerate() {
            if number > 0 {
                line(self.take());
            }
            for (number, part) in part.split(|&byte| byte == b'\r').enumerate() {
                self.rewinds |= number > 0;
                self.keep(part);
            }
        }
    }

    fn keep(&mut self, part: &[u8]) {
        if self.rewinds {
            // What only moves the cursor, or clears the rest of the line, shows nothing.
            if strip_bytes(part).into_vec().trim_ascii().is_empty() {
                return;
            }
            // A progress bar rewrites its line: what it showed last is what counts.
            self.current.clear();
            (self.rewinds, self.cut) = (false, false);
        }
        let room = Self::LIMIT.saturating_sub(self.current.len()).min(part.len());
        self.current.extend_from_slice(&part[..room]);
        self.cut |= room < part.len();
    }

    /// The line that no line end followed, if there is one.
    pub(super) fn finish(&mut self) -> Option<String> {
        (!self.current.is_empty()).then(|| self.take())
    }

    fn take(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.current);
        let text = anstream::adapter::strip_str(&text).to_string();
        let mut shown: String =
            text.chars().filter(|&character| character == '\t' || !character.is_control()).collect();
        self.current.clear();
        self.rewinds = false;
        shown.truncate(shown.trim_end().len());
        if std::mem::take(&mut self.cut) {
            shown.push('…');
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_made_fit_to_show() {
        let (mut lines, mut shown) = (Lines::default(), Vec::new());
        lines.push(b"a\x1b[31mb\x1b[0m\r\n10%\r20%\rdone\nba\xff", |line| shown.push(line));
        lines.push(&[b'x'; 10_000], |line| shown.push(line));
        shown.extend(lines.finish());
        assert_eq!(&shown[..2], ["ab", "done"]);
        assert!(shown[2].starts_with("ba\u{fffd}xxx") && shown[2].ends_with("x…"));
        assert_eq!(lines.finish(), None);
    }

    #[test]
    fn of_a_line_that_is_rewritten_the_last_counts() {
        let (mut lines, mut shown) = (Lines::default(), Vec::new());
        for percent in 0..1000 {
            lines.push(format!("progress {percent} %\r").as_bytes(), |line| shown.push(line));
        }
        for piece in [&b"fatal: "[..], b"here\r", b"\n", b"50 %\r    \r\n"] {
            lines.push(piece, |line| shown.push(line));
        }
        assert_eq!(shown, ["fatal: here", "50 %"]);
    }

    #[test]
    fn the_middle_is_left_out() {
        let mut excerpt = Excerpt::new(Window { first: 2, last: 1 });
        (1..=5).for_each(|number| excerpt.push(number.to_string()));
        assert_eq!(excerpt.lines().collect::<Vec<_>>(), ["1", "2", "… 2 lines left out", "5"]);
        let mut excerpt = Excerpt::new(Window { first: 0, last: 2 });
        (1..=5).for_each(|number| excerpt.push(number.to_string()));
        assert_eq!(excerpt.lines().collect::<Vec<_>>(), ["4", "5"]);
    }
}
