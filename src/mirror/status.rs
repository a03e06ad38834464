//! A directory of mirrors in; what is known of each out, and the table of it. Nothing is called, and nothing changed.

use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use anstyle::Style;
use camino::Utf8PathBuf;
use jiff::Timestamp;
use serde::Serialize;

use super::Mirrors;
use super::change::short;
use super::layout::SYSTEMS;
use super::state::State;
use super::table::problems;
use super::url::directory;
use super::watched::word;
use crate::model::Size;
use crate::report::duration;

/// Where the lines below a repository begin.
const INDENT: &str = "                        ";

/// A mirror, and what is known of it.
#[derive(Debug, Serialize)]
pub struct Status {
    /// Where it is; it may be that it could not be made yet.
    pub mirror: Utf8PathBuf,
    /// What is known of it.
    #[serde(flatten)]
    pub state: State,
}

/// The mirrors in a directory, by system and address.
///
/// # Errors
/// It cannot be read.
pub fn status(mirrors: &Mirrors) -> io::Result<Vec<Status>> {
    let mut found = Vec::new();
    for vcs in SYSTEMS {
        let entries = match mirrors.of(vcs).read_dir_utf8() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        let mut known = Vec::new();
        for entry in entries {
            let entry = entry?;
            known.extend(own(entry.path(), vcs));
        }
        known.sort_by(|a: &Status, b| a.state.repository.cmp(&b.state.repository));
        found.append(&mut known);
    }
    Ok(found)
}

/// The mirror that a file tells of, if it is one of this layout.
pub(super) fn own(path: &camino::Utf8Path, vcs: crate::model::Vcs) -> Option<Status> {
    let name = path.file_name()?.strip_suffix(".json")?;
    let state = State::read(path)?;
    let own = state.vcs == vcs && directory(&state.repository) == name;
    own.then(|| Status { mirror: path.with_file_name(name), state })
}

/// The table of what is known.
pub fn status_table(found: &[Status], now: Timestamp) -> String {
    let bold = Style::new().bold();
    let mut text = format!("{bold}{:<11}{:<11}  REPOSITORY{bold:#}\n", "UPDATED", "SIZE");
    for Status { state, .. } in found {
        let updated = state.updated.map_or_else(|| "never".to_owned(), |time| format!("{} ago", age(time, now)));
        let size = if state.heads.is_empty() { String::new() } else { Size(state.size).to_string() };
        // Writing to a string does not fail.
        let _ = writeln!(text, "{updated:<11}{size:<11}  {} {}", word(state.vcs), state.repository);
        for (branch, head) in &state.heads {
            let _ = writeln!(text, "{INDENT}{branch}: {}", short(head));
        }
        if let Some(since) = state.failing {
            let _ = writeln!(text, "{INDENT}failing for {}", age(since, now));
        }
        problems(&mut text, &state.problems, INDENT);
    }
    text
}

/// How long ago something was, as people say it.
fn age(then: Timestamp, now: Timestamp) -> String {
    const DAY: u64 = 24 * 60 * 60;
    let time = Duration::try_from(now.duration_since(then)).unwrap_or_default();
    match time.as_secs() {
        0..60 => format!("{}s", time.as_secs()),
        60..3600 => format!("{}m", time.as_secs() / 60),
        3600..172_800 => duration(time),
        seconds => format!("{}d", seconds / DAY),
    }
}
