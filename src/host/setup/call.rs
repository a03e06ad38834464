//! What setup does to the machine, one thing at a time. In: a program with its arguments, or a file's content. Out: what root
//! would type, for people to read; and the doing of it.

use std::borrow::Cow;
use std::fmt;
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::User;

use crate::host::environment;
use crate::model::Secret;

/// Where administrators' programs are; `su` and `cron` often leave these out of `PATH`.
const ADMINISTRATION: &str = "/usr/local/sbin:/usr/sbin:/sbin";

/// So many words of a command are enough to know it by.
const BRIEF: usize = 8;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// A program to run to its end.
    Run {
        /// Variables that it gets besides the clean environment.
        variables: Vec<(&'static str, String)>,
        /// The program and its arguments.
        words: Vec<String>,
        /// Whether it takes so long that people want to read what it says meanwhile.
        long: bool,
    },
    /// A file to write aside and rename.
    Write {
        /// Its path.
        path: Utf8PathBuf,
        /// Its mode.
        mode: u32,
        /// Whose it becomes, where that is not root.
        owner: Option<String>,
        /// What is in it.
        content: Content,
    },
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A text that may be shown.
    Text(String),
    /// A line that may not, or nothing yet where only a dry run asks.
    Secret(Option<Secret>),
}

impl Call {
    /// A program that is done in a moment.
    pub fn run<const N: usize>(words: [&str; N]) -> Self {
        Self::Run { variables: Vec::new(), words: words.map(str::to_owned).to_vec(), long: false }
    }

    /// A program as another user, with a home of its own.
    pub fn run_as<const N: usize>(user: &str, home: &Utf8Path, words: [&str; N]) -> Self {
        let home = format!("HOME={home}");
        let before = ["runuser", "-u", user, "--", "env", &home];
        let words = before.into_iter().chain(words).map(str::to_owned).collect();
        Self::Run { variables: Vec::new(), words, long: false }
    }

    /// The same, where it takes long.
    #[must_use]
    pub fn long(mut self) -> Self {
        if let Self::Run { long, .. } = &mut self {
            *long = true;
        }
        self
    }

    /// Its beginning, for messages.
    pub(super) fn brief(&self) -> String {
        match self {
            Self::Run { words, .. } if words.len() > BRIEF => format!("{} …", joined(&words[..BRIEF])),
            Self::Run { words, .. } => joined(words),
            Self::Write { path, .. } => format!("write {path}"),
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// It cannot be done, in words that follow those of [`Call`]: "ended with exit code 1: it is there already".
    pub(super) fn perform(&self) -> Result<(), String> {
        match self {
            Self::Run { variables, words, long } => run(variables, words, *long).map(drop),
            Self::Write { path, mode, owner, content } => {
                write(path, *mode, owner.as_deref(), content).map_err(|error| format!("failed: {error}"))
            }
        }
    }
}

/// What a program says when it is asked something as root would ask it; nothing of its standard error.
///
/// # Errors
/// As of [`Call::perform`].
pub(super) fn ask(words: &[&str]) -> Result<String, String> {
    let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
    run(&[("LC_ALL", "C.UTF-8".to_owned())], &words, false)
}

fn run(variables: &[(&'static str, String)], words: &[String], long: bool) -> Result<String, String> {
    let [program, arguments @ ..] = words else { return Err("names no program".to_owned()) };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(environment::clean(None)).current_dir("/").stdin(Stdio::null());
    let path = environment::search_path();
    command.env("PATH", format!("{}:{ADMINISTRATION}", path.to_string_lossy()));
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    let missing = |error: std::io::Error| format!("cannot be started: {error}");
    let (status, output) = if long {
        (command.status().map_err(missing)?, None)
    } else {
        let output = command.output().map_err(missing)?;
        (output.status, Some(output))
    };
    if status.success() {
        return Ok(output.map_or_else(String::new, |output| String::from_utf8_lossy(&output.stdout).into_owned()));
    }
    let said = output.map(|output| String::from_utf8_lossy(&output.stderr).trim().to_owned());
    let ended =
        status.code().map_or_else(|| "was ended by a signal".to_owned(), |code| format!("ended with exit code {code}"));
    Err(match said.filter(|said| !said.is_empty()) {
        Some(said) => format!("{ended}: {said}"),
        None => ended,
    })
}

fn write(path: &Utf8Path, mode: u32, owner: Option<&str>, content: &Content) -> std::io::Result<()> {
    let bytes = match content {
        Content::Text(text) => text.clone(),
        Content::Secret(Some(secret)) => format!("{}\n", secret.expose()),
        Content::Secret(None) => return Err(std::io::Error::other("there is nothing to write")),
    };
    let directory = path.parent().unwrap_or(Utf8Path::new("/"));
    let mut making = tempfile::Builder::new();
    let mut aside = making.prefix(".farmout-").permissions(Permissions::from_mode(0o600)).tempfile_in(directory)?;
    aside.write_all(bytes.as_bytes())?;
    if let Some(owner) = owner {
        let user = User::from_name(owner)?.ok_or_else(|| std::io::Error::other(format!("there is no user {owner}")))?;
        std::os::unix::fs::fchown(aside.as_file(), Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
    }
    // The process's umask has no say in it.
    aside.as_file().set_permissions(Permissions::from_mode(mode))?;
    aside.as_file().sync_all()?;
    aside.persist(path).map(drop).map_err(|error| error.error)
}

/// What root would type, or what is written where.
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run { variables, words, .. } => {
                for (name, value) in variables {
                    write!(f, "{name}={} ", quoted(value))?;
                }
                f.write_str(&joined(words))
            }
            Self::Write { path, mode, owner, content } => {
                let owner = owner.as_deref().unwrap_or("root");
                write!(f, "write {path} (mode {mode:04o}, owner {owner})")?;
                match content {
                    Content::Text(text) => text.lines().try_for_each(|line| write!(f, "\n  | {line}")),
                    Content::Secret(_) => f.write_str("\n  | (a secret)"),
                }
            }
        }
    }
}

fn joined(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// A word for the shell; an assignment behind the program needs no quotes.
fn quoted(word: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-+./:=@,".contains(c);
    if !word.is_empty() && word.chars().all(plain) { Cow::Borrowed(word) } else { shell_words::quote(word) }
}
