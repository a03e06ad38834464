//! The scheduler's book in, a table for people out: what waits, and for what.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::book::Page;
use super::kept::KeptBuild;
use super::spool::Delivery;
use crate::model::{Change, Wish};
use crate::report::duration;

/// So many authors are named.
const SHOWN: usize = 3;

/// The table, as it is at this moment.
pub fn queue_table(page: &Page, now: Timestamp) -> String {
    let mut rows: Vec<[String; 3]> = Vec::new();
    let mut arrived = Arrived::default();
    page.deliveries.iter().for_each(|delivery| arrived.take(delivery));
    for (name, build) in &page.kept.builds {
        rows.extend(works(page, build).map(|[state, why]| [name.clone(), state, why]));
        rows.extend(waits(page, build, now).map(|[state, why]| [name.clone(), state, why]));
        if build.pending.is_none()
            && build.running.is_none()
            && let Some(last) = &build.last
        {
            rows.push([name.clone(), format!("idle: {}", last.outcome), format!("run {}", last.run)]);
        }
    }
    let mut text = String::new();
    if !rows.is_empty() {
        let widths = [0, 1].map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
        let [first, second] = [widths[0].max(5), widths[1].max(5)];
        text += &format!("{:first$}  {:second$}  WHY\n", "BUILD", "STATE");
        for [build, state, why] in rows {
            text += format!("{build:first$}  {state:second$}  {why}").trim_end();
            text.push('\n');
        }
    } else if arrived.is_empty() {
        text += "nothing waits, and nothing has been built for a change yet\n";
    }
    text += &arrived.told();
    if page.holder.is_none() {
        text += "no `farmout watch` is at work\n";
    }
    text
}

fn works(page: &Page, build: &KeptBuild) -> Option<[String; 2]> {
    let running = build.running.as_ref()?;
    let state = if page.holder.is_some() { "at work" } else { "was at work, and begins again" };
    Some([state.to_owned(), why(page, &running.changes, running.wish.as_ref())])
}

fn waits(page: &Page, build: &KeptBuild, now: Timestamp) -> Option<[String; 2]> {
    let pending = build.pending.as_ref()?;
    let why = why(page, &pending.changes, pending.wish.as_ref());
    if build.running.is_some() {
        return Some(["then again".to_owned(), why]);
    }
    let left = Duration::try_from_secs_f64(pending.left).unwrap_or_default();
    let due = page.time.and_then(|time| time.checked_add(SignedDuration::try_from(left).ok()?).ok());
    let state = match due.filter(|due| *due > now) {
        None => "due".to_owned(),
        Some(due) => {
            let left = duration(Duration::try_from(due.duration_since(now)).unwrap_or_default());
            format!("waits until {} ({left})", due.to_zoned(TimeZone::system()).strftime("%H:%M:%S"))
        }
    };
    Some([state, why])
}

fn why(page: &Page, changes: &[usize], wish: Option<&Wish>) -> String {
    let mut parts: Vec<String> = wish.map(asked).into_iter().collect();
    let named: Vec<&Change> = changes.iter().filter_map(|&index| page.kept.changes.get(index)).collect();
    if !named.is_empty() {
        let mut authors: Vec<&str> = Vec::new();
        for author in named.iter().filter_map(|change| change.author.as_deref()) {
            let name = author.split_once(" <").map_or(author, |(name, _)| name);
            if !authors.contains(&name) {
                authors.push(name);
            }
        }
        let count = match named.len() {
            1 => "1 change".to_owned(),
            count => format!("{count} changes"),
        };
        let more = authors.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let shown: Vec<&str> = authors.into_iter().take(SHOWN).collect();
        let by = if shown.is_empty() { String::new() } else { format!(" by {}{more}", shown.join(", ")) };
        parts.push(count + &by);
    }
    parts.join("; ").replace(char::is_control, " ")
}

fn asked(wish: &Wish) -> String {
    let by = wish.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let reason = wish.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("asked for{by}{reason}")
}

/// What is in the spool: which builds it is for, only a farm knows.
#[derive(Default)]
struct Arrived {
    branches: BTreeMap<String, usize>,
    forced: Vec<String>,
}

impl Arrived {
    fn take(&mut self, delivery: &Delivery) {
        match delivery {
            Delivery::Changes(changes) => {
                for change in changes {
                    let branch = change.branch.as_ref().map(|branch| format!(" {branch}")).unwrap_or_default();
                    *self.branches.entry(format!("{}{branch}", change.url)).or_default() += 1;
                }
            }
            Delivery::Force { build, .. } => self.forced.push(build.clone()),
        }
    }

    fn is_empty(&self) -> bool {
        self.branches.is_empty() && self.forced.is_empty()
    }

    fn told(&self) -> String {
        let changed = self.branches.iter().map(|(branch, count)| {
            let plural = if *count == 1 { "" } else { "s" };
            format!("arrived: {count} change{plural} of {branch}\n")
        });
        let forced = self.forced.iter().map(|build| format!("arrived: the wish for {build}\n"));
        changed.chain(forced).collect::<String>().replace(|c: char| c.is_control() && c != '\n', " ")
    }
}
