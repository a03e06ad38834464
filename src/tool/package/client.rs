//! The version control systems' clients, as far as a package needs them: a clone and a tag in, the tag's commit, its time and
//! its files out.

use std::io;
use std::path::Path;
use std::process::Command;

use super::Error;
use super::error::file;
use crate::tool::process;

/// How many tags an error names.
const NAMED: usize = 8;

/// The version control system of a clone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    Bazaar,
    Git,
    Mercurial,
}

/// A clone.
pub(super) struct Clone<'a> {
    system: System,
    path: &'a Path,
}

/// A tagged commit.
pub(super) struct Commit {
    /// How its client calls it.
    id: String,
    /// When it was made, in seconds since 1970.
    pub(super) time: i64,
}

impl<'a> Clone<'a> {
    /// The clone in a directory.
    pub(super) fn open(path: &'a Path) -> Result<Self, Error> {
        let systems = [(".git", System::Git), (".hg", System::Mercurial), (".bzr", System::Bazaar)];
        let found = systems.into_iter().find(|(control, _)| path.join(control).exists());
        let (_, system) = found.ok_or_else(|| Error::NoClone(path.display().to_string()))?;
        Ok(Self { system, path })
    }

    /// The commit of a tag, whose name is a plain one.
    pub(super) fn commit(&self, tag: &str) -> Result<Commit, Error> {
        // An empty answer is a tag that does not exist, and so is a failure if the clone can list its tags.
        let (arguments, parse): (Vec<String>, Reading) = match self.system {
            System::Git => {
                let name = format!("refs/tags/{tag}^{{commit}}");
                (vec!["log".into(), "-1".into(), "--format=%H %ct".into(), name, "--".into()], words)
            }
            System::Mercurial => {
                let revision = format!("tag('literal:{tag}')");
                (vec!["log".into(), "-r".into(), revision, "--template={node} {date|hgdate}".into()], words)
            }
            System::Bazaar => {
                let template = "--template={revision_id} {date}".to_owned();
                (vec!["version-info".into(), "--custom".into(), template, "-r".into(), format!("tag:{tag}")], dated)
            }
        };
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let answer = self.ask(&arguments);
        if let Some((id, time)) = answer.as_ref().ok().and_then(|answer| parse(answer)) {
            return Ok(Commit { id, time });
        }
        let known = self.tags()?;
        match answer {
            Err(error) if known.iter().any(|known| known == tag) => Err(error),
            _ => {
                let known = known.into_iter().take(NAMED).collect();
                Err(Error::NoTag { clone: self.path.display().to_string(), tag: tag.to_owned(), known })
            }
        }
    }

    /// Writes the commit's files to a directory that does not exist yet.
    pub(super) fn export(&self, commit: &Commit, into: &Path) -> Result<(), Error> {
        let target = into.to_string_lossy();
        match self.system {
            System::Git => {
                let tar = into.with_extension("tar");
                self.ask(&["archive", "--format=tar", &format!("--output={}", tar.display()), &commit.id])?;
                let open = std::fs::File::open(&tar).map_err(file("read", &tar))?;
                std::fs::create_dir(into).map_err(file("make", into))?;
                tar::Archive::new(io::BufReader::new(open)).unpack(into).map_err(file("write", into))
            }
            System::Mercurial => {
                let plain = ["--config", "ui.archivemeta=false", "--type", "files", "--rev", &commit.id, &target];
                self.ask(&[&["archive"], &plain[..]].concat()).map(drop)
            }
            System::Bazaar => {
                let revision = format!("revid:{}", commit.id);
                self.ask(&["export", "--format=dir", "-r", &revision, &target]).map(drop)
            }
        }
    }

    /// The tags, as far as one can tell the last ones first.
    fn tags(&self) -> Result<Vec<String>, Error> {
        let list = match self.system {
            System::Git => {
                self.ask(&["for-each-ref", "--sort=-creatordate", "--format=%(refname:strip=2)", "refs/tags"])?
            }
            System::Mercurial => self.ask(&["tags", "--template={tag}\n"])?,
            System::Bazaar => self.ask(&["tags", "--sort=time"])?,
        };
        let names = list.lines().filter_map(|line| line.split_whitespace().next());
        let mut names: Vec<String> = names.filter(|name| *name != "tip").map(str::to_owned).collect();
        if self.system == System::Bazaar {
            names.reverse();
        }
        Ok(names)
    }

    /// Runs the client quietly in the clone, without the user's own settings, and returns its output.
    fn ask(&self, arguments: &[&str]) -> Result<String, Error> {
        let mut last = None;
        for client in self.clients() {
            let mut command = Command::new(client);
            command.args(arguments).current_dir(self.path);
            command.env("HGPLAIN", "1").env("HGRCPATH", "").env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C.UTF-8");
            let output = match process::capture(&mut command) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    last = Some(error);
                    continue;
                }
                Err(error) => return Err(Error::NoClient { client, error }),
                Ok(output) => output,
            };
            if output.status.success() {
                return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
            }
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            let said =
                text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it said nothing").to_owned();
            let command = format!("{client} {}", arguments.first().copied().unwrap_or_default());
            return Err(Error::Client { command, directory: self.path.display().to_string(), said });
        }
        let error = last.unwrap_or_else(|| io::ErrorKind::NotFound.into());
        Err(Error::NoClient { client: self.clients().first().copied().unwrap_or_default(), error })
    }

    /// The names of the client, the usual one first.
    fn clients(&self) -> &'static [&'static str] {
        match self.system {
            System::Bazaar => &["brz", "bzr"],
            System::Git => &["git"],
            System::Mercurial => &["hg"],
        }
    }
}

/// How a client's answer is read: the commit's name, and its time.
type Reading = fn(&str) -> Option<(String, i64)>;

/// "id time …"
fn words(answer: &str) -> Option<(String, i64)> {
    let mut words = answer.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
}

/// "id 2026-11-22 21:31:18 +0000"
fn dated(answer: &str) -> Option<(String, i64)> {
    let (id, date) = answer.trim().split_once(' ')?;
    let time = jiff::fmt::strtime::parse("%Y-%m-%d %H:%M:%S %z", date).ok()?.to_timestamp().ok()?;
    Some((id.to_owned(), time.as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        assert_eq!(words("ab12 1700000000 -3600"), Some(("ab12".to_owned(), 1_700_000_000)));
        assert_eq!(words(""), None);
        assert_eq!(dated("a@b-1 2023-11-14 23:13:20 +0100\n"), Some(("a@b-1".to_owned(), 1_700_000_000)));
        assert_eq!(dated("a@b-1 yesterday"), None);
    }
}
