//! `docs/slave.md` is true: its commands, from a bare Debian to a green build and back, as they stand there.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::clean_root::CleanRoot;
use crate::copy::copy;

/// The address of the farm on the page.
const ADDRESS: &str = "https://git.example/farm.git";

/// A command as it stands on the page, after its prompt.
enum Line {
    Root(String),
    User(String),
}

/// The commands of a section.
fn commands(section: &str) -> Vec<Line> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/slave.md")).unwrap();
    let (_, section) = page.split_once(&format!("\n## {section}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let lines = blocks.flat_map(str::lines).map(|line| match line.split_once(' ') {
        Some(("#", command)) => Line::Root(command.to_owned()),
        Some(("$", command)) => Line::User(command.to_owned()),
        _ => panic!("a line without a prompt: {line}"),
    });
    lines.collect()
}

/// A repository with the sample farm, which the root takes for the one of the page.
fn farm(root: &CleanRoot) {
    let farm = tempfile::tempdir().unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("buildouts");
    fs::create_dir(farm.path().join("buildouts")).unwrap();
    copy(&sample, &farm.path().join("buildouts"));
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(farm.path()).args(["-c", "user.name=A", "-c", "user.email=a@example.com"]).args(arguments);
        assert!(git.status().unwrap().success(), "git {arguments:?}");
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "farm"]);
    git(&["clone", "-q", "--bare", ".", "bare.git"]);
    let mut bring = Command::new("cp");
    bring.arg("-rT").arg(farm.path().join("bare.git")).arg(root.path("/srv/farm.git"));
    assert!(bring.status().unwrap().success());
    let configuration = format!("[url \"/srv/farm.git\"]\n\tinsteadOf = {ADDRESS}\n[safe]\n\tdirectory = *\n");
    fs::write(root.path("/etc/gitconfig"), configuration).unwrap();
}

/// A session: the command that opens it, and what is typed there.
#[track_caller]
fn session(root: &CleanRoot, open: &str, typed: &str) -> String {
    let words = shell_words::split(open).unwrap();
    let mut command = root.command(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let typed = format!("set -e\nexec 2>&1\n{typed}");
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{open}:\n{typed}\n{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

mod root {
    use super::*;

    #[test]
    fn from_a_bare_debian_to_a_green_build_and_back() {
        let root = CleanRoot::new();
        farm(&root);
        let mut lines = commands("Ten minutes").into_iter().peekable();
        let mut said = String::new();
        let (mut calls, mut sessions) = (0, 0);
        while let Some(line) = lines.next() {
            let Line::Root(command) = line else { panic!("the page has not become the user yet") };
            let mut typed = String::new();
            while let Some(Line::User(command)) = lines.next_if(|line| matches!(line, Line::User(_))) {
                typed += &format!("{command}\n");
                calls += 1;
            }
            if typed.is_empty() {
                said += &session(&root, "sh", &command);
                calls += 1;
            } else {
                said += &session(&root, &command, &typed);
                sessions += 1;
            }
        }
        assert_eq!((calls, sessions), (9, 1), "the page's commands are not found");
        assert!(said.contains("\ndemo-pg") && said.contains(" success "), "{said}");
        for line in commands("Undone") {
            let Line::Root(command) = line else { panic!("only root can undo it") };
            said = session(&root, "sh", &command);
        }
        assert!(said.contains("nothing is left of setup"), "{said}");
        assert!(!root.path("/var/lib/farmout").exists());
    }

    #[test]
    fn the_package_is_built_as_the_page_says() {
        let root = CleanRoot::new();
        let typed: String = commands("As a package")
            .into_iter()
            .map(|line| match line {
                Line::User(command) => format!("{command}\n"),
                Line::Root(command) => panic!("no root is needed for `{command}`"),
            })
            .collect();
        root.good(&["useradd", "--create-home", "somebody"]);
        session(&root, "su - somebody", &typed);
        root.good(&["sh", "-c", "dpkg-deb --info /home/somebody/farmout-slave_*_all.deb"]);
    }
}
