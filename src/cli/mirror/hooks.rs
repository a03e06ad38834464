//! `farmout mirror hooks`.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::super::compile::print;
use super::super::hand_over::MasterArguments;
use super::super::machine::{absolute, state};
use super::super::{Exit, notify};
use super::{Format, User, Which, print_json};
use crate::diagnostic::{Failure, plain};
use crate::host::account;
use crate::host::place;
use crate::mirror::hooks::{Hook, Hooked, Telling, hooks, server::Server};
use crate::model::{Vcs, without_credentials};
use crate::watch;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    user: User,
    /// A folder that changes are handed over to (may be repeated) [default: that of each farm's scheduler]
    #[arg(long, value_name = "DIR")]
    spool: Vec<Utf8PathBuf>,
    #[command(flatten)]
    master: MasterArguments,
    /// Take farmout's hooks away
    #[arg(long, conflicts_with_all = ["spool", "buildbot", "buildbot_login"])]
    remove: bool,
    /// Print a hook for the server on which the repositories are, and do nothing else
    #[arg(long, value_name = "git|hg|bzr", value_parser = notify::vcs, requires = "url", conflicts_with = "remove")]
    print: Option<Vcs>,
    /// The repository's address, for --print; for Bazaar that of the directory below which the branches are
    #[arg(long, requires = "print")]
    url: Option<String>,
    /// The address of the farm's `farmout listen`, for --print git on a server that has no farmout
    #[arg(long, value_name = "URL", requires = "print")]
    listener: Option<String>,
    /// The form
    #[arg(long, value_name = "FORMAT", default_value = "text", conflicts_with = "print")]
    format: Format,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    if let (Some(vcs), Some(url)) = (arguments.print, &arguments.url) {
        return print_server(arguments, vcs, url);
    }
    let telling = if arguments.remove { None } else { Some(telling(arguments)?) };
    if arguments.remove && arguments.which.existing().is_none() {
        print("no mirrors yet, and no hooks\n")?;
        return Ok(Exit::Fine);
    }
    let (mirrors, _) = arguments.which.take(&arguments.user)?;
    let held = mirrors.take("hooks")?.map_err(|holder| {
        Failure::error(format!("{holder} is at work on the mirrors in {}", mirrors.root())).help("try again later")
    })?;
    let hooked = hooks(&mirrors, &held, telling.as_ref())?;
    match arguments.format {
        Format::Json => print_json(&hooked)?,
        Format::Text => print(&told(&hooked, telling.as_ref()))?,
    }
    let foreign = hooked.iter().any(|hooked| hooked.hook == Hook::Foreign) && !arguments.remove;
    Ok(if foreign { Exit::Errors } else { Exit::Fine })
}

/// Who is told. Run by root, the folders are made so that the account can write to them.
fn telling(arguments: &Arguments) -> Result<Telling, Failure> {
    let account = account::choose(arguments.user.user.as_deref())?;
    let roots = arguments.which.roots();
    let named: Vec<Utf8PathBuf> = match arguments.spool.as_slice() {
        [] => roots.iter().map(|root| watch::spool(&state(None, Some(root)))).collect(),
        named => named.to_vec(),
    };
    let mut spools = Vec::new();
    for folder in named {
        let unusable = |error: std::io::Error| {
            Failure::misuse(format!("cannot make {folder}: {}", plain(&error.to_string())))
                .help("name a folder that the mirrors' user may write to with --spool")
        };
        if let (Some(account), Some(above)) = (&account, folder.parent()) {
            fs::DirBuilder::new().recursive(true).mode(0o755).create(above).map_err(unusable)?;
            place::own(&folder, Some(account))?;
            place::own(&super::super::spool::outgoing(&folder), Some(account))?;
            if !account.can_reach(&folder) {
                return Err(Failure::misuse(format!(
                    "the user {}, whose the mirrors are, cannot enter {folder}",
                    account.name
                ))
                .help("name a folder that it can reach with --spool, to `farmout watch` as well"));
            }
        } else {
            watch::Spool::open(&folder).map_err(unusable)?;
        }
        spools.push(absolute(&folder));
    }
    let program = std::env::current_exe().ok().and_then(|path| Utf8PathBuf::from_path_buf(path).ok());
    let program = program.ok_or_else(|| Failure::error("cannot tell where farmout itself is"))?;
    let login = arguments.master.buildbot_login.as_deref().map(|login| match login.strip_prefix('@') {
        Some(path) => format!("@{}", absolute(Utf8Path::new(path))),
        None => login.to_owned(),
    });
    Ok(Telling::new(program, spools, arguments.master.url()?.map(str::to_owned), login))
}

fn told(hooked: &[Hooked], telling: Option<&Telling>) -> String {
    let mut text = String::new();
    for Hooked { repository, path, hook, call, .. } in hooked {
        text += &match (hook, call) {
            (Hook::Right, _) => format!("right      {path}\n"),
            (Hook::Installed, _) => format!("installed  {path}\n"),
            (Hook::Repaired, _) => format!("repaired   {path}\n"),
            (Hook::Removed, _) => format!("removed    {path}\n"),
            (Hook::Foreign, Some(call)) => format!(
                "left alone {path}: it is somebody else's. So that it tells as well, have it run, where \"$1\" is `committed`,\n  \
                 {call}\n"
            ),
            (Hook::Foreign, None) => format!("left alone {path}: it is somebody else's\n"),
            (Hook::Absent, _) => continue,
            (Hook::Impossible, _) if telling.is_some() => {
                format!(
                    "no hook    {repository}: `farmout mirror update` tells of it, as Bazaar has no hooks in repositories\n"
                )
            }
            (Hook::Impossible, _) => continue,
        };
    }
    if let Some(telling) = telling {
        for spool in &telling.spools {
            text += &format!("changes go to {spool}\n");
        }
        if let Some(buildbot) = &telling.buildbot {
            text += &format!("changes go to {buildbot}\n");
        }
    } else if text.is_empty() {
        text += "there was no hook of farmout's\n";
    }
    text
}

fn print_server(arguments: &Arguments, vcs: Vcs, url: &str) -> Result<Exit, Failure> {
    let mut receivers = Vec::new();
    if arguments.listener.is_none() {
        let spools = &arguments.spool;
        receivers.extend(spools.iter().flat_map(|spool| ["--spool".to_owned(), absolute(spool).into_string()]));
        if spools.is_empty() {
            let roots = arguments.which.roots();
            let spools = roots.iter().map(|root| absolute(&watch::spool(&state(None, Some(root)))));
            receivers.extend(spools.flat_map(|spool| ["--spool".to_owned(), spool.into_string()]));
        }
        let master = &arguments.master;
        receivers.extend(master.url()?.iter().flat_map(|url| ["--buildbot".to_owned(), (*url).to_owned()]));
        receivers.extend(master.buildbot_login.iter().flat_map(|it| ["--buildbot-login".to_owned(), it.clone()]));
    }
    let url = without_credentials(url);
    let server = Server { vcs, url: &url, receivers: &receivers, listener: arguments.listener.as_deref() };
    let hook = server.hook().ok_or_else(|| {
        Failure::misuse("--listener is for --print git: what others tell needs farmout on their server")
            .help("leave --listener out, and install farmout there")
    })?;
    print(&hook)?;
    Ok(Exit::Fine)
}
