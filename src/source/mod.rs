//! The user's files: their text, and places in them. Reads files; knows nothing of what they mean.

mod excerpt;
mod text;

use std::fs;
use std::io::{self, Read as _};
use std::ops::Range;
use std::sync::OnceLock;

use camino::{Utf8Path, Utf8PathBuf};

pub use excerpt::is_unseen;
pub use text::Text;

/// Larger files are refused: no manifest comes near, and what is made of a file takes many times its size.
const LARGEST: u64 = 256 << 20;
/// Files of more lines are refused: a line becomes a section, an option or a report, each of some hundred bytes.
const MOST_LINES: usize = 3_000_000;

/// One of the [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// A range of bytes in one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The source.
    pub source: SourceId,
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    /// The bytes `range` of `source`. Sources are below 4 GiB, so the offsets fit.
    pub fn new(source: SourceId, range: Range<usize>) -> Self {
        let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self { source, start: offset(range.start), end: offset(range.end) }
    }

    /// The range of bytes.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The empty span at its beginning.
    #[must_use]
    pub fn beginning(self) -> Self {
        Self { end: self.start, ..self }
    }

    /// From the beginning of this one to the end of `other`; only this one where `other` stands elsewhere, as what a
    /// reference put in does.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        let follows = other.source == self.source && other.end >= self.end;
        Self { end: if follows { other.end } else { self.end }, ..self }
    }
}

/// A text and the name by which messages call it.
#[derive(Debug)]
pub struct Source {
    name: String,
    text: String,
    /// Where bytes that are no UTF-8 became longer or shorter: behind each, an offset in the text and the one in the file.
    shifts: Vec<(usize, usize)>,
    /// Offsets of the first byte of each line; made when first asked for.
    lines: OnceLock<Vec<usize>>,
    /// Ranges that are never shown.
    hidden: Vec<Range<usize>>,
    /// The text without what is hidden; made when first shown.
    visible: OnceLock<Vec<u8>>,
}

impl Source {
    fn new(name: String, text: String) -> Self {
        Self { name, text, shifts: Vec::new(), lines: OnceLock::new(), hidden: Vec::new(), visible: OnceLock::new() }
    }

    /// The name by which messages call it: its path as the user would write it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Line and column of a byte, both from 1; the column counts characters.
    pub fn position(&self, at: usize) -> (usize, usize) {
        let at = at.min(self.text.len());
        let line = self.line_of(at);
        let start = self.lines()[line];
        // An editor shows no byte order mark.
        let start = if line == 0 { self.mark().min(at) } else { start };
        (line + 1, self.text.get(start..at).map_or(0, |before| before.chars().count()) + 1)
    }

    /// How long the byte order mark is, if there is one.
    fn mark(&self) -> usize {
        if self.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
    }

    /// The offset, in the file, of a byte of the text. They differ behind bytes that are no UTF-8.
    pub fn offset(&self, at: usize) -> usize {
        match self.shifts.partition_point(|(text, _)| *text <= at).checked_sub(1) {
            Some(index) => self.shifts[index].1 + (at - self.shifts[index].0),
            None => at,
        }
    }

    /// What is never shown of it, with the range where it stands.
    pub fn hidden(&self) -> impl Iterator<Item = (Range<usize>, &str)> {
        self.hidden.iter().map(|range| (range.clone(), self.text.get(range.clone()).unwrap_or_default()))
    }

    /// The line of a byte, from 1.
    pub fn line(&self, at: usize) -> usize {
        self.line_of(at.min(self.text.len())) + 1
    }

    /// The bytes of the lines that a range is on, without the last line end.
    pub(crate) fn lines_of(&self, range: Range<usize>) -> Range<usize> {
        let (first, last) = (self.line_of(range.start), self.line_of(range.end));
        self.lines()[first]..self.lines().get(last + 1).map_or(self.text.len(), |next| next - 1)
    }

    fn lines(&self) -> &[usize] {
        self.lines.get_or_init(|| {
            let after = self.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
            std::iter::once(0).chain(after).collect()
        })
    }

    fn line_of(&self, at: usize) -> usize {
        self.lines().partition_point(|start| *start <= at) - 1
    }
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A directory where a file was expected.
    #[error("{0} is a directory, not a file")]
    Directory(Utf8PathBuf),
    /// The operating system's reason.
    #[error("cannot read {0}: {1}")]
    Io(Utf8PathBuf, io::Error),
    /// It does not exist.
    #[error("{0} does not exist")]
    Missing(Utf8PathBuf),
    /// It is no text that a person could have written.
    #[error("{0} is larger than {most} MiB: that is no farm file", most = LARGEST >> 20)]
    TooLarge(Utf8PathBuf),
    /// Nor this.
    #[error("{0}:{line}: more than {MOST_LINES} lines: that is no farm file", line = MOST_LINES + 1)]
    TooManyLines(Utf8PathBuf),
}

/// A file that was read.
#[derive(Debug)]
pub struct Read {
    /// The source it became.
    pub id: SourceId,
    /// Offset, in the file, of the first byte that is no UTF-8, and its place in the text, where such bytes became
    /// U+FFFD.
    pub invalid: Option<(usize, Span)>,
}

/// Bytes as text, what is no UTF-8 as U+FFFD; with the offsets behind each such place, in the text and among the bytes.
fn lossy(bytes: &[u8]) -> (String, Vec<(usize, usize)>) {
    let (mut text, mut shifts, mut at) = (String::with_capacity(bytes.len()), Vec::new(), 0);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        at += chunk.valid().len() + chunk.invalid().len();
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
            shifts.push((text.len(), at));
        }
    }
    (text, shifts)
}

/// Whether a file has too many lines. The last one may do without a line end.
fn is_too_long(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', bytes).nth(MOST_LINES - 1).is_some_and(|end| end + 1 < bytes.len())
}

/// All texts of one compilation.
#[derive(Debug, Default)]
pub struct Sources {
    sources: Vec<Source>,
}

impl Sources {
    /// Adds a text that is no file, under a name such as `<detected>`.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> SourceId {
        let id = SourceId(u32::try_from(self.sources.len()).unwrap_or(u32::MAX));
        self.sources.push(Source::new(name.into(), text.into()));
        id
    }

    /// Reads a file; `name` is how messages call it. A byte order mark is left to the parser, since it has a place.
    ///
    /// # Errors
    /// See [`ReadError`]. Bytes that are no UTF-8 are no error here: see [`Read::invalid`].
    pub fn read(&mut self, path: &Utf8Path, name: impl Into<String>) -> Result<Read, ReadError> {
        let io = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => ReadError::Missing(path.to_owned()),
            io::ErrorKind::IsADirectory => ReadError::Directory(path.to_owned()),
            _ => ReadError::Io(path.to_owned(), error),
        };
        let metadata = fs::metadata(path).map_err(io)?;
        if metadata.is_dir() {
            return Err(ReadError::Directory(path.to_owned()));
        }
        if metadata.len() > LARGEST {
            return Err(ReadError::TooLarge(path.to_owned()));
        }
        let bytes = fs::read(path).map_err(io)?;
        if is_too_long(&bytes) {
            return Err(ReadError::TooManyLines(path.to_owned()));
        }
        Ok(self.bytes(bytes, name))
    }

    /// Reads standard input, whose name in messages is `name`.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn standard_input(&mut self, name: &str) -> Result<Read, ReadError> {
        let io = |error| ReadError::Io(name.into(), error);
        let mut bytes = Vec::new();
        io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > LARGEST {
            return Err(ReadError::TooLarge(name.into()));
        }
        if is_too_long(&bytes) {
            return Err(ReadError::TooManyLines(name.into()));
        }
        Ok(self.bytes(bytes, name))
    }

    fn bytes(&mut self, bytes: Vec<u8>, name: impl Into<String>) -> Read {
        match String::from_utf8(bytes) {
            Ok(text) => Read { id: self.add(name, text), invalid: None },
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let (text, shifts) = lossy(error.as_bytes());
                let id = self.add(name, text);
                self.sources[id.0 as usize].shifts = shifts;
                // Everything before the first bad byte is the same in the lossy text, so the offset holds there too.
                Read { id, invalid: Some((at, Span::new(id, at..at + char::REPLACEMENT_CHARACTER.len_utf8()))) }
            }
        }
    }

    /// Calls sources by other names, for files that are not where the user knows them.
    pub fn rename(&mut self, name: impl Fn(&str) -> String) {
        for source in &mut self.sources {
            source.name = name(&source.name);
        }
    }

    /// The source with this id.
    pub fn get(&self, id: SourceId) -> &Source {
        &self.sources[id.0 as usize]
    }

    /// What stands at `span`.
    pub fn slice(&self, span: Span) -> &str {
        self.get(span.source).text.get(span.range()).unwrap_or_default()
    }

    /// Never shows these bytes in an excerpt: they hold a secret.
    pub fn hide(&mut self, span: Span) {
        let source = &mut self.sources[span.source.0 as usize];
        source.visible = OnceLock::new();
        source.hidden.push(span.range());
    }

    /// All of them, in the order in which they were read.
    pub fn iter(&self) -> impl Iterator<Item = (SourceId, &Source)> {
        self.sources.iter().zip(0..).map(|(source, id)| (SourceId(id), source))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }
}
