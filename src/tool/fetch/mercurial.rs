//! Mercurial: a clone made or brought up to date in place, by the `hg` program.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::address::Login;
use super::client::{Client, System, near};
use super::directory::{Directory, file, remove};
use super::private::Private;
use super::{Address, Error, Repository};
use crate::tool::say;

/// Which revision is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The head of a branch; a bookmark and a tag will do too, in the order in which Mercurial looks for names.
    Branch(String),
    /// A tag.
    Tag(String),
}

/// Where Mercurial keeps a repository.
const CONTROL: &str = ".hg";

/// Brings the directory to the wanted revision and returns its full identifier. One that is given by its identifier need have no
/// name any more.
///
/// # Errors
/// See [`Error`].
pub fn fetch(repository: &Repository, wanted: &Wanted) -> Result<String, Error> {
    let url = repository.url.plain(false)?;
    let (Wanted::Branch(name) | Wanted::Tag(name)) = wanted;
    if name.is_empty() || name.chars().any(|c| c.is_control() || c == ':') {
        return Err(Error::Misuse("the name of the branch or tag is empty or holds characters that none has"));
    }
    let exact = repository.revision.as_deref();
    if exact.is_some_and(|revision| !is_revision(revision)) {
        return Err(Error::Misuse("the revision is no full identifier of a changeset"));
    }
    let directory = Directory::open(&repository.into, &repository.keep)?;
    let private = Private::new()?;
    let client = Client { system: System::Mercurial, url: &url, into: directory.path() };
    let fetch = Fetch { url: &url, name, exact, wanted, directory: &directory, private: &private, client };
    let fetched = fetch.run()?;
    let what = match (exact, wanted) {
        (Some(revision), _) => format!("the revision `{revision}`"),
        (None, Wanted::Branch(name)) => format!("the branch `{name}`"),
        (None, Wanted::Tag(name)) => format!("the tag `{name}`"),
    };
    repository.expected.demand(&directory, &format!("{what} of {}", url.shown()))?;
    Ok(fetched)
}

/// Makes sure that the repository answers and has the name; none stands for any. The directory is for the client to work in.
///
/// # Errors
/// See [`Error`].
pub fn reach(repository: &Repository, wanted: Option<&Wanted>) -> Result<(), Error> {
    let url = repository.url.plain(false)?;
    let directory = Directory::open(&repository.into, &repository.keep)?;
    let private = Private::new()?;
    private.write("hgrc", &configuration(&url), 0o600)?;
    let client = Client { system: System::Mercurial, url: &url, into: directory.path() };
    let any = Wanted::Branch("default".to_owned());
    let (Wanted::Branch(name) | Wanted::Tag(name)) = wanted.unwrap_or(&any);
    let fetch = Fetch {
        url: &url,
        name,
        exact: None,
        wanted: wanted.unwrap_or(&any),
        directory: &directory,
        private: &private,
        client,
    };
    match wanted {
        None => fetch.answers(),
        Some(_) if fetch.look_up()?.is_some() => Ok(()),
        // The names that there are could be told only from a clone.
        Some(_) => Err(Error::NoName { url: url.shown(), kind: "branch or tag", name: name.clone(), near: Vec::new() }),
    }
}

struct Fetch<'a> {
    url: &'a Address,
    name: &'a str,
    /// The revision to have instead of the head.
    exact: Option<&'a str>,
    wanted: &'a Wanted,
    directory: &'a Directory,
    private: &'a Private,
    client: Client<'a>,
}

impl Fetch<'_> {
    fn run(&self) -> Result<String, Error> {
        configure(self.private, self.url)?;
        // The address first: what a former build left is not touched while the repository does not answer.
        let found = match self.exact {
            Some(exact) => self.answers().map(|()| Some(exact.to_owned()))?,
            None => self.look_up()?,
        };
        let Some(revision) = found else { return Err(self.no_name()) };
        let control = self.directory.path().join(CONTROL);
        let update = || {
            remove(&control.join("wlock"))?;
            remove(&control.join("store/lock"))?;
            self.settle(self.directory.path())?;
            if control.join("store/journal").exists() {
                self.client.output("recover", self.on(self.directory.path()).arg("recover"))?;
            }
            self.download(self.directory.path(), &revision)?;
            self.check_out(&revision)
        };
        let replace = || {
            self.replace(&revision)?;
            self.check_out(&revision)
        };
        self.directory.renew(self.url, CONTROL, update, replace)
    }

    /// What the name stands for over there; none if for nothing.
    fn look_up(&self) -> Result<Option<String>, Error> {
        // Mercurial would take a number for a revision's, but names none so.
        let is_name = self.name.parse::<i64>().is_err()
            && ![".", "null"].contains(&self.name)
            && *self.wanted != Wanted::Tag("tip".to_owned());
        if is_name && let Ok(output) = self.identify(Some(format!("--rev={}", self.name)))? {
            return Ok(output.lines().map(str::trim).find(|line| is_revision(line)).map(str::to_owned));
        }
        self.answers().map(|()| None)
    }

    /// Demands that the repository answers, and has something.
    fn answers(&self) -> Result<(), Error> {
        match self.identify(None)? {
            Err(text) => Err(self.client.unreachable(&text)),
            Ok(output) if output.lines().any(|line| line.trim().bytes().all(|b| b == b'0')) => {
                Err(Error::Empty(self.url.shown()))
            }
            Ok(_) => Ok(()),
        }
    }

    fn identify(&self, revision: Option<String>) -> Result<Result<String, String>, Error> {
        let mut command = self.hg();
        command.current_dir("/").args(["identify", "--debug", "--id"]).args(revision);
        let answer = self.client.attempt(command.args(["--", &self.url.bare()]))?;
        Ok(answer.map(|output| String::from_utf8_lossy(&output).into_owned()))
    }

    /// Puts a new repository in the place of whatever is there.
    fn replace(&self, revision: &str) -> Result<(), Error> {
        say(format_args!("Cloning {} into {}", self.url.shown(), self.directory.path().display()));
        let aside = self.make_aside()?;
        self.download(&aside, revision)?;
        self.directory.stamp(&aside.join(CONTROL), self.url)?;
        self.directory.clear()?;
        self.directory.settle(&aside, CONTROL)
    }

    fn make_aside(&self) -> Result<PathBuf, Error> {
        let aside = self.directory.aside()?;
        self.client.output("init", self.hg().args(["init", "--"]).arg(&aside))?;
        self.settle(&aside)?;
        Ok(aside)
    }

    /// Writes the clone's own settings. They are for people, and for scripts that push: with neither password nor hooks.
    fn settle(&self, clone: &Path) -> Result<(), Error> {
        let settings = clone.join(CONTROL).join("hgrc");
        remove(&settings)?;
        let text = format!("[paths]\ndefault = {}\n", self.url.bare());
        std::fs::write(&settings, text).map_err(file("write", &settings))
    }

    /// Gets all that the repository has, and makes sure that the revision is there and has the wanted name.
    fn download(&self, clone: &Path, revision: &str) -> Result<(), Error> {
        self.pull(clone)?;
        if self.exact.is_some() {
            let known = self.client.attempt(self.on(clone).args(["log", "--rev", revision, "--template", "x"]))?;
            let why =
                "nothing in it leads to that changeset any more: it was stripped, or rewritten by another".to_owned();
            let gone = |_| Error::Gone { url: self.url.shown(), revision: revision.to_owned(), why };
            return known.map(drop).map_err(gone);
        }
        // What the repository took for the beginning of a revision's identifier is no name, and a branch is no tag.
        let shortened = revision.starts_with(self.name) && revision != self.name;
        let doubtful = shortened || matches!(self.wanted, Wanted::Tag(_));
        let mut template = r#"{tags % "{tag}\n"}"#.to_owned();
        if let Wanted::Branch(_) = self.wanted {
            template.push_str(r#"{branch}\n{bookmarks % "{bookmark}\n"}"#);
        }
        let log = |template: &str| {
            let mut command = self.on(clone);
            self.client.output("log", command.args(["log", "--rev", revision, "--template", template]))
        };
        let names = log(&template)?;
        let named = String::from_utf8_lossy(&names).lines().any(|known| known == self.name);
        if doubtful && !named { Err(self.unknown(clone)) } else { Ok(()) }
    }

    fn pull(&self, clone: &Path) -> Result<(), Error> {
        let mut command = self.on(clone);
        // Progress is what shows that a big repository has not hung.
        command.env("HGPLAINEXCEPT", "progress").args(["pull", "--", &self.url.bare()]);
        let pulled = self.client.stream(&mut command)?;
        if pulled.status.success() { Ok(()) } else { Err(self.client.failed("pull", &pulled.text())) }
    }

    /// Makes the directory what the revision says. Every step can be repeated, so a kill between two of them does no harm.
    fn check_out(&self, revision: &str) -> Result<String, Error> {
        let path = self.directory.path();
        self.client.output("update", self.on(path).args(["update", "--clean", "--quiet", "--rev", revision]))?;
        let mut status = self.on(path);
        status.args(["status", "--unknown", "--no-status", "--print0"]);
        self.directory.sweep(&self.client.output("status", &mut status)?, false)?;
        Ok(revision.to_owned())
    }

    /// The error for a name that is not there. The names that are can be seen only in a clone.
    fn no_name(&self) -> Error {
        let listed = self.make_aside().and_then(|aside| self.pull(&aside).map(|()| aside));
        listed.map_or_else(|error| error, |aside| self.unknown(&aside))
    }

    fn unknown(&self, clone: &Path) -> Error {
        let list = |arguments: &[&str]| {
            let names = self.client.output(arguments[0], self.on(clone).args(arguments));
            names.map(|names| String::from_utf8_lossy(&names).into_owned())
        };
        let tags = list(&["tags", "--template", r"{tag}\n"]);
        let (kind, names) = match self.wanted {
            Wanted::Tag(_) => ("tag", vec![tags]),
            Wanted::Branch(_) => ("branch or tag", vec![list(&["branches", "--template", r"{branch}\n"]), tags]),
        };
        let names = match names.into_iter().collect::<Result<Vec<_>, _>>() {
            Ok(names) => names,
            Err(error) => return error,
        };
        let names = names.iter().flat_map(|names| names.lines()).filter(|name| *name != "tip");
        Error::NoName { url: self.url.shown(), kind, name: self.name.to_owned(), near: near(self.name, names) }
    }

    /// An hg that works on a clone.
    fn on(&self, clone: &Path) -> Command {
        let mut command = self.hg();
        command.arg("--repository").arg(clone);
        command
    }

    fn hg(&self) -> Command {
        let mut command = hg(self.private.path());
        command.current_dir(self.directory.path());
        command
    }
}

/// An hg without the settings of anybody but those of [`configure`].
pub(crate) fn hg(private: &Path) -> Command {
    let mut command = Command::new(System::Mercurial.client());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HG") {
            command.env_remove(&name);
        }
    }
    command.env("HGRCPATH", private.join("hgrc")).env("HGRCSKIPREPO", "1");
    command.env("HGPLAIN", "1").env("HGENCODING", "UTF-8").env("LC_ALL", "C.UTF-8").env_remove("LANGUAGE");
    command.env_remove("SSH_ASKPASS");
    command
}

/// Writes the only configuration that counts.
pub(crate) fn configure(private: &Private, url: &Address) -> Result<(), Error> {
    private.write("hgrc", &configuration(url), 0o600).map(drop)
}

fn configuration(url: &Address) -> String {
    let mut text = "[ui]\ninteractive = no\nusername = farmout\nssh = ssh -o BatchMode=yes\n\
        [progress]\nassume-tty = yes\nformat = topic number\n"
        .to_owned();
    if let Some(Login { site, user, password }) = url.login() {
        text.push_str(&format!("[auth]\nx.prefix = {site}\nx.username = {user}\nx.password = {password}\n"));
    }
    text
}

/// Whether this is the full identifier of a changeset.
pub(crate) fn is_revision(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
