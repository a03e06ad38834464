//! Git: a clone made or brought up to date in place, by the `git` program.

mod client;

use std::fs;
use std::path::Path;

pub(crate) use self::client::{CHOICE_OF_SSH, REMOTE, git, quiet_ssh};

use self::client::Client;
use super::client::near;
use super::directory::{Directory, file, is_stamped, remove};
use super::{Address, Error, Repository};
use crate::tool::process::Streamed;
use crate::tool::say;

/// The name of the repository's head among our refs.
const HEAD: &str = "refs/farmout/head";
/// The name of a revision that was fetched by itself.
const REVISION: &str = "refs/farmout/revision";
/// The tags as they are over there: git by itself never moves one, and has only those on the branch.
const TAGS: &str = "+refs/tags/*:refs/tags/*";
/// All branches, for a revision that may be on any of them.
const BRANCHES: &str = "+refs/heads/*:refs/farmout/heads/*";
/// Where git keeps a repository.
const CONTROL: &str = ".git";

/// Brings the directory to the head of a branch, a tag or `HEAD`, and returns the full revision. With `shallow` the last commit is
/// enough; a clone that is whole already stays so. For a revision that is given, the branch need not be there any more.
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
    let fetch = Fetch { url, branch, revision, shallow, into: directory.path(), directory: &directory, git };
    // The address first: what a former build left is not touched while the repository does not answer.
    let head = fetch.head()?;
    let fetched = fetch.run(&head)?;
    let whole = match (revision, &head.branch) {
        (Some(revision), _) => format!("the revision `{revision}` of {}", url.shown()),
        (None, Some(_)) => format!("the branch `{branch}` of {}", url.shown()),
        (None, None) => format!("`{branch}` of {}", url.shown()),
    };
    repository.expected.demand(&directory, &whole)?;
    Ok(fetched)
}

/// Makes sure that the repository answers and has the branch, the tag or `HEAD`; the directory is for the client to work in.
///
/// # Errors
/// See [`Error`].
pub fn reach(repository: &Repository, branch: &str) -> Result<(), Error> {
    let directory = Directory::open(&repository.into, &repository.keep)?;
    let git = Client::new(&repository.url, directory.path())?;
    let (url, into) = (&repository.url, directory.path());
    Fetch { url, branch, revision: None, shallow: true, into, directory: &directory, git }.head().map(drop)
}

/// What the head of a branch is called over there.
struct Head {
    /// None where it is gone, which only a given revision can do without.
    reference: Option<String>,
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
    fn run(&self, head: &Head) -> Result<String, Error> {
        let replace = || {
            self.replace(head)?;
            self.check_out(head)
        };
        self.directory.renew(self.url, CONTROL, || self.update(head), replace)
    }

    fn head(&self) -> Result<Head, Error> {
        let wanted = self.branch;
        let mut command = self.git.remote();
        // Not --heads --tags: HEAD would be missing. The patterns keep the refs of pull requests, often very many, away.
        command.args(["ls-remote", REMOTE, "HEAD", "refs/heads/*", "refs/tags/*"]);
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
            return Ok(Head { reference: Some(branch.clone()), branch: Some(branch) });
        }
        let reference = if has(&tag) { Some(tag) } else { has(wanted).then(|| wanted.to_owned()) };
        if reference.is_some() || self.revision.is_some() {
            return Ok(Head { reference, branch: None });
        }
        let near = near(wanted, references.iter().filter_map(short));
        Err(Error::NoName { url, kind: "branch or tag", name: wanted.to_owned(), near })
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

    /// Gets the head, the tags and what a given revision needs besides.
    fn download(&self, git: &Path, head: &Head) -> Result<(), Error> {
        let shallow = git.join("shallow").exists();
        let depth = match (self.shallow, shallow) {
            (true, _) if shallow || !is_stamped(git) => Some("--depth=1"),
            (false, true) => Some("--unshallow"),
            _ => None,
        };
        let head_only = head.reference.as_ref().map(|reference| format!("+{reference}:{HEAD}"));
        let refspecs: Vec<&str> = if depth == Some("--depth=1") {
            // All tags would be as many commits more. Those that belong to this one come again.
            self.delete(git, "refs/tags/")?;
            head_only.iter().map(String::as_str).collect()
        } else {
            head_only.iter().map(String::as_str).chain([TAGS]).collect()
        };
        let run = |depth| self.get(git, depth, &refspecs);
        let mut ran = run(depth)?;
        if !ran.status.success() && depth == Some("--depth=1") && ran.text().contains("does not support shallow") {
            say("The server has no shallow clones: fetching the whole history");
            ran = run(None)?;
        }
        if !ran.status.success() {
            return Err(self.git.failed(&ran));
        }
        self.revision.map_or(Ok(()), |revision| self.download_revision(git, head, revision))
    }

    /// Gets a revision that may be on no branch any more.
    fn download_revision(&self, git: &Path, head: &Head, revision: &str) -> Result<(), Error> {
        let commit = format!("{revision}^{{commit}}");
        let has = || {
            let found = self.git.ask(self.git.on(git).args(["rev-parse", "--quiet", "--verify", &commit]));
            found.map(|found| found.is_ok())
        };
        if has()? {
            return Ok(());
        }
        say(format_args!("{revision} is neither on {} nor at a tag: asking for it by itself", self.branch));
        if self.get(git, None, &[&format!("+{revision}:{REVISION}")])?.status.success() && has()? {
            return Ok(());
        }
        say("It is not to be had by itself: fetching all branches");
        let ran = self.get(git, None, &[BRANCHES])?;
        if !ran.status.success() {
            return Err(self.git.failed(&ran));
        }
        if has()? {
            return Ok(());
        }
        let branch = self.branch;
        let why = match head.reference {
            Some(_) => format!("`{branch}` was rewritten, and no other branch or tag has the commit"),
            None => format!("the branch or tag `{branch}` is gone, and no other has the commit"),
        };
        Err(Error::Gone { url: self.url.shown(), revision: revision.to_owned(), why })
    }

    fn get(&self, git: &Path, depth: Option<&str>, refspecs: &[&str]) -> Result<Streamed, Error> {
        let mut command = self.git.on(git);
        command.args(["fetch", "--progress", "--no-recurse-submodules", "--no-write-fetch-head"]).args(depth);
        if refspecs.iter().any(|refspec| refspec.contains('*')) {
            command.arg("--prune");
        }
        self.git.stream(command.arg(REMOTE).args(refspecs))
    }

    /// Deletes our references below a prefix.
    fn delete(&self, git: &Path, prefix: &str) -> Result<(), Error> {
        let run = |arguments: &[&str]| self.git.succeed(self.git.on(git).args(arguments));
        let names = run(&["for-each-ref", "--format=%(refname)", prefix])?;
        names.lines().try_for_each(|name| run(&["update-ref", "-d", name]).map(drop))
    }

    /// Makes the directory what [`HEAD`] says. Every step can be repeated, so a kill between two of them does no harm.
    fn check_out(&self, head: &Head) -> Result<String, Error> {
        let git = self.into.join(CONTROL);
        let run = |arguments: &[&str]| self.git.succeed(self.git.on(&git).args(arguments));
        let revision = match self.revision {
            None => run(&["rev-parse", "--verify", &format!("{HEAD}^{{commit}}")])?,
            Some(revision) => run(&["rev-parse", "--verify", &format!("{revision}^{{commit}}")])?,
        };
        run(&["update-ref", "--no-deref", "HEAD", &revision])?;
        // Branches of former builds could be in the way: `a` of `a/b`.
        self.delete(&git, "refs/heads/")?;
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
