//! `farmout tool upload` through the binary.

mod common;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::snapshot::snapshot;
use common::{FARMOUT, Ran, plain};
use tempfile::TempDir;

struct Case(TempDir);

impl Case {
    /// A tree that no other user may read, as a strict umask leaves it.
    fn new() -> Self {
        let case = Self(tempfile::tempdir().unwrap());
        case.write("tree/index.html", "<p>hello</p>\n");
        case.write("tree/deep/er/page.html", "");
        case.write("report.txt", "done\n");
        let strict = Command::new("chmod").args(["-R", "go=", "tree", "report.txt"]).current_dir(case.root()).status();
        assert!(strict.unwrap().success());
        case
    }

    fn root(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root().join(path)).unwrap()
    }

    fn upload(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new("sh");
        command.args(["-c", "umask 077; exec \"$@\"", "sh", FARMOUT, "tool", "upload"]).args(arguments);
        command.current_dir(self.root()).env("NO_COLOR", "1").output().unwrap().into()
    }

    /// What is below a directory: mode, path, and where links lead.
    fn listing(&self, directory: &str) -> Vec<String> {
        let top = self.root().join(directory);
        let mut found = Vec::new();
        let mut left = vec![top.clone()];
        while let Some(path) = left.pop() {
            let metadata = path.symlink_metadata().unwrap();
            let name = path.strip_prefix(&top).unwrap().display().to_string();
            if metadata.is_symlink() {
                found.push(format!("link {name} {}", fs::read_link(&path).unwrap().display()));
                continue;
            }
            found.push(format!("{:o} {name}", metadata.permissions().mode() & 0o7777));
            if metadata.is_dir() {
                left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
        found.sort();
        found
    }

    fn shown(&self, ran: Ran) -> String {
        ran.shown().replace(&self.root().display().to_string(), "ROOT") + "\n"
    }
}

#[test]
fn copies_are_readable_whatever_the_umask() {
    let case = Case::new();
    let ran = case.upload(&["tree", "report.txt", "--to", "www/shop/1.0", "--url", "https://docs.example/shop/1.0"]);
    let ran = ran.exits(0).says("uploaded 3 files to ");
    assert_eq!(ran.out.lines().last(), Some("https://docs.example/shop/1.0"));
    let expected = ["644 shop/1.0/deep/er/page.html", "644 shop/1.0/index.html", "644 shop/1.0/report.txt", "755 "];
    let found = case.listing("www");
    assert_eq!(found[..4], expected, "{found:?}");
    assert_eq!(found[4..], ["755 shop", "755 shop/1.0", "755 shop/1.0/deep", "755 shop/1.0/deep/er"]);
    assert_eq!(case.read("www/shop/1.0/index.html"), "<p>hello</p>\n");

    // Again: what is new replaces what is old, and the rest stays.
    case.write("tree/index.html", "<p>again</p>\n");
    fs::remove_dir_all(case.root().join("tree/deep")).unwrap();
    case.upload(&["tree", "--to", "shop/1.0", "--base", "www"]).exits(0).says("uploaded 1 file to ");
    assert_eq!(case.read("www/shop/1.0/index.html"), "<p>again</p>\n");
    assert_eq!(case.listing("www"), found);
}

#[test]
fn links_out_of_the_tree_are_left_out_and_told() {
    let case = Case::new();
    case.write("secret", "of the slave's\n");
    let tree = case.root().join("tree");
    symlink("index.html", tree.join("start.html")).unwrap();
    symlink("../index.html", tree.join("deep/up.html")).unwrap();
    symlink("deep/er", tree.join("latest")).unwrap();
    for (leads, name) in [
        ("../secret", "one"),
        ("../../secret", "deep/two"),
        ("/etc/passwd", "three"),
        ("gone", "four"),
        ("deep/../../secret", "six"),
    ] {
        symlink(leads, tree.join(name)).unwrap();
    }
    symlink(case.root(), tree.join("five")).unwrap();
    // Back into the tree, but by a way that is another one in the copy.
    symlink("../tree/index.html", tree.join("seven")).unwrap();
    nix::unistd::mkfifo(&tree.join("pipe"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    let ran = case.upload(&["tree", "--to", "www"]).exits(1);
    assert_eq!(
        case.listing("www"),
        [
            "644 deep/er/page.html",
            "644 index.html",
            "755 ",
            "755 deep",
            "755 deep/er",
            "link deep/up.html ../index.html",
            "link latest deep/er",
            "link start.html index.html"
        ]
    );
    snapshot!("tool-upload-links", case.shown(ran));
    // A link of an earlier upload is no way out either.
    fs::remove_file(tree.join("latest")).unwrap();
    case.write("tree/latest/page.html", "new\n");
    case.upload(&["tree", "--to", "www"]).exits(1);
    assert_eq!(case.read("www/deep/er/page.html"), "");
    assert_eq!(case.read("www/latest/page.html"), "new\n");
}

#[test]
fn what_cannot_be_uploaded_is_said() {
    let case = Case::new();
    let mut all = String::new();
    all += &case.shown(case.upload(&["nose_output", "--to", "www"]).exits(1));
    assert!(!Path::new(&case.root().join("www")).exists());
    all += &case.shown(case.upload(&["tree", "--to", "www/../../elsewhere"]).exits(2));
    all += &case.shown(case.upload(&["tree", "--to", ""]).exits(2));
    all += &case.shown(case.upload(&["tree", "--to", "tree/deep"]).exits(2));
    case.write("file", "");
    all += &case.shown(case.upload(&["tree", "--to", "file/below"]).exits(1));
    snapshot!("tool-upload-errors", all);
}

#[test]
fn who_may_not_write_is_told_as_whom_it_ran() {
    let case = Case::new();
    fs::set_permissions(case.root(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(case.root().join("report.txt"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::create_dir(case.root().join("www")).unwrap();
    fs::set_permissions(case.root().join("www"), fs::Permissions::from_mode(0o555)).unwrap();
    let staged = case.root().join("farmout");
    assert!(Command::new("install").args(["-m755", FARMOUT]).arg(&staged).status().unwrap().success());
    let mut command = plain(staged);
    command.args(["tool", "upload", "report.txt", "--to", "www/shop"]).current_dir(case.root());
    let ran: Ran = command.output().unwrap().into();
    ran.exits(1).says("www/shop: Permission denied").says("steps run as ").says(": let that user write there");
}
