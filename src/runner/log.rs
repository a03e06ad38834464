//! A step's output on its way: masked, kept in the step's log, and its last line caught if it is a property.

use std::borrow::Cow;

use camino::Utf8Path;

use super::capped::Capped;
use super::event::Stream;
use super::mask::{Mask, MaskedStream};
use super::save::Readers;

/// How the names of the logs of a clean-up by a later run end.
pub(super) const RECOVERY: &str = ".recovery";

/// The name of the log of a step's attempt, both counted from 1.
pub(super) fn name(index: usize, step: &str, attempt: u32, suffix: &str) -> String {
    let attempt = if attempt == 1 { String::new() } else { format!(".attempt-{attempt}") };
    format!("{index:02}-{step}{attempt}{suffix}.log")
}

/// The name of what was added to a file that is followed, counted from 1, beside the log of this name.
pub(super) fn followed(log: &str, number: usize) -> String {
    format!("{}.followed-{number}.log", log.strip_suffix(".log").unwrap_or(log))
}

/// The log of one step. It holds the step's output and nothing else, but for a line where some of it is missing.
#[derive(Debug)]
pub(super) struct StepLog<'a> {
    file: Option<Capped>,
    out: MaskedStream<'a>,
    err: MaskedStream<'a>,
    problem: Option<String>,
    last: Option<LastLine>,
}

impl<'a> StepLog<'a> {
    /// Makes the log, which keeps no more than `limit` bytes. One that cannot be made or written to does not keep the
    /// step from running: it is a [`Self::problem`].
    pub(super) fn create(
        path: &Utf8Path,
        readers: Readers,
        limit: Option<u64>,
        mask: &'a Mask,
        wants_last_line: bool,
    ) -> Self {
        let (file, problem) = match Capped::create(path, readers, limit) {
            Ok(file) => (Some(file), None),
            Err(error) => (None, Some(format!("its log cannot be written: {error}"))),
        };
        let last = wants_last_line.then(LastLine::default);
        Self { file, out: mask.stream(), err: mask.stream(), problem, last }
    }

    /// Keeps a piece of output, and returns what of it can be shown.
    pub(super) fn write<'p>(&mut self, stream: Stream, bytes: &'p [u8]) -> Cow<'p, [u8]> {
        if let (Stream::Out, Some(last)) = (stream, &mut self.last) {
            last.push(bytes);
        }
        let shown = match stream {
            Stream::Out => self.out.push(bytes),
            Stream::Err => self.err.push(bytes),
        };
        self.keep(&shown);
        shown
    }

    /// Completes the log, and returns what was held back: no more output will come.
    pub(super) fn finish(&mut self) -> [(Stream, Vec<u8>); 2] {
        let rest = [(Stream::Out, self.out.finish()), (Stream::Err, self.err.finish())];
        for (_, bytes) in &rest {
            self.keep(bytes);
        }
        if let Some(file) = self.file.take() {
            self.problem = file.finish();
        }
        rest
    }

    fn keep(&mut self, bytes: &[u8]) {
        if let Some(file) = &mut self.file {
            file.write(bytes);
        }
    }

    /// Why the finished log is not complete, if it is not.
    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// The last line of standard output that is not blank, as it came.
    ///
    /// # Errors
    /// Why there is none, in words that follow the property's name.
    pub(super) fn last_line(&mut self) -> Result<String, &'static str> {
        self.last.as_mut().ok_or("was not asked for")?.take()
    }
}

/// The last line that is not blank, of a text that comes in pieces.
#[derive(Debug, Default)]
struct LastLine {
    line: Vec<u8>,
    current: Vec<u8>,
}

impl LastLine {
    /// A property is a word or a path; of a longer line only this much is kept, to see that it is too long.
    const LIMIT: usize = 64 * 1024;

    fn push(&mut self, bytes: &[u8]) {
        for (number, part) in bytes.split(|&byte| byte == b'\n').enumerate() {
            if number > 0 {
                self.end_line();
            }
            let room = (Self::LIMIT + 1).saturating_sub(self.current.len()).min(part.len());
            self.current.extend_from_slice(&part[..room]);
        }
    }

    fn end_line(&mut self) {
        if !self.current.trim_ascii().is_empty() {
            std::mem::swap(&mut self.line, &mut self.current);
        }
        self.current.clear();
    }

    fn take(&mut self) -> Result<String, &'static str> {
        self.end_line();
        let line = std::mem::take(&mut self.line);
        match line.len() {
            0 => Err("has no value: there was no output"),
            1..=Self::LIMIT => {
                String::from_utf8(line.trim_ascii().to_vec()).map_err(|_| "has no value: the last line is not UTF-8")
            }
            _ => Err("has no value: the last line is too long"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(pieces: &[&[u8]]) -> Result<String, &'static str> {
        let mut line = LastLine::default();
        pieces.iter().for_each(|piece| line.push(piece));
        line.take()
    }

    #[test]
    fn the_last_line_that_is_not_blank_counts() {
        assert_eq!(last(&[b"a\nb", b"c \n", b"\n  \n"]).unwrap(), "bc");
        assert_eq!(last(&[b"port\n6", b"069"]).unwrap(), "6069");
        assert!(last(&[b"\n"]).is_err());
        assert!(last(&[b"\xff\n"]).is_err());
        assert!(last(&[&vec![b'x'; LastLine::LIMIT + 1]]).is_err());
    }
}
