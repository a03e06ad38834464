//! Files that a step's command appends to: whether they grow, which counts as output, and what was added to them while it
//! ran, which is kept beside the step's log, what is secret taken out. Nobody looks at them before there is a reason to.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use nix::fcntl::OFlag;

use super::account::with_rights_of;
use super::capped::Capped;
use super::mask::Mask;
use super::result::Followed;
use super::save::Readers;
use crate::workspace::folder::Owner;

/// What is copied at once.
const PIECE: usize = 256 * 1024;

/// A file as it was when it was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    file: (u64, u64),
    length: u64,
}

impl Look {
    fn of(metadata: &Metadata) -> Self {
        Self { file: (metadata.dev(), metadata.ino()), length: metadata.len() }
    }
}

/// A file that is followed.
#[derive(Debug)]
struct Tail {
    path: Utf8PathBuf,
    /// When the command began; none if it was not there.
    first: Option<Look>,
    /// When it was last asked for.
    last: Option<Look>,
}

/// The files of one command.
#[derive(Debug, Default)]
pub(super) struct Follow {
    tails: Vec<Tail>,
    account: Owner,
}

impl Follow {
    /// The files as they are before the command begins.
    pub(super) fn new(paths: Vec<Utf8PathBuf>, account: Owner) -> Self {
        let tail = |path: Utf8PathBuf| {
            let look = path.metadata().ok().map(|metadata| Look::of(&metadata));
            Tail { path, first: look, last: look }
        };
        Self { tails: paths.into_iter().map(tail).collect(), account }
    }

    /// How long ago the last of them was written to that have changed since this was asked for last; none if none has.
    pub(super) fn grown(&mut self) -> Option<Duration> {
        let now = SystemTime::now();
        let age = |tail: &mut Tail| {
            let metadata = tail.path.metadata().ok()?;
            let look = Some(Look::of(&metadata));
            if std::mem::replace(&mut tail.last, look) == look {
                return None;
            }
            // A clock that was set back, or that of another machine, tells of no age.
            Some(metadata.modified().ok().and_then(|time| now.duration_since(time).ok()).unwrap_or_default())
        };
        self.tails.iter_mut().filter_map(age).min()
    }

    /// Keeps what was added, of each file at most `limit` bytes as of a log, in files whose names `name` makes of their
    /// numbers, counted from 1. What could not be kept, or not whole, goes to `problems`.
    pub(super) fn keep(
        &self,
        name: impl Fn(usize) -> Utf8PathBuf,
        (readers, limit, mask): (Readers, Option<u64>, &Mask),
        problems: &mut Vec<String>,
    ) -> Vec<Followed> {
        let mut kept = Vec::new();
        for (index, tail) in self.tails.iter().enumerate() {
            let (path, file) = (name(index + 1), tail.path.file_name().unwrap_or(tail.path.as_str()));
            match self
                .added(tail)
                .and_then(|added| added.map(|added| copy(added, &path, (readers, limit, mask))).transpose())
            {
                Ok(None) => {}
                Ok(Some(problem)) => {
                    // A log speaks of itself as the step's.
                    problems.extend(problem.map(|problem| problem.replacen("its log", file, 1)));
                    let log = path.file_name().unwrap_or_default().to_owned();
                    kept.push(Followed { file: mask.text(tail.path.as_str()), log });
                }
                Err(error) => problems.push(format!("{file} is not kept: {error}")),
            }
        }
        kept
    }

    /// What was added to a file, up to what it has now: a server may write on. None if nothing was.
    fn added(&self, tail: &Tail) -> io::Result<Option<io::Take<File>>> {
        // With the rights of the account: whatever the path leads to, no more is kept than its own commands can show.
        let mut how = OpenOptions::new();
        how.read(true).custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits());
        let mut file = match with_rights_of(self.account, || how.open(&tail.path))? {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no plain file"));
        }
        let now = Look::of(&metadata);
        // One that was made anew, or cut, is new from its beginning.
        let from = tail.first.filter(|first| first.file == now.file && first.length <= now.length);
        let from = from.map_or(0, |first| first.length);
        file.seek(SeekFrom::Start(from))?;
        Ok((now.length > from).then(|| file.take(now.length - from)))
    }
}

/// Copies what was added; why the copy is not complete, if it is not.
fn copy(
    mut added: io::Take<File>,
    path: &Utf8Path,
    (readers, limit, mask): (Readers, Option<u64>, &Mask),
) -> io::Result<Option<String>> {
    let (mut kept, mut stream) = (Capped::create(path, readers, limit)?, mask.stream());
    let mut buffer = vec![0; PIECE];
    loop {
        match added.read(&mut buffer)? {
            0 => break,
            count => kept.write(&stream.push(&buffer[..count])),
        }
    }
    kept.write(&stream.finish());
    Ok(kept.finish())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::model::Secrets;

    fn append(path: &Utf8Path, text: &str) {
        OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn what_was_added_is_kept_and_what_was_there_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(directory.path()).unwrap();
        let path = |name: &str| root.join(name);
        for name in ["grown", "same", "cut"] {
            append(&path(name), "before\n");
        }
        let names = ["grown", "same", "cut", "new", "never"];
        let follow = Follow::new(names.map(path).into(), None);
        append(&path("grown"), "added\n");
        std::fs::write(path("cut"), "x\n").unwrap();
        append(&path("new"), "first\n");
        let (secrets, mut problems) = (Secrets::new(), Vec::new());
        let mask = Mask::new(&secrets);
        let kept = follow.keep(|number| path(&format!("kept-{number}")), (Readers::None, None, &mask), &mut problems);
        let kept: Vec<_> =
            kept.iter().map(|kept| (kept.log.as_str(), std::fs::read_to_string(path(&kept.log)).unwrap())).collect();
        let expected = [("kept-1", "added\n"), ("kept-3", "x\n"), ("kept-4", "first\n")];
        assert_eq!(kept, expected.map(|(name, text)| (name, text.to_owned())));
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn growth_is_told_once_and_of_when_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(directory.path()).unwrap().join("log");
        let mut follow = Follow::new(vec![path.clone(), path.with_extension("never")], None);
        assert_eq!(follow.grown(), None);
        append(&path, "x");
        let hour = Duration::from_secs(3600);
        File::options().append(true).open(&path).unwrap().set_modified(SystemTime::now() - hour).unwrap();
        let age = follow.grown().unwrap();
        assert!(age >= hour && age < hour * 2, "{age:?}");
        assert_eq!(follow.grown(), None);
        append(&path, "x");
        assert!(follow.grown().unwrap() < hour / 2);
        // Written by a clock that is ahead.
        append(&path, "x");
        File::options().append(true).open(&path).unwrap().set_modified(SystemTime::now() + hour).unwrap();
        assert_eq!(follow.grown(), Some(Duration::ZERO));
    }

    #[test]
    fn what_is_no_file_keeps_nobody_waiting() {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(directory.path()).unwrap();
        nix::unistd::mkfifo(root.join("pipe").as_std_path(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let follow = Follow::new(vec![root.join("pipe"), root.to_owned()], None);
        let (secrets, mut problems) = (Secrets::new(), Vec::new());
        let mask = Mask::new(&secrets);
        assert!(follow.keep(|_| root.join("kept"), (Readers::None, None, &mask), &mut problems).is_empty());
        assert_eq!(problems.len(), 2);
        assert_eq!(problems[0], "pipe is not kept: it is no plain file");
    }
}
