//! `farmout mirror update`.

use std::io::IsTerminal as _;
use std::num::NonZeroUsize;
use std::time::Duration;

use super::super::Exit;
use super::super::compile::print;
use super::super::hand_over::{Receivers, warn};
use super::super::{given, spool};
use super::{Format, User, Which, busy, print_json, time};
use crate::diagnostic::Failure;
use crate::mirror::hooks::{Telling, keep};
use crate::mirror::{Observer, Outcome, Pace, Repository, Surroundings, Updated, came, update, update_table};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    user: User,
    /// How many repositories at a time
    #[arg(short, long, value_name = "N", default_value = "4")]
    jobs: NonZeroUsize,
    /// How long a repository may take, such as 90s, 10m or 2h; of Bazaar, a branch
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = time)]
    limit: Duration,
    /// How long one may take whose mirror is yet to be made
    #[arg(long, value_name = "TIME", default_value = "6h", value_parser = time)]
    first_limit: Duration,
    /// Print only what did not work, which is nothing on most days: for cron, which mails what is printed
    #[arg(short, long)]
    quiet: bool,
    /// The form
    #[arg(long, value_name = "FORMAT", default_value = "text", conflicts_with = "quiet")]
    format: Format,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let Arguments { which, user, jobs, limit, first_limit, quiet, format } = arguments;
    let read = which.read()?;
    let (mirrors, surroundings) = which.take(user)?;
    let held = match mirrors.take("update")? {
        Ok(held) => held,
        // Whoever is at work tells what is wrong.
        Err(_) if *quiet => return Ok(Exit::Fine),
        Err(holder) => return Ok(busy(&mirrors, &holder)),
    };
    let pace = Pace { jobs: *jobs, limit: *limit, first_limit: *first_limit };
    // The table says it all, but for who waits for it.
    let is_watched = std::io::stderr().is_terminal() && !quiet;
    let first = |repository: &Repository| {
        if is_watched {
            note!("making the mirror of {}", repository.shown());
        }
    };
    let telling = Telling::read(&mirrors)?;
    let changed =
        |updated: &Updated<'_>| telling.as_ref().map_or(Ok(()), |telling| tell(telling, updated, &surroundings));
    let observer = Observer { first: &first, changed: &changed };
    let report = update(&mirrors, &held, &read.repositories, pace, &surroundings, &observer)
        .map_err(|error| Failure::error(format!("cannot listen for signals: {error}")))?;
    for (updated, telling) in report.updated.iter().flat_map(|updated| Some((updated, telling.as_ref()?))) {
        if let Err(why) = keep(updated, telling) {
            warn(&why);
        }
    }
    match format {
        Format::Json => print_json(&report)?,
        Format::Text if report.updated.is_empty() && !quiet => print("no build watches a repository\n")?,
        Format::Text => print(&update_table(&report, *quiet))?,
    }
    let failed = report.updated.iter().any(|updated| updated.outcome == Outcome::Failed);
    Ok(match (report.interrupted, failed || read.broken > 0) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Errors,
        (false, false) => Exit::Fine,
    })
}

/// Hands over what came into a mirror with hooks, which do not run here.
fn tell(telling: &Telling, updated: &Updated<'_>, surroundings: &Surroundings) -> Result<(), String> {
    let came = came(updated, surroundings);
    came.warnings.iter().for_each(|why| warn(why));
    let Some(first) = telling.spools.first().filter(|_| !came.changes.is_empty()) else { return Ok(()) };
    let login = telling.buildbot_login.as_deref().map(|text| given::secret("--buildbot-login", text));
    let login = login.transpose().map_err(|failure| failure.message)?;
    let receivers = Receivers {
        spools: &telling.spools,
        outgoing: spool::outgoing(first),
        buildbot: telling.buildbot.as_deref(),
        login: login.as_ref(),
    };
    let lost = receivers.hand_over(&came.changes);
    if lost.is_empty() { Ok(()) } else { Err(lost.join("; ")) }
}
