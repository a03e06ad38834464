//! `farmout mirror gc`.

use super::super::Exit;
use super::super::compile::print;
use super::{Format, User, Which, busy, print_json};
use crate::diagnostic::Failure;
use crate::mirror::{Left, gc};
use crate::model::Size;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    user: User,
    /// Say what would be removed, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// The form
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let Arguments { which, user, dry_run, format } = arguments;
    let read = which.read()?;
    if read.broken > 0 {
        return Err(Failure::error("nothing is removed: what the farms watch is not known in full")
            .help("put the farms right that do not compile, or leave them out if they do not use these mirrors"));
    }
    let left = if which.existing().is_none() {
        Left::default()
    } else {
        let (mirrors, surroundings) = which.take(user)?;
        let held = match mirrors.take("gc")? {
            Ok(held) => held,
            Err(holder) => return Ok(busy(&mirrors, &holder)),
        };
        gc(&mirrors, (!dry_run).then_some(&held), &read.repositories, &surroundings)?
    };
    match format {
        Format::Json => print_json(&left)?,
        Format::Text => print(&told(&left, *dry_run))?,
    }
    Ok(Exit::Fine)
}

fn told(left: &Left, dry_run: bool) -> String {
    let mut text = String::new();
    let word = if dry_run { "would remove" } else { "removed" };
    for removed in &left.removed {
        text += &match &removed.branch {
            Some(branch) => format!("{word} the branch {branch} of {}\n", removed.repository),
            None => format!("{word} {} ({})\n", removed.repository, Size(removed.size)),
        };
    }
    for path in &left.foreign {
        text += &format!("left alone: {path} is no mirror\n");
    }
    if left.removed.is_empty() {
        text += "nothing to remove\n";
    }
    text
}
