//! Mirrors of Git repositories: bare, with the branches and tags that are watched and nothing else.
//!
//! What the repository has is asked first, for just those names. Where the mirror has the same nothing else is called, so that
//! an update of what has not changed costs one git and one question; and a branch that is missing is known before it could
//! break the fetch of the others.

mod reference;

use std::collections::BTreeSet;
use std::process::Command;

use camino::Utf8Path;
use indexmap::IndexMap;

use self::reference::{is_name, is_revision, local};
use super::call::{Calls, Trouble};
use super::layout::Places;
use super::state::Problem;
use super::update::{Fetched, Made, Seen};
use super::watched::Repository;
use crate::diagnostic::Failure;
use crate::tool::fetch::{Address, Error, git, near, said};
use crate::tool::files;

/// What the remote is called, which exists only in git's environment.
const REMOTE: &str = git::REMOTE;
/// The name of the repository's own choice of a branch among our refs.
const HEAD: &str = "refs/farmout/head";
/// How often what the repository has may change while it is fetched.
const TRIES: usize = 3;
/// Where a repository may be, and be asked for by no program of a stranger's choice; and no hook, no questions.
const SETTINGS: [&str; 8] = [
    "protocol.allow=never",
    "protocol.ext.allow=never",
    "protocol.file.allow=always",
    "protocol.git.allow=always",
    "protocol.http.allow=always",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "core.askPass=",
];

/// A repository to be mirrored.
pub(super) struct Git<'a> {
    pub(super) calls: Calls<'a>,
    pub(super) ssh: Option<&'a str>,
    pub(super) repository: &'a Repository,
    pub(super) places: &'a Places,
    /// Where the branches were.
    pub(super) known: &'a IndexMap<String, String>,
}

/// A branch that the repository has.
struct Wanted<'a> {
    branch: &'a str,
    /// What it is called there.
    theirs: String,
    /// Where it is.
    revision: String,
}

impl Wanted<'_> {
    /// What it is called in the mirror.
    fn ours(&self) -> &str {
        if self.theirs == "HEAD" { HEAD } else { &self.theirs }
    }

    fn refspec(&self) -> String {
        format!("+{}:{}", self.theirs, self.ours())
    }
}

impl Git<'_> {
    /// Brings the mirror up to date.
    pub(super) fn update(&self) -> Result<Fetched, Trouble> {
        let mut fetched = Fetched::default();
        let mut tries = 0;
        loop {
            tries += 1;
            let wanted = self.wanted(&mut fetched)?;
            match self.bring(&wanted, &mut fetched) {
                // What was there a moment ago is gone: ask again.
                Err(Fault::Vanished) if tries < TRIES => fetched = Fetched::default(),
                Err(Fault::Vanished) => {
                    return Err(self.calls.unreachable("its branches change faster than they can be fetched"));
                }
                // One that was made just now, or that there is nothing to make of.
                Err(Fault::Broken(why)) => return Err(self.calls.failed("fetch", self.places.mirror.as_str(), &why)),
                Err(Fault::Trouble(trouble)) => return Err(trouble),
                Ok(()) => break,
            }
        }
        Ok(fetched)
    }

    /// Asks which of the branches there are; of the others it is noted what is wrong.
    fn wanted(&self, fetched: &mut Fetched) -> Result<Vec<Wanted<'_>>, Trouble> {
        let (names, wrong): (Vec<&str>, Vec<&str>) =
            self.repository.branches.iter().map(|branch| branch.name.as_str()).partition(|name| is_name(name));
        for name in wrong {
            let misuse = Error::Misuse("the branch's name is empty or holds characters that no branch has");
            fetched.problems.push(Problem::from(Failure::from(misuse)).of(name));
            fetched.branches.insert(name.to_owned(), Seen::Gone);
        }
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let patterns = names.iter().flat_map(|name| match *name {
            "HEAD" => vec!["HEAD".to_owned()],
            name => vec![format!("refs/heads/{name}"), format!("refs/tags/{name}")],
        });
        let there = self.ask(patterns)?;
        let mut wanted = Vec::new();
        let mut missing = Vec::new();
        for branch in names {
            let candidates = [format!("refs/heads/{branch}"), format!("refs/tags/{branch}"), "HEAD".to_owned()];
            let candidates = if branch == "HEAD" { &candidates[2..] } else { &candidates[..2] };
            match candidates.iter().find_map(|name| there.get(name).map(|revision| (name, revision))) {
                Some((theirs, revision)) => {
                    wanted.push(Wanted { branch, theirs: theirs.clone(), revision: revision.clone() });
                }
                None => missing.push(branch),
            }
        }
        if !missing.is_empty() {
            self.miss(&missing, fetched)?;
        }
        Ok(wanted)
    }

    /// Says of branches that are missing what there is instead.
    fn miss(&self, missing: &[&str], fetched: &mut Fetched) -> Result<(), Trouble> {
        let there = self.ask(["refs/heads/*".to_owned(), "refs/tags/*".to_owned()])?;
        let url = self.repository.identity.clone();
        for branch in missing {
            fetched.branches.insert((*branch).to_owned(), Seen::Gone);
            let short = |name: &String| {
                let name = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/"))?;
                Some(name.to_owned())
            };
            let names: Vec<String> = there.keys().filter_map(short).collect();
            let error = if there.is_empty() {
                Error::Empty(url.clone())
            } else {
                let near = near(branch, names.iter().map(String::as_str));
                Error::NoName { url: url.clone(), kind: "branch or tag", name: (*branch).to_owned(), near }
            };
            fetched.problems.push(Problem::from(Failure::from(error)).of(branch));
        }
        Ok(())
    }

    /// What the repository has under names like these. Names are told whole: a pattern is also the end of longer ones.
    fn ask(&self, patterns: impl IntoIterator<Item = String>) -> Result<IndexMap<String, String>, Trouble> {
        let mut command = self.git();
        command.current_dir("/").env("GIT_DIR", "/nonexistent").args(["ls-remote", REMOTE]).args(patterns);
        let called = self.calls.run(&mut command)?;
        if !called.status.success() {
            return Err(self.calls.unreachable(&called.errors));
        }
        let lines = called.output.lines().filter_map(|line| line.split_once('\t'));
        let whole = lines.filter(|(revision, name)| is_revision(revision) && !name.ends_with("^{}"));
        Ok(whole.map(|(revision, name)| (name.to_owned(), revision.to_owned())).collect())
    }

    /// Makes the mirror have what is wanted.
    fn bring(&self, wanted: &[Wanted<'_>], fetched: &mut Fetched) -> Result<(), Fault> {
        let mirror = &self.places.mirror;
        if is_repository(mirror) {
            match self.renew(wanted, fetched) {
                Err(Fault::Broken(why)) if !wanted.is_empty() => fetched.made = Some(Made { why: Some(why) }),
                Err(fault) => return Err(fault),
                Ok(()) => return self.look(wanted, fetched),
            }
        } else if wanted.is_empty() {
            return Ok(());
        } else {
            fetched.made = Some(Made { why: mirror.exists().then(|| "it was no Git repository".to_owned()) });
        }
        self.make(wanted)?;
        self.look(wanted, fetched)
    }

    /// Fetches what the mirror does not have yet, after it has lost what is gone.
    fn renew(&self, wanted: &[Wanted<'_>], fetched: &mut Fetched) -> Result<(), Fault> {
        let mirror = &self.places.mirror;
        let stale: Vec<&Wanted<'_>> =
            wanted.iter().filter(|it| local(mirror, it.ours()).as_deref() != Some(&*it.revision)).collect();
        let gone = fetched.branches.keys().flat_map(|name| [format!("refs/heads/{name}"), format!("refs/tags/{name}")]);
        let in_the_way = stale.iter().flat_map(|it| self.in_the_way(it));
        let in_the_way = in_the_way.filter(|name| !wanted.iter().any(|it| it.ours() == name));
        let old = gone.chain(in_the_way).filter(|name| is_name(name) && local(mirror, name).is_some());
        let old: BTreeSet<String> = old.collect();
        if stale.is_empty() && old.is_empty() {
            return Ok(());
        }
        fetched.touched = true;
        remove_left(mirror).map_err(Trouble::file("clear", mirror.as_str()))?;
        for name in old {
            let mut command = self.on(mirror);
            self.local(command.args(["update-ref", "--no-deref", "-d", &name]), "update-ref", mirror)?;
        }
        if stale.is_empty() { Ok(()) } else { self.fetch(mirror, &stale) }
    }

    /// What the repository cannot have any more beside this: a branch may have become a tag, or have got branches below its name, or
    /// be what was below. Whoever watches the old one, perhaps in another farm, learns of it by itself.
    fn in_the_way(&self, it: &Wanted<'_>) -> Vec<String> {
        let places = |name: &str| ["refs/heads", "refs/tags"].map(|place| format!("{place}/{name}"));
        let above = it.branch.match_indices('/').map(|(at, _)| &it.branch[..at]);
        let below = self.known.keys().map(String::as_str);
        let below = below.filter(|known| known.strip_prefix(it.branch).is_some_and(|rest| rest.starts_with('/')));
        above.chain(below).chain([it.branch]).flat_map(places).collect()
    }

    /// Makes a mirror, and puts it in the place of what is there.
    fn make(&self, wanted: &[Wanted<'_>]) -> Result<(), Fault> {
        self.calls.begin_anew();
        let aside = self.places.clear_aside().map_err(Trouble::file("clear", self.places.aside.as_str()))?;
        let mut init = self.git();
        // Its references are read as files here.
        init.env("GIT_DEFAULT_REF_FORMAT", "files").args(["init", "--bare", "--quiet", "--template="]);
        let branch = wanted.iter().find_map(|it| it.theirs.strip_prefix("refs/heads/"));
        init.args(branch.map(|branch| format!("--initial-branch={branch}")));
        if wanted.iter().any(|it| it.revision.len() == 64) {
            init.arg("--object-format=sha256");
        }
        self.local(init.arg(aside), "init", aside)?;
        // For people: with neither password nor token.
        let url = self.repository.address().bare();
        self.local(self.on(aside).args(["config", "remote.origin.url", &url]), "config", aside)?;
        self.fetch(aside, &wanted.iter().collect::<Vec<_>>())?;
        Ok(self.places.settle().map_err(Trouble::file("rename to", self.places.mirror.as_str()))?)
    }

    fn fetch(&self, mirror: &Utf8Path, wanted: &[&Wanted<'_>]) -> Result<(), Fault> {
        let mut command = self.on(mirror);
        command.args(["fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", REMOTE]);
        let called = self.calls.run(command.args(wanted.iter().map(|it| it.refspec())))?;
        if called.status.success() {
            return Ok(());
        }
        let text = &called.errors;
        if text.contains("couldn't find remote ref") {
            return Err(Fault::Vanished);
        }
        Err(if is_broken(text) { Fault::Broken(said(text)) } else { self.calls.unreachable(text).into() })
    }

    /// Notes where the branches are now, and which of them were rewritten.
    fn look(&self, wanted: &[Wanted<'_>], fetched: &mut Fetched) -> Result<(), Fault> {
        for it in wanted {
            let mirror = &self.places.mirror;
            let revision = local(mirror, it.ours()).ok_or_else(|| Fault::Broken(format!("it has no {}", it.ours())))?;
            let before = self.known.get(it.branch).filter(|before| **before != revision && is_revision(before));
            let rewritten = match before {
                Some(before) => {
                    let mut command = self.on(mirror);
                    let called = self.calls.run(command.args(["merge-base", "--is-ancestor", before, &revision]))?;
                    // Of what a mirror that was made anew does not have, nothing can be said.
                    called.status.code() == Some(1)
                }
                None => false,
            };
            fetched.branches.insert(it.branch.to_owned(), Seen::At { revision, rewritten });
        }
        Ok(())
    }

    /// Runs git on a mirror; what it cannot do there is the mirror's fault.
    fn local(&self, command: &mut Command, name: &str, mirror: &Utf8Path) -> Result<(), Fault> {
        let called = self.calls.run(command)?;
        if called.status.success() {
            return Ok(());
        }
        let text = &called.errors;
        Err(if is_broken(text) {
            Fault::Broken(said(text))
        } else {
            self.calls.failed(name, mirror.as_str(), text).into()
        })
    }

    fn on(&self, mirror: &Utf8Path) -> Command {
        let mut command = self.git();
        command.current_dir("/").env("GIT_DIR", mirror);
        command
    }

    fn git(&self) -> Command {
        let mut command = git::git(self.repository.address(), self.ssh);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.env_remove("GIT_ASKPASS");
        command
    }
}

/// Why a mirror is not what it should be.
enum Fault {
    /// It cannot be read or written; a new one can be made.
    Broken(String),
    Trouble(Trouble),
    /// The repository lost what it just had.
    Vanished,
}

impl From<Trouble> for Fault {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

fn is_repository(mirror: &Utf8Path) -> bool {
    mirror.join("HEAD").is_file() && mirror.join("objects").is_dir() && mirror.join("refs").is_dir()
}

/// Removes what a killed git leaves behind. We hold the lock, so nobody else's is meant.
fn remove_left(mirror: &Utf8Path) -> std::io::Result<()> {
    let mut directories = vec![mirror.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in directory.read_dir_utf8()? {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            // Of all objects only those in packs are made under other names that could be big.
            let inside = directory == mirror.join("objects") && name != "pack" && name != "info";
            if entry.file_type()?.is_dir() {
                if !inside {
                    directories.push(path.to_owned());
                }
            } else if path.extension() == Some("lock") || name.starts_with("tmp_") {
                files::remove(path.as_std_path())?;
            }
        }
    }
    Ok(())
}

/// Whether git complains of the mirror, and not of the repository or the way to it.
fn is_broken(text: &str) -> bool {
    const WORDS: [&str; 16] = [
        "bad config",
        "bad object",
        "bad tree object",
        "cannot be loaded",
        "corrupt",
        "does not point to a valid",
        "index file",
        "invalid sha1 pointer",
        "missing blob",
        "missing necessary objects",
        "not a git repository",
        "object file",
        "packfile",
        "reference broken",
        "unable to parse",
        "unresolved delta",
    ];
    let mut own = text.lines().filter(|line| !line.starts_with("remote:"));
    own.any(|line| WORDS.iter().any(|word| line.contains(word)))
}

/// Deletes the branches and tags of these names, which nothing watches any more.
pub(super) fn forget(
    calls: &Calls<'_>,
    address: &Address,
    mirror: &Utf8Path,
    branches: &[String],
) -> Result<(), Trouble> {
    for branch in branches {
        for name in [format!("refs/heads/{branch}"), format!("refs/tags/{branch}")] {
            if is_name(branch) && local(mirror, &name).is_some() {
                let mut command = git::git(address, None);
                command.current_dir("/").env("GIT_DIR", mirror).args(["update-ref", "--no-deref", "-d", &name]);
                calls.succeed("update-ref", mirror.as_str(), &mut command)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirrors_own_faults_are_told_from_others() {
        assert!(is_broken("fatal: not a git repository: '/x'"));
        assert!(is_broken("error: refs/heads/main does not point to a valid object!\nfatal: bad object"));
        assert!(!is_broken("remote: fatal: packfile corrupt\nfatal: early EOF"));
        assert!(!is_broken("fatal: unable to access 'https://x/': Could not resolve host: x"));
    }
}
