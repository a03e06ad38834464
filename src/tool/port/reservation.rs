//! Reservations: a file for each port, named after it, that says for whom it is. One process at a time looks and writes.
//!
//! A reservation holds for as long as the process does that called for it, which is a step's runner: that of a run that was
//! killed is taken back by whoever comes next, and so is one for the same holder.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Error;
use super::error::Taken;
use crate::group::{ProcessId, boot};
use crate::tool::files;

/// The ports to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first one.
    pub min: u16,
    /// The last one that may be taken.
    pub max: u16,
    /// From one to the next.
    pub step: u16,
}

/// What is noted about a port.
#[derive(Debug, Serialize, Deserialize)]
struct Reservation {
    /// For whom.
    holder: String,
    /// The process that called for it; none where the system does not show it.
    process: Option<ProcessId>,
    /// Which start of the machine that was.
    boot: String,
}

impl Reservation {
    fn holds(&self) -> bool {
        self.boot == boot() && self.process.as_ref().is_none_or(ProcessId::is_alive)
    }
}

impl Range {
    /// All ports of the range, from a place on that follows from `directory`: slaves of one machine that know nothing of each
    /// other then seldom try the same ones at the same time.
    fn ports(self, directory: &Path) -> Vec<u16> {
        let mut ports: Vec<u16> = (self.min..=self.max).step_by(self.step.into()).collect();
        let hash = Sha256::digest(directory.as_os_str().as_encoded_bytes());
        let place = usize::from(u16::from_be_bytes([hash[0], hash[1]])) % ports.len();
        ports.rotate_left(place);
        ports
    }
}

/// Reserves a free port of the range for `holder`, and gives up what that holder had before.
///
/// # Errors
/// No port is free, a range without any, or a directory that cannot be used.
pub fn reserve(range: Range, directory: &Path, holder: &str) -> Result<u16, Error> {
    if range.min > range.max || range.step == 0 {
        return Err(Error::Range(range));
    }
    let shelf = Shelf::open(directory)?;
    shelf.release(holder)?;
    let mut taken = Vec::new();
    for port in range.ports(directory) {
        if let Some(other) = shelf.find(port).filter(Reservation::holds) {
            let process = other.process.map(|process| process.pid);
            taken.push((port, Taken::Reserved { holder: other.holder, process }));
        } else if let Err(error) = bind(port) {
            taken.push((port, Taken::Unusable(error)));
        } else {
            let process = ProcessId::of(nix::unistd::getppid().as_raw());
            shelf.note(port, &Reservation { holder: holder.to_owned(), process, boot: boot().to_owned() })?;
            return Ok(port);
        }
    }
    taken.sort_by_key(|(port, _)| *port);
    Err(Error::Exhausted { range, taken })
}

/// Gives up what is reserved for `holder`; the ports.
///
/// # Errors
/// The directory cannot be used.
pub fn release(directory: &Path, holder: &str) -> Result<Vec<u16>, Error> {
    if !directory.exists() {
        return Ok(Vec::new());
    }
    Shelf::open(directory)?.release(holder)
}

/// Whether a server could listen at the port now.
pub fn is_free(port: u16) -> bool {
    bind(port).is_ok()
}

/// Whether a server could listen at the port: at all addresses, loopback included, as OpenERP does.
fn bind(port: u16) -> io::Result<()> {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).map(drop)
}

/// The directory, for this process alone.
struct Shelf {
    directory: PathBuf,
    _lock: Flock<File>,
}

impl Shelf {
    fn open(directory: &Path) -> Result<Self, Error> {
        fs::create_dir_all(directory).map_err(failed("make", directory))?;
        let path = directory.join("lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(failed("write", &path))?;
        let lock = Flock::lock(file, FlockArg::LockExclusive);
        let lock = lock.map_err(|(_, error)| failed("lock", &path)(error.into()))?;
        Ok(Self { directory: directory.to_owned(), _lock: lock })
    }

    fn path(&self, port: u16) -> PathBuf {
        self.directory.join(port.to_string())
    }

    /// The reservation of a port. One that cannot be read is none of ours: they are renamed into place.
    fn find(&self, port: u16) -> Option<Reservation> {
        serde_json::from_slice(&fs::read(self.path(port)).ok()?).ok()
    }

    fn note(&self, port: u16, reservation: &Reservation) -> Result<(), Error> {
        let path = self.path(port);
        let written = serde_json::to_vec(reservation).map_err(io::Error::from);
        written.and_then(|bytes| files::save(&path, &bytes)).map_err(failed("write", &path))
    }

    fn release(&self, holder: &str) -> Result<Vec<u16>, Error> {
        let mut released = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed("list", &self.directory))? {
            let entry = entry.map_err(failed("list", &self.directory))?;
            let port = entry.file_name().to_str().and_then(|name| name.parse::<u16>().ok());
            let Some(port) = port.filter(|&port| self.find(port).is_some_and(|found| found.holder == holder)) else {
                continue;
            };
            files::remove(&entry.path()).map_err(failed("remove", &entry.path()))?;
            released.push(port);
        }
        released.sort_unstable();
        Ok(released)
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error + use<> {
    let path = path.display().to_string();
    move |error| Error::File { what, path, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ports that nothing else on the machine is likely to want: below those that the system hands out by itself.
    const RANGE: Range = Range { min: 21_310, max: 21_318, step: 4 };

    #[test]
    fn holders_get_different_ports_and_the_same_one_its_own_again() {
        let directory = tempfile::tempdir().unwrap();
        let reserve = |holder: &str| reserve(RANGE, directory.path(), holder);
        let (one, two) = (reserve("one").unwrap(), reserve("two").unwrap());
        assert_ne!(one, two);
        assert_eq!(reserve("one").unwrap(), one);
        assert_eq!(release(directory.path(), "two").unwrap(), [two]);
        assert_eq!(release(directory.path(), "two").unwrap(), [] as [u16; 0]);
        assert_eq!(reserve("three").unwrap(), two);
    }

    #[test]
    fn what_the_dead_reserved_is_taken_back() {
        let directory = tempfile::tempdir().unwrap();
        let port = reserve(RANGE, directory.path(), "one").unwrap();
        let shelf = Shelf::open(directory.path()).unwrap();
        let mut reservation = shelf.find(port).unwrap();
        assert!(reservation.holds());
        reservation.process.as_mut().unwrap().start += 1;
        assert!(!reservation.holds());
        shelf.note(port, &reservation).unwrap();
        drop(shelf);
        assert_eq!(reserve(RANGE, directory.path(), "two").unwrap(), port);
        // After a restart of the machine nothing of before holds, whoever it was for.
        let before = Reservation { holder: "three".to_owned(), process: None, boot: "another".to_owned() };
        assert!(!before.holds());
    }
}
