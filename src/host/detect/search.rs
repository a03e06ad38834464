//! Where to look. In: the platform and the caller's environment. Out: lists of directories; nothing is run.

use std::env;
use std::ffi::OsString;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use crate::host::environment;

/// Where to look for what a slave can offer. `*` stands for any part of one component of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The value of `PATH`; virtualenvs in it, empty and relative elements are skipped.
    pub path: OsString,
    /// Directories with PostgreSQL's `postgres`, as patterns.
    pub postgresql: Vec<Utf8PathBuf>,
    /// Directories with Pythons besides `PATH`, as patterns.
    pub pythons: Vec<Utf8PathBuf>,
    /// Directories with the sockets of PostgreSQL servers.
    pub sockets: Vec<Utf8PathBuf>,
    /// How long each program may take to answer.
    pub limit: Duration,
}

impl Default for Search {
    /// The places of Debian, Fedora, Homebrew, hand-made installations, and of pyenv, uv, asdf and mise below the
    /// caller's home; three seconds.
    fn default() -> Self {
        let mut pythons: Vec<Utf8PathBuf> =
            ["/usr/bin", "/usr/local/bin", "/opt/python*/bin", "/opt/homebrew/bin"].map(Into::into).to_vec();
        let home = env::var("HOME").ok().filter(|home| home.starts_with('/'));
        if let Some(root) = env::var("PYENV_ROOT").ok().filter(|root| root.starts_with('/')) {
            pythons.push(Utf8Path::new(&root).join("versions/*/bin"));
        }
        for below in [".pyenv/versions/*/bin", ".local/share/uv/python/*/bin", ".asdf/installs/python/*/bin"] {
            pythons.extend(home.as_ref().map(|home| Utf8Path::new(home).join(below)));
        }
        pythons.extend(home.map(|home| Utf8Path::new(&home).join(".local/share/mise/installs/python/*/bin")));
        Self {
            path: environment::search_path(),
            postgresql: [
                "/usr/lib/postgresql/*/bin",
                "/usr/pgsql-*/bin",
                "/usr/lib/postgresql*/bin",
                "/usr/libexec/postgresql*",
                "/usr/local/pgsql*/bin",
                "/opt/postgresql*/bin",
                "/opt/postgresql*/*/bin",
                "/opt/homebrew/opt/postgresql*/bin",
                "/usr/local/opt/postgresql*/bin",
            ]
            .map(Into::into)
            .to_vec(),
            pythons,
            sockets: ["/var/run/postgresql", "/run/postgresql", "/tmp"].map(Into::into).to_vec(),
            limit: Duration::from_secs(3),
        }
    }
}

impl Search {
    /// The elements of `PATH` that count, in order.
    pub(super) fn path(&self) -> Vec<Utf8PathBuf> {
        let clean = environment::free_of_virtualenv(&self.path, env::var_os("VIRTUAL_ENV").as_deref());
        env::split_paths(&clean).filter_map(|element| Utf8PathBuf::from_path_buf(element).ok()).collect()
    }

    /// The first program of that name on `PATH` that `accept` takes.
    pub(super) fn program(&self, name: &str, accept: impl Fn(&Utf8PathBuf) -> bool) -> Option<Utf8PathBuf> {
        self.path().into_iter().map(|element| element.join(name)).find(|path| path.is_file() && accept(path))
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
