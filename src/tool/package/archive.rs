//! A directory as a `.tar.bz2` with its MD5 sum beside it. Nothing of the machine or of the hour gets into it: the same files
//! give the same bytes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use bzip2::Compression;
use bzip2::write::BzEncoder;
use md5::{Digest as _, Md5};
use tar::{Builder, EntryType, Header};
use tempfile::NamedTempFile;

use super::Error;
use super::error::{file, plain_name};
use crate::tool::say;

/// What version control systems and buildouts keep for themselves in a directory.
const LEFT_OUT: [&str; 5] = [".git", ".hg", ".bzr", "__pycache__", ".installed.cfg"];

/// An archive to be made.
#[derive(Debug, Clone)]
pub struct Pack {
    /// The directory with its files.
    pub tree: PathBuf,
    /// Its name, which is that of the one directory in it, too.
    pub name: String,
    /// Where to put it.
    pub into: PathBuf,
    /// The time of all its files, in seconds since 1970.
    pub time: u64,
}

impl Pack {
    /// Makes the archive and the file with its sum; returns the archive's path.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn pack(&self) -> Result<PathBuf, Error> {
        plain_name(&self.name, "the name of an archive")?;
        fs::create_dir_all(&self.into).map_err(file("make", &self.into))?;
        let full = format!("{}.tar.bz2", self.name);
        let (path, sums) = (self.into.join(&full), self.into.join(format!("{full}.md5")));
        let aside = || NamedTempFile::new_in(&self.into).map_err(file("write", &self.into));
        let made = aside()?;
        let sum = Sum { file: made.as_file(), sum: Md5::new() };
        let mut tar = Builder::new(BzEncoder::new(sum, Compression::best()));
        self.add(&mut tar, &self.tree, Path::new(&self.name))?;
        let sum = tar.into_inner().and_then(BzEncoder::finish).map_err(file("write", &path))?.sum.finalize();
        let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut beside = aside()?;
        writeln!(beside, "{sum}  {full}").map_err(file("write", &sums))?;
        // The sum last: an archive counts only with it.
        let _ = fs::remove_file(&sums);
        for (made, path) in [(made, &path), (beside, &sums)] {
            let shared = fs::Permissions::from_mode(0o644);
            made.as_file().set_permissions(shared).map_err(file("write", path))?;
            made.persist(path).map_err(|error| file("write", path)(error.error))?;
        }
        say(format_args!("Made {}, MD5 {sum}", path.display()));
        Ok(path)
    }

    fn add(&self, tar: &mut Builder<impl Write>, path: &Path, name: &Path) -> Result<(), Error> {
        let read = || file("read", path);
        let meta = path.symlink_metadata().map_err(read())?;
        let mut header = Header::new_gnu();
        header.set_mtime(self.time);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(0);
        let kind = meta.file_type();
        let executable = kind.is_dir() || meta.permissions().mode() & 0o100 != 0;
        header.set_mode(if executable { 0o755 } else { 0o644 });
        if kind.is_symlink() {
            let target = fs::read_link(path).map_err(read())?;
            header.set_entry_type(EntryType::Symlink);
            return tar.append_link(&mut header, name, target).map_err(file("pack", path));
        }
        if kind.is_file() {
            header.set_size(meta.len());
            let mut open = File::open(path).map_err(read())?;
            return tar.append_data(&mut header, name, &mut open).map_err(file("pack", path));
        }
        if !kind.is_dir() {
            return Err(Error::Odd(path.display().to_string()));
        }
        header.set_entry_type(EntryType::Directory);
        tar.append_data(&mut header, name.join(""), io::empty()).map_err(file("pack", path))?;
        let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(read())?;
        let mut names: Vec<_> = entries.into_iter().map(|entry| entry.file_name()).collect();
        names.sort();
        for inside in names {
            let text = inside.to_string_lossy();
            if !LEFT_OUT.contains(&&*text) && !text.ends_with(".pyc") {
                self.add(tar, &path.join(&inside), &name.join(&inside))?;
            }
        }
        Ok(())
    }
}

/// Sums up what is written.
struct Sum<'a> {
    file: &'a File,
    sum: Md5,
}

impl Write for Sum<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sum.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name, mode, time and owner of each entry.
    fn entries(archive: &Path) -> Vec<String> {
        let mut archive = tar::Archive::new(bzip2::read::BzDecoder::new(File::open(archive).unwrap()));
        let entry = |entry: io::Result<tar::Entry<'_, _>>| {
            let entry = entry.unwrap();
            let (path, header) = (entry.path().unwrap().display().to_string(), entry.header());
            let (mode, time, owner) = (header.mode().unwrap(), header.mtime().unwrap(), header.uid().unwrap());
            format!("{path} {mode:o} {time} {owner}")
        };
        archive.entries().unwrap().map(entry).collect()
    }

    #[test]
    fn the_same_files_give_the_same_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let pack = |tree: &str, names: &[&str], mode: u32| {
            let tree = directory.path().join(tree);
            for name in names {
                let path = tree.join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, name).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
            std::os::unix::fs::symlink("b", tree.join("link")).unwrap();
            let into = directory.path().join(format!("{mode:o}"));
            Pack { tree, name: "p-1.0".to_owned(), into, time: 1_700_000_000 }.pack().unwrap()
        };
        let long = "d/".repeat(60) + "e";
        let one = pack("one", &["b", "a/c", ".git/config", "a/c.pyc", &long], 0o600);
        let two = pack("two", &[&long, ".git/config", "a/c.pyc", "a/c", "b"], 0o664);
        assert_eq!(fs::read(&one).unwrap(), fs::read(&two).unwrap());
        let found = entries(&one);
        assert_eq!(
            found[..4],
            ["p-1.0/ 755", "p-1.0/a/ 755", "p-1.0/a/c 644", "p-1.0/b 644"].map(|line| format!("{line} 1700000000 0"))
        );
        assert!(found.iter().any(|line| line.contains(&long)) && !found.iter().any(|line| line.contains("pyc")));
        let sum = fs::read_to_string(one.with_file_name("p-1.0.tar.bz2.md5")).unwrap();
        let expected =
            Md5::digest(fs::read(&one).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(sum, format!("{expected}  p-1.0.tar.bz2\n"));
        assert!(Pack { tree: one, name: "../p".to_owned(), into: "/".into(), time: 0 }.pack().is_err());
    }
}
