//! Buildouts that are kept in Mercurial, in Bazaar and in archives.

mod common;

use std::path::PathBuf;
use std::process::Command;

use common::snapshot::snapshot;
use common::{Farm, Ran, is_root, postgresql};

/// A directory with the sample's buildout, beside the farm.
struct Source {
    farm: Farm,
    path: PathBuf,
}

impl Source {
    fn new(inside: &str) -> Self {
        let farm = Farm::demo();
        let path = farm.directory.path().join("source");
        std::fs::create_dir_all(path.join(inside)).unwrap();
        for name in ["demo", "demo.cfg"] {
            let from = farm.root.join("buildouts").join(name);
            assert!(Command::new("mv").arg(from).arg(path.join(inside)).status().unwrap().success());
        }
        Self { farm, path }
    }

    /// Runs a client in the directory.
    fn call(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.path).env("HGRCPATH", "").env("HGUSER", "a");
        command.env("HOME", self.farm.directory.path()).env_remove("GIT_CONFIG_GLOBAL");
        command
            .env("BRZ_HOME", self.farm.directory.path())
            .env("BRZ_LOG", "/dev/null")
            .env("BRZ_EMAIL", "a <a@b.example>");
        let output = command.output().unwrap_or_else(|error| panic!("these tests need {program}: {error}"));
        assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn is(&self, source: &str) {
        let source = source.replace("SOURCE", self.path.to_str().unwrap());
        self.farm.edit("buildouts/MANIFEST.cfg", "standalone demo.cfg with=demo", &source);
    }

    /// Builds a revision, and after the branch has moved on the same again, and then the newest. What `commit` returns is
    /// the revision that it made of all that is new.
    #[track_caller]
    fn goes_back_and_forth(&self, commit: impl Fn() -> String) {
        std::fs::write(self.path.join("more"), "1\n").unwrap();
        let first = commit();
        self.builds(&[], &first);
        std::fs::write(self.path.join("more"), "2\n").unwrap();
        let second = commit();
        assert_ne!(first, second);
        self.builds(&["--locked", "latest"], &first);
        self.builds(&[], &second);
    }

    /// Builds it, which must work and have this revision.
    #[track_caller]
    fn builds(&self, arguments: &[&str], revision: &str) -> Ran {
        let ran = self.farm.run(&[&["run"], arguments].concat()).exits(0);
        let log = self.farm.log(&format!("demo-pg{}", postgresql().0), "fetch");
        assert_eq!(log.lines().last(), Some(revision), "{log}");
        assert_eq!(self.farm.result()["builders"][0]["properties"]["revision"], *revision, "{}", self.farm.result());
        self.farm.is_tidy();
        ran
    }
}

#[test]
fn a_branch_and_then_a_tag_in_mercurial() {
    let source = Source::new("");
    source.call("hg", &["init"]);
    source.call("hg", &["commit", "-q", "--addremove", "-m", "First"]);
    source.call("hg", &["tag", "v1"]);
    source.is("hg SOURCE default demo.cfg");
    source.goes_back_and_forth(|| {
        source.call("hg", &["commit", "-q", "--addremove", "-m", "More"]);
        source.call("hg", &["log", "-r", "default", "-T", "{node}"])
    });
    source.farm.edit("buildouts/MANIFEST.cfg", "hg ", "hgtag ");
    source.farm.edit("buildouts/MANIFEST.cfg", " default demo.cfg", " demo.cfg");
    let runs = || std::fs::read_dir(source.farm.state().join("runs")).unwrap().count();
    let before = runs();
    let builder = format!("demo-pg{}", postgresql().0);
    let told = [
        source.farm.run(&["run"]).exits(2).err,
        source.farm.run(&["run", &builder]).exits(2).err,
        source.farm.run(&["run", "--property", "buildout-tag"]).exits(2).err,
    ];
    assert_eq!(runs(), before, "something was run");
    snapshot!("run-property-missing", told.join("\n"), [(builder.as_str(), "demo-pgN")]);
    let tagged = source.call("hg", &["log", "-r", "v1", "-T", "{node}"]);
    source.builds(&["--property", "buildout-tag=v1"], &tagged);
    // The tag moves on; the run that is repeated had another, and says which.
    source.call("hg", &["tag", "--force", "-r", "default", "v1"]);
    source.builds(&["--locked", "latest"], &tagged);
    source.farm.run(&["run", "--property", "buildout-tag=v2"]).exits(1).says("has no tag `v2`").says("it has v1");
}

#[test]
fn a_subdirectory_of_a_branch_in_bazaar() {
    let source = Source::new("deploy");
    source.call("brz", &["init", "-q"]);
    source.call("brz", &["add", "-q"]);
    source.call("brz", &["commit", "-q", "-m", "First"]);
    source.is("bzr file://SOURCE demo.cfg subdir=deploy");
    source.goes_back_and_forth(|| {
        source.call("brz", &["add", "-q"]);
        source.call("brz", &["commit", "-q", "-m", "More"]);
        source.call("brz", &["revision-info"])
    });
}

#[test]
fn a_branch_in_git() {
    let source = Source::new("");
    source.call("git", &["init", "-q", "-b", "main"]);
    if is_root() {
        // Git reads nobody else's repository.
        assert!(Command::new("chown").args(["-R", "farmout"]).arg(&source.path).status().unwrap().success());
        source.call("git", &["config", "--global", "safe.directory", source.path.to_str().unwrap()]);
    }
    source.is("git file://SOURCE main demo.cfg");
    source.goes_back_and_forth(|| {
        source.call("git", &["add", "-A"]);
        source.call("git", &["-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-qm", "More"]);
        if is_root() {
            assert!(Command::new("chown").args(["-R", "farmout"]).arg(&source.path).status().unwrap().success());
        }
        source.call("git", &["rev-parse", "HEAD"])
    });
}

#[test]
fn an_archive() {
    let source = Source::new("demo-1.0");
    let releases = source.farm.directory.path().join("releases/demo");
    std::fs::create_dir_all(&releases).unwrap();
    let archive = releases.join("demo-1.0.tar.bz2");
    let code = "import sys, tarfile; tarfile.open(sys.argv[1], 'w:bz2').add('demo-1.0')";
    source.call("python3", &["-c", code, archive.to_str().unwrap()]);
    let sum = source.call("md5sum", &[archive.to_str().unwrap()]);
    std::fs::write(releases.join("demo-1.0.tar.bz2.md5"), &sum).unwrap();
    if is_root() {
        assert!(Command::new("chmod").args(["-R", "a+rX"]).arg(&releases).status().unwrap().success());
    }
    let root = releases.parent().unwrap().display();
    source.is(&format!("archive release-dir release demo.cfg\npackaging.root-dir = {root}"));
    let given = ["--property", "release-dir=demo", "--property", "release=demo-1.0"];
    source.builds(&given, sum.split(' ').next().unwrap());
    source.builds(&["--locked", "latest"], sum.split(' ').next().unwrap());
    // Another archive of the same name is whole, and another all the same.
    std::fs::write(source.path.join("demo-1.0/more"), "").unwrap();
    source.call("python3", &["-c", code, archive.to_str().unwrap()]);
    let sum = source.call("md5sum", &[archive.to_str().unwrap()]);
    std::fs::write(releases.join("demo-1.0.tar.bz2.md5"), &sum).unwrap();
    let ran = source.farm.run(&["run", "--locked", "latest"]).exits(1);
    ran.says("demo-1.0.tar.bz2 is another one").says("skipped   bootstrap");
    source.builds(&given, sum.split(' ').next().unwrap());
}

/// Not only the buildout is built with the versions of then, but the environment in which zc.buildout runs.
#[test]
fn a_locked_run_has_the_setuptools_of_then() {
    let farm = Farm::demo();
    farm.run(&["run"]).exits(0);
    let builder = format!("demo-pg{}", postgresql().0);
    farm.edit("buildouts/demo.cfg", "setuptools = 75.3.2", "setuptools = 75.8.2");
    let ran = farm.run(&["run", "--locked", "latest"]).exits(0);
    let log = farm.log(&builder, "bootstrap");
    assert!(log.contains("setuptools 75.3.2 is asked for, and the configuration pins 75.8.2"), "{log}");
    // What is there is what the inventory of then says: the step `inventory` would warn.
    assert!(ran.out.contains(&format!("\n{builder}  success")), "{}", ran.out);
    let kept = std::fs::read_to_string(farm.latest().join(&builder).join("kept/inventory.json")).unwrap();
    assert!(kept.contains(r#""setuptools": "75.3.2""#), "{kept}");
}
