//! Changes handed over to whom they are for: the farms' spools, and a Buildbot master.

use std::io;
use std::time::Duration;

use camino::Utf8PathBuf;

use super::given;
use crate::diagnostic::{Failure, plain};
use crate::model::{Change, Secret, without_credentials};
use crate::watch::forward::{Master, PB, Sent};
use crate::watch::{Delivery, Spool};

/// How long a push may wait for a master.
const PATIENCE: Duration = Duration::from_secs(10);

/// A Buildbot master.
#[derive(Debug, clap::Args)]
pub(super) struct MasterArguments {
    /// Tell a Buildbot master as well: by the `base` change hook of its web server at this address; or, as pb://HOST:PORT, by
    /// `buildbot sendchange` to the port where its workers connect
    #[arg(long, value_name = "URL")]
    buildbot: Option<String>,
    /// USER:PASSWORD for the master, if it asks: @FILE, or $NAME of the environment
    #[arg(long, value_name = "@FILE|$NAME")]
    pub(super) buildbot_login: Option<String>,
}

impl MasterArguments {
    /// The master's address.
    pub(super) fn url(&self) -> Result<Option<&str>, Failure> {
        self.buildbot.as_deref().map(master_url).transpose()
    }

    /// What the change hook asks for.
    pub(super) fn login(&self) -> Result<Option<Secret>, Failure> {
        self.buildbot_login.as_deref().map(|text| given::secret("--buildbot-login", text)).transpose()
    }
}

/// A master's address, which is written down and shown: it may hold no password.
fn master_url(url: &str) -> Result<&str, Failure> {
    let url = url.trim_end_matches('/');
    if let Some(address) = url.strip_prefix(PB) {
        let port = address.rsplit_once(':').filter(|(host, _)| !host.is_empty() && !host.contains(['/', '@']));
        if port.is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
            return Err(Failure::misuse("--buildbot has no host and port after pb://")
                .help("write where workers connect, such as pb://buildbot.example:9989"));
        }
        return Ok(url);
    }
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(Failure::misuse("--buildbot is no web address").help(
            "write that of the master's web server, such as https://buildbot.example:8010; or where workers connect, such as pb://buildbot.example:9989",
        ));
    }
    if without_credentials(url) != url {
        return Err(Failure::misuse("--buildbot has a password in it, which hooks and lists of processes would show")
            .help("put USER:PASSWORD into a file, and name it: --buildbot-login @FILE"));
    }
    Ok(url)
}

/// Who gets changes.
#[derive(Debug)]
pub(super) struct Receivers<'a> {
    /// Farms.
    pub(super) spools: &'a [Utf8PathBuf],
    /// Where changes for masters wait.
    pub(super) outgoing: Utf8PathBuf,
    /// A master.
    pub(super) buildbot: Option<&'a str>,
    /// The login for its change hook.
    pub(super) login: Option<&'a Secret>,
}

impl Receivers<'_> {
    /// Hands changes over. What a master does not get now it gets later; what could not be kept for somebody is said, in a
    /// clause each.
    pub(super) fn hand_over(&self, changes: &[Change]) -> Vec<String> {
        let mut lost = Vec::new();
        for folder in self.spools {
            let spooled = Spool::open(folder).and_then(|spool| spool.put(Delivery::Changes(changes.to_vec())));
            if let Err(error) = spooled {
                lost.push(format!("cannot hand the change over to {folder}: {}", plain(&error.to_string())));
            }
        }
        if let Some(url) = self.buildbot
            && let Err(error) = self.tell(url, changes)
        {
            lost.push(format!("cannot keep the change for {url}: {}", plain(&error.to_string())));
        }
        lost
    }

    fn tell(&self, url: &str, changes: &[Change]) -> io::Result<()> {
        let master = Master::open(&self.outgoing, url)?;
        master.put(changes)?;
        match master.send(self.login, Some(PATIENCE)) {
            Ok(sent) => tell_left(&master, &sent),
            Err(error) => warn(&format!("cannot send what waits for {url}: {}", plain(&error.to_string()))),
        }
        Ok(())
    }
}

/// Says what waits for a master still.
pub(super) fn tell_left(master: &Master, sent: &Sent) {
    for (path, why) in &sent.rejected {
        warn(&format!("{path} is no change for {}: {why}", master.url()));
    }
    if let Some((count, why)) = &sent.left {
        let (what, wait, them) = if *count == 1 { ("push", "waits", "it") } else { ("pushes", "wait", "them") };
        warn(&format!(
            "{count} {what} {wait} for {}: {why}; the next call or `farmout notify --flush` sends {them}",
            master.url()
        ));
    }
}

pub(super) fn warn(why: &str) {
    let yellow = anstyle::AnsiColor::Yellow.on_default().bold();
    note!("{yellow}warning{yellow:#}: {why}");
}
