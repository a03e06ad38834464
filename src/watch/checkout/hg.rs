//! Checkouts of Mercurial. The upstream is the branch that is checked out, at the default path.

use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};

use super::call::Caller;
use super::{Look, Revision, System, Trouble};
use crate::tool::fetch::mercurial::is_revision;

#[derive(Debug)]
pub(super) struct Hg;

impl Hg {
    fn hg(calls: &Caller, arguments: &[&str]) -> Command {
        let mut command = calls.command("hg");
        command.args(arguments).args(["--noninteractive", "--config", "ui.merge=internal:fail"]);
        command.env("HGPLAIN", "1").env("HGENCODING", "UTF-8");
        command
    }

    fn succeed(calls: &Caller, arguments: &[&str]) -> Result<String, Trouble> {
        calls.succeed(&mut Self::hg(calls, arguments))
    }

    /// Whether a set of revisions has any.
    fn any(calls: &Caller, set: &str) -> Result<bool, Trouble> {
        Ok(!Self::succeed(calls, &["log", "--rev", set, "--template", "x"])?.is_empty())
    }
}

impl System for Hg {
    fn current(&self, calls: &Caller) -> Result<String, Trouble> {
        Self::succeed(calls, &["log", "--rev", ".", "--template", "{node}"])
    }

    fn look(&self, calls: &Caller) -> Result<Look, Trouble> {
        let branch = Self::succeed(calls, &["branch"])?;
        let configured = calls.run(&mut Self::hg(calls, &["config", "ui.ssh"]))?.output;
        // Who wrote down another command has said what it may ask.
        let ssh = if configured.trim().is_empty() { "ui.ssh=ssh -o BatchMode=yes".to_owned() } else { String::new() };
        let quiet: Vec<&str> = if ssh.is_empty() { Vec::new() } else { vec!["--config", &ssh] };
        let rev = format!("--rev={branch}");
        let head = Self::succeed(calls, &[&["identify", "--debug", "--id", &rev][..], &quiet, &["default"]].concat())?;
        let head = head.lines().map(str::trim).find(|line| is_revision(line));
        let id = head.ok_or_else(|| Trouble(format!("its upstream has no branch {branch}")))?.to_owned();
        let known = calls.run(&mut Self::hg(calls, &["log", "--rev", &id, "--template", "x"]))?.success;
        if !known {
            let rev = format!("--rev={id}");
            Self::succeed(calls, &[&["pull", "--quiet", &rev][..], &quiet, &["default"]].concat())?;
        }
        if Self::any(calls, &format!("{id} and ::."))? {
            return Ok(Look::Same);
        }
        let told = Self::succeed(calls, &["log", "--rev", &id, "--template", r"{author}\n{desc|firstline}"])?;
        let (author, subject) = told.split_once('\n').unwrap_or((&told, ""));
        let forward = Self::any(calls, &format!(". and ::{id}"))?;
        let revision = Revision { author: author.to_owned(), subject: subject.to_owned(), id };
        Ok(if forward { Look::New(revision) } else { Look::Diverged(revision) })
    }

    fn export(&self, calls: &Caller, revision: &str, into: &Utf8Path) -> Result<(), Trouble> {
        let plain = ["--config", "ui.archivemeta=false", "--type", "files"];
        Self::succeed(calls, &[&["archive", "--rev", revision][..], &plain, &[into.as_str()]].concat()).map(drop)
    }

    fn bring(&self, calls: &Caller, revision: &str) -> Result<(), Trouble> {
        let check = ["--config", "commands.update.check=noconflict"];
        let update = ["update", "--quiet", "--rev", revision];
        Self::succeed(calls, &[&update[..], &check].concat()).map(drop)
    }

    fn locks(&self, calls: &Caller) -> Vec<Utf8PathBuf> {
        // Links that name their process: Mercurial itself takes those away whose process has ended.
        [".hg/wlock", ".hg/store/lock"].map(|lock| calls.top().join(lock)).to_vec()
    }

    fn settle(&self, calls: &Caller, _: &[Utf8PathBuf]) -> Result<(), Trouble> {
        if calls.top().join(".hg/store/journal").exists() {
            Self::succeed(calls, &["recover"])?;
        }
        // It goes nowhere, and notes that nothing is under way any more.
        Self::succeed(calls, &["update", "--quiet", "--rev", "."]).map(drop)
    }
}
