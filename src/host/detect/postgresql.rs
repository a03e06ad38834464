//! Installations of PostgreSQL. In: directories and `PATH`. Out: those with a server's programs, one for each version.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::executable;
use super::search::{Search, directories, natural};
use crate::host::Account;
use crate::host::probe::{Probe, parallel};

/// What a private cluster needs.
const PROGRAMS: [&str; 3] = ["postgres", "initdb", "pg_ctl"];

/// PostgreSQL's programs in one directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PgInstall {
    /// The version of the capability: `15`, `17rc1`, or `9.6` before 10, when the first two numbers were the major one.
    pub major: String,
    /// The version as the server says it: `15.18`.
    pub version: String,
    /// The directory with `postgres`, `initdb` and `pg_ctl`.
    pub bin: Utf8PathBuf,
    /// Whether the client `psql` is there too.
    pub psql: bool,
}

impl PgInstall {
    /// Asks the programs in a directory for their version.
    ///
    /// # Errors
    /// One is missing, or `postgres` does not run or answers strangely; the text names the program.
    pub fn ask(bin: &Utf8Path, probe: &Probe) -> Result<Self, String> {
        if let Some(missing) = PROGRAMS.into_iter().find(|name| !bin.join(name).is_file()) {
            return Err(format!("{bin} has no {missing}"));
        }
        let postgres = bin.join("postgres");
        let output = probe.run(&postgres, &["--version"]).map_err(|problem| format!("{postgres} {problem}"))?;
        let (version, major) =
            versions(&output.stdout).ok_or_else(|| format!("{postgres} says no version: {}", output.stdout.trim()))?;
        Ok(Self { major, version, bin: bin.to_owned(), psql: bin.join("psql").is_file() })
    }
}

/// The version and the capability's version in what `postgres --version` says, `postgres (PostgreSQL) 15.18 (Debian …)`.
pub(super) fn versions(said: &str) -> Option<(String, String)> {
    let version = said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    if !version.chars().all(|c| c.is_ascii_alphanumeric() || c == '.') {
        return None;
    }
    let number = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let first = number(version);
    let old = version[..first].parse::<u64>().ok()? < 10;
    let mut end = first;
    if old && version[first..].starts_with('.') {
        end += 1 + number(&version[first + 1..]);
    }
    // `17rc1` and `9.2devel` are versions of their own; a minor number is not.
    let suffix = if version[end..].starts_with('.') { "" } else { &version[end..] };
    Some((version.to_owned(), format!("{}{suffix}", &version[..end])))
}

pub(super) fn find(search: &Search, account: Option<&Account>, probe: &Probe) -> (Vec<PgInstall>, Vec<String>) {
    let mut seen = Vec::new();
    let prefixes: Vec<_> =
        search.prefixes.iter().map(|prefix| bin_of(prefix).unwrap_or_else(|| prefix.clone())).collect();
    let mut candidates = directories(&prefixes, &mut seen);
    candidates.extend(directories(&search.postgresql, &mut seen));
    candidates.retain(|bin| bin.join("postgres").is_file());
    // A `postgres` on PATH is often a link to where the others are.
    let on_path = search.path().into_iter().map(|element| element.join("postgres")).filter(|path| path.is_file());
    let on_path = on_path.filter_map(|path| path.canonicalize_utf8().ok()?.parent().map(Utf8Path::to_owned));
    candidates.extend(directories(&on_path.collect::<Vec<_>>(), &mut seen));
    let mut notes = Vec::new();
    candidates.retain(|bin| {
        let usable = executable(&bin.join("postgres"), account);
        if !usable {
            notes.push(format!("PostgreSQL in {bin} is left out: {} cannot execute it", who(account)));
        }
        usable
    });
    let mut installs: Vec<PgInstall> = Vec::new();
    for answer in parallel(&candidates, |bin| PgInstall::ask(bin, probe)) {
        match answer {
            Ok(install) => match installs.iter().find(|known| known.major == install.major) {
                Some(known) => notes.push(format!(
                    "PostgreSQL {} in {} is left out: {} has the same version",
                    install.version, install.bin, known.bin
                )),
                None => installs.push(install),
            },
            Err(problem) => notes.push(format!("a PostgreSQL is left out: {problem}")),
        }
    }
    sort(&mut installs);
    (installs, notes)
}

/// The directory with `postgres` of what somebody calls PostgreSQL's directory, or its directory of programs.
pub fn bin_of(prefix: &Utf8Path) -> Option<Utf8PathBuf> {
    [prefix.join("bin"), prefix.to_owned()].into_iter().find(|bin| bin.join("postgres").is_file())
}

/// Versions upwards.
pub(super) fn sort(installs: &mut [PgInstall]) {
    installs.sort_by_cached_key(|install| natural(&install.version));
}

/// The user that something is out of reach for, in a sentence.
pub(super) fn who(account: Option<&Account>) -> String {
    account.map_or_else(|| "the caller".to_owned(), |account| format!("the user {}", account.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_all_times() {
        for (said, version, major) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", "15.18", "15"),
            ("postgres (PostgreSQL) 9.6.24", "9.6.24", "9.6"),
            ("postgres (PostgreSQL) 8.4", "8.4", "8.4"),
            ("postgres (PostgreSQL) 9.2devel", "9.2devel", "9.2devel"),
            ("postgres (PostgreSQL) 17rc1", "17rc1", "17rc1"),
            ("postgres (PostgreSQL) 18beta2 (Ubuntu x)", "18beta2", "18beta2"),
            ("postgres (EnterpriseDB) 10.0", "10.0", "10"),
        ] {
            assert_eq!(versions(said), Some((version.to_owned(), major.to_owned())), "{said}");
        }
        for said in ["", "postgres (PostgreSQL)", "postgres 9;x=1"] {
            assert_eq!(versions(said), None, "{said}");
        }
    }
}
