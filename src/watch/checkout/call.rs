//! One call of a client in a checkout: a command in, what it wrote out. It runs as the checkout's owner, asks no questions, and
//! ends with its time, with everything that it has started.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::Trouble;
use crate::diagnostic::plain;
use crate::group;
use crate::host::{Account, environment};
use crate::mirror::{finish, follow};
use crate::model::masked;
use crate::report::duration;
use crate::tool::fetch::said;

/// Between two looks at a client.
const GLANCE: Duration = Duration::from_millis(10);
/// How long output may be on its way after the client has ended.
const LINGER: Duration = Duration::from_millis(500);

/// What makes calls, whose time begins when it is made.
pub(super) struct Caller {
    top: Utf8PathBuf,
    owner: Option<Account>,
    began: Instant,
    limit: Duration,
    stop: Option<Arc<AtomicBool>>,
}

/// What came of a call.
pub(super) struct Called {
    pub(super) success: bool,
    pub(super) output: String,
    errors: String,
}

impl Caller {
    pub(super) fn new(top: &Utf8Path, owner: Option<Account>, limit: Duration, stop: Option<Arc<AtomicBool>>) -> Self {
        Self { top: top.to_owned(), owner, began: Instant::now(), limit, stop }
    }

    /// The checkout's directory.
    pub(super) fn top(&self) -> &Utf8Path {
        &self.top
    }

    /// A command in the checkout, with nothing in its environment that is of somebody else's repository.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(environment::clean(self.owner.as_ref())).current_dir(&self.top);
        command.env("LC_ALL", "C.UTF-8").env_remove("LANGUAGE").env_remove("SSH_ASKPASS");
        if let Some(owner) = &self.owner {
            owner.apply(&mut command);
        }
        command
    }

    /// Calls a client, and waits for its end.
    pub(super) fn run(&self, command: &mut Command) -> Result<Called, Trouble> {
        let program = command.get_program().to_string_lossy().into_owned();
        let broken = |error: io::Error| Trouble(format!("cannot run {program}: {}", plain(&error.to_string())));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(broken)?;
        let (output, errors) = (follow(child.stdout.take()), follow(child.stderr.take()));
        let mut why = None;
        while !group::has_ended(&child) && why.is_none() {
            if self.stop.as_ref().is_some_and(|stop| stop.load(Ordering::SeqCst)) {
                why = Some("farmout was asked to stop".to_owned());
            } else if self.began.elapsed() >= self.limit {
                why = Some(format!("{program} was not done after {}", duration(self.limit)));
            } else {
                std::thread::sleep(GLANCE);
            }
        }
        let status = finish(&mut child, why.is_some()).map_err(broken)?;
        if let Some(why) = why {
            return Err(Trouble(why));
        }
        let text = |stream: std::sync::mpsc::Receiver<Vec<u8>>| {
            String::from_utf8_lossy(&stream.recv_timeout(LINGER).unwrap_or_default()).into_owned()
        };
        Ok(Called { success: status.success(), output: text(output), errors: masked(&text(errors)) })
    }

    /// Calls a client, which must do what it is told; what it wrote, without the last line's end.
    pub(super) fn succeed(&self, command: &mut Command) -> Result<String, Trouble> {
        let called = self.run(command)?;
        if called.success { Ok(called.output.trim_end_matches('\n').to_owned()) } else { Err(called.trouble(command)) }
    }
}

impl Called {
    /// Why a call failed.
    pub(super) fn trouble(&self, command: &Command) -> Trouble {
        let program = command.get_program().to_string_lossy();
        Trouble(format!("{program} says: {}", said(&self.errors)))
    }
}
