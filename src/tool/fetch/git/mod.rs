//! Git: a clone made or brought up to date in place. The client is the `git` program; no hook of anybody runs, nothing asks
//! questions, and a kill at any moment leaves a directory that the next fetch repairs.

mod client;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest, Sha256};

use self::client::{Client, said};
use super::{Address, Error};
use crate::tool::{files, process, say};

/// What to fetch, and where to put it.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// The repository.
    pub url: Address,
    /// A branch, a tag, or `HEAD`.
    pub branch: String,
    /// The working directory.
    pub into: PathBuf,
    /// Whether the last commit is enough. A clone that is whole already stays so.
    pub shallow: bool,
    /// Paths in the directory that are not cleaned away.
    pub keep: Vec<String>,
}

/// The name of the repository's head among our refs.
const HEAD: &str = "refs/farmout/head";
/// The file in `.git` that says whose clone it is.
const STAMP: &str = "farmout-source";
/// Where a new `.git` is made before it gets its name.
const ASIDE: &str = ".git.farmout-new";

/// Brings `into` to the head of the branch and returns the full revision.
///
/// # Errors
/// See [`Error`].
pub fn fetch(fetch: &Fetch) -> Result<String, Error> {
    if fetch.url.expose().is_empty() {
        return Err(Error::Misuse("the repository's address is empty"));
    }
    if fetch.branch.is_empty() || fetch.branch.chars().any(|c| c.is_control() || c == ':' || c == '*') {
        return Err(Error::Misuse("the branch's name is empty or holds characters that no branch has"));
    }
    let into = prepare(&fetch.into)?;
    let directory = fs::File::open(&into).map_err(file("open", &into))?;
    let _lock =
        Flock::lock(directory, FlockArg::LockExclusiveNonblock).map_err(|_| Error::Busy(into.display().to_string()))?;
    Clone { fetch, into: &into, git: Client::new(&fetch.url, &into)? }.run()
}

/// Makes the directory and returns its absolute path.
fn prepare(into: &Path) -> Result<PathBuf, Error> {
    fs::create_dir_all(into).map_err(file("make", into))?;
    let into = into.canonicalize().map_err(file("find", into))?;
    let home = std::env::var_os("HOME").and_then(|home| Path::new(&home).canonicalize().ok());
    if into.parent().is_none() || home.is_some_and(|home| home.starts_with(&into)) {
        return Err(Error::Forbidden(into.display().to_string()));
    }
    Ok(into)
}

/// What the head of a branch is called over there.
struct Head {
    reference: String,
    /// The branch that the clone is on; none for tags and `HEAD`.
    branch: Option<String>,
}

struct Clone<'a> {
    fetch: &'a Fetch,
    into: &'a Path,
    git: Client<'a>,
}

impl Clone<'_> {
    fn run(&self) -> Result<String, Error> {
        // The address first: what a former build left is not touched while the repository does not answer.
        let head = self.head()?;
        remove(&self.into.join(ASIDE))?;
        if self.ours() {
            say(format_args!("Updating {} from {}", self.into.display(), self.fetch.url.shown()));
            match self.update(&head) {
                Err(Error::Git { command, said, .. }) => {
                    say(format_args!("git {command} failed in the old clone ({said}): cloning afresh"));
                }
                result => return result,
            }
        }
        self.replace(&head)?;
        self.check_out(&head)
    }

    /// Whether the directory holds a whole clone of this address, made by [`Clone::replace`].
    fn ours(&self) -> bool {
        let git = self.into.join(".git");
        fs::read_to_string(git.join(STAMP)).is_ok_and(|stamp| stamp == self.stamp())
    }

    /// The address is not written down, as it may hold a password.
    fn stamp(&self) -> String {
        use std::fmt::Write as _;
        Sha256::digest(self.fetch.url.expose()).iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    fn head(&self) -> Result<Head, Error> {
        let wanted = self.fetch.branch.as_str();
        let mut command = self.git.remote();
        // Not --heads --tags: HEAD would be missing. The patterns keep the refs of pull requests, often very many, away.
        command.args(["ls-remote", Client::REMOTE, "HEAD", "refs/heads/*", "refs/tags/*"]);
        if wanted.starts_with("refs/") {
            command.arg(wanted);
        }
        let output = process::capture(&mut command).map_err(Error::NoGit)?;
        let url = self.fetch.url.shown();
        if !output.status.success() {
            let text = self.fetch.url.hide(&String::from_utf8_lossy(&output.stderr));
            text.lines().for_each(say);
            return Err(Error::Unreachable { url, said: said(&text) });
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let references: Vec<&str> =
            text.lines().filter_map(|line| line.split_once('\t')).map(|(_, name)| name).collect();
        if references.is_empty() {
            return Err(Error::Empty(url));
        }
        let has = |name: &str| references.contains(&name);
        let branch = format!("refs/heads/{}", wanted.strip_prefix("refs/heads/").unwrap_or(wanted));
        let tag = format!("refs/tags/{wanted}");
        if has(&branch) {
            return Ok(Head { reference: branch.clone(), branch: Some(branch) });
        }
        let known = if has(&tag) { Some(tag) } else { has(wanted).then(|| wanted.to_owned()) };
        known.map(|reference| Head { reference, branch: None }).ok_or_else(|| Error::NoBranch {
            url,
            branch: wanted.to_owned(),
            near: near(wanted, &references),
        })
    }

    fn update(&self, head: &Head) -> Result<String, Error> {
        self.remove_locks()?;
        self.download(&self.into.join(".git"), head)?;
        self.check_out(head)
    }

    /// Empties the directory where it held another repository, and puts a new `.git` with everything fetched in it.
    fn replace(&self, head: &Head) -> Result<(), Error> {
        let git = self.into.join(".git");
        if git.symlink_metadata().is_ok() {
            say(format_args!("Removing what is in {}: it is no whole clone of this repository", self.into.display()));
            self.empty()?;
        }
        say(format_args!("Cloning {} into {}", self.fetch.url.shown(), self.into.display()));
        let aside = self.into.join(ASIDE);
        self.git.succeed(self.git.make(&aside).args(["init", "--quiet", "--template="]))?;
        for (name, value) in [("core.bare", "false"), ("core.logAllRefUpdates", "true")] {
            self.git.succeed(self.git.make(&aside).args(["config", name, value]))?;
        }
        // For people, and for scripts that push: with neither password nor token.
        self.git.succeed(self.git.make(&aside).args(["config", "remote.origin.url"]).arg(self.fetch.url.bare()))?;
        self.download(&aside, head)?;
        let stamp = aside.join(STAMP);
        fs::write(&stamp, self.stamp()).map_err(file("write", &stamp))?;
        fs::rename(&aside, &git).map_err(file("rename to", &git))
    }

    /// Deletes all but what is kept; `.git` last, so that a kill in between is seen as what it is.
    fn empty(&self) -> Result<(), Error> {
        for entry in fs::read_dir(self.into).map_err(file("list", self.into))? {
            let entry = entry.map_err(file("list", self.into))?;
            let kept =
                self.fetch.keep.iter().any(|keep| Path::new(keep.trim_matches('/')).starts_with(entry.file_name()));
            if entry.file_name() != ".git" && !kept {
                remove(&entry.path())?;
            }
        }
        remove(&self.into.join(".git"))
    }

    fn download(&self, git: &Path, head: &Head) -> Result<(), Error> {
        let shallow = git.join("shallow").exists();
        let depth = match (self.fetch.shallow, shallow) {
            (true, _) if shallow || !git.join(STAMP).exists() => Some("--depth=1"),
            (false, true) => Some("--unshallow"),
            _ => None,
        };
        let refspec = format!("+{}:{HEAD}", head.reference);
        let run = |depth: Option<&str>| {
            let mut command = self.git.on(git);
            command.args(["fetch", "--progress", "--no-recurse-submodules", "--no-write-fetch-head"]).args(depth);
            command.arg(Client::REMOTE).arg(&refspec);
            self.git.stream(&mut command)
        };
        let mut ran = run(depth)?;
        if !ran.status.success() && depth == Some("--depth=1") && ran.text().contains("does not support shallow") {
            say("The server has no shallow clones: fetching the whole history");
            ran = run(None)?;
        }
        self.git.check("fetch", ran.status.success(), &ran.text())
    }

    /// Makes the directory what [`HEAD`] says. Every step can be repeated, so a kill between two of them does no harm.
    fn check_out(&self, head: &Head) -> Result<String, Error> {
        let git = self.into.join(".git");
        let run = |arguments: &[&str]| self.git.succeed(self.git.on(&git).args(arguments));
        let revision = run(&["rev-parse", "--verify", &format!("{HEAD}^{{commit}}")])?;
        run(&["update-ref", "--no-deref", "HEAD", &revision])?;
        // Branches of former builds could be in the way: `a` of `a/b`.
        for name in run(&["for-each-ref", "--format=%(refname)", "refs/heads/"])?.lines() {
            run(&["update-ref", "-d", name])?;
        }
        if let Some(branch) = &head.branch {
            run(&["update-ref", branch, &revision])?;
            run(&["symbolic-ref", "HEAD", branch])?;
        }
        run(&["reset", "--hard", "--quiet", &revision])?;
        let mut clean = self.git.on(&git);
        clean.args(["clean", "--force", "-d", "--quiet"]);
        for keep in &self.fetch.keep {
            clean.arg(format!("--exclude=/{}", keep.trim_matches('/')));
        }
        self.git.succeed(&mut clean)?;
        Ok(revision)
    }

    /// What a killed git leaves behind. We hold the directory's lock, so nobody else's are meant.
    fn remove_locks(&self) -> Result<(), Error> {
        let mut directories = vec![self.into.join(".git")];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(&directory).map_err(file("list", &directory))?.flatten() {
                let path = entry.path();
                let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_directory && entry.file_name() != "objects" {
                    directories.push(path);
                } else if !is_directory && path.extension().is_some_and(|extension| extension == "lock") {
                    remove(&path)?;
                }
            }
        }
        Ok(())
    }
}

/// Branches and tags that look like the wanted one, else the first few.
fn near(wanted: &str, references: &[&str]) -> Vec<String> {
    let short = |name: &&str| {
        let name = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/"))?;
        (!name.ends_with("^{}")).then(|| name.to_owned())
    };
    let mut names: Vec<(f64, String)> =
        references.iter().filter_map(short).map(|name| (strsim::jaro_winkler(wanted, &name), name)).collect();
    names.sort_by(|a, b| b.0.total_cmp(&a.0));
    let close = names.iter().filter(|(likeness, _)| *likeness > 0.75).count();
    names.into_iter().take(close.clamp(5, 8)).map(|(_, name)| name).collect()
}

fn file(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.display().to_string();
    move |error| Error::File { what, path, error }
}

/// Deletes a file or a whole directory; one that is not there is fine.
fn remove(path: &Path) -> Result<(), Error> {
    files::remove(path).map_err(file("remove", path))
}
