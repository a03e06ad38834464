//! The journal of a run, `events.jsonl`: every event but output, one a line of JSON, appended as it happens. All that is
//! told of a run later is made from it. A runner that is killed loses at most the line it was writing.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::event::{Entry, Event, FORMAT};
use super::save::Readers;

/// The journal's name in the run's folder.
pub(super) const NAME: &str = "events.jsonl";
/// A file whose only use is that it can be removed when the disk is full, for the last lines and the result.
const RESERVE: &str = ".reserve";
const RESERVED: usize = 256 * 1024;

/// How far an event must have come when the runner goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// It survives the runner.
    Written,
    /// It survives the machine.
    OnDisk,
}

/// A journal that is being written, by several threads.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    /// By this others see that somebody writes.
    _lock: Option<Flock<File>>,
    reserve: Utf8PathBuf,
    /// The journal's time when this process began to write it, in seconds, and that moment.
    origin: (f64, Instant),
    writing: Mutex<Writing>,
    sync: bool,
    syncing: Mutex<Syncing>,
    synced: Condvar,
}

#[derive(Debug, Default)]
struct Writing {
    /// Lines that could not be written, and what was left of one.
    pending: Vec<u8>,
    problem: Option<String>,
    /// How many lines are in the file.
    lines: u64,
}

#[derive(Debug, Default)]
struct Syncing {
    /// How many lines surely are on the disk.
    done: u64,
    busy: bool,
}

impl Journal {
    /// Begins the journal of a run in its folder. Without `sync`, lines get to the disk when the system sees fit.
    pub(super) fn create(folder: &Utf8Path, readers: Readers, sync: bool) -> io::Result<Self> {
        let reserve = folder.join(RESERVE);
        Readers::None.create(&reserve)?.write_all(&vec![0; RESERVED])?;
        Self::open(folder, readers, reserve, 0.0, sync)
    }

    /// Goes on with the journal of a run whose runner is dead, which is `at` seconds old.
    pub(super) fn resume(folder: &Utf8Path, readers: Readers, at: f64) -> io::Result<Self> {
        let cut = is_cut(&folder.join(NAME))?;
        let journal = Self::open(folder, readers, folder.join(RESERVE), at, true)?;
        if cut {
            lock(&journal.writing).pending.push(b'\n');
        }
        Ok(journal)
    }

    fn open(folder: &Utf8Path, readers: Readers, reserve: Utf8PathBuf, at: f64, sync: bool) -> io::Result<Self> {
        let file = readers.append(&folder.join(NAME))?;
        let (writing, syncing, lock) = (Mutex::default(), Mutex::default(), take(&file));
        Ok(Self {
            file,
            _lock: lock,
            reserve,
            origin: (at, Instant::now()),
            writing,
            sync,
            syncing,
            synced: Condvar::new(),
        })
    }

    /// Seconds since the run began.
    pub(super) fn now(&self) -> f64 {
        super::result::round(self.origin.0 + self.origin.1.elapsed().as_secs_f64())
    }

    /// Adds the entry of an event, and tells of it: what is told of several threads comes in the order of the journal. What
    /// cannot be written is kept, and written with the next one that can.
    pub(super) fn append(&self, event: Event, durability: Durability, tell: &dyn Fn(&Entry)) {
        let mut writing = lock(&self.writing);
        let entry = entry(Some(self), event);
        if let Ok(line) = serde_json::to_vec(&entry) {
            writing.pending.extend_from_slice(&line);
            writing.pending.push(b'\n');
            self.write(&mut writing);
        }
        tell(&entry);
        let lines = writing.lines;
        drop(writing);
        if durability == Durability::OnDisk && self.sync {
            self.sync(lines);
        }
    }

    fn write(&self, writing: &mut Writing) {
        while !writing.pending.is_empty() {
            match (&self.file).write(&writing.pending) {
                Ok(count) => {
                    writing.pending.drain(..count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) if std::fs::remove_file(&self.reserve).is_ok() => {}
                Err(error) => {
                    writing.problem = Some(error.to_string());
                    return;
                }
            }
        }
        writing.problem = None;
        writing.lines += 1;
    }

    /// Waits until as many lines are on the disk. Threads that wait at the same time share one trip there.
    fn sync(&self, lines: u64) {
        let mut syncing = lock(&self.syncing);
        while syncing.done < lines {
            if syncing.busy {
                syncing = self.synced.wait(syncing).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            syncing.busy = true;
            drop(syncing);
            let until = lock(&self.writing).lines;
            // A disk that cannot is a full or a broken one; the next write says so.
            let _ = self.file.sync_data();
            syncing = lock(&self.syncing);
            syncing.done = syncing.done.max(until);
            syncing.busy = false;
            self.synced.notify_all();
        }
    }

    /// Ends the journal.
    ///
    /// # Errors
    /// Why the last entries are not in it.
    pub(super) fn finish(&self) -> Result<(), String> {
        let _ = std::fs::remove_file(&self.reserve);
        let mut writing = lock(&self.writing);
        self.write(&mut writing);
        writing.problem.take().map_or(Ok(()), Err)
    }
}

/// Locks the journal, if that can be done: nothing but what is said of the run hangs on it.
fn take(file: &File) -> Option<Flock<File>> {
    // Whoever looks whether it is locked has it for a moment.
    for _ in 0..20 {
        match Flock::lock(file.try_clone().ok()?, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => return Some(lock),
            Err((_, Errno::EWOULDBLOCK)) => std::thread::sleep(Duration::from_millis(5)),
            Err(_) => return None,
        }
    }
    None
}

/// A thread that panicked while it held this has left nothing half done that matters.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the file's last line has no end.
fn is_cut(path: &Utf8Path) -> io::Result<bool> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Reads a run's journal. Lines that are none of a journal's, such as the last one of a runner that was killed, are left
/// out.
///
/// # Errors
/// It cannot be read, or is one of a newer farmout's.
pub(super) fn read(folder: &Utf8Path) -> io::Result<Vec<Entry>> {
    let mut reader = BufReader::new(File::open(folder.join(NAME))?);
    let (mut entries, mut line) = (Vec::<Entry>::new(), Vec::new());
    while reader.read_until(b'\n', &mut line)? > 0 {
        if entries.is_empty() {
            check_format(&line)?;
        }
        entries.extend(serde_json::from_slice(&line));
        line.clear();
    }
    Ok(entries)
}

/// The first line says which format the journal has; the rest of a later format may be anything.
pub(super) fn check_format(line: &[u8]) -> io::Result<()> {
    #[derive(serde::Deserialize)]
    struct First {
        format: u32,
    }
    match serde_json::from_slice(line) {
        Ok(First { format }) if format > FORMAT => {
            let message = format!("it has format {format}, and this farmout reads {FORMAT}");
            Err(io::Error::new(io::ErrorKind::Unsupported, message))
        }
        _ => Ok(()),
    }
}

/// The entry of an event that happens now.
pub(super) fn entry(journal: Option<&Journal>, event: Event) -> Entry {
    Entry { time: Timestamp::now(), at: journal.map_or(0.0, Journal::now), event }
}
