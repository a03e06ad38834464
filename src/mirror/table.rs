//! An update in; the table that people read out. What programs read is made from the same, as JSON.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use indexmap::IndexMap;
use serde::Serialize;

use super::state::Problem;
use super::{Change, Outcome, Report, Updated, Watcher};
use crate::model::Vcs;
use crate::report::duration;

/// Where the lines below a repository begin.
const INDENT: &str = "                   ";

/// The table: a row for each repository, below it what changed and what is wrong, and the sum. With `only_failed`, those alone;
/// empty if there is none.
pub fn update_table(report: &Report<'_>, only_failed: bool) -> String {
    let bold = Style::new().bold();
    let shown: Vec<_> = report.updated.iter().filter(|it| !only_failed || it.outcome == Outcome::Failed).collect();
    let mut text = String::new();
    if shown.is_empty() && (only_failed || report.updated.is_empty()) {
        return text;
    }
    // Writing to a string does not fail.
    let _ = writeln!(text, "{bold}{:<9}  {:>6}  REPOSITORY{bold:#}", "RESULT", "TIME");
    for updated in shown {
        row(&mut text, updated);
    }
    if !only_failed {
        let _ = writeln!(text, "{}", sum(report));
    }
    text
}

fn row(text: &mut String, updated: &Updated<'_>) {
    let (style, word) = told(updated.outcome);
    let (took, shown) = (duration(updated.took), updated.repository.shown());
    let _ = writeln!(text, "{style}{word:<9}{style:#}  {took:>6}  {shown}");
    if let Some(why) = &updated.afresh {
        let _ = writeln!(text, "{INDENT}made anew, since the mirror was broken: {why}");
    }
    for (branch, change) in &updated.changes {
        let _ = writeln!(text, "{INDENT}{branch}: {change}");
    }
    problems(text, &updated.problems, INDENT);
}

/// What is wrong, below the repository.
pub(super) fn problems(text: &mut String, problems: &[Problem], indent: &str) {
    let (red, cyan) = (AnsiColor::Red.on_default().bold(), AnsiColor::Cyan.on_default());
    for problem in problems {
        let branch = problem.branch.as_ref().map(|branch| format!("{branch}: ")).unwrap_or_default();
        let _ = writeln!(text, "{indent}{red}error{red:#}: {branch}{}", problem.message);
        if let Some(help) = &problem.help {
            let _ =
                writeln!(text, "{indent}  {cyan}help{cyan:#}: {}", help.replace('\n', &format!("\n{indent}        ")));
        }
    }
}

fn told(outcome: Outcome) -> (Style, &'static str) {
    match outcome {
        Outcome::Failed => (AnsiColor::Red.on_default().bold(), "failed"),
        Outcome::Made => (AnsiColor::Green.on_default(), "made"),
        Outcome::Changed => (AnsiColor::Green.on_default(), "changed"),
        Outcome::Unchanged => (Style::new().dimmed(), "unchanged"),
        Outcome::Stopped => (AnsiColor::Yellow.on_default(), "stopped"),
    }
}

fn sum(report: &Report<'_>) -> String {
    let mut counts: IndexMap<Outcome, usize> = IndexMap::new();
    let all = [Outcome::Made, Outcome::Changed, Outcome::Unchanged, Outcome::Failed, Outcome::Stopped];
    counts.extend(all.map(|outcome| (outcome, 0)));
    for updated in &report.updated {
        *counts.entry(updated.outcome).or_default() += 1;
    }
    let parts = counts.iter().filter(|(_, count)| **count > 0);
    let parts: Vec<String> = parts.map(|(outcome, count)| format!("{count} {}", told(*outcome).1)).collect();
    let count = report.updated.len();
    let noun = if count == 1 { "repository" } else { "repositories" };
    format!("{count} {noun} in {}: {}", duration(report.took), parts.join(", "))
}

/// An update for programs.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Emitted<'a> {
    interrupted: bool,
    seconds: f64,
    repositories: Vec<EmittedRepository<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct EmittedRepository<'a> {
    vcs: Vcs,
    repository: &'a str,
    mirror: &'a str,
    outcome: Outcome,
    afresh: Option<&'a str>,
    seconds: f64,
    size: u64,
    branches: Vec<EmittedBranch<'a>>,
    problems: &'a [Problem],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct EmittedBranch<'a> {
    branch: &'a str,
    /// Null where nothing is known of it.
    head: Option<&'a str>,
    change: Option<&'a Change>,
    watchers: &'a [Watcher],
}

impl Serialize for Report<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let repositories = self.updated.iter().map(emit).collect();
        let (interrupted, seconds) = (self.interrupted, self.took.as_secs_f64());
        Emitted { interrupted, seconds, repositories }.serialize(serializer)
    }
}

fn emit<'a>(updated: &'a Updated<'_>) -> EmittedRepository<'a> {
    let branches = updated.repository.branches.iter().map(|branch| EmittedBranch {
        branch: &branch.name,
        head: updated.heads.get(&branch.name).map(String::as_str),
        change: updated.changes.get(&branch.name),
        watchers: &branch.watchers,
    });
    EmittedRepository {
        vcs: updated.repository.vcs,
        repository: &updated.repository.identity,
        mirror: updated.mirror.as_str(),
        outcome: updated.outcome,
        afresh: updated.afresh.as_deref(),
        seconds: updated.took.as_secs_f64(),
        size: updated.size,
        branches: branches.collect(),
        problems: &updated.problems,
    }
}
