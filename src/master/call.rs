//! Programs that run a master's configuration, which may do anything. In: a command, and how long it may take. Out: what it said,
//! and that neither it nor what it has left in its process group runs any more. What it says goes to files: nobody waits for the end of
//! a pipe that something in the background holds.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::group;

/// Between two looks whether it has ended.
const GLANCE: Duration = Duration::from_millis(5);
/// More than this of what it says is not read.
const MOST: u64 = 1 << 20;

/// What a program came to.
#[derive(Debug)]
pub(super) struct Answer {
    /// How it ended; none if it was ended, as it took too long.
    pub(super) status: Option<ExitStatus>,
    /// Its standard output.
    pub(super) stdout: Vec<u8>,
    /// Its standard error.
    pub(super) stderr: Vec<u8>,
}

/// Runs a program to its end, or for as long as it may take.
pub(super) fn call(mut command: Command, limit: Duration) -> io::Result<Answer> {
    let (mut stdout, mut stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?).process_group(0);
    let end = Instant::now() + limit;
    let child = command.spawn()?;
    let status = finish(child, end)?;
    Ok(Answer { status, stdout: said(&mut stdout)?, stderr: said(&mut stderr)? })
}

fn finish(mut child: Child, end: Instant) -> io::Result<Option<ExitStatus>> {
    let ended = loop {
        if group::has_ended(&child) {
            break true;
        }
        if Instant::now() >= end {
            break false;
        }
        thread::sleep(GLANCE);
    };
    // The group's number is nobody else's until note is taken of its leader's end.
    group::kill(child.id().cast_signed());
    let status = child.wait()?;
    Ok(ended.then_some(status))
}

fn said(file: &mut File) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    file.rewind()?;
    file.take(MOST).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(script: &str, milliseconds: u64) -> Answer {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        call(command, Duration::from_millis(milliseconds)).unwrap()
    }

    #[test]
    fn what_a_program_leaves_in_the_background_keeps_nobody_waiting_and_is_ended() {
        let began = Instant::now();
        let answer = script("sleep 60 & echo $!; echo no >&2; exit 3", 30_000);
        assert_eq!(answer.status.and_then(|status| status.code()), Some(3));
        assert_eq!(answer.stderr, b"no\n");
        assert!(began.elapsed() < Duration::from_secs(20));
        let left: i32 = String::from_utf8(answer.stdout).unwrap().trim().parse().unwrap();
        let runs = || group::all().any(|process| process.pid == left);
        while runs() {
            assert!(began.elapsed() < Duration::from_secs(20));
            thread::sleep(GLANCE);
        }
    }

    #[test]
    fn what_takes_too_long_is_ended() {
        let began = Instant::now();
        let answer = script("echo begun; sleep 60", 200);
        assert_eq!((answer.status, answer.stdout.as_slice()), (None, &b"begun\n"[..]));
        assert!(began.elapsed() < Duration::from_secs(20));
    }
}
