//! Checkouts of Bazaar, by the client of Breezy or its own. The upstream is the branch that this one is bound to, else its parent.

use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};

use super::call::Caller;
use super::{Look, Revision, System, Trouble};
use crate::tool::fetch::bazaar;

#[derive(Debug)]
pub(super) struct Bzr {
    program: &'static str,
    /// Where a checkout without a branch of its own has it.
    reference: Option<String>,
}

impl Bzr {
    pub(super) fn new(top: &Utf8Path) -> Self {
        let reference = std::fs::read_to_string(top.join(".bzr/branch/location")).ok();
        Self { program: bazaar::program(), reference: reference.map(|location| location.trim().to_owned()) }
    }

    fn bzr(&self, calls: &Caller, arguments: &[&str]) -> Command {
        let mut command = calls.command(self.program);
        command.args(arguments);
        for prefix in ["BRZ", "BZR"] {
            command.env(format!("{prefix}_LOG"), "/dev/null").env(format!("{prefix}_PROGRESS_BAR"), "none");
        }
        command
    }

    fn succeed(&self, calls: &Caller, arguments: &[&str]) -> Result<String, Trouble> {
        calls.succeed(&mut self.bzr(calls, arguments))
    }

    fn is_bound(&self, calls: &Caller) -> Result<bool, Trouble> {
        let called = calls.run(&mut self.bzr(calls, &["config", "bound"]))?;
        Ok(called.success && called.output.trim() == "True")
    }

    /// What the upstream is called on a command line.
    fn upstream(&self, calls: &Caller) -> Result<String, Trouble> {
        match &self.reference {
            Some(location) => Ok(location.clone()),
            None => Ok(if self.is_bound(calls)? { ":bound" } else { ":parent" }.to_owned()),
        }
    }

    /// The identifier of a branch's head, or of the tree's revision.
    fn id(&self, calls: &Caller, of: &str) -> Result<String, Trouble> {
        let told = self.succeed(calls, &["revision-info", of])?;
        Ok(told.split_once(' ').map_or(told.as_str(), |(_, id)| id.trim()).to_owned())
    }

    /// Whether one of two branches has what the other has not.
    fn has_more(&self, calls: &Caller, whose: &str, upstream: &str) -> Result<bool, Trouble> {
        let mut command = self.bzr(calls, &["missing", whose, "--line", upstream]);
        let called = calls.run(&mut command)?;
        // It fails both when there is more and when there is no answer.
        match (called.success, called.output.trim().is_empty()) {
            (true, _) => Ok(false),
            (false, false) => Ok(true),
            (false, true) => Err(called.trouble(&command)),
        }
    }
}

impl System for Bzr {
    fn current(&self, calls: &Caller) -> Result<String, Trouble> {
        self.id(calls, "--tree")
    }

    fn look(&self, calls: &Caller) -> Result<Look, Trouble> {
        let upstream = self.upstream(calls)?;
        let id = self.id(calls, &format!("--directory={upstream}"))?;
        if self.current(calls)? == id {
            return Ok(Look::Same);
        }
        let own = self.reference.is_none() && self.has_more(calls, "--mine-only", &upstream)?;
        if own && !self.has_more(calls, "--theirs-only", &upstream)? {
            return Ok(Look::Same);
        }
        let told = self.succeed(calls, &["log", "--long", "--revision", &format!("revid:{id}"), &upstream])?;
        let after = |name: &str| told.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let author = after("author:").or_else(|| after("committer:")).unwrap_or_default().to_owned();
        let mut lines = told.lines().skip_while(|line| *line != "message:").skip(1);
        let subject = lines.next().unwrap_or_default().trim().to_owned();
        let revision = Revision { id, author, subject };
        Ok(if own { Look::Diverged(revision) } else { Look::New(revision) })
    }

    fn export(&self, calls: &Caller, revision: &str, into: &Utf8Path) -> Result<(), Trouble> {
        let upstream = self.upstream(calls)?;
        let rev = format!("--revision=revid:{revision}");
        let from = |directory: &str| {
            let directory = format!("--directory={directory}");
            ["export", "--quiet", "--filters", "--format=dir", &rev, &directory, "--", into.as_str()].map(str::to_owned)
        };
        // What is new only the upstream has.
        let here = calls.run(self.bzr(calls, &[]).args(from(".")))?;
        if here.success {
            return Ok(());
        }
        calls.succeed(calls.command("rm").args(["-rf", "--"]).arg(into))?;
        calls.succeed(self.bzr(calls, &[]).args(from(&upstream))).map(drop)
    }

    fn bring(&self, calls: &Caller, revision: &str) -> Result<(), Trouble> {
        let revision = format!("--revision=revid:{revision}");
        if self.reference.is_some() || self.is_bound(calls)? {
            self.succeed(calls, &["update", "--quiet", &revision])?;
        } else {
            self.succeed(calls, &["pull", "--quiet", &revision])?;
            // Of a branch that had it already the tree may be behind.
            self.succeed(calls, &["update", "--quiet"])?;
        }
        let conflicts = self.succeed(calls, &["conflicts"])?;
        if conflicts.is_empty() { Ok(()) } else { Err(Trouble(format!("{} says: {conflicts}", self.program))) }
    }

    fn locks(&self, calls: &Caller) -> Vec<Utf8PathBuf> {
        let control = calls.top().join(".bzr");
        let held = ["branch", "branch-lock", "checkout", "repository"]
            .into_iter()
            .flat_map(|part| [control.join(part).join("lock/held"), control.join(part).join("held")]);
        // Where the client puts files that are on their way.
        held.chain(["limbo", "pending-deletion"].map(|left| control.join("checkout").join(left))).collect()
    }

    fn settle(&self, _: &Caller, _: &[Utf8PathBuf]) -> Result<(), Trouble> {
        // It compares the files themselves.
        Ok(())
    }
}
