//! A directory for a test, and farmout in it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use super::locked::locked_server;
use super::streams::text;

pub const FARMOUT: &str = env!("CARGO_BIN_EXE_farmout");

/// A temporary directory.
pub struct Place {
    pub root: PathBuf,
    _directory: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { root: directory.path().canonicalize().unwrap(), _directory: directory }
    }

    /// Its path, for filters of snapshots.
    pub fn shown(&self) -> &str {
        self.root.to_str().unwrap()
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    /// What is in a directory, but for what makes it a clone.
    pub fn list(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(path)).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| ![".git", ".hg", ".bzr"].contains(&name.as_str()));
        names.sort();
        names
    }

    /// `farmout tool fetch`, with a temporary directory of its own.
    pub fn farmout(&self, arguments: &[&str]) -> Command {
        let temporary = self.path("tmp");
        fs::create_dir_all(&temporary).unwrap();
        let mut command = Command::new(FARMOUT);
        command.args(["tool", "fetch"]).args(arguments).current_dir(&self.root);
        command.env("NO_COLOR", "1").env("TMPDIR", temporary);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.farmout(arguments).output().unwrap()
    }

    /// Runs it; it must work, and leave nothing in the temporary directory. Returns the last line of its output.
    #[track_caller]
    pub fn fetch(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", text(&output));
        assert_eq!(self.list("tmp"), Vec::<String>::new());
        String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned()
    }

    /// Runs it; it must fail with this exit code. Returns what it says of that, for a snapshot.
    #[track_caller]
    pub fn fails(&self, code: i32, arguments: &[&str]) -> String {
        told(&self.run(arguments), code)
    }

    /// Kills fetches at several moments; the one after each must work, as `check` sees it.
    pub fn killed_at_any_moment(&self, arguments: &[&str], into: &str, milliseconds: &[u64], check: impl Fn()) {
        for milliseconds in milliseconds {
            let _ = fs::remove_dir_all(self.path(into));
            let mut child = self.farmout(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(*milliseconds));
            child.kill().unwrap();
            child.wait().unwrap();
            // Its client lives on for a moment, and has the directory until it ends.
            let ended = (0..200).any(|_| {
                std::thread::sleep(Duration::from_millis(50));
                !text(&self.run(arguments)).contains("another fetch is at work")
            });
            assert!(ended, "the client of the killed fetch does not end");
            let output = self.run(arguments);
            assert!(output.status.success(), "{}", text(&output));
            check();
        }
    }
}

#[track_caller]
pub fn told(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}", text(output));
    String::from_utf8(output.stderr.clone()).unwrap() + "\n"
}

/// Demands that a fetch of a repository on a server that wants a password gives the password to it, and to nobody else.
pub fn gives_its_password_to_the_server_only(place: &Place, arguments: &[&str]) {
    let (address, passwords) = locked_server();
    let url = format!("http://{address}/x");
    // As it stands in the address, and as a plan gives it.
    for (url, credentials) in [(format!("http://me:s3cr%40t-word@{address}/x"), ""), (url, "me:s3cr%40t-word")] {
        let mut command = place.farmout(&[arguments, &["--url", &url, "--into", "locked"]].concat());
        let output = command.env("FARMOUT_CREDENTIALS", credentials).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(!text(&output).contains("s3cr"), "{}", text(&output));
        let told: Vec<String> = passwords.try_iter().flatten().collect();
        // me:s3cr@t-word
        assert!(
            !told.is_empty() && told.iter().all(|told| told == "bWU6czNjckB0LXdvcmQ="),
            "{told:?} {}",
            text(&output)
        );
    }
    assert!(!Command::new("grep").args(["-r", "s3cr"]).arg(&place.root).status().unwrap().success());
}
