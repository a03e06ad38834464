//! A farm with a rendered master.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;

use super::binary::{farmout, text};
use super::buildbot::environment;

const MANIFEST: &str = "[shop]
buildout = git https://git.example/shop main buildout.cfg
build-for = postgresql >= 14
watch =

[crm]
buildout = git https://git.example/crm main buildout.cfg
watch =
";
const FRAGMENT: &str = "[atlas]
password = not-a-secret-a81c
capability = postgresql 14 port=5433 user=ann passwd=not-a-secret-b92d
    postgresql 15 port=5434

[zeus]
password = not-a-secret-c03e
capability = postgresql 15 port=5435
";

/// What an admin's additions begin with.
const IMPORTS: &str = "\nfrom buildbot.plugins import changes, reporters, schedulers, secrets, steps, util, worker\n";

/// A farm in a directory of its own, and its master in another.
pub struct Case {
    pub directory: TempDir,
}

impl Case {
    /// A small farm, rendered.
    pub fn new() -> Self {
        let case = Self::of(MANIFEST, FRAGMENT);
        case.render();
        case
    }

    /// A farm of one manifest and one fragment.
    pub fn of(manifest: &str, fragment: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let case = Self { directory };
        case.write("farm/buildouts/MANIFEST.cfg", manifest);
        case.write("farm/slaves.cfg", fragment);
        fs::set_permissions(case.path("farm/slaves.cfg"), fs::Permissions::from_mode(0o600)).unwrap();
        case
    }

    /// Renders the farm.
    #[track_caller]
    pub fn render(&self) {
        let fresh = !self.path("master/master.cfg").exists();
        farmout(&["render", "buildbot", "--farm", "farm", "-o", "master"])
            .current_dir(self.directory.path())
            .assert()
            .success();
        if fresh {
            self.admin(IMPORTS);
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    /// Replaces a text that must be there once.
    #[track_caller]
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{name}: {from}");
        self.write(name, &text.replace(from, to));
    }

    /// Makes one of the master's secrets.
    pub fn secret(&self, name: &str) {
        let name = format!("master/secrets/{name}");
        self.write(&name, "not-a-secret-0472");
        fs::set_permissions(self.path(&name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// What the admin adds to master.cfg.
    pub fn admin(&self, lines: &str) {
        let before = fs::read_to_string(self.path("master/master.cfg")).unwrap();
        self.write("master/master.cfg", &(before + lines));
    }

    /// `farmout check-master master`, with the real Buildbot.
    pub fn check(&self, arguments: &[&str]) -> Output {
        let environment = environment();
        let mut command = farmout(&["check-master", "master", "--farm", "farm", "--buildbot"]);
        command.arg(&environment).args(arguments).current_dir(self.directory.path());
        command.output().unwrap()
    }

    /// What it says of a master that is in order.
    #[track_caller]
    pub fn right(&self) -> String {
        self.said(0)
    }

    /// What it says of a master that is not.
    #[track_caller]
    pub fn wrong(&self) -> String {
        self.said(1)
    }

    #[track_caller]
    fn said(&self, exit: i32) -> String {
        let output = self.check(&[]);
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(exit), "{said}{}", text(&output.stderr));
        assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
        findings(&said)
    }

    /// All that is in the master's directory.
    pub fn everything(&self) -> Vec<(PathBuf, Option<Vec<u8>>, u32)> {
        let mut found = Vec::new();
        gather(&self.path("master"), &mut found);
        found.sort();
        found
    }
}

fn gather(directory: &Path, found: &mut Vec<(PathBuf, Option<Vec<u8>>, u32)>) {
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let metadata = entry.metadata().unwrap();
        let content = metadata.is_file().then(|| fs::read(entry.path()).unwrap());
        found.push((entry.path(), content, metadata.permissions().mode()));
        if metadata.is_dir() {
            gather(&entry.path(), found);
        }
    }
}

/// A report without the place of the Buildbot that the tests have.
pub fn findings(said: &str) -> String {
    said.replace(environment().to_str().unwrap(), "/srv/buildbot")
}
