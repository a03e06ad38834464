//! Where and as whom plans run: plain data that the caller fills in. Nothing here touches the machine.

use std::ffi::OsString;
use std::time::Duration;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::model::Secrets;

/// This machine as the runner sees it.
#[derive(Debug, Clone)]
pub struct Site {
    /// Where runs, logs and records are kept, usually `.farmout`. Made if missing; belongs to the runner's own user.
    pub state: Utf8PathBuf,
    /// The slave's base directory, `${basedir}`. Made if missing; belongs to the account.
    pub basedir: Utf8PathBuf,
    /// Whom steps and their files belong to, if not to the runner's own user. Only root can give them away.
    pub account: Option<StepUser>,
    /// The environment that every step starts from, already cleaned. Nothing else of the caller's reaches a step.
    pub environment: Vec<(OsString, OsString)>,
    /// The farmout program, `${farmout}`.
    pub program: Utf8PathBuf,
    /// The farm's secrets, `${secret.NAME}`. Their values are masked in everything that is kept or shown.
    pub secrets: Secrets,
    /// How long a process that was asked to end may take before it is killed.
    pub grace: Duration,
    /// How many bytes of a step's output its log keeps: if there are more, the first half and the last half of as many, and
    /// between them a line that says how many are missing. None keeps everything.
    pub log_limit: Option<u64>,
}

impl Site {
    /// The grace that is given unless something else is asked for.
    pub const GRACE: Duration = Duration::from_secs(10);

    /// The limit of a log unless something else is asked for: what only a step that has lost its way writes.
    pub const LOG_LIMIT: u64 = 1 << 30;

    /// A site with these two folders; no account, an empty environment, no secrets, and `farmout` from `PATH`.
    pub fn new(state: impl Into<Utf8PathBuf>, basedir: impl Into<Utf8PathBuf>) -> Self {
        Self {
            state: state.into(),
            basedir: basedir.into(),
            account: None,
            environment: Vec::new(),
            program: Utf8PathBuf::from("farmout"),
            secrets: Secrets::new(),
            grace: Self::GRACE,
            log_limit: Some(Self::LOG_LIMIT),
        }
    }
}

/// The unprivileged user that steps run as when the runner is root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepUser {
    /// The login name, for `USER` and `LOGNAME`.
    pub name: String,
    /// The numeric user.
    pub uid: u32,
    /// The numeric primary group; a step has no other group.
    pub gid: u32,
    /// The home directory, for `HOME`.
    pub home: Utf8PathBuf,
}
