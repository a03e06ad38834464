//! Mirrors of Mercurial repositories: without working copies, with what leads to the branches and bookmarks that are watched.

use std::process::Command;

use camino::Utf8Path;
use indexmap::IndexMap;

use super::call::{Calls, Trouble};
use super::layout::Places;
use super::state::Problem;
use super::update::{Fetched, Made, Seen};
use super::watched::Repository;
use crate::diagnostic::Failure;
use crate::tool::fetch::{Address, Error, Private, mercurial, said};
use crate::tool::files;

/// A repository to be mirrored.
pub(super) struct Hg<'a> {
    pub(super) calls: Calls<'a>,
    /// Its address as it is put on a command line.
    pub(super) address: &'a Address,
    /// The client's settings for this address.
    pub(super) private: &'a Private,
    pub(super) repository: &'a Repository,
    pub(super) places: &'a Places,
    /// Where the branches were.
    pub(super) known: &'a IndexMap<String, String>,
}

impl Hg<'_> {
    /// Brings the mirror up to date.
    pub(super) fn update(&self) -> Result<Fetched, Trouble> {
        let mut fetched = Fetched::default();
        let mut wanted: Vec<(&str, String)> = Vec::new();
        for branch in self.repository.branches.iter().map(|branch| branch.name.as_str()) {
            match self.find(branch)? {
                Ok(revision) => wanted.push((branch, revision)),
                Err(problem) => {
                    fetched.branches.insert(branch.to_owned(), Seen::Gone);
                    fetched.problems.push(problem.of(branch));
                }
            }
        }
        if wanted.is_empty() {
            return Ok(fetched);
        }
        let mirror = &self.places.mirror;
        let mut revisions: Vec<&str> = wanted.iter().map(|(_, revision)| revision.as_str()).collect();
        revisions.sort_unstable();
        revisions.dedup();
        if mirror.join(".hg/store").is_dir() {
            let stale = wanted.iter().any(|(branch, revision)| self.known.get(*branch) != Some(revision));
            fetched.touched = stale;
            if stale && let Err(why) = self.renew(&revisions)? {
                self.make(&revisions)?;
                fetched.made = Some(Made { why: Some(why) });
            }
        } else {
            fetched.made = Some(Made { why: mirror.exists().then(|| "it was no Mercurial repository".to_owned()) });
            self.make(&revisions)?;
        }
        for (branch, revision) in wanted {
            let before = self.known.get(branch).filter(|before| **before != revision);
            let rewritten = before.map_or(Ok(false), |before| self.is_rewritten(before, &revision))?;
            fetched.branches.insert(branch.to_owned(), Seen::At { revision, rewritten });
        }
        Ok(fetched)
    }

    /// Where a branch or bookmark is; what is wrong where there is none.
    fn find(&self, name: &str) -> Result<Result<String, Problem>, Trouble> {
        let wrong = |error: Error| Ok(Err(Problem::from(Failure::from(error))));
        if name.is_empty() || name.starts_with('-') || name.chars().any(|c| c.is_control() || c == ':') {
            return wrong(Error::Misuse("the branch's name is empty or holds characters that no branch has"));
        }
        // Mercurial would take a number for a revision's, but names none so.
        let is_name = name.parse::<i64>().is_err() && ![".", "null"].contains(&name);
        if is_name {
            let called = self.calls.run(&mut self.identify(Some(format!("--rev={name}"))))?;
            let revision = called.output.lines().map(str::trim).find(|line| mercurial::is_revision(line));
            match revision.filter(|_| called.status.success()) {
                // The beginning of an identifier is no name.
                Some(revision) if !revision.starts_with(name) => return Ok(Ok(revision.to_owned())),
                _ => {}
            }
        }
        let url = self.repository.identity.clone();
        let called = self.calls.run(&mut self.identify(None))?;
        if !called.status.success() {
            return Err(self.calls.unreachable(&called.errors));
        }
        if called.output.trim().bytes().all(|byte| byte == b'0') {
            return wrong(Error::Empty(url));
        }
        wrong(Error::NoName { url, kind: "branch or bookmark", name: name.to_owned(), near: Vec::new() })
    }

    fn identify(&self, revision: Option<String>) -> Command {
        let mut command = self.hg();
        command.args(["identify", "--debug", "--id"]).args(revision).args(["--", &self.address.bare()]);
        command
    }

    /// Gets what leads to the revisions. Inside: why the mirror is of no use any more.
    fn renew(&self, revisions: &[&str]) -> Result<Result<(), String>, Trouble> {
        let mirror = &self.places.mirror;
        for lock in [".hg/wlock", ".hg/store/lock"] {
            files::remove(mirror.join(lock).as_std_path()).map_err(Trouble::file("remove", mirror.join(lock)))?;
        }
        if mirror.join(".hg/store/journal").exists() {
            let called = self.calls.run(self.on(mirror).arg("recover"))?;
            if !called.status.success() {
                return Ok(Err(said(&called.errors)));
            }
        }
        let called = self.calls.run(&mut self.pull(mirror, revisions))?;
        if called.status.success() {
            return Ok(Ok(()));
        }
        // It answered before: only one that cannot even tell what it has is to be made anew.
        let checked = self.calls.run(self.on(mirror).args(["log", "--rev", "tip", "--template", "{files}"]))?;
        let broken = !checked.status.success() || is_broken(&called.errors);
        if broken { Ok(Err(said(&called.errors))) } else { Err(self.calls.unreachable(&called.errors)) }
    }

    /// Makes a mirror, and puts it in the place of what is there.
    fn make(&self, revisions: &[&str]) -> Result<(), Trouble> {
        self.calls.begin_anew();
        let aside = self.places.clear_aside().map_err(Trouble::file("clear", self.places.aside.as_str()))?;
        self.calls.succeed("init", aside.as_str(), self.hg().args(["init", "--"]).arg(aside))?;
        // For people, with no password.
        let settings = aside.join(".hg/hgrc");
        std::fs::write(&settings, format!("[paths]\ndefault = {}\n", self.address.bare()))
            .map_err(Trouble::file("write", settings.as_str()))?;
        let called = self.calls.run(&mut self.pull(aside, revisions))?;
        if !called.status.success() {
            return Err(self.calls.unreachable(&called.errors));
        }
        self.places.settle().map_err(Trouble::file("rename to", self.places.mirror.as_str()))
    }

    fn pull(&self, mirror: &Utf8Path, revisions: &[&str]) -> Command {
        let mut command = self.on(mirror);
        command.args(["pull", "--quiet"]).args(revisions.iter().map(|revision| format!("--rev={revision}")));
        command.args(["--", &self.address.bare()]);
        command
    }

    fn is_rewritten(&self, before: &str, now: &str) -> Result<bool, Trouble> {
        if !mercurial::is_revision(before) {
            return Ok(false);
        }
        let leads = format!("{before} and ::{now}");
        let called = self.calls.run(self.on(&self.places.mirror).args(["log", "--rev", &leads, "--template", "x"]))?;
        // Of what a mirror that was made anew does not have, nothing can be said.
        Ok(called.status.success() && called.output.is_empty())
    }

    fn on(&self, mirror: &Utf8Path) -> Command {
        let mut command = self.hg();
        command.arg("--repository").arg(mirror);
        command
    }

    fn hg(&self) -> Command {
        let mut command = mercurial::hg(self.private.path());
        command.current_dir("/");
        command
    }
}

/// Whether Mercurial complains of the mirror, and not of the repository or the way to it.
fn is_broken(text: &str) -> bool {
    const WORDS: [&str; 7] =
        ["00changelog", "00manifest", "corrupt", "integrity", "no match found", "unknown parent", "requirement"];
    let mut own = text.lines().filter(|line| !line.starts_with("remote:"));
    own.any(|line| WORDS.iter().any(|word| line.contains(word)))
}
