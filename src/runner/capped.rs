//! A log's bytes in, a file out that is not longer than its limit: the first half of as many bytes, and the last. What
//! cannot be written is counted, and the file says where it is missing. No failure goes out before the end.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::save::Readers;
use crate::diagnostic::plain;

/// Between two tries to write where it failed.
const RETRY: Duration = Duration::from_secs(1);
/// What is read at once when the parts are put together.
const PIECE: usize = 256 * 1024;
/// No line about missing bytes is longer, but for what the system says of it.
const LINE: u64 = 200;

/// A log that is being written. Its beginning is in the file itself. If there is more, the newest bytes are in another
/// file beside it, `.end`, round and round, until both are put together.
#[derive(Debug)]
pub(super) struct Capped {
    path: Utf8PathBuf,
    readers: Readers,
    limit: Option<u64>,
    start: Part,
    end: Option<Part>,
    /// Bytes that are missing after what was written last.
    lost: u64,
    /// Bytes that are missing altogether, and why the last of them are.
    missing: u64,
    why: String,
    tried: Option<Instant>,
}

impl Capped {
    /// Begins a log at `path`.
    pub(super) fn create(path: &Utf8Path, readers: Readers, limit: Option<u64>) -> io::Result<Self> {
        let start = Part { file: readers.create(path)?, ring: None, bytes: 0 };
        let (path, end, why, tried) = (path.to_owned(), None, String::new(), None);
        Ok(Self { path, readers, limit, start, end, lost: 0, missing: 0, why, tried })
    }

    /// Takes more of the log.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        let room = self.limit.map_or(u64::MAX, |limit| (limit / 2).saturating_sub(self.start.bytes));
        let (first, rest) = bytes.split_at(usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len()));
        for piece in [first, rest] {
            if !piece.is_empty() {
                self.keep(piece);
            }
        }
    }

    fn keep(&mut self, piece: &[u8]) {
        let wait = self.tried.is_some_and(|tried| tried.elapsed() < RETRY);
        let kept = if !wait && self.close_gap() { self.put(piece) } else { 0 };
        let lost = (piece.len() - kept) as u64;
        self.lost += lost;
        self.missing += lost;
    }

    /// Says what is missing, if something is. Whether it could be said.
    fn close_gap(&mut self) -> bool {
        if self.lost > 0 {
            let line = gap(self.lost, &self.why);
            let put = self.put(line.as_bytes());
            if put < line.len() {
                if let Ok(part) = self.part() {
                    part.take_back(put);
                }
                return false;
            }
            self.lost = 0;
        }
        true
    }

    /// Adds these bytes; how many of them it could.
    fn put(&mut self, bytes: &[u8]) -> usize {
        let put = self.part().map_err(Short::from).and_then(|part| part.put(bytes));
        self.tried = put.is_err().then(Instant::now);
        match put {
            Ok(()) => bytes.len(),
            Err(short) => {
                self.why = plain(&short.error.to_string());
                short.taken
            }
        }
    }

    /// What is written to now.
    fn part(&mut self) -> io::Result<&mut Part> {
        let Some(half) = self.limit.map(|limit| limit / 2).filter(|&half| self.start.bytes >= half) else {
            return Ok(&mut self.start);
        };
        match &mut self.end {
            Some(end) => Ok(end),
            end => {
                let file = self.readers.create(&beside(&self.path))?;
                let ring = Ring { room: half.max(1), start: self.start.bytes };
                Marks { start: ring.start, begun: 0, done: 0 }.write(&file, ring.room)?;
                Ok(end.insert(Part { file, ring: Some(ring), bytes: 0 }))
            }
        }
    }

    /// Puts the log together. If it is not complete: why, in a sentence about the step.
    pub(super) fn finish(mut self) -> Option<String> {
        let mut cut = 0;
        if let Some(end) = self.end.take() {
            cut = end.bytes.saturating_sub(end.ring.map_or(u64::MAX, |ring| ring.room));
            if let Err(error) = self.join(&end, cut) {
                return Some(plain(&format!("its log is incomplete: {error}; its end is in {}", beside(&self.path))));
            }
        }
        if !self.close_gap() {
            self.overwrite();
        }
        match (self.missing, cut) {
            (0, 0) => None,
            (0, cut) => Some(format!("its log is cut: {cut} bytes in its middle are left out")),
            (missing, _) => Some(format!("its log is incomplete: {}; {missing} bytes are missing", self.why)),
        }
    }

    fn join(&mut self, end: &Part, cut: u64) -> io::Result<()> {
        if let (1.., Some(limit)) = (cut, self.limit) {
            let line = format!(
                "\n[farmout: {cut} bytes are left out here: a log keeps {limit} bytes of a step's output; `keep: {{log: …}}` in farm.yaml is the limit]\n"
            );
            self.start.put(line.as_bytes()).map_err(|short| short.error)?;
        }
        // What is opened for writing cannot be read.
        let path = beside(&self.path);
        let source = Part { file: File::open(&path)?, ..*end };
        let mut buffer = vec![0; PIECE];
        let mut at = cut;
        while at < end.bytes {
            let count = source.read(at, &mut buffer)?;
            self.start.put(&buffer[..count]).map_err(|short| short.error)?;
            at += count as u64;
        }
        std::fs::remove_file(path)
    }

    /// Says in place of the last bytes that more are missing: on a disk that is full this is the only room.
    fn overwrite(&mut self) {
        let room = (LINE + self.why.len() as u64).min(self.start.bytes);
        let line = gap(self.lost + room, &self.why);
        if line.len() as u64 <= room && self.start.file.write_all_at(line.as_bytes(), self.start.bytes - room).is_ok() {
            self.missing += room;
            let _ = self.start.file.set_len(self.start.bytes - room + line.len() as u64);
        }
    }
}

/// Where the newest bytes of a log are while it is written.
pub(super) fn beside(path: &Utf8Path) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("{path}.end"))
}

fn gap(bytes: u64, why: &str) -> String {
    format!("\n[farmout: {bytes} bytes are missing here: {why}]\n")
}

/// How far the file of the newest bytes has come: what stands behind them in it, for those who read it meanwhile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    /// How long the log is that they come behind.
    pub(super) start: u64,
    /// How many bytes there are once what is being written is: of older ones those that it takes the place of are lost.
    pub(super) begun: u64,
    /// How many there are.
    pub(super) done: u64,
}

impl Marks {
    /// How long they are.
    pub(super) const LENGTH: u64 = 24;

    fn write(self, file: &File, room: u64) -> io::Result<()> {
        let bytes = [self.start, self.begun, self.done].map(u64::to_le_bytes).concat();
        file.write_all_at(&bytes, room)
    }

    /// Reads those of a file that has room for so many bytes before them.
    pub(super) fn read(file: &File, room: u64) -> io::Result<Self> {
        let number = |index: u64| {
            let mut bytes = [0; 8];
            file.read_exact_at(&mut bytes, room + 8 * index).map(|()| u64::from_le_bytes(bytes))
        };
        Ok(Self { start: number(0)?, begun: number(1)?, done: number(2)? })
    }
}

/// What makes a file one of the newest bytes: the byte number `n` is at `n % room`.
#[derive(Debug, Clone, Copy)]
struct Ring {
    room: u64,
    /// The length of the log before them.
    start: u64,
}

/// A file of bytes, of all or of the newest ones.
#[derive(Debug)]
struct Part {
    file: File,
    ring: Option<Ring>,
    /// How many there were.
    bytes: u64,
}

/// Why not all bytes were taken.
#[derive(Debug)]
struct Short {
    taken: usize,
    error: io::Error,
}

impl From<io::Error> for Short {
    fn from(error: io::Error) -> Self {
        Self { taken: 0, error }
    }
}

impl Part {
    /// Takes the bytes, or the first of them.
    fn put(&mut self, bytes: &[u8]) -> Result<(), Short> {
        self.mark(self.bytes + bytes.len() as u64);
        let put = self.put_unmarked(bytes);
        self.mark(self.bytes);
        put
    }

    /// Says how far it has come, and will have. Whoever reads it meanwhile needs that, and nothing else does.
    fn mark(&self, begun: u64) {
        if let Some(Ring { room, start }) = self.ring {
            let _ = Marks { start, begun, done: self.bytes }.write(&self.file, room);
        }
    }

    fn put_unmarked(&mut self, bytes: &[u8]) -> Result<(), Short> {
        // Those that would be written over at once are not written.
        let room = self.ring.map_or(u64::MAX, |ring| ring.room);
        let skipped = bytes.len().saturating_sub(usize::try_from(room).unwrap_or(usize::MAX));
        let mut taken = skipped;
        self.bytes += skipped as u64;
        while taken < bytes.len() {
            let (place, room) = self.place(self.bytes);
            let piece = &bytes[taken..];
            let piece = &piece[..usize::try_from(room).unwrap_or(usize::MAX).min(piece.len())];
            match self.file.write_at(piece, place) {
                Ok(0) => return Err(Short { taken, error: io::ErrorKind::WriteZero.into() }),
                Ok(count) => {
                    taken += count;
                    self.bytes += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Short { taken, error }),
            }
        }
        Ok(())
    }

    /// Gives up the newest bytes.
    fn take_back(&mut self, count: usize) {
        self.bytes -= count as u64;
        self.mark(self.bytes);
        if self.ring.is_none() {
            let _ = self.file.set_len(self.bytes);
        }
    }

    /// Reads some bytes from the one with the number `at` on.
    fn read(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let (place, room) = self.place(at);
        let most = usize::try_from(room.min(self.bytes - at)).unwrap_or(usize::MAX).min(buffer.len());
        self.file.read_exact_at(&mut buffer[..most], place)?;
        Ok(most)
    }

    /// Where a byte is, and how many have room from there on.
    fn place(&self, at: u64) -> (u64, u64) {
        self.ring.map_or((at, u64::MAX), |Ring { room, .. }| (at % room, room - at % room))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn log(limit: Option<u64>, pieces: &[&[u8]]) -> (Vec<u8>, Option<String>, usize) {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(folder.path().join("log")).unwrap();
        let mut log = Capped::create(&path, Readers::None, limit).unwrap();
        let mut most = 0;
        for piece in pieces {
            log.write(piece);
            let sizes = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
            most = most.max(sizes.sum());
        }
        assert!(limit.is_none_or(|limit| most <= limit + Marks::LENGTH), "{most} bytes on the disk");
        let told = log.finish();
        (std::fs::read(&path).unwrap(), told, folder.path().read_dir().unwrap().count())
    }

    #[test]
    fn what_is_not_too_long_is_kept_whole() {
        assert_eq!(log(None, &[b"abc", b"def"]), (b"abcdef".to_vec(), None, 1));
        assert_eq!(log(Some(6), &[b"ab", b"cdef"]), (b"abcdef".to_vec(), None, 1));
        assert_eq!(log(Some(6), &[]), (Vec::new(), None, 1));
    }

    proptest! {
        #[test]
        fn of_what_is_too_long_both_ends_are_kept(half in 1u64..20, lengths in prop::collection::vec(1usize..50, 1..20)) {
            let whole: Vec<u8> = (0..lengths.iter().sum::<usize>()).map(|at| b'a' + (at % 23) as u8).collect();
            let mut rest = whole.as_slice();
            let pieces: Vec<&[u8]> = lengths.iter().map(|&length| rest.split_off(..length).unwrap()).collect();
            let (kept, told, files) = log(Some(2 * half), &pieces);
            prop_assert_eq!(files, 1);
            let half = half as usize;
            if whole.len() <= 2 * half {
                prop_assert_eq!((kept, told), (whole, None));
            } else {
                let cut = whole.len() - 2 * half;
                let bytes = format!("{cut} bytes");
                prop_assert!(told.unwrap().contains(&bytes));
                let line = format!(
                    "\n[farmout: {cut} bytes are left out here: a log keeps {} bytes of a step's output; `keep: {{log: …}}` in farm.yaml is the limit]\n",
                    2 * half
                );
                let wanted = [&whole[..half], line.as_bytes(), &whole[half + cut..]].concat();
                prop_assert_eq!(String::from_utf8(kept).unwrap(), String::from_utf8(wanted).unwrap());
            }
        }
    }
}
