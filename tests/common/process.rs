//! Processes: farmout's own, and what is left of them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{SYSTEM, is_root};

/// The program under test.
pub const FARMOUT: &str = env!("CARGO_BIN_EXE_farmout");

/// Starts `program` in the way of an ordinary login: the usual `PATH`, no virtualenv, no variables of PostgreSQL's.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        // How to reach the package index is the machine's business, as is where temporary files go.
        let kept =
            [b"PIP_".as_slice(), b"SSL_", b"http", b"HTTP", b"no_proxy", b"NO_PROXY", b"TMPDIR", b"HOME", b"USER"];
        if !kept.iter().any(|prefix| name.as_bytes().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command.env("PATH", SYSTEM).env("LANG", "C.UTF-8").stdin(Stdio::null());
    command
}

/// Starts `program` as a user without any rights, whoever runs the tests: as root, the user nobody.
pub fn plain(program: impl AsRef<OsStr>) -> Command {
    if !is_root() {
        return command(program);
    }
    let mut plain = command("setpriv");
    plain.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]).arg(program);
    plain.env("USER", "nobody").env("HOME", "/nonexistent");
    plain
}

/// Starts `program` as the user that steps run as; the account must be there.
pub fn as_step_user(program: &str) -> Command {
    if !is_root() {
        return command(program);
    }
    let mut switched = command("setpriv");
    switched.args(["--reuid=farmout", "--regid=farmout", "--clear-groups", "--", program]).env("HOME", "/nonexistent");
    switched
}

/// What came of a command.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; none where a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code(),
            signal: output.status.signal(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }
}

impl Ran {
    /// Both streams, for messages and searches.
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    /// Demands an exit code, and no panic whatever it is.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "signal {:?}\n{}", self.signal, self.all());
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self
    }

    /// Demands a text in the output.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.all().contains(text), "`{text}` is not in\n{}", self.all());
        self
    }

    /// Demands that a text is not in the output.
    #[track_caller]
    pub fn says_no(self, text: &str) -> Self {
        assert!(!self.all().contains(text), "`{text}` is in\n{}", self.all());
        self
    }

    /// The exit code and the streams, for snapshots.
    pub fn shown(&self) -> String {
        format!("exit {}\n{}", self.code.unwrap(), self.all())
    }
}

/// A farmout that works in the background; killed if the test ends before it does.
pub struct Runner(Option<Child>);

impl Runner {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        Self(Some(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()))
    }

    /// Sends a signal to this process only, not to those it started.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.0.as_mut().unwrap().try_wait().unwrap().is_none()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.0.as_ref().unwrap().id().try_into().unwrap())
    }

    /// Waits for its end, and not for those it started: they may hold its output open.
    #[track_caller]
    pub fn wait(mut self) -> Ran {
        eventually("the runner ends", || !self.is_running());
        let mut child = self.0.take().unwrap();
        let status = child.wait().unwrap();
        let streams =
            [Box::new(child.stdout.take().unwrap()) as Box<dyn ReadNow>, Box::new(child.stderr.take().unwrap())];
        let [out, err] = streams.map(|mut stream| stream.read_now());
        Ran { code: status.code(), signal: status.signal(), out, err }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Reads what is there without waiting for more.
trait ReadNow {
    fn read_now(&mut self) -> String;
}

impl<T: std::io::Read + std::os::fd::AsFd> ReadNow for T {
    fn read_now(&mut self) -> String {
        use nix::fcntl::{FcntlArg, OFlag, fcntl};
        fcntl(self.as_fd(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let mut bytes = Vec::new();
        // Ends with `would block` where somebody holds the other end; what was read is kept.
        let _ = self.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Waits until something holds; a test that waits in vain fails.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(120), "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The command lines of the processes that have to do with a directory: work in it, are called with its name, or have it
/// in their environment. Zombies are none.
pub fn running(directory: impl AsRef<Path>) -> Vec<String> {
    let directory = directory.as_ref();
    let wanted = directory.as_os_str().as_bytes();
    let mentions = |bytes: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
    let own = std::process::id().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if name == own.as_str() || !name.as_bytes().iter().all(u8::is_ascii_digit) {
            continue;
        }
        // A process may end while it is looked at.
        let read = |file: &str| std::fs::read(path.join(file)).unwrap_or_default();
        let line = read("cmdline");
        let works = std::fs::read_link(path.join("cwd")).is_ok_and(|place| place.starts_with(directory));
        if !line.is_empty() && (works || mentions(&line) || mentions(&read("environ"))) {
            found.push(String::from_utf8_lossy(&line).replace('\0', " "));
        }
    }
    found
}
