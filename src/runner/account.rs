//! The account that steps run as: whom files are given to, and work with its rights. In: the account, and what is to be
//! done. Out: what came of it.

use std::io;

use nix::unistd;
use rustix::process::{Gid, Uid, getegid, geteuid, getgid, getgroups, getuid};
use rustix::thread::{clear_ambient_capability_set, set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::site::StepUser;
use crate::workspace::folder::Owner;

/// Whom files are given to: the account, if the runner can give anything away.
pub(super) fn owner(user: Option<&StepUser>) -> Owner {
    user.filter(|_| unistd::Uid::effective().is_root()).map(|user| (user.uid, user.gid))
}

/// Does something with the rights of a user and a group, and no others; without these, with the caller's own.
///
/// On Linux a thread has rights of its own. A process that it starts while it has those of the account has them from the
/// beginning and no way back, so that nothing is left to do between fork and exec, and the C library needs no copy of this
/// process's memory to start it: that halves what a short step costs. The thread comes back by its saved user, which is
/// root's; a program that is executed loses it (credentials(7)).
///
/// # Errors
/// This process may not act as the account.
pub(crate) fn with_rights_of<T>(account: Option<(u32, u32)>, work: impl FnOnce() -> T) -> io::Result<T> {
    let Some((user, group)) = account else { return Ok(work()) };
    let _own = Own::lay_aside(Uid::from_raw(user), Gid::from_raw(group))?;
    Ok(work())
}

/// What the thread gets back when this is dropped.
struct Own {
    users: (Uid, Uid),
    groups: (Gid, Gid),
    others: Vec<Gid>,
}

impl Own {
    fn lay_aside(user: Uid, group: Gid) -> io::Result<Self> {
        let own = Self { users: (getuid(), geteuid()), groups: (getgid(), getegid()), others: getgroups()? };
        // What goes wrong from here on is taken back when `own` is dropped.
        set_thread_groups(&[])?;
        set_thread_res_gid(group, group, own.groups.1)?;
        // They would outlive the change of user. Kernels without them have none.
        let _ = clear_ambient_capability_set();
        set_thread_res_uid(user, user, own.users.1)?;
        Ok(own)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let back = set_thread_res_uid(self.users.0, self.users.1, self.users.1)
            .and_then(|()| set_thread_res_gid(self.groups.0, self.groups.1, self.groups.1))
            .and_then(|()| set_thread_groups(&self.others));
        if back.is_err() {
            // A thread with the rights of another would do this process's work with them. The next run recovers.
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// The lines of `status` that say whose a thread is.
    fn rights(status: &str) -> Vec<String> {
        let lines = status
            .lines()
            .filter(|line| ["Uid:", "Gid:", "Groups:", "CapEff:"].iter().any(|name| line.starts_with(name)));
        lines.map(|line| line.split_ascii_whitespace().collect::<Vec<_>>().join(" ")).collect()
    }

    fn own() -> Vec<String> {
        rights(&std::fs::read_to_string("/proc/thread-self/status").unwrap())
    }

    #[test]
    fn without_an_account_nothing_changes() {
        let before = own();
        assert_eq!(with_rights_of(None, own).unwrap(), before);
    }

    #[test]
    fn a_program_has_the_rights_of_the_account_alone_and_the_thread_gets_its_own_back() {
        if !geteuid().is_root() {
            let error = with_rights_of(Some((65534, 65534)), || ()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
            return;
        }
        let before = own();
        let output =
            with_rights_of(Some((65534, 65533)), || Command::new("/bin/cat").arg("/proc/self/status").output());
        let status = String::from_utf8(output.unwrap().unwrap().stdout).unwrap();
        let none =
            ["Uid: 65534 65534 65534 65534", "Gid: 65533 65533 65533 65533", "Groups:", "CapEff: 0000000000000000"];
        assert_eq!(rights(&status), none);
        assert_eq!(own(), before);
        // The way back is closed.
        let regain = ["--reuid=0", "--clear-groups", "/bin/true"];
        let regained = with_rights_of(Some((65534, 65533)), || Command::new("/usr/bin/setpriv").args(regain).output());
        assert!(!regained.unwrap().unwrap().status.success());
    }
}
