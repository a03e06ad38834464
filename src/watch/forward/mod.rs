//! Changes for a Buildbot master: deliveries in, which wait in a folder of their own until the master has them; calls of its change
//! hook out, or of its own program for changes. A master that is away, or that refuses them, costs nobody a change: all of them are
//! sent, in their order, with a later call, which goes on where this one stopped.

mod sendchange;

use std::fs::File;
use std::io;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use camino::{Utf8Path, Utf8PathBuf};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ureq::tls::{RootCerts, TlsConfig};

use super::address::places;
use super::{Delivery, Spool, Waiting};
use crate::diagnostic::plain;
use crate::model::{Change, Secret};

/// How long the master may take for one change.
const REQUEST: Duration = Duration::from_secs(5);
/// How the addresses begin of masters that are told of changes as workers talk to them.
pub const PB: &str = "pb://";
/// The property of a change that has all places of its repository.
const PLACES: &str = "farmout-places";
/// Beside the deliveries: whoever has it sends.
const LOCK: &str = ".lock";

/// A master's address, and what is yet to be sent there.
#[derive(Debug)]
pub struct Master {
    url: String,
    spool: Spool,
}

/// What came of sending.
#[derive(Debug, Default)]
pub struct Sent {
    /// How many deliveries the master has got.
    pub sent: usize,
    /// How many wait, and why.
    pub left: Option<(usize, String)>,
    /// Files that are no deliveries, and were put aside.
    pub rejected: Vec<(Utf8PathBuf, String)>,
}

impl Master {
    /// A master of this address, in a folder that holds those of all masters.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(folder: &Utf8Path, url: &str) -> io::Result<Self> {
        let url = url.trim_end_matches('/').to_owned();
        let name = utf8_percent_encode(&url, NON_ALPHANUMERIC).to_string();
        Ok(Self { spool: Spool::open(&folder.join(name))?, url })
    }

    /// All masters that changes were ever to be sent to.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn all(folder: &Utf8Path) -> io::Result<Vec<Self>> {
        let entries = match folder.read_dir_utf8() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut names: Vec<String> = Vec::new();
        for entry in entries {
            names.push(entry?.file_name().to_owned());
        }
        names.sort_unstable();
        let urls = names.iter().filter_map(|name| percent_decode_str(name).decode_utf8().ok());
        urls.filter(|url| url.contains("://")).map(|url| Self::open(folder, &url)).collect()
    }

    /// The address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Keeps changes until the master has them.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn put(&self, changes: &[Change]) -> io::Result<()> {
        self.spool.put(Delivery::Changes(changes.to_vec())).map(drop)
    }

    /// Sends what waits, for as long as `limit` says, and until the first that does not go through. Where another process is
    /// at it, that one sends ours too.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn send(&self, login: Option<&Secret>, limit: Option<Duration>) -> io::Result<Sent> {
        let end = limit.map(|limit| Instant::now() + limit);
        let mut sent = Sent::default();
        loop {
            let mut lock = fd_lock::RwLock::new(File::create(self.spool.folder().join(LOCK))?);
            let guard = match lock.try_write() {
                Ok(guard) => guard,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(sent),
                Err(error) => return Err(error),
            };
            self.send_waiting(login, end, &mut sent)?;
            drop(guard);
            // What came after the last look found the lock taken, and nobody else sends it.
            if sent.left.is_some() || self.spool.look()?.waiting.is_empty() {
                return Ok(sent);
            }
        }
    }

    fn send_waiting(&self, login: Option<&Secret>, end: Option<Instant>, sent: &mut Sent) -> io::Result<()> {
        let found = self.spool.look()?;
        sent.rejected.extend(found.rejected);
        let agent = agent();
        let count = found.waiting.len();
        for (number, Waiting { name, delivery }) in found.waiting.into_iter().enumerate() {
            let changes = if let Delivery::Changes(changes) = delivery { changes } else { Vec::new() };
            for (done, change) in changes.iter().enumerate() {
                let late = || "there was no time for more".to_owned();
                let left = end.map(|end| end.saturating_duration_since(Instant::now()));
                let time = left.map_or(REQUEST, |left| left.min(REQUEST));
                let posted = if time.is_zero() { Err(late()) } else { self.tell(&agent, change, login, time) };
                if let Err(why) = posted {
                    if done > 0 {
                        self.spool.replace(&name, Delivery::Changes(changes[done..].to_vec()))?;
                    }
                    sent.left = Some((count - number, why));
                    return Ok(());
                }
            }
            self.spool.remove(&name)?;
            sent.sent += 1;
        }
        Ok(())
    }

    fn tell(&self, agent: &ureq::Agent, change: &Change, login: Option<&Secret>, time: Duration) -> Result<(), String> {
        match self.url.strip_prefix(PB) {
            Some(address) => sendchange::send(address, change, login, time),
            None => self.post(agent, change, login, time),
        }
    }

    fn post(&self, agent: &ureq::Agent, change: &Change, login: Option<&Secret>, time: Duration) -> Result<(), String> {
        let mut request = agent.post(format!("{}/change_hook/base", self.url));
        if let Some(login) = login {
            request = request.header("Authorization", format!("Basic {}", STANDARD.encode(login.expose())));
        }
        let request = request.config().timeout_global(Some(time)).build();
        let mut response = request.send_form(form(change)).map_err(|error| match error {
            ureq::Error::Io(error) => plain(&error.to_string()),
            error => error.to_string(),
        })?;
        if response.status().is_success() {
            return Ok(());
        }
        let said = response.body_mut().with_config().limit(4 << 10).read_to_string().unwrap_or_default();
        let said = said.trim().lines().next().unwrap_or_default().to_owned();
        let colon = if said.is_empty() { "" } else { ": " };
        Err(format!("it answers {}{colon}{said}", response.status()))
    }
}

/// A change as the master's `base` hook takes it.
fn form(change: &Change) -> Vec<(&'static str, String)> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut form = vec![
        ("repository", change.url.clone()),
        ("revision", change.revision.clone()),
        ("author", change.author.clone().unwrap_or_else(|| "unknown".to_owned())),
        ("comments", text(&change.comment)),
        ("files", serde_json::json!(change.files).to_string()),
        ("when_timestamp", change.time.as_second().to_string()),
        ("properties", serde_json::json!({PLACES: places(change, &[])}).to_string()),
    ];
    // A branch that is empty is another one to it than none.
    form.extend(change.branch.clone().map(|branch| ("branch", branch)));
    form
}

/// A client that goes where it is sent and nowhere else, and trusts whom the machine trusts.
fn agent() -> ureq::Agent {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = ureq::Agent::config_builder().tls_config(tls).max_redirects(0).http_status_as_error(false);
    config.build().new_agent()
}
