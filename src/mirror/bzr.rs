//! Mirrors of Bazaar branches: those that are beside each other in one shared repository without working trees, by the `brz`
//! program or the older `bzr`. Each branch is a directory in it, brought up to date by itself.

use std::fs;
use std::process::Command;

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;

use super::call::{Caller, Calls, Trouble};
use super::layout::Places;
use super::state::Problem;
use super::update::{Fetched, Made, Seen};
use super::url::directory;
use super::watched::Branch;
use crate::diagnostic::Failure;
use crate::tool::fetch::{Address, Error, Private, bazaar, said};
use crate::tool::files;

/// Where Bazaar keeps a repository or a branch.
const CONTROL: &str = ".bzr";
/// How names begin of branches that are being made.
const NEW: &str = ".new-";

/// A shared repository, and what it takes to call the client.
pub(super) struct Bzr<'a> {
    pub(super) program: &'static str,
    pub(super) branches: &'a [Branch],
    pub(super) places: &'a Places,
    /// Where the branches were.
    pub(super) known: &'a IndexMap<String, String>,
    /// What makes the calls.
    pub(super) caller: &'a Caller<'a>,
}

/// What one branch is called with.
struct With {
    /// Its address as it is put on a command line.
    address: Address,
    /// The client's settings for this address.
    private: Private,
    is_first: bool,
}

/// A branch at work.
struct Work<'a> {
    with: &'a With,
    calls: Calls<'a>,
}

/// Why a branch is not what it should be.
enum Fault {
    /// The shared repository is of no use any more.
    Broken(String),
    Trouble(Trouble),
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl Bzr<'_> {
    /// Brings all branches up to date.
    pub(super) fn update(&self) -> Result<Fetched, Trouble> {
        let mirror = &self.places.mirror;
        let mut fetched = Fetched::default();
        if mirror.join(CONTROL).join("repository").is_dir() {
            match self.all(mirror, &mut fetched) {
                Ok(()) => return Ok(fetched),
                Err(Fault::Trouble(trouble)) => return Err(trouble),
                Err(Fault::Broken(why)) => {
                    fetched = Fetched { made: Some(Made { why: Some(why) }), ..Fetched::default() }
                }
            }
        } else {
            fetched.made = Some(Made { why: mirror.exists().then(|| "it was no shared repository".to_owned()) });
        }
        let aside = self.places.clear_aside().map_err(Trouble::file("clear", self.places.aside.as_str()))?;
        let first = self.branches.first().map(|branch| self.with(branch, true)).transpose()?;
        if let Some(with) = &first {
            let with = self.work(with);
            let mut init = self.bzr(&with);
            init.args(["init-shared-repository", "--no-trees", "--quiet", "--"]).arg(aside);
            with.calls.succeed("init-shared-repository", aside.as_str(), &mut init)?;
        }
        match self.all(aside, &mut fetched) {
            Err(Fault::Trouble(trouble)) => return Err(trouble),
            Err(Fault::Broken(why)) => return Err(Trouble::Failed(Problem::new(why, None))),
            Ok(()) => {}
        }
        // One without a branch would be of no use, and in the place of one that has some.
        if fetched.branches.values().any(|seen| matches!(seen, Seen::At { .. })) {
            self.places.settle().map_err(Trouble::file("rename to", mirror.as_str()))?;
        } else {
            fetched.made = None;
            files::remove(aside.as_std_path()).map_err(Trouble::file("remove", aside.as_str()))?;
        }
        Ok(fetched)
    }

    fn all(&self, root: &Utf8Path, fetched: &mut Fetched) -> Result<(), Fault> {
        for branch in self.branches {
            match self.one(root, branch, fetched) {
                Ok(seen) => {
                    fetched.branches.insert(branch.name.clone(), seen);
                }
                Err(Fault::Trouble(Trouble::Failed(problem))) => fetched.problems.push(problem.of(&branch.name)),
                // In one that was made just now it is the branch's own fault.
                Err(Fault::Broken(why)) if fetched.made.is_some() => {
                    fetched.problems.push(Problem::new(why, None).of(&branch.name));
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    fn one(&self, root: &Utf8Path, branch: &Branch, fetched: &mut Fetched) -> Result<Seen, Fault> {
        let path = root.join(place(branch));
        let is_there = path.join(CONTROL).join("branch").is_dir();
        let with = self.with(branch, !is_there)?;
        let with = self.work(&with);
        let url = with.with.address.bare();
        let mut look = self.bzr(&with);
        let called = with.calls.run(look.args(["revision-info", &format!("--directory={url}")]))?;
        let head = called.output.trim().to_owned();
        if !called.status.success() {
            return Err(with.calls.unreachable(&called.errors).into());
        }
        if head.ends_with("null:") || head.is_empty() {
            let problem = Problem::from(Failure::from(Error::Empty(url)));
            fetched.problems.push(problem.of(&branch.name));
            return Ok(Seen::Gone);
        }
        let before = self.known.get(&branch.name).filter(|before| **before != head);
        if !is_there {
            fetched.touched = true;
            self.make(&with, &path)?;
            return Ok(Seen::At { revision: tip(&path).unwrap_or(head), rewritten: false });
        }
        if tip(&path).as_deref() == Some(&head) {
            return Ok(Seen::At { revision: head, rewritten: false });
        }
        fetched.touched = true;
        for control in [root.join(CONTROL), path.join(CONTROL)] {
            bazaar::remove_locks(control.as_std_path()).map_err(Trouble::from)?;
        }
        self.pull(&with, &path, false)?;
        let leads = tip(&path).as_deref() == Some(&head);
        if !leads {
            self.pull(&with, &path, true)?;
        }
        let revision = tip(&path).ok_or_else(|| Fault::Broken(format!("{path} has no head")))?;
        Ok(Seen::At { revision, rewritten: !leads && before.is_some() })
    }

    fn make(&self, with: &Work<'_>, path: &Utf8Path) -> Result<(), Fault> {
        let aside = path.with_file_name(format!("{NEW}{}", path.file_name().unwrap_or_default()));
        files::remove(path.as_std_path())
            .and_then(|()| files::remove(aside.as_std_path()))
            .map_err(Trouble::file("remove", path.as_str()))?;
        let mut command = self.bzr(with);
        command.args(["branch", "--no-tree", "--quiet", "--", &with.with.address.bare()]).arg(&aside);
        let called = with.calls.run(&mut command)?;
        if !called.status.success() {
            return Err(self.fault(with, "branch", path, &called.errors));
        }
        Ok(fs::rename(&aside, path).map_err(Trouble::file("rename to", path.as_str()))?)
    }

    /// Goes where the branch went. Without `overwrite` only if it was not rewritten.
    fn pull(&self, with: &Work<'_>, path: &Utf8Path, overwrite: bool) -> Result<(), Fault> {
        let mut command = self.bzr(with);
        command.args(["pull", "--quiet", &format!("--directory={path}")]);
        if overwrite {
            command.arg("--overwrite");
        }
        let called = with.calls.run(command.args(["--", &with.with.address.bare()]))?;
        let diverged = !overwrite && called.errors.contains("diverged");
        if called.status.success() || diverged { Ok(()) } else { Err(self.fault(with, "pull", path, &called.errors)) }
    }

    fn fault(&self, with: &Work<'_>, name: &str, path: &Utf8Path, text: &str) -> Fault {
        let root = path.parent().unwrap_or(path);
        let broken = text.contains(root.as_str()) || BROKEN.iter().any(|word| text.contains(word));
        if broken { Fault::Broken(said(text)) } else { with.calls.failed(name, path.as_str(), text).into() }
    }

    fn with(&self, branch: &Branch, is_first: bool) -> Result<With, Trouble> {
        let address = branch.address.plain(true)?;
        let private = self.caller.private()?;
        bazaar::configure(&private, &address)?;
        Ok(With { address, private, is_first })
    }

    fn work<'b>(&'b self, with: &'b With) -> Work<'b> {
        Work { with, calls: self.caller.calls(&with.address, with.is_first) }
    }

    fn bzr(&self, with: &Work<'_>) -> Command {
        let mut command = bazaar::bzr(self.program, with.with.private.path());
        command.current_dir("/");
        command
    }
}

/// What the client says of a repository that it cannot read, besides its path.
const BROKEN: [&str; 6] = ["corrupt", "Corrupt", "NoSuchFile", "internal error", "Missing", "pack-names"];

/// The directory of a branch in the shared repository.
pub(super) fn place(branch: &Branch) -> Utf8PathBuf {
    named(&branch.name)
}

/// The directory of the branch of this name.
pub(super) fn named(name: &str) -> Utf8PathBuf {
    directory(name).into()
}

/// Where a branch is, as it is written in it: its number and its identifier.
fn tip(path: &Utf8Path) -> Option<String> {
    let text = fs::read_to_string(path.join(CONTROL).join("branch/last-revision")).ok()?;
    let text = text.trim();
    (!text.is_empty() && text.contains(' ')).then(|| text.to_owned())
}
