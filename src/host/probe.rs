//! Running a program to learn something. In: a program, its arguments, a time limit. Out: what it printed. It runs with
//! the clean environment, as the account, in a process group of its own that is killed when the time is over.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::{Account, environment};

/// More output than this (bytes, of each stream) is thrown away.
const OUTPUT: usize = 256 * 1024;

/// As many programs as this are asked at once.
const AT_ONCE: usize = 8;

/// How programs are run.
#[derive(Debug, Clone)]
pub struct Probe {
    environment: Vec<(OsString, OsString)>,
    account: Option<Account>,
    directory: Utf8PathBuf,
    limit: Duration,
}

/// What a program that came to an end printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output; bytes that are no UTF-8 are replaced.
    pub stdout: String,
    /// Its standard error, likewise.
    pub stderr: String,
}

impl Probe {
    /// Programs run with the environment of [`environment::clean`], as `account` if there is one, in `/`, and each for
    /// `limit` at most.
    pub fn new(account: Option<&Account>, limit: Duration) -> Self {
        let mut environment = environment::clean(account);
        // Breezy crashes where it cannot make its log below the home, be it only to tell its version.
        environment.push(("BRZ_LOG".into(), "/dev/null".into()));
        Self { environment, account: account.cloned(), directory: "/".into(), limit }
    }

    /// The same in another directory.
    #[must_use]
    pub fn within(mut self, directory: &Utf8Path) -> Self {
        directory.clone_into(&mut self.directory);
        self
    }

    /// The same with a variable that has another value.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.into(), value.into()));
        self
    }

    /// The program as it would be run, in a process group of its own, for somebody who starts it and ends it.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(&self.directory).process_group(0);
        if let Some(account) = &self.account {
            account.apply(&mut command);
        }
        command
    }

    /// The same without some variables.
    #[must_use]
    pub fn without(mut self, names: &[String]) -> Self {
        self.environment.retain(|(known, _)| !names.iter().any(|name| known == name.as_str()));
        self
    }

    /// Runs `program` and waits for its end.
    ///
    /// # Errors
    /// It cannot be started, ends with another code than 0 (the last line it said is quoted), or outlives the limit, and
    /// is then killed with all it started. The text has no full stop and begins with a verb: "did not answer within 3 s".
    pub fn run(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Result<Output, String> {
        let output = self.output(program, arguments)?;
        if output.status.success() {
            return Ok(output);
        }
        let said =
            [&output.stderr, &output.stdout].into_iter().find_map(|text| text.lines().rfind(|l| !l.trim().is_empty()));
        let ended = match (output.status.code(), output.status.signal()) {
            (Some(code), _) => format!("ended with exit code {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended in an unknown way".to_owned(),
        };
        Err(said.map_or_else(|| ended.clone(), |said| format!("{ended}: {}", said.trim())))
    }

    /// The same, where any end is an answer.
    ///
    /// # Errors
    /// As [`Probe::run`], but for the exit code.
    pub fn output(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> Result<Output, String> {
        let mut command = self.command(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let end = Instant::now() + self.limit;
        let mut child = command.spawn().map_err(|error| format!("cannot be started: {error}"))?;
        let streams = (child.stdout.take().map(reader), child.stderr.take().map(reader));
        let result = self.collect(&mut child, &streams, end);
        if result.is_err() {
            // The group outlives its leader where that left something behind: kill it before the leader is waited for,
            // while its number cannot be somebody else's.
            if let Ok(group) = i32::try_from(child.id()) {
                let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
            }
            let _ = child.wait();
        }
        result
    }

    fn collect(&self, child: &mut Child, streams: &Streams, end: Instant) -> Result<Output, String> {
        let stdout = self.receive(streams.0.as_ref(), end)?;
        let stderr = self.receive(streams.1.as_ref(), end)?;
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(Output { status, stdout, stderr }),
                Ok(None) if Instant::now() >= end => return Err(self.late()),
                Ok(None) => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => return Err(format!("cannot be waited for: {error}")),
            }
        }
    }

    fn receive(&self, stream: Option<&Receiver<Vec<u8>>>, end: Instant) -> Result<String, String> {
        let Some(stream) = stream else { return Ok(String::new()) };
        match stream.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(RecvTimeoutError::Timeout) => Err(self.late()),
            Err(RecvTimeoutError::Disconnected) => Ok(String::new()),
        }
    }

    fn late(&self) -> String {
        format!("did not answer within {} s", self.limit.as_secs_f64())
    }
}

type Streams = (Option<Receiver<Vec<u8>>>, Option<Receiver<Vec<u8>>>);

/// Reads a stream to its end in a thread, so that two full pipes or a silent program block nobody.
fn reader(mut stream: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        let _ = stream.by_ref().take(OUTPUT as u64).read_to_end(&mut kept);
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
        let _ = sender.send(kept);
    });
    receiver
}

/// Asks several at once; the answers are in the order of the questions.
pub(crate) fn parallel<Q: Sync, A: Send>(questions: &[Q], ask: impl Fn(&Q) -> A + Sync) -> Vec<A> {
    let next = Mutex::new(0..questions.len());
    let answers = Mutex::new(Vec::with_capacity(questions.len()));
    std::thread::scope(|scope| {
        for _ in 0..questions.len().min(AT_ONCE) {
            scope.spawn(|| {
                loop {
                    // A poisoned lock means that another thread panicked; the scope will pass that on.
                    let taken = next.lock().ok().and_then(|mut range| range.next());
                    let Some(index) = taken else { break };
                    let answer = ask(&questions[index]);
                    if let Ok(mut answers) = answers.lock() {
                        answers.push((index, answer));
                    }
                }
            });
        }
    });
    let mut answers = answers.into_inner().unwrap_or_default();
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(milliseconds: u64) -> Probe {
        Probe::new(None, Duration::from_millis(milliseconds))
    }

    #[test]
    fn tells_how_it_ended() {
        let answer = probe(5000).run("/bin/sh", &["-c", "echo out; echo err >&2"]).unwrap();
        assert_eq!((answer.stdout.as_str(), answer.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!(
            probe(5000).run("/bin/sh", &["-c", "echo no >&2; exit 3"]).unwrap_err(),
            "ended with exit code 3: no"
        );
        assert_eq!(probe(5000).run("/bin/sh", &["-c", "kill -9 $$"]).unwrap_err(), "was ended by signal 9");
        assert!(probe(5000).run("/nonexistent/program", &[]).unwrap_err().starts_with("cannot be started"));
    }

    #[test]
    fn ends_what_hangs() {
        let start = Instant::now();
        for script in ["sleep 30", "sleep 30 & exit 0", "exec >&- 2>&-; sleep 30"] {
            assert_eq!(probe(200).run("/bin/sh", &["-c", script]).unwrap_err(), "did not answer within 0.2 s");
        }
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn much_output_does_not_block() {
        let script = "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2";
        let answer = probe(20_000).run("/bin/sh", &["-c", script]).unwrap();
        assert_eq!((answer.stdout.len(), answer.stderr.len()), (OUTPUT, OUTPUT));
    }

    #[test]
    fn answers_keep_their_order() {
        let questions: Vec<u64> = (0..40).collect();
        assert_eq!(parallel(&questions, |question| question * 2), questions.iter().map(|q| q * 2).collect::<Vec<_>>());
    }
}
