//! What waits for the scheduler: changes and wishes in, files that survive a crash, and the same out again, in the order
//! in which they came. Whoever writes never waits for whoever reads.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::model::{Change, Wish};

/// The version of the files.
const FORMAT: u32 = 1;
/// How the names of finished files end. Others are being written, or are none of the spool's.
const ENDING: &str = ".json";
/// More than this is no delivery: a push of thousands of commits is smaller.
const LARGEST: u64 = 64 << 20;
/// Where files go that are no deliveries: nothing that came is thrown away.
const REJECTED: &str = "rejected";

/// What is handed to the scheduler at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// Changes, in the order in which they were made: a push.
    Changes(Vec<Change>),
    /// A build that somebody wants at once.
    Force {
        /// The build.
        build: String,
        /// Whose wish that is.
        #[serde(flatten)]
        wish: Wish,
    },
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    format: u32,
    #[serde(flatten)]
    delivery: Delivery,
}

/// A delivery that waits, and the name of its file, by which it is told apart from all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The name.
    pub name: String,
    /// What was handed over.
    pub delivery: Delivery,
}

/// What a look into the spool found.
#[derive(Debug, Default)]
pub struct Found {
    /// The deliveries, the oldest first.
    pub waiting: Vec<Waiting>,
    /// Files that are none, which were put aside: where they are now, and what is wrong with them.
    pub rejected: Vec<(Utf8PathBuf, String)>,
}

/// A folder with a file for each delivery.
#[derive(Debug, Clone)]
pub struct Spool(Utf8PathBuf);

impl Spool {
    /// The spool in this folder, which is made if it is missing.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(folder: &Utf8Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        Ok(Self(folder.to_owned()))
    }

    /// The spool in this folder, if it is there.
    ///
    /// # Errors
    /// The folder above it may not be entered.
    pub fn open_existing(folder: &Utf8Path) -> io::Result<Option<Self>> {
        Ok(folder.try_exists()?.then(|| Self(folder.to_owned())))
    }

    /// Its folder.
    pub fn folder(&self) -> &Utf8Path {
        &self.0
    }

    /// Hands a delivery over. When this returns, it survives a crash of the machine. The name of its file.
    ///
    /// # Errors
    /// The disk is full, or the like; then nothing was handed over.
    pub fn put(&self, delivery: Delivery) -> io::Result<String> {
        let mut aside = self.aside(delivery)?;
        loop {
            // Names sort as they come, as far as the clock does not go back.
            let name = format!("{:020}-{}{ENDING}", Timestamp::now().as_nanosecond().max(0), std::process::id());
            match aside.persist_noclobber(self.0.join(&name)) {
                Ok(_) => {
                    File::open(&self.0)?.sync_all()?;
                    return Ok(name);
                }
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => aside = error.file,
                Err(error) => return Err(error.error),
            }
        }
    }

    /// Puts another delivery in the place of one that waits.
    ///
    /// # Errors
    /// The disk is full, or the like; then the old one is still there.
    pub fn replace(&self, name: &str, delivery: Delivery) -> io::Result<()> {
        self.aside(delivery)?.persist(self.0.join(name)).map_err(|error| error.error)?;
        File::open(&self.0)?.sync_all()
    }

    /// A delivery in a file that nobody takes for one yet.
    fn aside(&self, delivery: Delivery) -> io::Result<NamedTempFile> {
        let envelope = Envelope { format: FORMAT, delivery };
        let mut aside = tempfile::Builder::new().prefix(".new-").suffix(".part").tempfile_in(&self.0)?;
        aside.write_all(&serde_json::to_vec(&envelope)?)?;
        aside.write_all(b"\n")?;
        // The scheduler may be another user of the folder's group than the one whose push this is.
        let mode = std::fs::metadata(&self.0)?.permissions().mode() & 0o060;
        aside.as_file().set_permissions(std::fs::Permissions::from_mode(0o600 | mode))?;
        aside.as_file().sync_all()?;
        Ok(aside)
    }

    /// What waits. Nothing is removed, but what is no delivery is put aside.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn look(&self) -> io::Result<Found> {
        let mut found = Found::default();
        for (name, delivery) in self.files()? {
            match delivery {
                Ok(delivery) => found.waiting.push(Waiting { name, delivery }),
                Err(why) => found.rejected.push((self.reject(&name), why)),
            }
        }
        Ok(found)
    }

    /// What waits, for somebody who only looks.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn waiting(&self) -> io::Result<Vec<Waiting>> {
        let files = self.files()?.into_iter();
        Ok(files.filter_map(|(name, delivery)| Some(Waiting { name, delivery: delivery.ok()? })).collect())
    }

    /// The finished files, the oldest first.
    fn files(&self) -> io::Result<Vec<(String, Result<Delivery, String>)>> {
        let mut names = Vec::new();
        for entry in self.0.read_dir_utf8()? {
            let name = entry?.file_name().to_owned();
            if name.ends_with(ENDING) && !name.starts_with('.') {
                names.push(name);
            }
        }
        names.sort_unstable();
        let mut files = Vec::new();
        for name in names {
            let path = self.0.join(&name);
            match open(&path) {
                Ok(read) => files.push((name, read)),
                // Somebody took it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io::Error::new(error.kind(), format!("{path}: {error}"))),
            }
        }
        Ok(files)
    }

    /// Where the file is now.
    fn reject(&self, name: &str) -> Utf8PathBuf {
        let (path, folder) = (self.0.join(name), self.0.join(REJECTED));
        let aside = folder.join(name);
        let moved = std::fs::create_dir_all(&folder).and_then(|()| std::fs::rename(&path, &aside));
        // Where it cannot be moved it is found, and told of, again.
        if moved.is_ok() { aside } else { path }
    }

    /// Removes a delivery whose changes the scheduler's own records have.
    ///
    /// # Errors
    /// It cannot be removed; that it is gone already is fine.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match std::fs::remove_file(self.0.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

/// Whoever may write into the spool may put anything there: a link to a file of root's, a pipe that never ends.
fn open(path: &Utf8Path) -> io::Result<Result<Delivery, String>> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags.bits()).open(path) {
        Err(error) if error.raw_os_error() == Some(Errno::ELOOP as i32) => return Ok(Err("it is a link".to_owned())),
        file => file?,
    };
    if !file.metadata()?.is_file() {
        return Ok(Err("it is no file".to_owned()));
    }
    let mut bytes = Vec::new();
    if file.take(LARGEST + 1).read_to_end(&mut bytes)? as u64 > LARGEST {
        return Ok(Err("it is larger than 64 MiB".to_owned()));
    }
    Ok(read(&bytes))
}

fn read(bytes: &[u8]) -> Result<Delivery, String> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let wrong = |error: serde_json::Error| error.to_string();
    let Version { format } = serde_json::from_slice(bytes).map_err(wrong)?;
    if format > FORMAT {
        return Err(format!("it has format {format}, and this farmout reads {FORMAT}"));
    }
    Ok(serde_json::from_slice::<Envelope>(bytes).map_err(wrong)?.delivery)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Vcs;

    fn spool() -> (tempfile::TempDir, Spool) {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(&Utf8Path::from_path(folder.path()).unwrap().join("a/spool")).unwrap();
        (folder, spool)
    }

    fn delivery(revision: &str) -> Delivery {
        Delivery::Changes(vec![Change {
            vcs: Vcs::Git,
            url: "https://git.example/shop".to_owned(),
            other_urls: Vec::new(),
            branch: Some("main".to_owned()),
            revision: revision.to_owned(),
            author: None,
            comment: None,
            files: Vec::new(),
            time: Timestamp::UNIX_EPOCH,
        }])
    }

    #[test]
    fn what_is_put_is_found_in_order_until_it_is_removed() {
        let (_folder, spool) = spool();
        let names: Vec<String> = ["a", "b", "c"].iter().map(|name| spool.put(delivery(name)).unwrap()).collect();
        let found = spool.look().unwrap();
        let waiting: Vec<_> = found.waiting.iter().map(|waiting| waiting.name.clone()).collect();
        assert_eq!((waiting, found.rejected.len()), (names.clone(), 0));
        assert_eq!(found.waiting[1].delivery, delivery("b"));
        spool.replace(&names[1], delivery("rest of b")).unwrap();
        assert_eq!(spool.look().unwrap().waiting[1].delivery, delivery("rest of b"));
        spool.remove(&names[0]).unwrap();
        spool.remove(&names[0]).unwrap();
        assert_eq!(spool.look().unwrap().waiting.len(), 2);
    }

    #[test]
    fn many_that_write_at_once_do_not_get_into_each_others_way() {
        let (_folder, spool) = spool();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..20).for_each(|number| drop(spool.put(delivery(&number.to_string())).unwrap())));
            }
        });
        assert_eq!(spool.look().unwrap().waiting.len(), 160);
    }

    #[test]
    fn what_is_no_delivery_is_put_aside_and_told() {
        let (_folder, spool) = spool();
        spool.put(delivery("a")).unwrap();
        for (name, text) in [
            ("1.json", "{\"format\":1,\"chang"),
            ("2.json", "{\"format\":9}"),
            (".new-x.part", "half"),
            ("3.json", "{\"format\":1,\"other\":1}"),
        ] {
            std::fs::write(spool.folder().join(name), text).unwrap();
        }
        nix::unistd::mkfifo(spool.folder().join("4.json").as_std_path(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", spool.folder().join("5.json")).unwrap();
        let found = spool.look().unwrap();
        assert_eq!((found.waiting.len(), found.rejected.len()), (1, 5));
        assert!(
            found.rejected[4].1.contains("link") && found.rejected[3].1.contains("no file"),
            "{:?}",
            found.rejected
        );
        assert_eq!(found.rejected[1].0, spool.folder().join("rejected/2.json"));
        assert!(found.rejected[1].1.contains("format 9"), "{:?}", found.rejected);
        assert_eq!(spool.look().unwrap().rejected.len(), 0);
    }
}
