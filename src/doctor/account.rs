//! Who builds run as, and traps in the shell that farmout was started from.

use std::env;
use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::{User, geteuid};

use super::kind::{ACCOUNT_LOGIN, ACCOUNT_ROOT, VIRTUALENV_ACTIVE, VIRTUALENV_ON_PATH, WINDOWS_DRIVE};
use super::{Finding, Mend, Patient};
use crate::host::environment;

/// Users with lower numbers are the system's.
const FIRST_PERSON: u32 = 1000;

/// Shells that let nobody in.
const CLOSED: [&str; 4] = ["nologin", "false", "true", "sync"];

pub(super) fn check(patient: &Patient<'_>) -> (String, Vec<Finding>) {
    let mut findings = Vec::new();
    let user = match &patient.account {
        Some(account) => User::from_name(&account.name).ok().flatten(),
        None => caller(),
    };
    if let Some(user) = user.as_ref().filter(|user| is_person(user)) {
        let what = format!("builds run as {}, who is a person that logs in", user.name);
        let mend = Mend::advice(
            "give builds a user of their own: `sudo farmout run` makes the system account farmout and runs them as that, \
             --user NAME takes another",
        );
        findings.push(Finding::new(&ACCOUNT_LOGIN, what, mend));
    }
    if let Some(account) = &patient.account {
        let what = format!("root started this: servers and steps run as {}", account.name);
        findings.push(Finding::new(&ACCOUNT_ROOT, what, Mend::default()));
    }
    findings.extend(virtualenvs());
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    if let Some(drive) = windows_drive(&mounts, &patient.state) {
        let what = format!("the state directory {} is on the Windows drive {drive}", patient.state);
        let mend =
            Mend::advice("keep the farm on the Linux side, below your home in WSL, or name a directory with --state");
        findings.push(Finding::new(&WINDOWS_DRIVE, what, mend));
    }
    let number = patient.account.as_ref().map_or_else(|| geteuid().as_raw(), |account| account.uid);
    (format!("builds run as {} (uid {number})", patient.user()), findings)
}

/// The user who started this.
pub(super) fn caller() -> Option<User> {
    User::from_uid(geteuid()).ok().flatten()
}

/// Whether somebody logs in as that user.
fn is_person(user: &User) -> bool {
    let shell = user.shell.file_name().unwrap_or_default().to_string_lossy().into_owned();
    user.uid.as_raw() >= FIRST_PERSON && !CLOSED.contains(&shell.as_str())
}

fn virtualenvs() -> Vec<Finding> {
    let mut findings = Vec::new();
    let active = env::var_os("VIRTUAL_ENV").filter(|directory| !directory.is_empty());
    if let Some(active) = &active {
        let what = format!("the virtualenv {} is activated", Path::new(active).display());
        findings.push(Finding::new(&VIRTUALENV_ACTIVE, what, Mend::advice("leave it: deactivate")));
    }
    let own = active.map(|active| Path::new(&active).join("bin"));
    for element in env::split_paths(&environment::search_path()) {
        if own.as_ref() != Some(&element) && element.is_absolute() && environment::is_virtualenv_bin(&element) {
            let what = format!("{} on PATH belongs to a virtualenv", element.display());
            let mend = Mend::advice("take it out where PATH is set, such as in ~/.profile or the service's unit");
            findings.push(Finding::new(&VIRTUALENV_ON_PATH, what, mend));
        }
    }
    findings
}

/// The mounted Windows drive that a path is on, going by the text of `/proc/mounts`.
fn windows_drive(mounts: &str, path: &Utf8Path) -> Option<Utf8PathBuf> {
    let path = camino::absolute_utf8(path).ok()?;
    let mounted = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let [_, point, kind, options, ..] = words.as_slice() else { return None };
        let windows = *kind == "drvfs" || (*kind == "9p" && options.contains("drvfs"));
        path.starts_with(point).then(|| (Utf8PathBuf::from(point), windows))
    };
    let (point, windows) = mounts.lines().filter_map(mounted).max_by_key(|(point, _)| point.as_str().len())?;
    windows.then_some(point)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_drives_are_told_by_their_mount() {
        let mounts = "/dev/sdc / ext4 rw 0 0\nC:\\134 /mnt/c 9p rw,aname=drvfs;path=C:\\,uid=1000 0 0\n\
                      D: /mnt/d drvfs rw 0 0\nshare /mnt/c/vm 9p rw,trans=virtio 0 0\n";
        let drive = |path: &str| windows_drive(mounts, Utf8Path::new(path)).map(Utf8PathBuf::into_string);
        assert_eq!(drive("/mnt/c/Users/me/farm/.farmout").as_deref(), Some("/mnt/c"));
        assert_eq!(drive("/mnt/d/x").as_deref(), Some("/mnt/d"));
        assert_eq!(drive("/home/me/farm"), None);
        assert_eq!(drive("/mnt/c/vm/x"), None);
    }
}
