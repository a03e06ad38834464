//! Git: a clone made or brought up to date in place, by the `git` program.

mod client;

use std::fs;
use std::path::Path;

use self::client::Client;
use super::client::near;
use super::directory::{Directory, file, is_stamped, remove};
use super::{Address, Error, Repository};
use crate::tool::say;

/// The name of the repository's head among our refs.
const HEAD: &str = "refs/farmout/head";
/// Where git keeps a repository.
const CONTROL: &str = ".git";

/// Brings the directory to the head of a branch, a tag or `HEAD`, and returns the full revision. With `shallow` the last commit is
/// enough; a clone that is whole already stays so.
///
/// # Errors
/// See [`Error`].
pub fn fetch(repository: &Repository, branch: &str, shallow: bool) -> Result<String, Error> {
    let url = &repository.url;
    if url.expose().is_empty() {
        return Err(Error::Misuse("the repository's address is empty"));
    }
    if branch.is_empty() || branch.chars().any(|c| c.is_control() || c == ':' || c == '*') {
        return Err(Error::Misuse("the branch's name is empty or holds characters that no branch has"));
    }
    let revision = repository.revision.as_deref();
    if revision.is_some_and(|revision| !is_hash(revision)) {
        return Err(Error::Misuse("the revision is no full hash of a commit"));
    }
    let directory = Directory::open(&repository.into, &repository.keep)?;
    let git = Client::new(url, directory.path())?;
    // Only a whole clone is sure to have an older revision.
    let shallow = shallow && revision.is_none();
    Fetch { url, branch, revision, shallow, into: directory.path(), directory: &directory, git }.run()
}

/// What the head of a branch is called over there.
struct Head {
    reference: String,
    /// The branch that the clone is on; none for tags and `HEAD`.
    branch: Option<String>,
}

struct Fetch<'a> {
    url: &'a Address,
    branch: &'a str,
    revision: Option<&'a str>,
    shallow: bool,
    into: &'a Path,
    directory: &'a Directory,
    git: Client<'a>,
}

impl Fetch<'_> {
    fn run(&self) -> Result<String, Error> {
        // The address first: what a former build left is not touched while the repository does not answer.
        let head = self.head()?;
        let replace = || {
            self.replace(&head)?;
            self.check_out(&head)
        };
        self.directory.renew(self.url, CONTROL, || self.update(&head), replace)
    }

    fn head(&self) -> Result<Head, Error> {
        let wanted = self.branch;
        let mut command = self.git.remote();
        // Not --heads --tags: HEAD would be missing. The patterns keep the refs of pull requests, often very many, away.
        command.args(["ls-remote", Client::REMOTE, "HEAD", "refs/heads/*", "refs/tags/*"]);
        if wanted.starts_with("refs/") {
            command.arg(wanted);
        }
        let text = self.git.list(&mut command)?;
        let url = self.url.shown();
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
        known.map(|reference| Head { reference, branch: None }).ok_or_else(|| Error::NoName {
            url,
            kind: "branch or tag",
            name: wanted.to_owned(),
            near: near(wanted, references.iter().filter_map(short)),
        })
    }

    fn update(&self, head: &Head) -> Result<String, Error> {
        self.remove_locks()?;
        self.download(&self.into.join(CONTROL), head)?;
        self.check_out(head)
    }

    /// Empties the directory where it held another repository, and puts a new `.git` with everything fetched in it.
    fn replace(&self, head: &Head) -> Result<(), Error> {
        if self.directory.is_a_clone() {
            self.directory.clear()?;
        }
        say(format_args!("Cloning {} into {}", self.url.shown(), self.into.display()));
        let (git, aside) = (self.into.join(CONTROL), self.directory.aside()?);
        self.git.succeed(self.git.make(&aside).args(["init", "--quiet", "--template="]))?;
        for (name, value) in [("core.bare", "false"), ("core.logAllRefUpdates", "true")] {
            self.git.succeed(self.git.make(&aside).args(["config", name, value]))?;
        }
        // For people, and for scripts that push: with neither password nor token.
        self.git.succeed(self.git.make(&aside).args(["config", "remote.origin.url"]).arg(self.url.bare()))?;
        self.download(&aside, head)?;
        self.directory.stamp(&aside, self.url)?;
        fs::rename(&aside, &git).map_err(file("rename to", &git))
    }

    fn download(&self, git: &Path, head: &Head) -> Result<(), Error> {
        let shallow = git.join("shallow").exists();
        let depth = match (self.shallow, shallow) {
            (true, _) if shallow || !is_stamped(git) => Some("--depth=1"),
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
        if ran.status.success() { Ok(()) } else { Err(self.git.failed(&ran)) }
    }

    /// Makes the directory what [`HEAD`] says. Every step can be repeated, so a kill between two of them does no harm.
    fn check_out(&self, head: &Head) -> Result<String, Error> {
        let git = self.into.join(CONTROL);
        let run = |arguments: &[&str]| self.git.succeed(self.git.on(&git).args(arguments));
        let revision = match self.revision {
            None => run(&["rev-parse", "--verify", &format!("{HEAD}^{{commit}}")])?,
            Some(wanted) => {
                let gone = |_| Error::NoName {
                    url: self.url.shown(),
                    kind: "revision",
                    name: wanted.to_owned(),
                    near: Vec::new(),
                };
                run(&["rev-parse", "--quiet", "--verify", &format!("{wanted}^{{commit}}")]).map_err(gone)?
            }
        };
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
        for keep in self.directory.keep() {
            clean.arg(format!("--exclude=/{}", keep.display()));
        }
        self.git.succeed(&mut clean)?;
        Ok(revision)
    }

    /// What a killed git leaves behind. We hold the directory's lock, so nobody else's are meant.
    fn remove_locks(&self) -> Result<(), Error> {
        let mut directories = vec![self.into.join(CONTROL)];
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

/// Whether this is the whole name of a commit, in SHA-1 or SHA-256.
fn is_hash(text: &str) -> bool {
    [40, 64].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A branch or tag as people write it; none for what a tag points to.
fn short<'a>(name: &&'a str) -> Option<&'a str> {
    let name = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/"))?;
    (!name.ends_with("^{}")).then_some(name)
}
