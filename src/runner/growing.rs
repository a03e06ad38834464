//! A step's log in, which may be growing: what is new of it out, each byte once. It knows the two files that
//! [`super::capped`] writes, and writes none.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::fs::FileExt as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::capped::{Marks, beside};

/// What is read at once.
const PIECE: usize = 64 * 1024;

/// A log, and how far it has been read.
#[derive(Debug)]
pub struct GrowingLog {
    path: Utf8PathBuf,
    file: File,
    /// How many bytes of the file were read.
    read: u64,
    newest: Option<Newest>,
}

impl GrowingLog {
    /// Opens the log, none of which has been read.
    ///
    /// # Errors
    /// It cannot be opened, or is not there.
    pub fn open(path: &Utf8Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), file: File::open(path)?, read: 0, newest: None })
    }

    /// Writes what is new. Once the step has `ended` that is all there ever will be.
    ///
    /// # Errors
    /// Something cannot be read, or written.
    pub fn more(&mut self, ended: bool, out: &mut dyn Write) -> io::Result<()> {
        // Before the log itself is read: what is in it then is its beginning alone. If it is longer than that, they are being put
        // into it.
        if self.newest.is_none()
            && let Some(newest) = Newest::open(&self.path)?
            && self.file.metadata()?.len() <= newest.start
        {
            self.newest = Some(newest);
        }
        let most = self.newest.as_ref().map_or(u64::MAX, |newest| newest.start);
        self.read += io::copy(&mut (&self.file).take(most.saturating_sub(self.read)), out)?;
        let Some(newest) = &mut self.newest else { return Ok(()) };
        newest.more(out)?;
        if ended {
            // It has been put behind the beginning, and may be followed by a last word.
            let after = newest.end_in(&self.file)?;
            (&self.file).seek(SeekFrom::Start(after))?;
            io::copy(&mut &self.file, out)?;
        }
        Ok(())
    }
}

/// The file of the newest bytes. What was open stays readable when it is gone.
#[derive(Debug)]
struct Newest {
    file: File,
    room: u64,
    /// How long the log is that these come behind.
    start: u64,
    /// How many of them were read, or passed over.
    at: u64,
    /// How many of those were passed over and not told of yet.
    missed: u64,
}

impl Newest {
    /// Opens it, if there is one.
    fn open(log: &Utf8Path) -> io::Result<Option<Self>> {
        let file = match File::open(beside(log)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let Some(room) = file.metadata()?.len().checked_sub(Marks::LENGTH) else { return Ok(None) };
        let start = Marks::read(&file, room)?.start;
        Ok(Some(Self { file, room, start, at: 0, missed: 0 }))
    }

    /// Writes those that are there and have not been read.
    fn more(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let mut buffer = vec![0; PIECE];
        let until = Marks::read(&self.file, self.room)?.done;
        // The writer may have taken some back.
        self.at = self.at.min(until);
        while self.at < until {
            let place = self.at % self.room;
            let count = (self.room - place).min(until - self.at).min(PIECE as u64);
            let piece = &mut buffer[..usize::try_from(count).unwrap_or(PIECE)];
            self.file.read_exact_at(piece, place)?;
            // What another write may have begun to take the place of meanwhile is none of these bytes any more.
            let oldest = Marks::read(&self.file, self.room)?.begun.saturating_sub(self.room);
            if oldest > self.at {
                let passed = oldest.min(until) - self.at;
                (self.missed, self.at) = (self.missed + passed, self.at + passed);
                continue;
            }
            if self.missed > 0 {
                write!(out, "\n[farmout: {} bytes are left out here: more came than was read in time]\n", self.missed)?;
                self.missed = 0;
            }
            out.write_all(piece)?;
            self.at += count;
        }
        Ok(())
    }

    /// Where the last of them is in the log that they were put into.
    fn end_in(&self, log: &File) -> io::Result<u64> {
        let done = Marks::read(&self.file, self.room)?.done;
        let cut = done.saturating_sub(self.room);
        if cut == 0 {
            return Ok(self.start + done);
        }
        // A blank line's end, and the line that says how many are left out.
        let mut log = BufReader::new(log);
        log.seek(SeekFrom::Start(self.start))?;
        let line = log.skip_until(b'\n')? + log.skip_until(b'\n')?;
        Ok(self.start + line as u64 + (done - cut))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::bytes::Regex;

    use super::super::capped::Capped;
    use super::super::save::Readers;
    use super::*;

    fn log() -> (tempfile::TempDir, Utf8PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(folder.path().join("log")).unwrap();
        (folder, path)
    }

    proptest! {
        #[test]
        fn every_byte_is_read_once_or_said_to_be_left_out(
            half in 1u64..40,
            pieces in prop::collection::vec((1usize..30, any::<bool>()), 1..40),
        ) {
            let (_folder, path) = log();
            let whole: Vec<u8> = (0..2000).map(|at| b'a' + (at % 23) as u8).collect();
            let mut log = Capped::create(&path, Readers::None, Some(2 * half)).unwrap();
            let (mut reader, mut read, mut at) = (GrowingLog::open(&path).unwrap(), Vec::new(), 0);
            for (length, look) in pieces {
                log.write(&whole[at..at + length]);
                at += length;
                if look {
                    reader.more(false, &mut read).unwrap();
                }
            }
            log.finish();
            reader.more(true, &mut read).unwrap();
            // One that comes late has what is kept.
            let mut late = Vec::new();
            GrowingLog::open(&path).unwrap().more(true, &mut late).unwrap();
            prop_assert_eq!(late, std::fs::read(&path).unwrap());

            let left_out = Regex::new(r"\n\[farmout: (\d+) bytes are left out here: [^\n]*\]\n").unwrap();
            let (mut known, mut rest) = (0, read.as_slice());
            while let Some(found) = left_out.captures(rest) {
                let before = found.get(0).unwrap();
                prop_assert_eq!(&rest[..before.start()], &whole[known..known + before.start()]);
                let count: usize = std::str::from_utf8(&found[1]).unwrap().parse().unwrap();
                known += before.start() + count;
                rest = &rest[before.end()..];
            }
            prop_assert_eq!(rest, &whole[known..at]);
        }
    }

    #[test]
    fn what_is_looked_at_while_it_is_put_together_is_read_once() {
        let (folder, path) = log();
        let mut log = Capped::create(&path, Readers::None, Some(8)).unwrap();
        let (mut reader, mut read) = (GrowingLog::open(&path).unwrap(), Vec::new());
        log.write(b"abcdefghij");
        reader.more(false, &mut read).unwrap();
        // The other file is still there when the first one has grown already.
        std::fs::hard_link(beside(&path), folder.path().join("kept")).unwrap();
        log.finish();
        std::fs::rename(folder.path().join("kept"), beside(&path)).unwrap();
        for ended in [false, true] {
            reader.more(ended, &mut read).unwrap();
        }
        let left_out = "\n[farmout: 2 bytes are left out here: more came than was read in time]\n";
        assert_eq!(String::from_utf8(read).unwrap(), format!("abcd{left_out}ghij"));
    }
}
