//! Going on with a demonstration that was kept, by hand. In: where it is, and whose it is. Out: commands to type.

use camino::Utf8Path;

use super::layout::Layout;
use crate::host::{Account, Buildbot, Place};

/// The commands that start the master and the workers again, for whoever has run the demonstration.
///
/// What is started belongs to the account, and so may have been changed by builds: it is no one's but the account's to run.
pub fn again<'a>(
    directory: &Utf8Path,
    buildbot: &Buildbot,
    account: Option<&Account>,
    workers: impl Iterator<Item = &'a str>,
) -> Vec<String> {
    let layout = Layout::new(directory);
    let start = |name: &str, directory: &Utf8Path| {
        let mut words = account.map(|account| rights(account, layout.directory())).unwrap_or_default();
        words.extend(buildbot.program(name).map(String::from));
        words.extend(["start".to_owned(), directory.to_string()]);
        shell_words::join(words)
    };
    let mut commands = vec![start("buildbot", &layout.master)];
    commands.extend(workers.map(|name| start("buildbot-worker", &layout.worker(name))));
    commands
}

/// What gives root's rights away, and root's environment, in which secrets may be.
fn rights(account: &Account, directory: &Utf8Path) -> Vec<String> {
    let place = Place { basedir: directory.to_owned(), moved: false };
    let mut words: Vec<String> =
        ["setpriv", "--reuid", &account.name, "--regid", &account.gid.to_string()].map(str::to_owned).into();
    words.extend(["--clear-groups", "--reset-env", "env"].map(str::to_owned));
    words.extend([format!("HOME={}", place.home()), format!("TMPDIR={directory}")]);
    words
}
