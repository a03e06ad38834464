//! What can go wrong while something is fetched: the wording of all of it.

use std::io;

use super::System;
use crate::cli::Exit;
use crate::diagnostic::Failure;

/// A fetch that did not work. Addresses in it are in the form that may be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process works in the directory.
    #[error("another fetch is at work in {0}")]
    Busy(String),
    /// An archive that is not what its checksum says.
    #[error("{archive} is damaged: its MD5 sum is {found}, and {archive}.md5 says {expected}")]
    Checksum {
        /// The archive.
        archive: String,
        /// What the `.md5` says.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A client said no; its own words were printed before.
    #[error("{client} {command} failed in {directory}: {said}")]
    Client {
        /// The client.
        client: &'static str,
        /// The client's command.
        command: String,
        /// Where.
        directory: String,
        /// Its last line.
        said: String,
    },
    /// The repository has no commit at all.
    #[error("{0} is empty: it has no commit yet")]
    Empty(String),
    /// A file operation of our own.
    #[error("cannot {what} {path}: {error}")]
    File {
        /// The operation, as in "cannot …".
        what: &'static str,
        /// The path.
        path: String,
        /// Why.
        error: io::Error,
    },
    /// A directory that nobody wants to be overwritten.
    #[error("{0} is not a directory that a build can own")]
    Forbidden(String),
    /// The repository had a revision once, and has it no more.
    #[error("{url} no longer has the revision `{revision}`")]
    Gone {
        /// The repository.
        url: String,
        /// The revision.
        revision: String,
        /// What became of it.
        why: String,
    },
    /// An address or a name that is none.
    #[error("{0}")]
    Misuse(&'static str),
    /// There is no such archive.
    #[error("there is no archive {path}")]
    NoArchive {
        /// Where it should be.
        path: String,
        /// Archives in its directory that are called alike; none where that directory is missing too.
        near: Option<Vec<String>>,
    },
    /// An archive has no checksum.
    #[error("{archive}.md5 {what}")]
    NoChecksum {
        /// The archive.
        archive: String,
        /// What is wrong with the file.
        what: String,
    },
    /// The client cannot be started.
    #[error("cannot run {client}: {1}", client = .0.client())]
    NoClient(System, io::Error),
    /// No such branch or tag.
    #[error("{url} has no {kind} `{name}`")]
    NoName {
        /// The repository.
        url: String,
        /// What was looked for.
        kind: &'static str,
        /// What was asked for.
        name: String,
        /// Names that look like it, or the first few of all.
        near: Vec<String>,
    },
    /// What was fetched lacks what the build goes on with.
    #[error("{whole} has no {kind} `{path}`")]
    NoPath {
        /// What was fetched.
        whole: String,
        /// `directory` or `file`.
        kind: &'static str,
        /// Its path in there.
        path: String,
        /// Names that look like it, or the first few of all.
        near: Vec<String>,
    },
    /// An archive that is whole, but not the wanted one.
    #[error("{archive} is another one: its MD5 sum is {found}, and {wanted} is wanted")]
    Replaced {
        /// The archive.
        archive: String,
        /// The sum of the wanted one.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// The repository does not answer.
    #[error("cannot read {url}: {said}")]
    Unreachable {
        /// The repository's kind.
        system: System,
        /// The repository.
        url: String,
        /// The client's last line.
        said: String,
    },
    /// An archive that cannot be unpacked, or that nobody should unpack.
    #[error("{archive} cannot be unpacked: {what}")]
    Unpack {
        /// The archive.
        archive: String,
        /// Why.
        what: String,
    },
}

impl Error {
    /// Whether the repository, or the place of archives, was reached and lacks what is wanted: no other attempt can find it.
    /// A directory that is not there may be one that is not mounted now.
    fn is_permanent(&self) -> bool {
        match self {
            Self::Empty(_) | Self::Gone { .. } | Self::NoName { .. } | Self::NoPath { .. } | Self::Replaced { .. } => {
                true
            }
            Self::NoArchive { near, .. } => near.is_some(),
            _ => false,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if error.is_permanent() { Self { exit: Exit::Absent, ..told(error) } } else { told(error) }
    }
}

fn told(error: Error) -> Failure {
    let message = error.to_string();
    match error {
        Error::Misuse(_) => Failure::misuse(message),
        Error::Forbidden(_) => Failure::misuse(message)
            .help("everything in the directory that is not in the repository is deleted: give one of its own"),
        Error::NoClient(system, error) if error.kind() == io::ErrorKind::NotFound => {
            let (client, package) = (system.client(), system.package());
            Failure::error(message).help(format!("install {client} on this slave (Debian: apt install {package})"))
        }
        Error::Busy(_) => Failure::error(message).help("two builds share a directory, or one was left running"),
        Error::Gone { why, .. } => Failure::error(message).help(why),
        Error::NoName { near, .. } if near.is_empty() => Failure::error(message),
        Error::NoName { near, .. } => Failure::error(message).help(format!("it has {}", near.join(", "))),
        Error::NoPath { kind, near, .. } => {
            let has = if near.is_empty() { String::new() } else { format!("; it has {}", near.join(", ")) };
            let wrong = if kind == "file" { "the configuration" } else { "it" };
            let help = format!("the option `buildout` of the build's section names {wrong}{has}");
            Failure::error(message).help(help)
        }
        Error::Replaced { .. } => Failure::error(message)
            .help("the archive was replaced since: put the former one back, or build without --locked"),
        Error::Unreachable { system, said, .. } => Failure::error(message).help(advice(system, &said)),
        Error::File { .. } => Failure::error(message).help("does the directory belong to the user of this slave?"),
        Error::Checksum { .. } => Failure::error(message)
            .help("copy both files anew; `md5sum` writes the checksum of an archive that was changed on purpose"),
        Error::NoArchive { near: None, .. } => {
            Failure::error(message).help("its directory does not exist either: is the property right?")
        }
        Error::NoArchive { near: Some(near), .. } if near.is_empty() => {
            Failure::error(message).help("its directory has no .tar.bz2 at all")
        }
        Error::NoArchive { near: Some(near), .. } => {
            Failure::error(message).help(format!("its directory has {}", near.join(", ")))
        }
        Error::NoChecksum { archive, .. } => {
            let name = archive.rsplit('/').next().unwrap_or_default();
            let help = format!("no archive is taken without its checksum: `md5sum {name} > {name}.md5` writes it");
            Failure::error(message).help(help)
        }
        Error::Client { .. } | Error::Empty(_) | Error::NoClient(..) | Error::Unpack { .. } => Failure::error(message),
    }
}

/// What to do about a local repository that git does not read. Steps have a home of their own, so that what git itself advises,
/// `git config --global` by whoever reads it, would not reach them.
fn ownership(said: &str) -> String {
    // Of a repository with a working tree git wants the `.git`: the path as it says it.
    let path = said.split_once("repository at '").and_then(|(_, rest)| rest.rsplit_once('\'')).map(|(path, _)| path);
    let path = path.map_or_else(|| "PATH".to_owned(), |path| shell_words::quote(path).into_owned());
    format!(
        "the repository belongs to another user than builds run as: as root, either give it to that user (`chown -R`), or \
        `git config --system --add safe.directory {path}`"
    )
}

/// What to do about a client's last line.
fn advice(system: System, said: &str) -> String {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    const PASSWORD: [&str; 8] = [
        "could not read Username",
        "Authentication failed",
        "terminal prompts disabled",
        "authorization required",
        "authorization failed",
        "Unauthorized",
        "403",
        "401",
    ];
    const NETWORK: [&str; 8] = [
        "Could not resolve host",
        "Name or service not known",
        "unable to connect",
        "Unable to connect",
        "Failed to connect",
        "Connection refused",
        "timed out",
        "Temporary failure in name resolution",
    ];
    if has(&["dubious ownership"]) {
        ownership(said)
    } else if has(&PASSWORD) {
        let other = if system == System::Git {
            "give the slave's user a git credential helper"
        } else {
            "put `user:password@` into the address"
        };
        format!("it asks for a password, and nobody is there to type one: {other}, or use ssh with a key")
    } else if has(&["Permission denied", "Host key verification failed"]) {
        "ssh may not ask questions here: put the key and the host's known_hosts line in place for the slave's user"
            .to_owned()
    } else if has(&NETWORK) {
        "the network or the server is down, or the address is misspelt".to_owned()
    } else {
        format!("is the address right? try `{}` with it as the slave's user", system.probe())
    }
}
