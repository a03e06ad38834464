//! The state folder: where runs, their results and the records of builders at work are kept.

use std::hash::{BuildHasher as _, RandomState};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;

use super::save::Readers;
use crate::diagnostic::{Failure, other_state};

/// The version of the layout that this farmout reads and writes.
const FORMAT: u32 = 1;

/// An existing state folder.
#[derive(Debug)]
pub(super) struct State {
    path: Utf8PathBuf,
    readers: Readers,
}

impl State {
    /// Makes what is missing of the folder. The runs in it are for `readers`, the records for nobody but the runner.
    ///
    /// # Errors
    /// It cannot be made or written to, or a later farmout has changed its layout.
    pub(super) fn open(path: &Utf8Path, readers: Readers) -> Result<Self, Failure> {
        check_format(path)?;
        let state = Self { path: path.to_owned(), readers };
        let folders = || {
            Readers::None.make_folder(&state.active())?;
            readers.make_folder(&path.join("runs"))
        };
        let made = folders().and_then(|()| {
            // Written every time, which also shows early whether anything can be.
            Readers::Everybody.save(&path.join(".gitignore"), b"*\n")?;
            readers.save(&path.join("format"), format!("{FORMAT}\n").as_bytes())
        });
        made.map_err(|error| {
            Failure::misuse(format!("cannot keep runs in {path}: {error}")).help(other_state(&error))
        })?;
        Ok(state)
    }

    /// The folder itself.
    pub(super) fn folder(&self) -> &Utf8Path {
        &self.path
    }

    /// The records.
    pub(super) fn active(&self) -> Utf8PathBuf {
        self.path.join("active")
    }

    /// The folder of one run.
    pub(super) fn run(&self, id: &str) -> Utf8PathBuf {
        self.path.join("runs").join(id)
    }

    /// Makes the folder of a new run: its id.
    pub(super) fn begin(&self, now: Timestamp) -> io::Result<String> {
        let mut attempt = 0;
        loop {
            let id = format!("{}-{}", now.strftime("%Y%m%d-%H%M%S"), suffix());
            match self.readers.make_new_folder(&self.run(&id)) {
                Ok(()) => return Ok(id),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Makes a run, whose journal has begun, the `latest` one.
    pub(super) fn point_at(&self, id: &str) -> io::Result<()> {
        let aside = self.path.join(format!(".latest-{id}"));
        std::os::unix::fs::symlink(Utf8Path::new("runs").join(id), &aside)?;
        std::fs::rename(&aside, self.path.join("latest")).map_err(|error| {
            let _ = std::fs::remove_file(&aside);
            io::Error::new(error.kind(), format!("the link `latest` cannot be set: {error}"))
        })
    }
}

/// What this farmout does not know it must not write into.
fn check_format(path: &Utf8Path) -> Result<(), Failure> {
    let text = std::fs::read_to_string(path.join("format")).unwrap_or_default();
    match text.trim().parse::<u32>() {
        Ok(format) if format > FORMAT => {
            let message = format!("a later farmout made {path}: it has format {format}, and this one knows {FORMAT}");
            Err(Failure::misuse(message).help("use that farmout, or name another folder with --state"))
        }
        _ => Ok(()),
    }
}

/// Four characters that tell runs of the same second apart.
fn suffix() -> String {
    let mut number = RandomState::new().hash_one(std::process::id());
    let mut characters = String::with_capacity(4);
    for _ in 0..4 {
        let digit = u32::try_from(number % 36).unwrap_or(0);
        characters.extend(char::from_digit(digit, 36));
        number /= 36;
    }
    characters
}
