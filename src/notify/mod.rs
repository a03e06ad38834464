//! Notifications: events of runs and the farm's rules in, calls of programs and mails out. It observes the runner and is
//! unknown to it: nothing that goes wrong here changes a result. Programs run as the account of the steps, never as root.

mod call;
mod document;
mod gather;
mod mail;
mod notifier;
mod post;

use std::ffi::OsString;

use camino::Utf8PathBuf;

use crate::model::Secrets;
use crate::runner::StepUser;

pub use document::{BuilderNews, Document, FORMAT, Kind, StepNews};
pub use notifier::{Notifier, missing};

/// Where notifications come from: plain data that the caller fills in.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The farm's directory, absolute. Programs work in it.
    pub farm: Utf8PathBuf,
    /// The slave.
    pub slave: String,
    /// Who is told when the slave cannot be used, besides those whom the rules name.
    pub notify_on_missing: Vec<String>,
    /// The environment of programs, already cleaned.
    pub environment: Vec<(OsString, OsString)>,
    /// Whom programs run as, if not as farmout's own user.
    pub account: Option<StepUser>,
    /// The state folder, where calls are noted as long as they last.
    pub state: Option<Utf8PathBuf>,
    /// Whose values are hidden in all that is sent.
    pub secrets: Secrets,
}
