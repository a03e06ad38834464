//! Bazaar: a branch with its working tree, made or brought up to date in place, by the `brz` program or the older `bzr`.

use std::path::Path;
use std::process::Command;

use super::address::Login;
use super::client::{Client, System};
use super::directory::{Directory, remove};
use super::private::Private;
use super::{Address, Error, Repository};
use crate::tool::say;

/// Where Bazaar keeps a branch.
const CONTROL: &str = ".bzr";

/// Brings the directory to the head of the branch and returns its number and its full identifier.
///
/// # Errors
/// See [`Error`].
pub fn fetch(repository: &Repository) -> Result<String, Error> {
    let url = repository.url.plain(true)?;
    let exact = repository.revision.as_deref();
    if exact.is_some_and(|revision| !revision.starts_with("revid:") || revision.chars().any(char::is_control)) {
        return Err(Error::Misuse("the revision is no `revid:` of Bazaar's"));
    }
    let directory = Directory::open(&repository.into, &repository.keep)?;
    let private = Private::new()?;
    let client = Client { system: System::Bazaar, url: &url, into: directory.path() };
    let fetch = Fetch { url: &url, exact, directory: &directory, private: &private, client, program: program() };
    let fetched = fetch.run()?;
    let whole = match exact {
        Some(revision) => format!("the revision `{revision}` of {}", url.shown()),
        None => format!("the branch {}", url.shown()),
    };
    repository.expected.demand(&directory, &whole)?;
    Ok(fetched)
}

/// Makes sure that the branch answers; the directory is for the client to work in.
///
/// # Errors
/// See [`Error`].
pub fn reach(repository: &Repository) -> Result<(), Error> {
    let url = repository.url.plain(true)?;
    let directory = Directory::open(&repository.into, &repository.keep)?;
    let private = Private::new()?;
    let client = Client { system: System::Bazaar, url: &url, into: directory.path() };
    let program = program();
    Fetch { url: &url, exact: None, directory: &directory, private: &private, client, program }.answers()
}

struct Fetch<'a> {
    url: &'a Address,
    /// The revision to have instead of the head.
    exact: Option<&'a str>,
    directory: &'a Directory,
    private: &'a Private,
    client: Client<'a>,
    program: &'static str,
}

impl Fetch<'_> {
    fn run(&self) -> Result<String, Error> {
        // The address first: what a former build left is not touched while the repository does not answer.
        self.answers()?;
        self.directory.renew(self.url, CONTROL, || self.update(), || self.replace())
    }

    /// Demands that the branch answers, and has something. The client is configured from then on.
    fn answers(&self) -> Result<(), Error> {
        configure(self.private, self.url)?;
        let mut head = self.bzr();
        head.current_dir("/").arg("revision-info").arg(format!("--directory={}", self.url.bare()));
        match self.client.attempt(&mut head)? {
            Err(text) => Err(self.client.unreachable(&text)),
            Ok(output) if output.ends_with(b"null:\n") => Err(Error::Empty(self.url.shown())),
            Ok(_) => Ok(()),
        }
    }

    fn update(&self) -> Result<String, Error> {
        let path = self.directory.path();
        remove_locks(&path.join(CONTROL))?;
        for left in ["limbo", "pending-deletion"] {
            remove(&path.join(CONTROL).join("checkout").join(left))?;
        }
        self.run_bzr("revert", &["--no-backup", "--quiet"])?;
        self.sweep()?;
        let mut pull = self.bzr();
        pull.env("BRZ_PROGRESS_BAR", "text").args(["pull", "--overwrite", "--", &self.url.bare()]);
        let pulled = self.client.stream(&mut pull)?;
        if !pulled.status.success() {
            return Err(self.client.failed("pull", &pulled.text()));
        }
        self.demand_revision(path)?;
        let conflicts = self.run_bzr("conflicts", &[])?;
        if !conflicts.is_empty() {
            return Err(self.client.failed("pull", &String::from_utf8_lossy(&conflicts)));
        }
        self.sweep()?;
        self.prune_tags()?;
        self.settle_tree()?;
        self.revision()
    }

    /// Puts a new branch in the place of whatever is there.
    fn replace(&self) -> Result<String, Error> {
        say(format_args!("Branching {} into {}", self.url.shown(), self.directory.path().display()));
        let aside = self.directory.aside()?;
        let mut branch = self.bzr();
        branch.env("BRZ_PROGRESS_BAR", "text").args(["branch", "--standalone", "--", &self.url.bare()]).arg(&aside);
        let branched = self.client.stream(&mut branch)?;
        if !branched.status.success() {
            return Err(self.client.failed("branch", &branched.text()));
        }
        self.demand_revision(&aside)?;
        // It was noted relative to where the branch was made.
        let parent = format!("parent_location={}", self.url.bare());
        self.client.output("config", self.bzr().arg("config").arg("--directory").arg(&aside).args(["--", &parent]))?;
        self.directory.stamp(&aside.join(CONTROL), self.url)?;
        self.directory.clear()?;
        self.directory.settle(&aside, CONTROL)?;
        self.settle_tree()?;
        self.revision()
    }

    /// Makes sure that the branch leads to the revision that is wanted. Where it was rewritten a clone still has it, but the client
    /// breaks off half-way when it is to go there.
    fn demand_revision(&self, branch: &Path) -> Result<(), Error> {
        let Some(exact) = self.exact else { return Ok(()) };
        let mut look = self.bzr();
        look.current_dir(branch).args(["revision-info", &format!("--revision={exact}")]);
        // What is not part of the branch has no number there.
        let known = self.client.attempt(&mut look)?.is_ok_and(|info| !info.starts_with(b"???"));
        let why = || "the branch was rewritten, and does not lead to it any more".to_owned();
        let gone = || Error::Gone { url: self.url.shown(), revision: exact.to_owned(), why: why() };
        if known { Ok(()) } else { Err(gone()) }
    }

    /// Brings the tree to the revision that is wanted; to the head, from which an earlier fetch may have gone back.
    fn settle_tree(&self) -> Result<(), Error> {
        let revision = self.exact.map(|exact| format!("--revision={exact}"));
        let arguments: Vec<&str> = ["--quiet"].into_iter().chain(revision.as_deref()).collect();
        self.run_bzr("update", &arguments).map(drop)
    }

    /// Deletes the tags that the branch has no more: what is pulled moves tags, and deletes none.
    fn prune_tags(&self) -> Result<(), Error> {
        let own = self.run_bzr("tags", &["--show-ids"])?;
        if own.is_empty() {
            return Ok(());
        }
        let theirs = self.run_bzr("tags", &["--show-ids", &format!("--directory={}", self.url.bare())])?;
        let (own, theirs) = (tags(&own), tags(&theirs));
        let mut gone = own.iter().filter(|name| !theirs.contains(name));
        gone.try_for_each(|name| self.run_bzr("tag", &["--quiet", "--delete", "--", name]).map(drop))
    }

    fn sweep(&self) -> Result<(), Error> {
        self.directory.sweep(&self.run_bzr("ls", &["--unknown", "--null", "--recursive"])?, true)
    }

    fn revision(&self) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(&self.run_bzr("revision-info", &["--tree"])?).trim().to_owned())
    }

    /// Runs a command in the directory.
    fn run_bzr(&self, name: &str, arguments: &[&str]) -> Result<Vec<u8>, Error> {
        self.client.output(name, self.bzr().arg(name).args(arguments))
    }

    fn bzr(&self) -> Command {
        let mut command = bzr(self.program, self.private.path());
        command.current_dir(self.directory.path());
        command
    }
}

/// A client without the settings of anybody but those of [`configure`].
pub(crate) fn bzr(program: &str, private: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("BRZ") || text.starts_with("BZR") {
            command.env_remove(&name);
        }
    }
    let ssh = private.join("ssh");
    for prefix in ["BRZ", "BZR"] {
        command.env(format!("{prefix}_HOME"), private).env(format!("{prefix}_LOG"), "/dev/null");
        command.env(format!("{prefix}_PLUGIN_PATH"), "-user:-site").env(format!("{prefix}_SSH"), &ssh);
    }
    command.env("LC_ALL", "C.UTF-8").env_remove("LANGUAGE").env_remove("SSH_ASKPASS");
    command
}

/// Writes the only configuration that counts.
pub(crate) fn configure(private: &Private, url: &Address) -> Result<(), Error> {
    // The client has no setting for the options of ssh.
    private.write("ssh", "#!/bin/sh\nexec ssh -o BatchMode=yes \"$@\"\n", 0o700)?;
    if let Some(Login { site, user, password }) = url.login() {
        let (scheme, host) = site.split_once("://").unwrap_or(("https", &site));
        let (host, port) = host.split_once(':').unwrap_or((host, ""));
        let mut text = format!("[x]\nscheme = {}\nhost = {host}\n", scheme.to_ascii_lowercase());
        if !port.is_empty() {
            text.push_str(&format!("port = {port}\n"));
        }
        text.push_str(&format!("user = {}\npassword = {}\n", quoted(&user), quoted(&password)));
        for home in ["breezy", ".bazaar"] {
            private.write(&format!("{home}/authentication.conf"), &text, 0o600)?;
        }
    }
    Ok(())
}

/// The client that there is; the newer one if there is none.
pub(crate) fn program() -> &'static str {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |name: &&str| std::env::split_paths(&path).any(|directory| directory.join(name).is_file());
    ["brz", "bzr"].into_iter().find(there).unwrap_or("brz")
}

/// A value as the client's configuration files have it: they know no escapes.
fn quoted(text: &str) -> String {
    let quote = ["\"", "'"].into_iter().find(|quote| !text.contains(quote)).unwrap_or("\"\"\"");
    format!("{quote}{text}{quote}")
}

/// The names in a list of tags. A name may have blanks in it, what it stands for has none.
fn tags(list: &[u8]) -> Vec<String> {
    let list = String::from_utf8_lossy(list);
    list.lines()
        .filter_map(|line| line.trim_end().rsplit_once(' '))
        .map(|(name, _)| name.trim_end().to_owned())
        .collect()
}

/// What a killed client leaves behind. We hold the directory's lock, so nobody else's are meant.
pub(crate) fn remove_locks(control: &Path) -> Result<(), Error> {
    ["branch", "branch-lock", "checkout", "repository"]
        .iter()
        .flat_map(|part| [control.join(part).join("lock/held"), control.join(part).join("held")])
        .try_for_each(|lock| remove(&lock))
}
