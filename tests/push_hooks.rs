//! The hooks of docs/ci.md that refuse a farm which does not compile: written out of the page, and pushed to.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const SLAVES: &str = "[big]\npassword = kXv3uPq9sLw2\n\
                      capability = python 3 bin=/usr/bin/python3\n  postgresql 17 passwd=kXv3uPq9sLw2\n";
const MANIFEST: &str = "[shop]\nbuildout = standalone shop.cfg\nbuild-requires = python\nwatch =\nauto-watch = false\n";

/// The block of the page that has this text.
fn block(with: &str) -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ci.md")).unwrap();
    let mut blocks = page.split("\n```").skip(1).step_by(2);
    let found = blocks.find(|block| block.contains(with)).unwrap_or_else(|| panic!("docs/ci.md has no `{with}`"));
    let (_, text) = found.split_once('\n').unwrap();
    format!("{text}\n")
}

/// A repository with a hook, and a clone of it.
struct Pushed {
    folder: TempDir,
    clone: PathBuf,
    vcs: &'static str,
    /// Where the manifests are in the clone.
    into: &'static str,
}

impl Pushed {
    fn git(into: &'static str) -> Self {
        let new = Self::new("git", into);
        new.run(new.folder.path(), &["init", "-q", "--bare", "-b", "main", "up"]).unwrap();
        let up = new.folder.path().join("up");
        script(&up.join("hooks/pre-receive"), &block("# hooks/pre-receive"));
        new.run(&up, &["config", "farmout.slaves", new.slaves().to_str().unwrap()]).unwrap();
        if into.is_empty() {
            new.run(&up, &["config", "farmout.into", "buildouts"]).unwrap();
        }
        new.run(&new.clone, &["init", "-q", "-b", "main"]).unwrap();
        new.run(&new.clone, &["remote", "add", "origin", up.to_str().unwrap()]).unwrap();
        new
    }

    fn hg() -> Self {
        let new = Self::new("hg", "buildouts");
        new.run(new.folder.path(), &["init", "up"]).unwrap();
        let control = new.folder.path().join("up/.hg");
        script(&control.join("compile-farm"), &block("# .hg/compile-farm"));
        let settings = block("pretxnchangegroup").replace("/srv/farm/slaves.cfg", new.slaves().to_str().unwrap());
        fs::write(control.join("hgrc"), settings).unwrap();
        new.run(&new.clone, &["init"]).unwrap();
        new
    }

    fn new(vcs: &'static str, into: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clone = folder.path().join("clone");
        fs::create_dir_all(clone.join(into)).unwrap();
        let new = Self { clone, vcs, into, folder };
        fs::write(new.slaves(), SLAVES).unwrap();
        fs::set_permissions(new.slaves(), fs::Permissions::from_mode(0o600)).unwrap();
        // What a connection to a server looks like to the client.
        script(&new.folder.path().join("ssh"), "#!/bin/sh\nshift\nexec sh -c \"$*\"\n");
        fs::create_dir(new.folder.path().join("temporary")).unwrap();
        new
    }

    fn slaves(&self) -> PathBuf {
        self.folder.path().join("slaves.cfg")
    }

    /// Calls the client: what it wrote, as an error if it failed.
    fn run(&self, directory: &Path, arguments: &[&str]) -> Result<String, String> {
        let binaries = Path::new(env!("CARGO_BIN_EXE_farmout")).parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths(std::iter::once(binaries).chain(std::env::split_paths(&path))).unwrap();
        let mut command = Command::new(self.vcs);
        command.args(arguments).current_dir(directory).env("PATH", path).env("HOME", self.folder.path());
        command.env("TMPDIR", self.folder.path().join("temporary")).env("HGUSER", "Ann");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Ann").env(format!("GIT_{who}_EMAIL"), "a@e.example");
        }
        let output = command.output().unwrap_or_else(|error| panic!("this test needs {}: {error}", self.vcs));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = text(&output.stdout) + &text(&output.stderr);
        if output.status.success() { Ok(said) } else { Err(said) }
    }

    fn push(&self, manifest: &str) -> Result<String, String> {
        fs::write(self.clone.join(self.into).join("MANIFEST.cfg"), manifest).unwrap();
        fs::write(
            self.clone.join(self.into).join("shop.cfg"),
            "[buildout]\nparts = openerp\n[openerp]\nrecipe = anybox.recipe.openerp:server\n",
        )
        .unwrap();
        if self.vcs == "git" {
            self.run(&self.clone, &["add", "-A"]).unwrap();
            self.run(&self.clone, &["commit", "-qm", "Change"]).unwrap();
            return self.run(&self.clone, &["push", "origin", "main"]);
        }
        self.run(&self.clone, &["commit", "-qAm", "Change"]).unwrap();
        let ssh = format!("ui.ssh={}", self.folder.path().join("ssh").display());
        let up = format!("ssh://server/{}", self.folder.path().join("up").display());
        self.run(&self.clone, &["push", "--config", &ssh, &up])
    }

    /// What the repository has.
    fn tip(&self) -> String {
        let up = self.folder.path().join("up");
        let ask: &[&str] =
            if self.vcs == "git" { &["rev-parse", "main"] } else { &["log", "-r", "tip", "-T", "{node}"] };
        self.run(&up, ask).unwrap()
    }

    /// Pushes what is right, what is wrong and what is right again.
    fn prove(&self) {
        let said = joined(&self.push(MANIFEST).unwrap());
        assert!(said.contains("no errors: 1 build, 1 slave, 1 builder"), "{said}");
        let tip = self.tip();
        let wrong = MANIFEST.replace("shop.cfg", "chop.cfg");
        let said = joined(&self.push(&wrong).unwrap_err());
        assert!(said.contains("source::missing"), "{said}");
        assert!(said.contains("[buildouts/MANIFEST.cfg:2:23]"), "{said}");
        assert!(!said.contains("kXv3uPq9sLw2"), "{said}");
        assert_eq!(self.tip(), tip);
        self.push(&format!("{MANIFEST}# mended\n")).unwrap();
        assert_ne!(self.tip(), tip);
        let left: Vec<_> = fs::read_dir(self.folder.path().join("temporary")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn git() {
    let pushed = Pushed::git("buildouts");
    pushed.prove();
    // Other branches are not the farm's, and the end of one is no farm.
    let topic = |arguments: &[&str]| pushed.run(&pushed.clone, arguments).unwrap();
    topic(&["switch", "-q", "-c", "topic"]);
    fs::write(pushed.clone.join("buildouts/MANIFEST.cfg"), "[shop\n").unwrap();
    topic(&["commit", "-qam", "Draft"]);
    topic(&["push", "-q", "origin", "topic"]);
    topic(&["push", "-q", "origin", ":topic"]);
}

#[test]
fn git_of_buildouts_alone() {
    Pushed::git("").prove();
}

#[test]
fn hg() {
    Pushed::hg().prove();
}

/// What the server said, of which Mercurial makes a line of each piece that it reads.
fn joined(said: &str) -> String {
    said.replace("remote: ", "").replace('\n', "")
}
