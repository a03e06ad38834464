//! The unit of systemd that keeps the Buildbot worker running, with as few rights as builds need.

use std::fs;
use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};
use minijinja::context;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::call::{Call, Content};
use super::thing::{Look, Sight, Thing, Undo};
use super::{account, template, worker};
use crate::diagnostic::Failure;

/// Its name.
pub const NAME: &str = "farmout-worker.service";

/// Where an administrator's units are.
pub(super) const DIRECTORY: &str = "/etc/systemd/system";

/// A unit file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Its path.
    pub path: Utf8PathBuf,
    /// Whom it runs the worker as.
    pub account: String,
    /// The slave's directory.
    pub base: Utf8PathBuf,
    /// The hash of what was written, by which a change of people's is seen.
    #[serde(default)]
    pub sha256: String,
}

impl Unit {
    /// The worker's unit.
    pub(super) fn new(account: &str, base: &Utf8Path) -> Self {
        let path = Utf8Path::new(DIRECTORY).join(NAME);
        Self { path, account: account.to_owned(), base: base.to_owned(), sha256: String::new() }
    }

    pub(super) fn title(&self) -> String {
        format!("the unit {NAME}")
    }

    pub(super) fn purpose(&self) -> String {
        "keeps the Buildbot worker running, with as few rights as builds need".to_owned()
    }

    /// What is in the file.
    ///
    /// # Errors
    /// The template is broken, which a test rules out.
    pub fn content(&self) -> Result<String, Failure> {
        let values = context! {
            account => self.account.as_str(),
            home => account::home(&self.base).as_str(),
            worker => worker::directory(&self.base).as_str(),
            environment => worker::environment(&self.base).as_str(),
        };
        template::fill(NAME, values)
    }

    pub(super) fn look(&self, sight: Sight<'_>) -> Result<Look, Failure> {
        let content = self.content()?;
        if let Ok(found) = fs::read_to_string(&self.path) {
            if found == content {
                return Ok(Look::There(None));
            }
            match sight.record.find(&Thing::Unit(self.clone())).map(|entry| &entry.thing) {
                Some(Thing::Unit(made)) if made.sha256 == hash(&found) => {}
                Some(_) => {
                    return Ok(Look::There(Some("it was changed since setup wrote it, and stays so".to_owned())));
                }
                None => return Ok(Look::There(Some("it is none of setup's, and stays as it is".to_owned()))),
            }
        }
        let made = Self { sha256: hash(&content), ..self.clone() };
        let write = Call::Write { path: self.path.clone(), mode: 0o644, owner: None, content: Content::Text(content) };
        let reload = runs().then(|| Call::run(["systemctl", "daemon-reload"]));
        Ok(Look::Missing { made: Thing::Unit(made), calls: [write].into_iter().chain(reload).collect() })
    }

    pub(super) fn undo(&self, sight: Sight<'_>) -> Result<Undo, Failure> {
        let Ok(found) = fs::read_to_string(&self.path) else { return Ok(Undo::Gone) };
        if hash(&found) != self.sha256 && !sight.purge {
            return Ok(Undo::Kept("it was changed since setup wrote it; --purge removes it all the same".to_owned()));
        }
        let remove = Call::run(["rm", "-f", "--", self.path.as_str()]);
        let calls = if runs() {
            let stop = Call::run(["systemctl", "disable", "--now", NAME]);
            vec![stop, remove, Call::run(["systemctl", "daemon-reload"])]
        } else {
            vec![remove]
        };
        Ok(Undo::Calls(calls, None))
    }
}

/// Whether systemd runs this machine.
pub fn runs() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
