//! PostgreSQL clusters as Debian lays them out. In: the directories of their configuration. Out: version, name, port, where
//! the sockets and the data are. Files that everybody may read are read, and nothing is run: `pg_lsclusters` knows no more.

use camino::{Utf8Path, Utf8PathBuf};

use super::search::{Search, directories};

/// Files that include each other go no deeper; PostgreSQL's own limit.
const DEEPEST: usize = 10;

/// A cluster of Debian's, whether its server runs or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cluster {
    /// Its version, which is the name of a directory: `15`.
    pub version: String,
    /// Its name among those of a version: `main`.
    pub name: String,
    pub port: u16,
    /// The directory of its socket; none if it listens to the network only.
    pub socket: Option<Utf8PathBuf>,
    pub data: Option<Utf8PathBuf>,
}

pub(super) fn find(search: &Search) -> Vec<Cluster> {
    directories(&search.clusters, &mut Vec::new()).iter().filter_map(|directory| read(directory, search)).collect()
}

fn read(directory: &Utf8Path, search: &Search) -> Option<Cluster> {
    let mut settings = Settings { port: 5432, socket: Some("/var/run/postgresql".to_owned()), data: None };
    settings.read(&directory.join("postgresql.conf"), 0)?;
    Some(Cluster {
        version: directory.parent()?.file_name()?.to_owned(),
        name: directory.file_name()?.to_owned(),
        port: settings.port,
        socket: settings.socket.map(|socket| search.placed(&socket)),
        data: settings.data.map(|data| search.placed(&data)),
    })
}

struct Settings {
    port: u16,
    socket: Option<String>,
    data: Option<String>,
}

impl Settings {
    /// Reads one file with all that it includes; the last word counts. Nothing where it cannot be read.
    fn read(&mut self, path: &Utf8Path, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        let text = String::from_utf8_lossy(&std::fs::read(path).ok()?).into_owned();
        let here = path.parent()?;
        for (name, value) in text.lines().filter_map(setting) {
            match name.to_ascii_lowercase().as_str() {
                "port" => self.port = value.parse().unwrap_or(self.port),
                // The singular was its name before 9.3.
                "unix_socket_directories" | "unix_socket_directory" => {
                    // `@name` is in no directory.
                    let first = value.split(',').map(str::trim).find(|entry| entry.starts_with('/'));
                    self.socket = first.map(str::to_owned);
                }
                "data_directory" => self.data = Some(value),
                "include" | "include_if_exists" => {
                    let _ = self.read(&here.join(value), depth + 1);
                }
                "include_dir" => {
                    let Ok(entries) = here.join(value).read_dir_utf8() else { continue };
                    let mut files: Vec<_> = entries.flatten().map(camino::Utf8DirEntry::into_path).collect();
                    files.retain(|file| {
                        file.extension() == Some("conf") && !file.file_name().is_some_and(|name| name.starts_with('.'))
                    });
                    files.sort();
                    for file in files {
                        let _ = self.read(&file, depth + 1);
                    }
                }
                _ => {}
            }
        }
        Some(())
    }
}

/// The name and the value of a line `name = value`, `name value` or `name = 'value'`, each with a comment behind it or not.
fn setting(line: &str) -> Option<(&str, String)> {
    let line = line.trim();
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.')))?;
    let (name, rest) = line.split_at(end);
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest).trim_start();
    let value = match rest.strip_prefix('\'') {
        // Two quotes are one; nobody has a backslash in a port or a directory.
        Some(quoted) => {
            let mut value = String::new();
            let mut rest = quoted;
            loop {
                let (part, after) = rest.split_once('\'')?;
                value.push_str(part);
                match after.strip_prefix('\'') {
                    Some(after) => {
                        value.push('\'');
                        rest = after;
                    }
                    None => break value,
                }
            }
        }
        None => rest.split(|c: char| c.is_whitespace() || c == '#').next()?.to_owned(),
    };
    (!name.is_empty()).then_some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_settings() {
        for (line, expected) in [
            ("port = 5433\t\t\t# (change requires restart)", Some(("port", "5433"))),
            ("  port=5433", Some(("port", "5433"))),
            ("port 5433", Some(("port", "5433"))),
            ("unix_socket_directories = '/a, /b' # both", Some(("unix_socket_directories", "/a, /b"))),
            ("data_directory = 'it''s'", Some(("data_directory", "it's"))),
            ("x = ''", Some(("x", ""))),
            ("#port = 1", None),
            ("", None),
            ("x = 'open", None),
        ] {
            let found = setting(line);
            assert_eq!(found.as_ref().map(|(name, value)| (*name, value.as_str())), expected, "{line}");
        }
    }

    #[test]
    fn what_a_file_includes_counts() {
        let temporary = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(temporary.path()).unwrap();
        let cluster = root.join("etc/postgresql/16/test");
        std::fs::create_dir_all(cluster.join("conf.d")).unwrap();
        std::fs::create_dir_all(root.join("etc/postgresql/16/gone")).unwrap();
        let text = "include 'postgresql.conf'\nport = 5433\ninclude_dir = 'conf.d'\ninclude_if_exists 'none'\n";
        std::fs::write(cluster.join("postgresql.conf"), text).unwrap();
        std::fs::write(cluster.join("conf.d/b.conf"), "port = 5440\n").unwrap();
        std::fs::write(cluster.join("conf.d/a.conf"), "port = 5441\nunix_socket_directories = '@x,/s'\n").unwrap();
        std::fs::write(cluster.join("conf.d/c.conf.old"), "port = 1\n").unwrap();
        let found = find(&Search::below(root));
        let [cluster] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((cluster.version.as_str(), cluster.name.as_str(), cluster.port), ("16", "test", 5440));
        assert_eq!(cluster.socket, Some(root.join("s")));
    }
}
