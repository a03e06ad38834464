//! Where to look. In: the platform and the caller's environment. Out: lists of directories; nothing is run.

use std::env;
use std::ffi::OsString;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::host::{Account, environment};

/// Where to look for what a slave can offer. `*` stands for any part of one component of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The value of `PATH`; virtualenvs in it, empty and relative elements are skipped.
    pub path: OsString,
    /// What paths in the configuration of clusters are below of: `/`, but for a machine that was made up.
    pub root: Utf8PathBuf,
    /// Where somebody says that PostgreSQL is installed: a directory with `bin/postgres`, or with `postgres`. Of two of one
    /// version, these are taken.
    pub prefixes: Vec<Utf8PathBuf>,
    /// Directories with PostgreSQL's `postgres`, as patterns.
    pub postgresql: Vec<Utf8PathBuf>,
    /// Directories with the configuration of a cluster of Debian's, as patterns that end in `VERSION/NAME`.
    pub clusters: Vec<Utf8PathBuf>,
    /// Data directories of servers, as patterns.
    pub data: Vec<Utf8PathBuf>,
    /// Directories with Pythons besides `PATH`, as patterns.
    pub pythons: Vec<Utf8PathBuf>,
    /// Directories with programs that are seldom on `PATH`, as patterns.
    pub programs: Vec<Utf8PathBuf>,
    /// Directories with the sockets of PostgreSQL servers.
    pub sockets: Vec<Utf8PathBuf>,
    /// Where the system shows its processes and their sockets; none: they are not looked at.
    pub processes: Option<Utf8PathBuf>,
    /// How long each program may take to answer.
    pub limit: Duration,
}

impl Default for Search {
    /// The places of Debian, Fedora, Homebrew, hand-made installations, and of pyenv, uv, asdf and mise below the
    /// caller's home; three seconds.
    fn default() -> Self {
        let patterns = |patterns: &[&str]| patterns.iter().map(Into::into).collect::<Vec<Utf8PathBuf>>();
        let mut search = Self {
            path: environment::search_path(),
            root: "/".into(),
            prefixes: Vec::new(),
            postgresql: patterns(&[
                "/usr/lib/postgresql/*/bin",
                "/usr/pgsql-*/bin",
                "/usr/lib/postgresql*/bin",
                "/usr/libexec/postgresql*",
                "/usr/local/pgsql*/bin",
                "/opt/postgresql*/bin",
                "/opt/postgresql*/*/bin",
                "/opt/homebrew/opt/postgresql*/bin",
                "/usr/local/opt/postgresql*/bin",
            ]),
            clusters: patterns(&["/etc/postgresql/*/*"]),
            data: patterns(&[
                "/var/lib/postgresql/*/*",
                "/var/lib/pgsql/data",
                "/var/lib/pgsql/*/data",
                "/usr/local/pgsql*/data",
                "/opt/postgresql*/data",
                "/opt/postgresql*/*/data",
                "/opt/homebrew/var/postgresql*",
            ]),
            pythons: patterns(&[
                "/usr/bin",
                "/usr/local/bin",
                "/opt/python*/bin",
                "/opt/pyenv/versions/*/bin",
                "/usr/local/pyenv/versions/*/bin",
                "/opt/homebrew/bin",
            ]),
            programs: patterns(&["/opt/libreoffice*/program", "/usr/lib/chromium", "/usr/lib/chromium-browser"]),
            sockets: patterns(&["/var/run/postgresql", "/run/postgresql", "/tmp"]),
            processes: Some("/proc".into()),
            limit: Duration::from_secs(3),
        };
        for (variable, below) in [
            ("PYENV_ROOT", "versions/*/bin"),
            ("UV_PYTHON_INSTALL_DIR", "*/bin"),
            ("ASDF_DATA_DIR", ASDF),
            ("MISE_DATA_DIR", ASDF),
        ] {
            search.pythons.extend(absolute(variable).map(|root| root.join(below)));
        }
        search.pythons.extend(absolute("HOME").iter().flat_map(|home| of_home(home)));
        search
    }
}

/// Where asdf and mise keep Pythons.
const ASDF: &str = "installs/python/*/bin";

/// A directory that a variable names.
fn absolute(variable: &str) -> Option<Utf8PathBuf> {
    env::var(variable).ok().filter(|path| path.starts_with('/')).map(Utf8PathBuf::from)
}

/// Where version managers keep the Pythons of a user.
fn of_home(home: &Utf8Path) -> Vec<Utf8PathBuf> {
    [".pyenv/versions/*/bin", ".local/share/uv/python/*/bin", ".asdf/installs/python/*/bin"]
        .iter()
        .map(|below| home.join(below))
        .chain([home.join(".local/share/mise").join(ASDF)])
        .collect()
}

impl Search {
    /// The usual places, and those of the account that builds run as.
    pub fn of(account: Option<&Account>) -> Self {
        let mut search = Self::default();
        let more = account.map(|account| of_home(&account.home)).unwrap_or_default();
        let new = more.into_iter().filter(|pattern| !search.pythons.contains(pattern)).collect::<Vec<_>>();
        search.pythons.extend(new);
        search
    }

    /// The same places on a machine that is all below `root`: `/usr/bin` is `<root>/usr/bin`. Its `PATH` is the usual one, and
    /// no process of this machine's is looked at.
    pub fn below(root: &Utf8Path) -> Self {
        let mut search = Self { root: root.to_owned(), processes: None, ..Self::default() };
        let path = ["/usr/local/bin", "/usr/bin", "/bin"].map(|element| search.placed(element).into_string());
        search.path = path.join(":").into();
        let mapped =
            |patterns: &[Utf8PathBuf]| patterns.iter().map(|pattern| search.placed(pattern.as_str())).collect();
        Self {
            postgresql: mapped(&search.postgresql),
            clusters: mapped(&search.clusters),
            data: mapped(&search.data),
            pythons: mapped(&search.pythons),
            programs: mapped(&search.programs),
            sockets: mapped(&search.sockets),
            ..search
        }
    }

    /// Where an absolute path of that machine is.
    pub(super) fn placed(&self, path: &str) -> Utf8PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The elements of `PATH` that count, in order.
    pub(super) fn path(&self) -> Vec<Utf8PathBuf> {
        let clean = environment::free_of_virtualenv(&self.path, env::var_os("VIRTUAL_ENV").as_deref());
        env::split_paths(&clean).filter_map(|element| Utf8PathBuf::from_path_buf(element).ok()).collect()
    }

    /// The first program of that name, on `PATH` or in a directory of programs, that `accept` takes.
    pub(super) fn program(&self, name: &str, accept: impl Fn(&Utf8Path) -> bool) -> Option<Utf8PathBuf> {
        let mut places = self.path();
        places.extend(directories(&self.programs, &mut Vec::new()));
        places.into_iter().map(|element| element.join(name)).find(|path| path.is_file() && accept(path))
    }
}

/// The directories that patterns name, each pattern's in natural order (`9.6` before `10`), without those already seen
/// under another name.
pub(in crate::host) fn directories(patterns: &[Utf8PathBuf], seen: &mut Vec<Utf8PathBuf>) -> Vec<Utf8PathBuf> {
    let mut found = Vec::new();
    for pattern in patterns {
        let mut matches = vec![Utf8PathBuf::new()];
        for part in pattern.components() {
            matches = matches.into_iter().flat_map(|directory| step(&directory, part.as_str())).collect();
        }
        matches.retain(|path| path.is_dir());
        matches.sort_by_cached_key(|path| natural(path.as_str()));
        found.extend(matches);
    }
    found.retain(|path| {
        let real = path.canonicalize_utf8().unwrap_or_else(|_| path.clone());
        let new = !seen.contains(&real);
        if new {
            seen.push(real);
        }
        new
    });
    found
}

/// What a component of a pattern names in a directory; a component without `*` need not exist.
pub(in crate::host) fn step(directory: &Utf8Path, part: &str) -> Vec<Utf8PathBuf> {
    let Some((before, after)) = part.split_once('*') else { return vec![directory.join(part)] };
    let Ok(entries) = directory.read_dir_utf8() else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| {
            let rest = entry.file_name().strip_prefix(before);
            rest.is_some_and(|rest| rest.ends_with(after)) && !entry.file_name().starts_with('.')
        })
        .map(camino::Utf8DirEntry::into_path)
        .collect()
}

/// A sorting key under which numbers inside a text compare as numbers.
pub(in crate::host) fn natural(text: &str) -> Vec<(String, u64)> {
    let mut key = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let digits = rest[letters..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |end| letters + end);
        key.push((rest[..letters].to_owned(), rest[letters..digits].parse().unwrap_or(0)));
        rest = &rest[digits..];
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_in_natural_order() {
        let temporary = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(temporary.path()).unwrap();
        for name in ["pg/10/bin", "pg/9.6/bin", "pg/9.10/bin", "pg/.hidden/bin", "pg/none", "other-2/x"] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        std::os::unix::fs::symlink("10", root.join("pg/latest")).unwrap();
        let found = directories(&[root.join("pg/*/bin"), root.join("o*-2/x"), root.join("pg/10/bin")], &mut Vec::new());
        let found: Vec<_> = found.iter().map(|path| path.strip_prefix(root).unwrap().as_str()).collect();
        assert_eq!(found, ["pg/9.6/bin", "pg/9.10/bin", "pg/10/bin", "other-2/x"]);
    }
}
