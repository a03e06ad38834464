//! Checkouts of Git. The upstream is that of the branch that is checked out.

use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};

use super::call::Caller;
use super::{Look, Revision, System, Trouble};
use crate::tool::fetch::git;

/// What the upstream has is called so in the checkout.
const UPSTREAM: &str = "refs/farmout/upstream";
/// No hook, and nothing that asks, or that goes on in the background.
const SETTINGS: [&str; 8] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "merge.autoStash=false",
];

#[derive(Debug)]
pub(super) struct Git;

impl Git {
    fn git(calls: &Caller, arguments: &[&str]) -> Command {
        let mut command = calls.command("git");
        command.args(SETTINGS.iter().flat_map(|setting| ["-c", setting])).args(arguments);
        command.env("GIT_TERMINAL_PROMPT", "0");
        command
    }

    /// What git answers; none if it says no.
    fn ask(calls: &Caller, arguments: &[&str]) -> Result<Option<String>, Trouble> {
        let called = calls.run(&mut Self::git(calls, arguments))?;
        Ok(called.success.then(|| called.output.trim_end_matches('\n').to_owned()))
    }

    fn succeed(calls: &Caller, arguments: &[&str]) -> Result<String, Trouble> {
        calls.succeed(&mut Self::git(calls, arguments))
    }

    /// The remote, and what the branch is called there.
    fn upstream(calls: &Caller) -> Result<(String, String), Trouble> {
        // Whether git works here at all, in its own words.
        Self::succeed(calls, &["rev-parse", "--git-dir"])?;
        let branch = Self::ask(calls, &["symbolic-ref", "--quiet", "--short", "HEAD"])?;
        let branch = branch.ok_or_else(|| Trouble("it is on no branch: `git switch BRANCH` puts it on one".into()))?;
        let configured = |key: &str| Self::ask(calls, &["config", "--get", &format!("branch.{branch}.{key}")]);
        match (configured("remote")?, configured("merge")?) {
            (Some(remote), Some(merge)) => Ok((remote, merge)),
            _ => Err(Trouble(format!(
                "its branch {branch} has no upstream: `git branch --set-upstream-to=origin/{branch}` gives it one"
            ))),
        }
    }

    fn is_ancestor(calls: &Caller, one: &str, other: &str) -> Result<bool, Trouble> {
        Self::ask(calls, &["merge-base", "--is-ancestor", one, other]).map(|answer| answer.is_some())
    }
}

impl System for Git {
    fn current(&self, calls: &Caller) -> Result<String, Trouble> {
        Self::succeed(calls, &["rev-parse", "--verify", "HEAD^{commit}"])
    }

    fn look(&self, calls: &Caller) -> Result<Look, Trouble> {
        let (remote, merge) = Self::upstream(calls)?;
        let mut fetch = Self::git(calls, &["fetch", "--quiet", "--no-write-fetch-head", "--", &remote]);
        let ssh = git::quiet_ssh(|| Self::ask(calls, &git::CHOICE_OF_SSH).map(Option::unwrap_or_default))?;
        fetch.args([format!("+{merge}:{UPSTREAM}")]).envs(ssh.map(|ssh| ("GIT_SSH_COMMAND", ssh)));
        calls.succeed(&mut fetch)?;
        let id = Self::succeed(calls, &["rev-parse", "--verify", &format!("{UPSTREAM}^{{commit}}")])?;
        let now = self.current(calls)?;
        if now == id || Self::is_ancestor(calls, &id, &now)? {
            return Ok(Look::Same);
        }
        let told = Self::succeed(calls, &["log", "-1", "--format=%an <%ae>%n%s", &id])?;
        let (author, subject) = told.split_once('\n').unwrap_or((&told, ""));
        let revision = Revision { author: author.to_owned(), subject: subject.to_owned(), id };
        let forward = Self::is_ancestor(calls, &now, &revision.id)?;
        Ok(if forward { Look::New(revision) } else { Look::Diverged(revision) })
    }

    fn export(&self, calls: &Caller, revision: &str, into: &Utf8Path) -> Result<(), Trouble> {
        // Through an index of its own: unlike an archive this leaves nothing out.
        let index = into.with_extension("index");
        let prefix = format!("--prefix={into}/");
        for arguments in [&["read-tree", revision][..], &["checkout-index", "--all", &prefix]] {
            calls.succeed(Self::git(calls, arguments).env("GIT_INDEX_FILE", &index))?;
        }
        // A revision may have no files at all.
        calls.succeed(calls.command("mkdir").args(["-p", "--"]).arg(into)).map(drop)
    }

    fn bring(&self, calls: &Caller, revision: &str) -> Result<(), Trouble> {
        Self::succeed(calls, &["merge", "--ff-only", "--quiet", "--no-overwrite-ignore", revision]).map(drop)
    }

    fn locks(&self, calls: &Caller) -> Vec<Utf8PathBuf> {
        let ask = |arguments: &[&str]| Self::ask(calls, arguments).ok().flatten();
        let branch = ask(&["symbolic-ref", "--quiet", "HEAD"]);
        let tracked = ask(&["rev-parse", "--symbolic-full-name", "@{upstream}"]);
        let names = [Some("index"), Some("HEAD"), Some("packed-refs"), Some("shallow"), Some(UPSTREAM)];
        let names = names.into_iter().chain([branch.as_deref(), tracked.as_deref()]).flatten();
        let path = |name| ask(&["rev-parse", "--git-path", &format!("{name}.lock")]);
        names.filter_map(path).map(|path| calls.top().join(path)).collect()
    }

    fn settle(&self, calls: &Caller, paths: &[Utf8PathBuf]) -> Result<(), Trouble> {
        if paths.is_empty() {
            return Ok(());
        }
        let mut reset = Self::git(calls, &["--literal-pathspecs", "reset", "--quiet", "HEAD", "--"]);
        calls.succeed(reset.args(paths)).map(drop)
    }
}
