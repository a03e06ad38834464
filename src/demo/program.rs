//! A master or a worker while it runs. In: where its files are. Out: whether it runs still, and if not, its last words.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Child, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use nix::libc::O_NOFOLLOW;

use super::as_account;
use crate::diagnostic::{Failure, plain};
use crate::host::probe::Probe;

/// How many lines of a log are told.
const LINES: usize = 12;
/// What Twisted says where a port is taken.
const NO_PORT: &str = "Couldn't listen on ";
/// What Buildbot says before all that is wrong with a configuration.
const WRONG: &str = "Configuration Errors:";

/// A program that was started.
pub(super) struct Program {
    name: String,
    directory: Utf8PathBuf,
    child: Child,
}

impl Program {
    /// Starts what is in a directory.
    pub(super) fn start(
        probe: &Probe,
        [python, script]: [&Utf8Path; 2],
        directory: &Utf8Path,
        name: &str,
    ) -> Result<Self, Failure> {
        let failed =
            |error: std::io::Error| Failure::error(format!("{name} cannot be started: {}", plain(&error.to_string())));
        let path = directory.with_extension("out");
        // The directory is the account's: no link is followed.
        let out = OpenOptions::new().append(true).create(true).mode(0o644).custom_flags(O_NOFOLLOW).open(&path);
        let out = out.map_err(failed)?;
        let mut command = probe.command(python);
        command.args([script.as_str(), "start", "--nodaemon", directory.as_str()]);
        command.stdin(Stdio::null()).stdout(out.try_clone().map_err(failed)?).stderr(out);
        let child = command.spawn().map_err(failed)?;
        Ok(Self { name: name.to_owned(), directory: directory.to_owned(), child })
    }

    /// Fails if it has ended.
    pub(super) fn check(&mut self, account: Option<(u32, u32)>) -> Result<(), Failure> {
        let ended = match self.child.try_wait() {
            Ok(None) => return Ok(()),
            Ok(Some(status)) => status.to_string(),
            Err(error) => plain(&error.to_string()),
        };
        let failure = Failure::error(format!("{} has ended ({ended})", self.name));
        Err(failure.help(self.last_words(account)))
    }

    /// Whether it ended because somebody else has its port.
    pub(super) fn lacks_port(&self, account: Option<(u32, u32)>) -> bool {
        self.log(account).contains(NO_PORT)
    }

    /// The end of its log, or what it says is wrong with its configuration.
    pub(super) fn last_words(&self, account: Option<(u32, u32)>) -> String {
        let log = self.log(account);
        let lines: Vec<&str> = match log.rsplit_once(WRONG) {
            Some((_, errors)) => errors.lines().take_while(|line| line.is_empty() || line.starts_with(' ')).collect(),
            None => log.lines().collect(),
        };
        let lines = lines[lines.len().saturating_sub(LINES)..].iter().map(|line| format!("  {}", line.trim_end()));
        format!("{} said last:\n{}", self.name, lines.collect::<Vec<_>>().join("\n"))
    }

    /// All that it wrote, read with the rights that it has: its log may be anything by now.
    fn log(&self, account: Option<(u32, u32)>) -> String {
        let paths = [self.directory.with_extension("out"), self.directory.join("twistd.log")];
        let read = || paths.map(|path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned());
        as_account(account, read).map(|texts| texts.concat()).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
