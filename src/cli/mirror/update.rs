//! `farmout mirror update`.

use std::io::IsTerminal as _;
use std::num::NonZeroUsize;
use std::time::Duration;

use super::super::Exit;
use super::super::compile::print;
use super::{Format, User, Which, busy, print_json, time};
use crate::diagnostic::Failure;
use crate::mirror::{Outcome, Pace, Repository, update, update_table};

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
    let report = update(&mirrors, &held, &read.repositories, pace, &surroundings, &first)
        .map_err(|error| Failure::error(format!("cannot listen for signals: {error}")))?;
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
