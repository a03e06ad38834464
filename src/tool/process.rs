//! Child processes of the tools: started without input, their output passed on line by line or captured, and ended with the
//! tool when that is interrupted.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use signal_hook::iterator::Signals;

use crate::cli::Exit;
use crate::interrupt::SIGNALS;

/// The child that runs now; the tools run one at a time.
static CHILD: Mutex<Option<u32>> = Mutex::new(None);
/// Whether a signal has come, and the process is about to end.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Directories that are of no use to anybody after this process.
static LITTER: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());
/// How many of the last lines of a child's output are kept for error messages.
const KEPT: usize = 60;
/// How often progress that a program writes over itself is passed on.
const PROGRESS: Duration = Duration::from_secs(20);

/// Prints a line for the reader of the step's log. Nobody reading is no error.
pub fn say(line: impl std::fmt::Display) {
    let _ = writeln!(anstream::stdout(), "{line}");
}

/// From now on each of `SIGNALS` ends the running child and then this process, with exit code 130.
///
/// What the tools make is made aside and renamed, or stamped last, so that leaving in the middle does no harm.
///
/// # Errors
/// Those of installing a signal handler.
pub fn exit_on_signals() -> io::Result<()> {
    let mut signals = Signals::new(SIGNALS)?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            INTERRUPTED.store(true, Ordering::SeqCst);
            let child = *CHILD.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(child) = child.and_then(|child| i32::try_from(child).ok()) {
                let _ = kill(Pid::from_raw(child), Signal::SIGTERM);
            }
            for path in LITTER.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                let _ = std::fs::remove_dir_all(path);
            }
            let _ = writeln!(io::stderr(), "interrupted");
            std::process::exit(Exit::Interrupted as i32);
        }
    });
    Ok(())
}

/// From now on the directory is deleted when this process is interrupted, when nothing else deletes it.
pub fn is_litter(directory: &Path) {
    LITTER.lock().unwrap_or_else(PoisonError::into_inner).push(directory.to_owned());
}

/// Runs a program without input and returns what it writes.
///
/// # Errors
/// It cannot be started.
pub fn capture(command: &mut Command) -> io::Result<Output> {
    let mut child = start(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let errors = child.stderr.take();
    let reader = std::thread::spawn(move || read_all(errors));
    let stdout = read_all(child.stdout.take());
    let stderr = reader.join().unwrap_or_default();
    Ok(Output { status: finish(&mut child)?, stdout, stderr })
}

/// How a program ended, and its last lines.
#[derive(Debug)]
pub struct Streamed {
    /// How it ended.
    pub status: ExitStatus,
    /// Its last lines, both streams in order, as `filter` left them.
    pub tail: Vec<String>,
}

impl Streamed {
    /// The last lines as one text.
    pub fn text(&self) -> String {
        self.tail.join("\n")
    }
}

/// Runs a program without input and passes on each line of both its streams as `filter` returns it.
///
/// Lines that a program writes over each other (ended by a carriage return) are progress: one now and then is passed on, so
/// that whoever watches for silence hears something.
///
/// # Errors
/// It cannot be started, or its output cannot be read.
pub fn stream(command: &mut Command, filter: impl Fn(&str) -> String) -> io::Result<Streamed> {
    let (output, input) = io::pipe()?;
    command.stdout(input.try_clone()?).stderr(input);
    let started = start(command);
    // The command holds the writing end of the pipe, which would keep the loop below waiting for ever.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = started?;
    let mut tail = VecDeque::new();
    let mut reader = BufReader::new(output);
    let mut spoken = Instant::now();
    let mut bytes = Vec::new();
    while read_part(&mut reader, &mut bytes)? {
        let progress = bytes.last() == Some(&b'\r');
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end();
        if text.is_empty() || (progress && spoken.elapsed() < PROGRESS) {
            continue;
        }
        let line = filter(text);
        spoken = Instant::now();
        say(&line);
        if tail.len() == KEPT {
            tail.pop_front();
        }
        tail.push_back(line);
    }
    Ok(Streamed { status: finish(&mut child)?, tail: tail.into() })
}

/// Runs a program without input, and passes on both its streams, as they are, to standard output and to `copy`.
///
/// # Errors
/// It cannot be started, or the copy cannot be written; then the program's output is lost and it is waited for.
pub fn tee(command: &mut Command, copy: &mut impl Write) -> io::Result<ExitStatus> {
    let (mut output, input) = io::pipe()?;
    command.stdout(input.try_clone()?).stderr(input);
    let started = start(command);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = started?;
    let mut buffer = vec![0; 64 * 1024];
    let copied = loop {
        let count = match output.read(&mut buffer) {
            Ok(0) => break Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => break Err(error),
        };
        // Nobody reading is no error.
        let mut shown = io::stdout();
        let _ = shown.write_all(&buffer[..count]).and_then(|()| shown.flush());
        if let Err(error) = copy.write_all(&buffer[..count]) {
            break Err(error);
        }
    };
    drop(output);
    let status = finish(&mut child)?;
    copied.map(|()| status)
}

/// Reads up to and with the next line feed or carriage return, or so much that it is no line any more.
fn read_part(reader: &mut impl BufRead, part: &mut Vec<u8>) -> io::Result<bool> {
    const LONGEST: usize = 64 * 1024;
    part.clear();
    loop {
        let bytes = match reader.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if bytes.is_empty() {
            return Ok(!part.is_empty());
        }
        let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let used = end.map_or(bytes.len(), |end| end + 1);
        part.extend_from_slice(&bytes[..used]);
        reader.consume(used);
        if end.is_some() || part.len() > LONGEST {
            return Ok(true);
        }
    }
}

fn start(command: &mut Command) -> io::Result<Child> {
    // Held over the start, so that a signal in between finds the child.
    let mut running = CHILD.lock().unwrap_or_else(PoisonError::into_inner);
    let child = command.stdin(Stdio::null()).spawn()?;
    *running = Some(child.id());
    Ok(child)
}

fn finish(child: &mut Child) -> io::Result<ExitStatus> {
    let status = child.wait();
    *CHILD.lock().unwrap_or_else(PoisonError::into_inner) = None;
    // It did not end by itself: nothing is to be made of that, least of all an error.
    while INTERRUPTED.load(Ordering::SeqCst) {
        std::thread::park();
    }
    status
}

fn read_all(stream: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // A stream that breaks off has said all it will.
        let _ = stream.read_to_end(&mut bytes);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_passed_on_in_order_and_filtered() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; printf 'a\\rb\\rc\\n'; exit 3"]);
        let ran = stream(&mut command, |line| line.replace("two", "2")).unwrap();
        assert_eq!(ran.status.code(), Some(3));
        assert_eq!(ran.tail, ["one", "2", "c"]);
    }

    #[test]
    fn both_streams_are_captured() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; cat"]);
        let ran = capture(&mut command).unwrap();
        assert_eq!((ran.stdout.as_slice(), ran.stderr.as_slice()), (&b"out\n"[..], &b"err\n"[..]));
    }
}
