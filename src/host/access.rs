//! What a user may do with a path. In: a path, a user and a group. Out: yes or no, from the mode bits. Nothing is run
//! or changed.
//!
//! Access lists (ACLs) beyond the mode bits are not looked at: where one gives more, the answer is a cautious no.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// More links than this in one path is a loop; the kernel's own limit.
const LINKS: usize = 40;

/// A user without supplementary groups, which is how farmout starts a process as another user.
#[derive(Debug, Clone, Copy)]
pub(super) struct Identity {
    pub uid: u32,
    pub gid: u32,
}

impl Identity {
    /// Whether the user gets to `path`: it exists, and every directory on the way, through links too, may be searched.
    /// A directory must be searchable itself. A relative path is taken from the current directory.
    pub fn can_reach(self, path: &Path) -> bool {
        self.resolve(path).is_some_and(|(_, metadata)| !metadata.is_dir() || self.may(&metadata, 0o1))
    }

    /// Whether the user can start the program `path`.
    pub fn can_execute(self, path: &Path) -> bool {
        self.resolve(path)
            .is_some_and(|(real, metadata)| metadata.is_file() && self.may(&metadata, 0o1) && !mounted_noexec(&real))
    }

    /// Whether the mode bits of one file grant `wanted` (4 read, 2 write, 1 execute or search).
    fn may(self, metadata: &Metadata, wanted: u32) -> bool {
        let mode = metadata.mode();
        if self.uid == 0 {
            return metadata.is_dir() || wanted != 0o1 || mode & 0o111 != 0;
        }
        let shift = if metadata.uid() == self.uid {
            6
        } else if metadata.gid() == self.gid {
            3
        } else {
            0
        };
        (mode >> shift) & wanted == wanted
    }

    /// Follows `path` as the kernel would for this user; nothing where it would be stopped.
    fn resolve(self, path: &Path) -> Option<(PathBuf, Metadata)> {
        let absolute = std::path::absolute(path).ok()?;
        let mut left: VecDeque<OsString> = parts(&absolute);
        let mut here = PathBuf::from("/");
        let mut metadata = here.symlink_metadata().ok()?;
        let mut links = 0;
        while let Some(part) = left.pop_front() {
            if !metadata.is_dir() || !self.may(&metadata, 0o1) {
                return None;
            }
            if part == ".." {
                here.pop();
                metadata = here.symlink_metadata().ok()?;
                continue;
            }
            let next = here.join(&part);
            let found = next.symlink_metadata().ok()?;
            if found.is_symlink() {
                links += 1;
                if links > LINKS {
                    return None;
                }
                let target = next.read_link().ok()?;
                if target.is_absolute() {
                    here = PathBuf::from("/");
                    metadata = here.symlink_metadata().ok()?;
                }
                for part in parts(&target).into_iter().rev() {
                    left.push_front(part);
                }
            } else {
                here = next;
                metadata = found;
            }
        }
        Some((here, metadata))
    }
}

/// Whether programs on the file's file system cannot be started at all.
#[cfg(target_os = "linux")]
pub(crate) fn mounted_noexec(path: &Path) -> bool {
    use nix::sys::statvfs::{FsFlags, statvfs};
    statvfs(path).is_ok_and(|system| system.flags().contains(FsFlags::ST_NOEXEC))
}

/// Other systems do not tell.
#[cfg(not(target_os = "linux"))]
pub(crate) fn mounted_noexec(_: &Path) -> bool {
    false
}

/// The names in a path, with `..` kept: after a link it means the parent of the link's target.
fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|component| matches!(component, Component::Normal(_) | Component::ParentDir))
        .map(|component| component.as_os_str().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A user that owns nothing on any machine that runs the tests.
    const STRANGER: Identity = Identity { uid: 54_321, gid: 54_321 };

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn follows_directories_and_links() {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path();
        mode(root, 0o755);
        fs::create_dir(root.join("closed")).unwrap();
        fs::write(root.join("closed/tool"), "").unwrap();
        fs::write(root.join("tool"), "").unwrap();
        mode(&root.join("closed/tool"), 0o755);
        mode(&root.join("tool"), 0o755);
        mode(&root.join("closed"), 0o700);
        symlink("closed/tool", root.join("link")).unwrap();
        symlink("../tool", root.join("closed/back")).unwrap();
        symlink("loop", root.join("loop")).unwrap();

        assert!(STRANGER.can_execute(&root.join("tool")));
        assert!(STRANGER.can_reach(root));
        for path in ["closed/tool", "link", "closed/back", "closed", "loop", "missing", "tool/below"] {
            assert!(!STRANGER.can_reach(&root.join(path)), "{path}");
        }
        mode(&root.join("closed"), 0o711);
        assert!(STRANGER.can_execute(&root.join("link")));
        assert!(STRANGER.can_execute(&root.join("closed/back")));
        mode(&root.join("tool"), 0o700);
        assert!(!STRANGER.can_execute(&root.join("closed/back")));
        assert!(STRANGER.can_reach(&root.join("closed/back")));
    }

    #[test]
    fn a_directory_is_no_program() {
        assert!(!STRANGER.can_execute(Path::new("/usr")));
    }
}
