//! A change for a master that takes it as it takes its workers: handed over to the program `buildbot sendchange`, which speaks
//! their protocol. The password goes to its standard input, where lists of processes do not show it.

use std::ffi::OsString;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::PLACES;
use crate::model::{Change, Secret, Vcs};
use crate::watch::address::places;

/// More than this of the names of files does not go along, in bytes: a command line has a limit.
const NAMES: usize = 256 << 10;
const PROGRAM: &str = "buildbot";

/// Sends it to a host and port; why that was not possible.
pub(super) fn send(address: &str, change: &Change, login: Option<&Secret>, time: Duration) -> Result<(), String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|directory| directory.join(PROGRAM).is_file()) {
        return Err(
            "the program `buildbot` is not on PATH here, which pb:// needs; install it (`pip install buildbot`), \
                    or tell the master by its web address"
                .to_owned(),
        );
    }
    // It asks for the password on the terminal where there is one, and in a session of its own there is none.
    let mut command = Command::new("setsid");
    command.args([PROGRAM, "sendchange", "--encoding=utf8"]).arg(format!("--master={address}"));
    let mut password = "";
    if let Some(login) = login {
        let (user, rest) = login.expose().split_once(':').ok_or("the login is no USER:PASSWORD")?;
        command.arg(format!("--auth={user}"));
        password = rest;
    }
    command.args(arguments(change));
    let (status, said) =
        call(command, password, time).map_err(|error| format!("`buildbot sendchange` cannot be run: {error}"))?;
    match status {
        Some(status) if status.success() => Ok(()),
        Some(_) => Err(reason(&said)),
        None => Err(format!("`buildbot sendchange` did not end within {} s", time.as_secs())),
    }
}

/// What is said of the change.
fn arguments(change: &Change) -> Vec<OsString> {
    let vcs = match change.vcs {
        Vcs::Bzr => "bzr",
        Vcs::Git => "git",
        Vcs::Hg => "hg",
    };
    let places: Vec<_> = places(change, &[]).into_iter().collect();
    let mut all = vec![
        format!("--vc={vcs}"),
        format!("--who={}", change.author.as_deref().unwrap_or("unknown")),
        format!("--repository={}", change.url),
        format!("--revision={}", change.revision),
        format!("--when={}", change.time.as_second()),
        format!("--comments={}", change.comment.as_deref().unwrap_or_default()),
        format!("--property={PLACES}:{}", places.join("\n")),
    ];
    all.extend(change.branch.iter().map(|branch| format!("--branch={branch}")));
    all.push("--".to_owned());
    let mut room = NAMES;
    all.extend(change.files.iter().map_while(|file| {
        room = room.checked_sub(file.len() + 1)?;
        Some(file.clone())
    }));
    // No argument can hold what ends one.
    all.into_iter().map(|argument| argument.replace('\0', " ").into()).collect()
}

/// How it ended, if it did so in time, and what it said.
fn call(mut command: Command, input: &str, time: Duration) -> io::Result<(Option<ExitStatus>, String)> {
    let end = Instant::now() + time;
    let mut output = tempfile::tempfile()?;
    command.stdout(output.try_clone()?).stderr(output.try_clone()?).stdin(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // Who does not ask for a password does not read one.
        let _ = writeln!(stdin, "{input}");
    }
    let status = loop {
        match child.try_wait()? {
            Some(status) => break Some(status),
            None if Instant::now() >= end => {
                // Its session is a group of this number.
                let _ = i32::try_from(child.id()).map(|group| killpg(Pid::from_raw(group), Signal::SIGKILL));
                let _ = child.kill();
                child.wait()?;
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let mut said = Vec::new();
    output.rewind()?;
    output.take(1 << 20).read_to_end(&mut said)?;
    Ok((status, String::from_utf8_lossy(&said).into_owned()))
}

/// Why it failed: the end of a traceback, without the exception's name where it says more.
fn reason(said: &str) -> String {
    let last = said.trim_end().lines().next_back().unwrap_or_default().trim();
    if last == "twisted.spread.pb.RemoteError" {
        return "it refuses the change, as it does where the password is wrong".to_owned();
    }
    let (head, rest) = last.split_once(": ").unwrap_or(("", last));
    if head.contains('.') && !head.contains(' ') { rest.to_owned() } else { last.to_owned() }
}
