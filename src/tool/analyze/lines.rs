//! A log's bytes in, its lines and their numbers out. Holds one buffer, however long the log and its lines are: of a very
//! long line only the beginning is given.

use std::io::{self, ErrorKind, Read};

use memchr::{memchr, memchr_iter, memrchr};

use super::needles::Needles;

/// Bytes of a line that are looked at.
pub const LINE: usize = 64 * 1024;
/// Bytes that are held: few enough to stay in a processor's second-level cache between being searched and being counted.
const BUFFER: usize = 256 * 1024;

/// The lines of a log, read once from its beginning to its end.
pub struct Lines<R> {
    log: R,
    buffer: Vec<u8>,
    /// What is not yet given out: `start..end`; up to `whole` there are whole lines only.
    start: usize,
    whole: usize,
    end: usize,
    ended: bool,
    number: u64,
}

impl<R: Read> Lines<R> {
    pub fn new(log: R) -> Self {
        Self::with_buffer(log, BUFFER)
    }

    fn with_buffer(log: R, size: usize) -> Self {
        assert!(size > LINE + 1, "a line that is cut, and its end, fit in the buffer");
        Self { log, buffer: vec![0; size], start: 0, whole: 0, end: 0, ended: false, number: 0 }
    }

    /// How many lines were given out or passed over.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The next line, with its number and without its end; with `needles`, the next one that has one of them in it.
    ///
    /// # Errors
    /// Those of reading.
    pub fn next(&mut self, needles: Option<&Needles>) -> io::Result<Option<(u64, &[u8])>> {
        loop {
            let lines = &self.buffer[self.start..self.whole];
            let found = if lines.is_empty() { None } else { needles.map_or(Some(0), |needles| needles.find(lines)) };
            if let Some(at) = found {
                let first = memrchr(b'\n', &lines[..at]).map_or(0, |end| end + 1);
                self.number += count(&lines[..first]) + 1;
                let first = self.start + first;
                let last = memchr(b'\n', &self.buffer[first..self.whole]).map_or(self.whole, |length| first + length);
                self.start = self.whole.min(last + 1);
                let line = &self.buffer[first..last.min(first + LINE)];
                return Ok(Some((self.number, line.strip_suffix(b"\r").unwrap_or(line))));
            }
            // A last line may lack its end.
            self.number += count(lines) + u64::from(lines.last().is_some_and(|&last| last != b'\n'));
            self.start = self.whole;
            if self.ended {
                return Ok(None);
            }
            self.fill()?;
        }
    }

    /// Reads on until there is a whole line, or nothing left.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        (self.start, self.whole) = (0, 0);
        loop {
            if self.end == self.buffer.len() {
                self.shorten()?;
            } else {
                self.read()?;
            }
            // Only what was read last can end a line, and it is the end of it that is sought.
            let end = memrchr(b'\n', &self.buffer[..self.end]).map(|end| end + 1);
            if let Some(whole) = if self.ended { Some(self.end) } else { end } {
                self.whole = whole;
                return Ok(());
            }
        }
    }

    fn read(&mut self) -> io::Result<()> {
        loop {
            match self.log.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.ended = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }

    /// The buffer is one unfinished line: drops all but its beginning, up to its end.
    fn shorten(&mut self) -> io::Result<()> {
        loop {
            self.end = LINE + 1;
            self.read()?;
            if self.ended {
                self.end = LINE;
                return Ok(());
            }
            if let Some(end) = memchr(b'\n', &self.buffer[LINE + 1..self.end]) {
                self.buffer.copy_within(LINE + 1 + end..self.end, LINE);
                self.end -= end + 1;
                return Ok(());
            }
        }
    }
}

/// How many lines end in `bytes`.
fn count(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a byte or a few at a time, as a pipe may.
    struct Dripping<'a>(&'a [u8], usize);

    impl Read for Dripping<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let amount = self.1.min(into.len()).min(self.0.len());
            into[..amount].copy_from_slice(&self.0[..amount]);
            self.0 = &self.0[amount..];
            Ok(amount)
        }
    }

    fn all(log: &[u8], at_once: usize, needles: Option<&Needles>) -> (Vec<(u64, Vec<u8>)>, u64) {
        let mut lines = Lines::with_buffer(Dripping(log, at_once), LINE + 100);
        let mut all = Vec::new();
        while let Some((number, line)) = lines.next(needles).unwrap() {
            all.push((number, line.to_vec()));
        }
        (all, lines.number())
    }

    fn expected(log: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let mut lines: Vec<&[u8]> = log.split(|&byte| byte == b'\n').collect();
        if lines.last().is_some_and(|last| last.is_empty()) {
            lines.pop();
        }
        let cut = |line: &[u8]| {
            let line = &line[..line.len().min(LINE)];
            line.strip_suffix(b"\r").unwrap_or(line).to_vec()
        };
        (1..).zip(lines.into_iter().map(cut)).collect()
    }

    #[test]
    fn lines_of_any_length_come_one_by_one() {
        let mut logs: Vec<Vec<u8>> =
            [&b""[..], b"\n", b"a", b"a\n", b"a\r\n\r\n\nb\0\xff\n", b"\r"].map(<[u8]>::to_vec).into();
        for length in [LINE - 1, LINE, LINE + 1, LINE + 98, LINE + 99, LINE + 100, LINE + 101, 3 * LINE] {
            for end in [&b""[..], b"\n", b"\nb", b"\nb\n", b"\r\n\n"] {
                logs.push([b"first\n", vec![b'x'; length].as_slice(), end].concat());
                logs.push([vec![b'x'; length].as_slice(), end].concat());
            }
        }
        for log in &logs {
            for at_once in [7_000, 65_000, usize::MAX] {
                let expected = expected(log);
                let (found, number) = all(log, at_once, None);
                assert!(found == expected, "{} bytes, {at_once} at once", log.len());
                assert_eq!(number, expected.len() as u64);
            }
        }
    }

    #[test]
    fn with_needles_the_others_are_only_counted() {
        let needles = Needles::new(vec![b"needle".to_vec(), b"pin".to_vec()]);
        let mut log = Vec::new();
        for number in 0..40_000 {
            let line = match number % 997 {
                1 => "a needle".to_owned(),
                2 => format!("pin{}", "x".repeat(number * 3)),
                _ => format!("hay {number}"),
            };
            log.extend_from_slice(line.as_bytes());
            log.push(b'\n');
        }
        log.extend_from_slice(b"hay, and no end");
        for at_once in [5_000, usize::MAX] {
            let (found, number) = all(&log, at_once, Some(&needles));
            let wanted = |line: &[u8]| line.starts_with(b"a needle") || line.starts_with(b"pin");
            assert!(found == expected(&log).into_iter().filter(|(_, line)| wanted(line)).collect::<Vec<_>>());
            assert_eq!(number, 40_001);
        }
    }
}
