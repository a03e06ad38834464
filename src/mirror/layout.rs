//! Where mirrors are: a directory in; paths in it, and the lock that whoever changes anything there holds, out.
//!
//! ```text
//! DIR/git/HOST-PATH-HASH/       the mirror, a bare repository
//! DIR/git/HOST-PATH-HASH.json   what is known of it
//! DIR/hg/…, DIR/bzr/…           likewise
//! DIR/*/.new-*, .old-*          what is being made, and removed
//! DIR/mirrors.lock
//! ```

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::watched::{Repository, word};
use crate::diagnostic::Failure;
use crate::model::Vcs;
use crate::tool::files;
use crate::workspace::folder::Folder;
use crate::workspace::lock::Lock;
use crate::workspace::stray::{self, Mark};

/// How names begin of what is made, removed, or for one call only.
const NEW: &str = ".new-";
const OLD: &str = ".old-";
pub(super) const PRIVATE: &str = ".private-";
/// How long the kernel may take to end what a killed update has left at work.
const AFTERMATH: Duration = Duration::from_secs(5);

/// A directory of mirrors.
#[derive(Debug, Clone)]
pub struct Mirrors {
    root: Utf8PathBuf,
}

/// The right to change mirrors, until this is dropped or the process ends, however it does.
#[derive(Debug)]
pub struct Held {
    _lock: Lock,
}

impl Mirrors {
    /// The mirrors in this directory, which is there.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The directory.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// What the processes that work on these mirrors carry.
    pub(super) fn mark(&self) -> Mark {
        Mark::mirrors(self.root.as_str())
    }

    /// Takes the lock, and clears away what a killed process has left. If another has the lock, what it says of itself.
    ///
    /// # Errors
    /// The directory cannot be used.
    pub fn take(&self, command: &str) -> Result<Result<Held, String>, Failure> {
        let note = format!("`farmout mirror {command}`, process {}", std::process::id());
        let lock = Folder::open(&self.root).and_then(|folder| Lock::attempt(&folder, "mirrors", &note, None));
        let lock = match lock.map_err(|error| self.unusable(&error))? {
            Ok(lock) => lock,
            Err(holder) => return Ok(Err(holder.unwrap_or_else(|| "another process".to_owned()))),
        };
        self.end_strays();
        self.tidy().map_err(|error| self.unusable(&error))?;
        Ok(Ok(Held { _lock: lock }))
    }

    /// Ends the clients of a process that was killed: the lock went with it, and they would go on beside ours.
    fn end_strays(&self) {
        let end = Instant::now() + AFTERMATH;
        loop {
            let left: Vec<_> = self.mark().processes(None).iter().map(|it| it.id(crate::group::boot())).collect();
            stray::kill(&left);
            if left.is_empty() || Instant::now() >= end {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn tidy(&self) -> io::Result<()> {
        for vcs in SYSTEMS {
            let directory = self.of(vcs);
            fs::create_dir_all(&directory)?;
            for entry in directory.read_dir_utf8()? {
                let entry = entry?;
                if [NEW, OLD, PRIVATE].iter().any(|mark| entry.file_name().starts_with(mark)) {
                    files::remove(entry.path().as_std_path())?;
                }
            }
        }
        Ok(())
    }

    fn unusable(&self, error: &io::Error) -> Failure {
        Failure::misuse(format!("cannot use the mirrors in {}: {error}", self.root))
            .help("name another directory with --mirrors, or run it as the user that the directory belongs to")
    }

    /// The directory of one system's mirrors.
    pub(super) fn of(&self, vcs: Vcs) -> Utf8PathBuf {
        self.root.join(word(vcs))
    }

    /// The places of a repository.
    pub(super) fn places(&self, repository: &Repository) -> Places {
        Places::new(&self.of(repository.vcs), &repository.directory)
    }
}

/// All systems, in the order in which they are told of.
pub(super) const SYSTEMS: [Vcs; 3] = [Vcs::Bzr, Vcs::Git, Vcs::Hg];

/// The places of one mirror.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// The mirror itself.
    pub(super) mirror: Utf8PathBuf,
    /// What is known of it.
    pub(super) state: Utf8PathBuf,
    /// Where it is made.
    pub(super) aside: Utf8PathBuf,
    /// Where it goes to be removed.
    old: Utf8PathBuf,
}

impl Places {
    pub(super) fn new(directory: &Utf8Path, name: &str) -> Self {
        Self {
            mirror: directory.join(name),
            state: directory.join(format!("{name}.json")),
            aside: directory.join(format!("{NEW}{name}")),
            old: directory.join(format!("{OLD}{name}")),
        }
    }

    /// An empty place to make the mirror in; the directory itself is not there.
    pub(super) fn clear_aside(&self) -> io::Result<&Utf8Path> {
        files::remove(self.aside.as_std_path())?;
        Ok(&self.aside)
    }

    /// Puts what was made aside in the mirror's place. A kill in between leaves no mirror, and the next update makes it.
    pub(super) fn settle(&self) -> io::Result<()> {
        self.clear_mirror()?;
        fs::rename(&self.aside, &self.mirror)?;
        files::remove(self.old.as_std_path())
    }

    /// Removes the mirror and what is known of it.
    pub(super) fn remove(&self) -> io::Result<()> {
        self.clear_mirror()?;
        files::remove(self.state.as_std_path())?;
        files::remove(self.old.as_std_path())
    }

    fn clear_mirror(&self) -> io::Result<()> {
        files::remove(self.old.as_std_path())?;
        match fs::rename(&self.mirror, &self.old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// What the files below a directory take, in bytes. What vanishes meanwhile does not count.
pub(super) fn size(directory: &Utf8Path) -> u64 {
    let Ok(entries) = directory.read_dir_utf8() else { return 0 };
    let one = |entry: camino::Utf8DirEntry| match entry.path().symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => size(entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(one).sum()
}
