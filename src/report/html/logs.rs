//! Logs on their way into a page: files in, blocks of compressed text out, and where in them each log is. A page holds a
//! bounded amount of them; of a log that is longer than its share the middle is left out.

use std::fs::{self, File};
use std::io::{self, Read, Seek as _, SeekFrom, Write as _};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use camino::Utf8Path;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::model::{Run, Step};

/// The bytes of all logs that a page holds at most: a browser has to keep them in memory.
const MOST: u64 = 192 << 20;
/// A block that has this many bytes gets no further log. A browser unpacks the whole block to show one of its logs.
const BLOCK: usize = 1 << 20;

/// How many bytes of one log are kept, so that those of all logs do not exceed [`MOST`]: the longest are cut first.
pub(super) fn share(run: &Run) -> u64 {
    let steps = run.builders.iter().flat_map(|builder| &builder.steps);
    share_of(steps.flat_map(Step::logs).map(|path| size(path)).collect(), MOST)
}

fn share_of(mut sizes: Vec<u64>, most: u64) -> u64 {
    sizes.sort_unstable();
    let (mut rest, mut left) = (most, sizes.len() as u64);
    for size in sizes {
        if size > rest / left {
            return rest / left;
        }
        (rest, left) = (rest - size, left - 1);
    }
    most
}

/// The size of a file. A symbolic link is none: it could lead out of the run's folder.
fn size(path: &Utf8Path) -> u64 {
    fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file).map_or(0, |data| data.len())
}

/// What a page holds of one log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Log {
    /// Its bytes, as they are in the file; without those of the gap.
    pub(super) bytes: Vec<u8>,
    /// How many lines the file has.
    pub(super) lines: u64,
    /// What is left out.
    pub(super) gap: Option<Gap>,
}

/// Lines that are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    /// How many lines come before it.
    pub(super) after: u64,
    /// How many lines it has.
    pub(super) lines: u64,
}

impl Log {
    /// Reads at most `share` bytes of a log: all of it, or its beginning and, three times as long, its end.
    pub(super) fn read(path: &Utf8Path, share: u64) -> io::Result<Self> {
        if !fs::symlink_metadata(path)?.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        let size = size(path);
        let mut file = File::open(path)?;
        let mut bytes = Vec::with_capacity(usize::try_from(size.min(share)).unwrap_or(0));
        if size <= share {
            (&mut file).take(share).read_to_end(&mut bytes)?;
            let lines = count(&bytes);
            return Ok(Self { bytes, lines, gap: None });
        }
        (&mut file).take(share / 4).read_to_end(&mut bytes)?;
        // Whole lines, as far as there are any.
        bytes.truncate(memchr::memrchr(b'\n', &bytes).map_or(bytes.len(), |end| end + 1));
        let from = size - share * 3 / 4;
        let between = count_ends(&mut file, bytes.len() as u64, from)?;
        if bytes.last().is_some_and(|&last| last != b'\n') {
            bytes.push(b'\n');
        }
        let after = count(&bytes);
        let mut end = Vec::new();
        file.take(share).read_to_end(&mut end)?;
        let begin = memchr::memchr(b'\n', &end).map_or(0, |end| end + 1);
        bytes.extend_from_slice(&end[begin..]);
        // The line that began before `from` is left out too.
        let gap = Gap { after, lines: between + 1 };
        Ok(Self { lines: count(&bytes) + gap.lines, bytes, gap: Some(gap) })
    }
}

/// How many lines a text has. One without a line end at the end of the text is one, too.
fn count(bytes: &[u8]) -> u64 {
    let ends = memchr::memchr_iter(b'\n', bytes).count() as u64;
    ends + u64::from(bytes.last().is_some_and(|&last| last != b'\n'))
}

/// How many lines end between two places of a file. The file is then at the second one.
fn count_ends(file: &mut File, from: u64, to: u64) -> io::Result<u64> {
    file.seek(SeekFrom::Start(from))?;
    let (mut buffer, mut rest, mut ends) = (vec![0; 1 << 16], file.take(to.saturating_sub(from)), 0);
    loop {
        match rest.read(&mut buffer)? {
            0 => return Ok(ends),
            length => ends += memchr::memchr_iter(b'\n', &buffer[..length]).count() as u64,
        }
    }
}

/// Where a log is: in which block of its builder, from which byte to which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) block: usize,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Logs, one after the other, in blocks.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    full: Vec<String>,
    current: Vec<u8>,
}

impl Blocks {
    /// Adds a log, whole, to the last block.
    pub(super) fn add(&mut self, bytes: &[u8]) -> io::Result<Place> {
        let place = Place { block: self.full.len(), from: self.current.len(), to: self.current.len() + bytes.len() };
        if bytes.len() >= BLOCK && self.current.is_empty() {
            self.full.push(pack(bytes)?);
            return Ok(place);
        }
        self.current.extend_from_slice(bytes);
        if self.current.len() >= BLOCK {
            self.full.push(pack(&self.current)?);
            self.current.clear();
        }
        Ok(place)
    }

    /// The blocks: gzip, as base64.
    pub(super) fn finish(mut self) -> io::Result<Vec<String>> {
        if !self.current.is_empty() {
            self.full.push(pack(&self.current)?);
        }
        Ok(self.full)
    }
}

fn pack(bytes: &[u8]) -> io::Result<String> {
    let mut packed = GzEncoder::new(Vec::with_capacity(bytes.len() / 6), Compression::fast());
    packed.write_all(bytes)?;
    Ok(BASE64_STANDARD.encode(packed.finish()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_logs_are_cut() {
        assert_eq!(share_of(vec![], 100), 100);
        assert_eq!(share_of(vec![10, 20, 70], 100), 100);
        assert_eq!(share_of(vec![1000, 10, 500, 20], 100), 35);
    }

    fn log(text: &str, share: u64) -> (Log, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(folder.path()).unwrap().join("log");
        fs::write(&path, text).unwrap();
        let log = Log::read(&path, share).unwrap();
        let kept = String::from_utf8(log.bytes.clone()).unwrap();
        (log, kept)
    }

    #[test]
    fn the_middle_of_a_long_log_is_left_out_and_its_lines_are_counted() {
        let text: String = (1..=100).map(|number| format!("line {number:04}\n")).collect();
        let (whole, kept) = log(&text, 1000);
        assert_eq!((whole.lines, whole.gap, kept.as_str()), (100, None, text.as_str()));

        let (cut, kept) = log(&text, 100);
        assert_eq!(
            kept,
            "line 0001\nline 0002\nline 0094\nline 0095\nline 0096\nline 0097\nline 0098\nline 0099\nline 0100\n"
        );
        assert_eq!((cut.lines, cut.gap), (100, Some(Gap { after: 2, lines: 91 })));

        // The last line need not end.
        let (cut, kept) = log(text.trim_end(), 100);
        assert!(kept.ends_with("line 0100"), "{kept}");
        assert_eq!((cut.lines, cut.gap.unwrap().lines + count(&cut.bytes)), (100, 100));
    }

    #[test]
    fn a_long_log_of_one_line_is_cut_too() {
        let (cut, kept) = log(&"x".repeat(1000), 100);
        assert_eq!(kept.len(), 25 + 1 + 75);
        assert_eq!(cut.gap.unwrap().after, 1);
    }

    #[test]
    fn logs_share_blocks_until_one_is_full() {
        let mut blocks = Blocks::default();
        let places: Vec<_> = [10, 20, BLOCK, 5, 2 * BLOCK, BLOCK, 0]
            .map(|size| blocks.add(&vec![b'x'; size]).unwrap())
            .map(|place| (place.block, place.from))
            .into();
        assert_eq!(places, [(0, 0), (0, 10), (0, 30), (1, 0), (1, 5), (2, 0), (3, 0)]);
        assert_eq!(blocks.finish().unwrap().len(), 3);
    }
}
