//! Packages that builds need. Which ones: `host::needs`. Those that are there stay out of it.

use std::process::Stdio;

use serde::{Deserialize, Serialize};

use super::call::Call;
use super::thing::{Look, Sight, Thing, Undo};
use crate::diagnostic::Failure;

/// Packages of Debian's or Ubuntu's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packages {
    /// Their names.
    pub names: Vec<String>,
}

impl Packages {
    pub(super) fn title(&self) -> String {
        "packages that builds need".to_owned()
    }

    pub(super) fn purpose(&self) -> String {
        "compilers, headers and programs; `farmout slave doctor` tells what each is for".to_owned()
    }

    pub(super) fn look(&self, sight: Sight<'_>) -> Result<Look, Failure> {
        let there = installed(&self.names)?;
        let missing: Vec<String> = self.names.iter().filter(|name| !there.contains(name)).cloned().collect();
        if missing.is_empty() {
            return Ok(Look::There(None));
        }
        // Left unpacked by an installation that was broken off; nothing can be installed before that is mended.
        let begun = sight.record.find(&Thing::Packages(self.clone())).is_some_and(|entry| !entry.done);
        let mend = begun.then(|| unasked(&["dpkg", "--configure", "-a"]));
        let mut install = vec!["apt-get", "install", "-qq", "-o=Dpkg::Use-Pty=0", "--no-install-recommends"];
        install.extend(missing.iter().map(String::as_str));
        let calls = mend.into_iter().chain([plain(&["apt-get", "update", "-qq"]).long(), unasked(&install)]).collect();
        Ok(Look::Missing { made: Thing::Packages(Self { names: missing }), calls })
    }

    /// To remove packages is for people to decide: others may have come to need them. apt is told that nobody asked for them.
    pub(super) fn undo(&self, _: Sight<'_>) -> Result<Undo, Failure> {
        let there = installed(&self.names)?;
        if there.is_empty() {
            return Ok(Undo::Gone);
        }
        let mut words = vec!["apt-mark", "auto"];
        words.extend(there.iter().map(String::as_str));
        let hint = "they are still installed, as packages that nobody asked for; `apt-get autoremove` removes those that \
                    nothing else needs";
        Ok(Undo::Calls(vec![plain(&words)], Some(hint.to_owned())))
    }

    pub(super) fn add(&mut self, other: &Self) {
        let new: Vec<_> = other.names.iter().filter(|name| !self.names.contains(name)).cloned().collect();
        self.names.extend(new);
    }

    /// Whether a PostgreSQL server comes with them.
    pub(super) fn have_server(&self) -> bool {
        self.names.iter().any(|name| {
            let rest = name.strip_prefix("postgresql");
            rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix('-').is_some_and(|v| v.parse::<u32>().is_ok()))
        })
    }
}

/// A command that may ask questions, unless it is told not to.
fn unasked(words: &[&str]) -> Call {
    let variables = vec![("DEBIAN_FRONTEND", "noninteractive".to_owned())];
    Call::Run { variables, words: words.iter().map(|&word| word.to_owned()).collect(), long: true }
}

fn plain(words: &[&str]) -> Call {
    Call::Run { variables: Vec::new(), words: words.iter().map(|&word| word.to_owned()).collect(), long: false }
}

/// Those of some packages that are installed.
fn installed(names: &[String]) -> Result<Vec<String>, Failure> {
    let mut command = std::process::Command::new("dpkg-query");
    command.args(["-W", "-f", "${binary:Package} ${db:Status-Status}\\n", "--"]).args(names).env("LC_ALL", "C.UTF-8");
    // It fails where one of them is unknown, and tells of the others all the same.
    let output = command.stdin(Stdio::null()).output().map_err(|error| {
        Failure::error(format!("dpkg-query cannot be started: {error}")).help("this takes Debian, Ubuntu or a relative")
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let there = text.lines().filter_map(|line| line.strip_suffix(" installed"));
    // `libpq-dev:amd64` where several architectures can be had.
    let there: Vec<&str> = there.map(|name| name.split_once(':').map_or(name, |(name, _)| name)).collect();
    Ok(names.iter().filter(|name| there.contains(&name.as_str())).cloned().collect())
}
