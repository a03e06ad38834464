//! Files that a person names and a command writes. A path and what writes the content come in; the file is there whole, or as it
//! was.

use std::fs::{Metadata, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use camino::{Utf8Path, Utf8PathBuf};
use nix::errno::Errno;
use tempfile::NamedTempFile;

/// As many links in a row as Linux follows.
const MOST_LINKS: usize = 40;

/// Has a file written: aside first, and renamed. A link stays a link, and what it leads to is written. A pipe, a device or an open
/// file of a process, such as `/dev/stdout`, cannot be replaced, and is appended to.
///
/// # Errors
/// It cannot be written, or `content` fails.
pub(super) fn write(
    path: &Utf8Path,
    mode: u32,
    content: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let Place::File(path) = behind_links(path)? else {
        return content(&mut OpenOptions::new().append(true).open(path)?);
    };
    let mut aside = NamedTempFile::new_in(folder(&path))?;
    let mut buffer = BufWriter::new(&mut aside);
    content(&mut buffer)?;
    buffer.flush()?;
    drop(buffer);
    aside.as_file().set_permissions(Permissions::from_mode(mode))?;
    aside.persist(&path).map(drop).map_err(|error| error.error)
}

/// The directory that a file is in.
pub(super) fn folder(path: &Utf8Path) -> &Utf8Path {
    path.parent().filter(|folder| !folder.as_str().is_empty()).unwrap_or(Utf8Path::new("."))
}

/// What a path leads to.
enum Place {
    /// A file, or none yet, at this path.
    File(Utf8PathBuf),
    /// What is there already, and can only be written to.
    Open,
}

fn behind_links(path: &Utf8Path) -> io::Result<Place> {
    let mut path = path.to_owned();
    for _ in 0..=MOST_LINKS {
        // Links in there are no names of files, whatever they look like.
        if folder(&path).canonicalize_utf8().is_ok_and(|folder| folder.starts_with("/proc")) {
            return Ok(Place::Open);
        }
        match path.symlink_metadata() {
            Ok(found) if found.is_symlink() && follows(&found) => path = folder(&path).join(path.read_link_utf8()?),
            Ok(found) if !found.is_symlink() && !found.is_file() && !found.is_dir() => return Ok(Place::Open),
            _ => return Ok(Place::File(path)),
        }
    }
    Err(Errno::ELOOP.into())
}

/// Whether a link is followed. Whoever made it says where it leads to, which root lets nobody say: there it is replaced.
fn follows(link: &Metadata) -> bool {
    link.uid() == 0 || !nix::unistd::geteuid().is_root()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn directory() -> (tempfile::TempDir, Utf8PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::try_from(directory.path().to_owned()).unwrap();
        (directory, path)
    }

    fn put(path: &Utf8Path, text: &str) -> io::Result<()> {
        write(path, 0o640, &mut |out| out.write_all(text.as_bytes()))
    }

    #[test]
    fn a_link_stays_one_and_what_it_leads_to_is_written() {
        let (_kept, directory) = directory();
        fs::create_dir(directory.join("far")).unwrap();
        symlink("far/second", directory.join("first")).unwrap();
        symlink("file", directory.join("far/second")).unwrap();
        // Once it is made, once it is replaced.
        for text in ["one", "two"] {
            put(&directory.join("first"), text).unwrap();
            assert_eq!(fs::read_to_string(directory.join("far/file")).unwrap(), text);
        }
        assert!(directory.join("first").is_symlink() && directory.join("far/second").is_symlink());
        assert_eq!(directory.join("far/file").metadata().unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(directory.join("far")).unwrap().count(), 2);
        symlink("round", directory.join("round")).unwrap();
        assert_eq!(put(&directory.join("round"), "").unwrap_err().raw_os_error(), Some(Errno::ELOOP as i32));
    }

    #[test]
    fn a_file_is_as_it_was_if_its_content_cannot_be_made() {
        let (_kept, directory) = directory();
        let path = directory.join("file");
        put(&path, "whole").unwrap();
        let failed = write(&path, 0o640, &mut |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("no more"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "no more");
        assert_eq!(fs::read_to_string(&path).unwrap(), "whole");
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }

    #[test]
    fn what_is_open_already_is_appended_to() {
        let (_kept, directory) = directory();
        let path = directory.join("log");
        fs::write(&path, "before\n").unwrap();
        let open = fs::OpenOptions::new().append(true).open(&path).unwrap();
        for folder in ["/proc/self/fd", "/dev/fd"] {
            let descriptor = std::os::fd::AsRawFd::as_raw_fd(&open);
            put(&Utf8Path::new(folder).join(descriptor.to_string()), "after\n").unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "before\nafter\nafter\n");
        put(Utf8Path::new("/dev/null"), "nothing").unwrap();
        assert!(!Utf8Path::new("/dev/null").is_file());
    }

    mod root {
        use super::*;

        #[test]
        fn root_follows_no_link_of_others() {
            let (_kept, directory) = directory();
            let (link, precious) = (directory.join("link"), directory.join("precious"));
            fs::write(&precious, "precious").unwrap();
            symlink("precious", &link).unwrap();
            std::os::unix::fs::lchown(&link, Some(65534), Some(65534)).unwrap();
            put(&link, "report").unwrap();
            assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
            assert!(!link.is_symlink());
            assert_eq!(fs::read_to_string(&link).unwrap(), "report");
        }
    }
}
