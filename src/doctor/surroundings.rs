//! What processes inherit without anybody's asking: the locale, the clock, limits.

use std::env;
use std::fs;
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

use super::finding::{command, summary};
use super::kind::{
    CLOCK_FUTURE_FILES, CLOCK_PAST, CLOCK_UNSYNCHRONIZED, FILE_SIZE, FILES_FEW, FILES_SCARCE, LOCALE_ASCII,
    LOCALE_MISSING, MEMORY_LIMIT, PROCESSES_SCARCE,
};
use super::{Finding, Mend, Patient};
use crate::host::place;

/// Programs that only answer a question get this long.
const PATIENCE: Duration = Duration::from_secs(5);

/// No farmout was there before: the first of January 2026, in seconds since 1970.
const BEGINNING: u64 = 1_767_225_600;

/// Clocks of file servers may differ by so much.
const SKEW: Duration = Duration::from_secs(120);

/// So many files are looked at for their times.
const LOOKED_AT: usize = 2000;

/// initdb wants some dozens, and a server 100 more for each few clients.
const FEW_FILES: u64 = 256;

/// What systems give by default.
const USUAL_FILES: u64 = 1024;

/// Processes of one user: a cluster with clients, a server with workers, `make -j`.
const PROCESSES: u64 = 512;

/// PostgreSQL's own files have a gibibyte, logs of tests may have more.
const FILE: u64 = 1 << 30;

/// OpenERP's default soft limit of memory is 2 GiB, its hard one 2.5.
const MEMORY: u64 = 5 << 29;

pub(super) fn check(patient: &Patient<'_>) -> (String, Vec<Finding>) {
    let mut told = Vec::new();
    let mut findings = Vec::new();
    locale(patient, &mut told, &mut findings);
    clock(patient, &mut told, &mut findings);
    limits(&mut told, &mut findings);
    (summary(&told, "nothing"), findings)
}

fn locale(patient: &Patient<'_>, told: &mut Vec<String>, findings: &mut Vec<Finding>) {
    // musl has no such program, and knows UTF-8 only.
    let Some(program) = patient.places.program("locale") else { return };
    let probe = patient.workshop.probe(PATIENCE);
    let Ok(answer) = probe.output(&program, &["charmap"]) else { return };
    let variables = ["LC_ALL", "LC_CTYPE", "LANG"];
    let set = variables.into_iter().find_map(|name| Some((name, env::var(name).ok().filter(|v| !v.is_empty())?)));
    let setting = set.as_ref().map_or_else(|| "no locale is set".to_owned(), |(name, value)| format!("{name}={value}"));
    let known = probe.output(&program, &["-a"]).map(|output| output.stdout).unwrap_or_default();
    let plain = known.lines().find(|line| ["c.utf8", "c.utf-8"].contains(&line.to_lowercase().as_str()));
    let variable = if set.as_ref().is_some_and(|(name, _)| *name == "LC_ALL") { "LC_ALL" } else { "LANG" };
    let mend = || match plain {
        Some(_) => Mend::advice(format!("where farmout is started: export {variable}=C.UTF-8")),
        None => {
            Mend::advice(format!("make a locale with UTF-8 (locale-gen, localedef), and export {variable} to name it"))
        }
    };
    if answer.stderr.contains("Cannot set LC_") {
        findings.push(Finding::new(&LOCALE_MISSING, format!("{setting} names a locale that is not there"), mend()));
    } else if answer.stdout.trim() != "UTF-8" {
        let what = format!("{setting}: text is taken for {}", answer.stdout.trim());
        findings.push(Finding::new(&LOCALE_ASCII, what, mend()));
    } else {
        told.push(format!("locale {}", set.map_or_else(|| "UTF-8".to_owned(), |(_, value)| value)));
    }
}

fn clock(patient: &Patient<'_>, told: &mut Vec<String>, findings: &mut Vec<Finding>) {
    let now = SystemTime::now();
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let set = || Mend::advice("set the clock, and have it kept: timedatectl set-ntp true");
    if seconds < BEGINNING {
        let shown =
            jiff::Timestamp::try_from(now).map_or_else(|_| "long ago".to_owned(), |now| now.strftime("%F").to_string());
        findings.push(Finding::new(&CLOCK_PAST, format!("the clock says {shown}, before there was a farmout"), set()));
        return;
    }
    let before = findings.len();
    if let Some((path, ahead)) = from_the_future(patient, now) {
        let what = format!("{path} was changed {} from now", ahead_by(ahead));
        let mend = format!(
            "set the clock, if it is behind; else make the files of today: find {} -newermt now -exec touch {{}} +",
            camino::absolute_utf8(&patient.state).unwrap_or_else(|_| patient.state.clone())
        );
        findings.push(Finding::new(&CLOCK_FUTURE_FILES, what, Mend::advice(mend)));
    }
    // Containers and small systems have none, which says nothing about the clock.
    let answer = patient.places.program("timedatectl").and_then(|program| {
        patient.workshop.probe(PATIENCE).run(program, &["show", "-p", "NTPSynchronized", "--value"]).ok()
    });
    if answer.is_some_and(|answer| answer.stdout.trim() == "no") {
        let mend = Mend::commands(vec![command(&["timedatectl", "set-ntp", "true"])]);
        findings.push(Finding::new(&CLOCK_UNSYNCHRONIZED, "nothing keeps the clock right", mend));
    }
    if findings.len() == before {
        told.push("the clock is plausible".to_owned());
    }
}

fn ahead_by(ahead: Duration) -> String {
    match ahead.as_secs() {
        seconds @ ..7200 => format!("{} minutes", seconds.div_ceil(60)),
        seconds @ 7200..172_800 => format!("{} hours", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// A file of the state directory or of the slave's that is from the future: the one that is furthest ahead.
fn from_the_future(patient: &Patient<'_>, now: SystemTime) -> Option<(Utf8PathBuf, Duration)> {
    let mut left: Vec<(Utf8PathBuf, usize)> = vec![(patient.state.clone(), 3)];
    left.extend(place::homes(&patient.state).map(|home| (home, 3)));
    let mut looked = 0;
    let mut furthest: Option<(Utf8PathBuf, Duration)> = None;
    while let Some((path, depth)) = left.pop() {
        looked += 1;
        let Ok(metadata) = path.symlink_metadata() else { continue };
        let ahead = metadata.modified().ok().and_then(|time| time.duration_since(now).ok());
        if let Some(ahead) = ahead.filter(|ahead| *ahead > SKEW)
            && furthest.as_ref().is_none_or(|(_, most)| *most < ahead)
        {
            furthest = Some((path.clone(), ahead));
        }
        if metadata.is_dir() && depth > 0 && looked < LOOKED_AT {
            left.extend(entries(&path).into_iter().map(|entry| (entry, depth - 1)));
        }
    }
    furthest
}

fn entries(directory: &Utf8Path) -> Vec<Utf8PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| Utf8PathBuf::from_path_buf(entry.path()).ok()).collect()
}

fn limits(told: &mut Vec<String>, findings: &mut Vec<Finding>) {
    // The soft limit is what processes get; none is more than any.
    let limit = |resource| getrlimit(resource).ok().map(|(soft, _)| soft).filter(|soft| *soft != RLIM_INFINITY);
    let raise = |option: &str, value: &str, item: &str| {
        Mend::advice(format!(
            "where farmout is started: ulimit -S{option} {value}; for good in /etc/security/limits.conf ({item}), or in \
             the unit of the service"
        ))
    };
    let before = findings.len();
    if let Some(files) = limit(Resource::RLIMIT_NOFILE).filter(|files| *files < USUAL_FILES) {
        let kind = if files < FEW_FILES { &FILES_FEW } else { &FILES_SCARCE };
        let what = format!("a process may open {files} files (ulimit -n)");
        findings.push(Finding::new(kind, what, raise("n", "4096", "nofile")));
    }
    if let Some(processes) = limit(Resource::RLIMIT_NPROC).filter(|processes| *processes < PROCESSES) {
        let what = format!("the user may have {processes} processes (ulimit -u)");
        findings.push(Finding::new(&PROCESSES_SCARCE, what, raise("u", "4096", "nproc")));
    }
    if let Some(size) = limit(Resource::RLIMIT_FSIZE).filter(|size| *size <= FILE) {
        let what = format!("a file may have {} MiB at most (ulimit -f)", size >> 20);
        findings.push(Finding::new(&FILE_SIZE, what, raise("f", "unlimited", "fsize")));
    }
    if let Some(memory) = limit(Resource::RLIMIT_AS).filter(|memory| *memory < MEMORY) {
        let what = format!("a process may have {} MiB of memory (ulimit -v)", memory >> 20);
        findings.push(Finding::new(&MEMORY_LIMIT, what, raise("v", "unlimited", "as")));
    }
    if findings.len() == before {
        let files =
            limit(Resource::RLIMIT_NOFILE).map_or_else(|| "any number of".to_owned(), |files| files.to_string());
        told.push(format!("{files} open files"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_ahead_are_told_in_the_unit_that_fits() {
        for (seconds, expected) in [(121, "3 minutes"), (7200, "2 hours"), (90_000, "25 hours"), (900_000, "10 days")] {
            assert_eq!(ahead_by(Duration::from_secs(seconds)), expected);
        }
    }
}
