//! Where builds will live: rights, and room for clones, eggs, databases and logs.

use camino::Utf8Path;
use nix::sys::statvfs::{Statvfs, statvfs};

use super::finding::summary;
use super::kind::{
    DISK_FULL, DISK_LOW, INODES_FULL, INODES_LOW, STATE_CLOSED, STATE_NOEXEC, STATE_UNFIT, TEMPORARY_LOW,
};
use super::{Finding, Mend, Patient};
use crate::diagnostic::Failure;
use crate::host::access::mounted_noexec;
use crate::host::place;

const MIB: u64 = 1 << 20;

/// One first build: a shallow clone of Odoo is 300 MiB, its eggs 400, a testing database 100, what is unpacked as much again.
const LEAST: u64 = 1024 * MIB;

/// A few builders with whole clones, and the logs of a month.
const ENOUGH: u64 = 5120 * MIB;

/// A checkout of Odoo 16 has 36 000 files, an environment with its eggs 15 000.
const LEAST_FILES: u64 = 60_000;

/// A few builders.
const ENOUGH_FILES: u64 = 250_000;

/// Sockets, a download or two.
const TEMPORARY: u64 = 100 * MIB;

pub(super) fn check(patient: &Patient<'_>) -> (String, Vec<Finding>) {
    let mut told = Vec::new();
    let mut findings = Vec::new();
    let (state, account, slave) = (&patient.state, patient.account.as_ref(), &patient.slave.name);
    let longest = patient.builders().map(|(builder, _)| builder.name.as_str()).max_by_key(|name| name.len());
    let refused = |kind, failure: Failure| {
        Finding::new(kind, failure.message, failure.help.map_or_else(Mend::default, Mend::advice))
    };
    if let Err(failure) = place::check(state, slave, longest.unwrap_or_default(), account) {
        findings.push(refused(&STATE_UNFIT, failure));
    }
    match place::outlook(state, slave, account) {
        Err(failure) => findings.push(refused(&STATE_CLOSED, failure)),
        Ok((basedir, there)) => room(&basedir, &there, &mut told, &mut findings),
    }
    let temporary = std::env::temp_dir();
    if let Some(temporary) = Utf8Path::from_path(&temporary)
        && let Ok(system) = statvfs(temporary.as_std_path())
    {
        let free = free(&system);
        if free < TEMPORARY {
            let what = format!("{} are free in {temporary}", shown(free));
            let mend = Mend::advice("remove what nobody needs there, or set TMPDIR to a directory with more room");
            findings.push(Finding::new(&TEMPORARY_LOW, what, mend));
        }
    }
    (summary(&told, "no room"), findings)
}

/// Looks at the file system that the base directory is or will be on.
fn room(basedir: &Utf8Path, there: &Utf8Path, told: &mut Vec<String>, findings: &mut Vec<Finding>) {
    let system = match statvfs(there.as_std_path()) {
        Ok(system) => system,
        Err(error) => {
            let what = format!("{there} cannot be looked at: {}", error.desc());
            findings.push(Finding::new(&STATE_CLOSED, what, Mend::default()));
            return;
        }
    };
    if mounted_noexec(there.as_std_path()) {
        let what = format!("{there} is mounted noexec: no program can be started from there");
        let mend = Mend::advice("mount it without noexec, or name another directory with --state");
        findings.push(Finding::new(&STATE_NOEXEC, what, mend));
    }
    let free = free(&system);
    let clean = || {
        Mend::advice(
            "`farmout clean --caches` and limits of `keep` in farm.yaml make room; or name a directory with more, with --state",
        )
    };
    if free < ENOUGH {
        let kind = if free < LEAST { &DISK_FULL } else { &DISK_LOW };
        let what = format!("{} are free where builds live, {basedir}", shown(free));
        findings.push(Finding::new(kind, what, clean()));
    } else {
        told.push(format!("{} free for {basedir}", shown(free)));
    }
    // Some file systems, such as btrfs, make inodes as they are needed, and say 0 of 0.
    let inodes = system.files_available();
    if system.files() > 0 {
        if inodes < ENOUGH_FILES {
            let kind = if inodes < LEAST_FILES { &INODES_FULL } else { &INODES_LOW };
            let what = format!("{inodes} more files can be made where builds live, {basedir}");
            findings.push(Finding::new(kind, what, clean()));
        } else {
            told.push(format!("{inodes} inodes"));
        }
    }
}

/// The bytes that everybody can still write.
#[allow(clippy::useless_conversion, reason = "some systems count in smaller numbers")]
fn free(system: &Statvfs) -> u64 {
    u64::from(system.blocks_available()) * u64::from(system.fragment_size())
}

/// A size for people.
fn shown(bytes: u64) -> String {
    if bytes >= 10 * 1024 * MIB { format!("{} GiB", bytes / (1024 * MIB)) } else { format!("{} MiB", bytes / MIB) }
}
