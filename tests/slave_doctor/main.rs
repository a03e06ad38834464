//! `farmout slave doctor` on this real machine: each finding is provoked, with real servers, Pythons, repositories, mounts and
//! limits, and said as a person reads it.
//!
//! What a test needs and the machine lacks is a failure. Those that mount something or switch users are in modules `root`.

#[path = "../common/mod.rs"]
mod common;

mod account;
mod disk;
mod fix;
mod needs;
mod postgresql;
mod python;
mod surroundings;
mod vcs;

use std::path::Path;
use std::process::Command;

use common::{FARMOUT, Farm, Ran, need_root};

/// The doctor's word on one family.
fn doctor(farm: &Farm, family: &str) -> Ran {
    run(farm.farmout(&["slave", "doctor", "--only", family]))
}

fn run(mut command: Command) -> Ran {
    command.output().unwrap().into()
}

/// The doctor in a mount namespace of its own, where a shell has changed something before.
fn doctor_after(farm: &Farm, family: &str, before: &str) -> Ran {
    need_root();
    let mut command = common::command("unshare");
    command.args(["--mount", "sh", "-ec", &format!("{before}\nexec \"$@\""), "sh", FARMOUT]);
    command.args(["slave", "doctor", "--only", family]).current_dir(&farm.root);
    run(command)
}

/// A finding of a report, up to the blank line.
#[track_caller]
fn finding(ran: &Ran, name: &str) -> String {
    let mark = format!("[{name}]");
    let found = ran.out.split("\n\n").find(|part| part.lines().next().is_some_and(|line| line.contains(&mark)));
    found.unwrap_or_else(|| panic!("no {name} in\n{}", ran.all())).trim().to_owned()
}

/// The system's Python: its program and its minor version.
fn python() -> (String, String) {
    let program = std::fs::canonicalize("/usr/bin/python3").expect("these tests need /usr/bin/python3");
    let program = program.to_str().unwrap().to_owned();
    let minor = program.rsplit_once("python").unwrap().1.to_owned();
    (program, minor)
}

/// Replaces what differs from machine to machine.
fn plain(text: &str, farm: &Farm) -> String {
    let mut text = text.replace(farm.directory.path().to_str().unwrap(), "/…");
    let temporary = regex::escape(std::env::temp_dir().to_str().unwrap());
    let (major, minor) = (common::postgresql().0, python().1.replace('.', r"\."));
    for (pattern, with) in [
        (format!(r"\b{major}\.\d+").as_str(), "15.x"),
        (&format!(r"postgresql {major}\b"), "postgresql 15"),
        (&format!("postgresql/{major}/bin"), "postgresql/15/bin"),
        (&format!(r"\b{minor}\.\d+"), "3.N.x"),
        (&format!(r"{minor}\b"), "3.N"),
        (&format!(r"{temporary}/farm\w{{6}}\b"), "/TEMPORARY"),
        (r"/tmp/farmout-\w{6}\b", "/WORKSHOP"),
        (r"farmout-doctor-\d+", "farmout-doctor-N"),
        (r"\b\d+ MiB are free", "N MiB are free"),
        (r"\b\d+ more files", "N more files"),
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"port \d{5}\b", "port PORT"),
        // Paths of another length stand before it.
        (r"\.cfg:(\d+):\d+", ".cfg:${1}:N"),
    ] {
        text = regex::Regex::new(pattern).unwrap().replace_all(&text, with).into_owned();
    }
    text
}

/// Snapshots of findings, each with what provoked it.
struct Seen(String);

impl Seen {
    fn new() -> Self {
        Self(String::new())
    }

    #[track_caller]
    fn add(&mut self, provoked: &str, ran: &Ran, code: i32, name: &str, farm: &Farm) {
        assert_eq!(ran.code, Some(code), "{provoked}\n{}", ran.all());
        let finding = plain(&finding(ran, name), farm);
        self.0.push_str(&format!("# {provoked} (exit {code})\n{finding}\n\n"));
    }
}

/// Writes an executable script that everybody may start. Another process writes it, for the reason that `Farm::plain_farmout`
/// tells.
fn script(path: &Path, text: &str) {
    let draft = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(draft.path(), text).unwrap();
    assert!(Command::new("install").args(["-D", "-m755"]).args([draft.path(), path]).status().unwrap().success());
}

/// What can be found is found in one of these tests, and said there as people read it.
#[test]
fn every_finding_is_provoked() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("snapshots");
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("doctor-") {
            all.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
    for kind in farmout::doctor::kind::ALL {
        // There is no Windows drive where tests run; how one is told is tested beside the code.
        if kind.name != "windows-drive" {
            let mark = format!("{}[{}]", kind.severity.name(), kind.name);
            assert!(all.contains(&mark), "nothing provokes {mark}");
        }
    }
}
