//! The `git` program as every command of a fetch needs it: no hook of anybody runs, nothing asks questions, and nothing secret
//! is on the command line.

use std::path::Path;
use std::process::Command;

use crate::host::environment::GIT;
use crate::tool::fetch::client::{self, System};
use crate::tool::fetch::{Address, Error};
use crate::tool::process::{self, Streamed};

/// The name of the remote, which exists only in git's environment.
pub(crate) const REMOTE: &str = "farmout";

/// Runs git for one repository and one directory.
pub(super) struct Client<'a> {
    client: client::Client<'a>,
    ssh: Option<String>,
}

impl<'a> Client<'a> {
    pub(super) fn new(url: &'a Address, into: &'a Path) -> Result<Self, Error> {
        Ok(Self { client: client::Client { system: System::Git, url, into }, ssh: ssh()? })
    }

    /// A git that works with the repository `git`, the directory as its working tree.
    pub(super) fn on(&self, git: &Path) -> Command {
        let mut command = self.plain();
        command.arg("--git-dir").arg(git).arg("--work-tree").arg(self.client.into);
        command
    }

    /// A git that makes and configures the repository `git`; with a working tree named it would write that one's path down.
    pub(super) fn make(&self, git: &Path) -> Command {
        let mut command = self.plain();
        command.arg("--git-dir").arg(git);
        command
    }

    /// A git that talks to the remote only: a broken clone in the directory must not keep it from that.
    pub(super) fn remote(&self) -> Command {
        let mut command = self.plain();
        command.env("GIT_DIR", "/nonexistent");
        command
    }

    fn plain(&self) -> Command {
        let mut command = git(self.client.url, self.ssh.as_deref());
        command.current_dir(self.client.into);
        command
    }

    /// Runs git and passes on what it says.
    pub(super) fn stream(&self, command: &mut Command) -> Result<Streamed, Error> {
        self.client.stream(command)
    }

    /// Runs git quietly and returns its output without the last line's end.
    pub(super) fn succeed(&self, command: &mut Command) -> Result<String, Error> {
        let name = command
            .get_args()
            .filter_map(|argument| argument.to_str())
            .find(|argument| COMMANDS.contains(argument))
            .unwrap_or_default()
            .to_owned();
        let output = self.client.output(&name, command)?;
        Ok(String::from_utf8_lossy(&output).trim_end().to_owned())
    }

    /// Runs git quietly for an answer that may be no.
    pub(super) fn ask(&self, command: &mut Command) -> Result<Result<Vec<u8>, String>, Error> {
        self.client.attempt(command)
    }

    /// The references that the remote lists, as git writes them.
    pub(super) fn list(&self, command: &mut Command) -> Result<String, Error> {
        match self.client.attempt(command)? {
            Ok(output) => Ok(String::from_utf8_lossy(&output).into_owned()),
            Err(text) => Err(self.client.unreachable(&text)),
        }
    }

    /// The error of a fetch that failed.
    pub(super) fn failed(&self, ran: &Streamed) -> Error {
        self.client.failed("fetch", &ran.text())
    }
}

/// A git for which the address is the remote [`REMOTE`], and `ssh` the command that asks no questions.
pub(crate) fn git(url: &Address, ssh: Option<&str>) -> Command {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if GIT.contains(&&*text) || FOREIGN.contains(&&*text) || text.starts_with("GIT_TRACE") {
            command.env_remove(&name);
        }
    }
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    // What `-c` would set, but where `ps` does not show it. GIT_CONFIG_COUNT needs git 2.31, this works with any.
    let mut settings = vec![format!("remote.{}.url={}", REMOTE, url.public())];
    if let Some(login) = url.login() {
        // Git gives the address to a program of its own as an argument, so the password cannot be in it. The empty
        // helper comes before ours so that no other one hears of the password, and stores it.
        settings.extend(["", HELPER].map(|helper| format!("credential.{}.helper={helper}", login.site)));
        command.env("FARMOUT_USERNAME", login.user).env("FARMOUT_PASSWORD", login.password);
    }
    let settings: Vec<String> = settings.iter().map(|setting| quoted(setting)).collect();
    command.env("GIT_CONFIG_PARAMETERS", settings.join(" "));
    if let Some(ssh) = ssh {
        command.env("GIT_SSH_COMMAND", ssh);
    }
    command.env("GIT_TERMINAL_PROMPT", "0").env_remove("SSH_ASKPASS").env("LC_ALL", "C");
    command
}

/// The ssh command that asks no questions: the user's own choice with `BatchMode`, where it is OpenSSH's.
fn ssh() -> Result<Option<String>, Error> {
    quiet_ssh(|| {
        let found = process::capture(Command::new("git").args(CHOICE_OF_SSH));
        found
            .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
            .map_err(|error| Error::NoClient(System::Git, error))
    })
}

/// What git is asked for the user's choice of ssh.
pub(crate) const CHOICE_OF_SSH: [&str; 3] = ["config", "--get", "core.sshCommand"];

/// The ssh command that asks no questions, given what git is configured to use; none where it is not for git to say.
pub(crate) fn quiet_ssh<E>(configured: impl FnOnce() -> Result<String, E>) -> Result<Option<String>, E> {
    let base = match std::env::var("GIT_SSH_COMMAND") {
        Ok(command) if !command.trim().is_empty() => command,
        _ if std::env::var_os("GIT_SSH").is_some() => return Ok(None),
        _ => configured()?,
    };
    let base = if base.is_empty() { "ssh".to_owned() } else { base };
    let program = base.split_whitespace().next().unwrap_or_default().rsplit('/').next();
    Ok(Some(if program == Some("ssh") { format!("{base} -o BatchMode=yes") } else { base }))
}

/// Tells git the login when it asks, from the environment. `printf` is the shell's own: no process has it as an argument.
const HELPER: &str =
    r#"!f() { test "$1" != get || printf "username=%s\npassword=%s\n" "$FARMOUT_USERNAME" "$FARMOUT_PASSWORD"; }; f"#;

/// Settings of every git here: no hooks, nothing that goes on in the background with our output open, no submodules.
const SETTINGS: [&str; 8] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "gc.autoDetach=false",
    "maintenance.autoDetach=false",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "fetch.prune=false",
    "advice.detachedHead=false",
];

/// What git sets for no hook, and what would lead a fetch astray all the same: other attributes, another template, another
/// place to stop looking for a repository.
const FOREIGN: [&str; 3] = ["GIT_ATTR_SOURCE", "GIT_CEILING_DIRECTORIES", "GIT_TEMPLATE_DIR"];

/// git's commands that [`Client::succeed`] runs, to name them in errors.
const COMMANDS: [&str; 8] =
    ["init", "config", "rev-parse", "update-ref", "for-each-ref", "symbolic-ref", "reset", "clean"];

/// Quotes for a shell, as git reads it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''").replace('!', r"'\!'"))
}
