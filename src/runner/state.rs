//! The state folder: where runs, their results and the records of builders at work are kept.

use std::hash::{BuildHasher as _, RandomState};
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;

use super::save::save;
use crate::diagnostic::Failure;

/// An existing state folder.
#[derive(Debug)]
pub(super) struct State(Utf8PathBuf);

impl State {
    /// Makes what is missing of the folder.
    ///
    /// # Errors
    /// It cannot be made or written to.
    pub(super) fn open(path: &Utf8Path) -> Result<Self, Failure> {
        let state = Self(path.to_owned());
        let made = [state.active(), path.join("runs")].iter().try_for_each(std::fs::create_dir_all).and_then(|()| {
            // Written every time, which also shows early whether anything can be.
            save(&path.join(".gitignore"), b"*\n")
        });
        made.map_err(|error| {
            Failure::misuse(format!("cannot keep runs in {path}: {error}"))
                .help("the folder must be one that the user who runs farmout can write to; name another with --state")
        })?;
        Ok(state)
    }

    /// The folder itself.
    pub(super) fn folder(&self) -> &Utf8Path {
        &self.0
    }

    /// The records.
    pub(super) fn active(&self) -> Utf8PathBuf {
        self.0.join("active")
    }

    /// The folder of one run.
    pub(super) fn run(&self, id: &str) -> Utf8PathBuf {
        self.0.join("runs").join(id)
    }

    /// Begins a run: its id, whose folder is made and is the `latest` one.
    pub(super) fn begin(&self, now: Timestamp) -> io::Result<String> {
        let mut attempt = 0;
        loop {
            let id = format!("{}-{}", now.strftime("%Y%m%d-%H%M%S"), suffix());
            match std::fs::create_dir(self.run(&id)) {
                Ok(()) => {
                    self.point_at(&id)?;
                    return Ok(id);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn point_at(&self, id: &str) -> io::Result<()> {
        let aside = self.0.join(format!(".latest-{id}"));
        std::os::unix::fs::symlink(Utf8Path::new("runs").join(id), &aside)?;
        std::fs::rename(&aside, self.0.join("latest"))
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
