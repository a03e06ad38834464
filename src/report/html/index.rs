//! The index over runs: their results in, one page out.

use std::io::{self, Write};

use minijinja::context;
use minijinja::value::Serde;
use serde::Serialize;

use super::environment::{GENERATOR, HEAD_SCRIPT, STYLE, environment, policy};
use super::page::counts;
use super::words::{machine, moment, took};
use crate::runner::{Outcome, RunResult};

/// A run in the index.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Its result.
    pub result: &'a RunResult,
    /// The address of its page as seen from the index, such as `20261122-184538-te99/report.html`; none if it has none.
    pub page: Option<&'a str>,
}

#[derive(Serialize)]
struct Row<'a> {
    run: &'a str,
    page: Option<String>,
    outcome: Option<Outcome>,
    began: String,
    machine: String,
    took: String,
    builders: usize,
    /// How many builders ended in which way, with their share in percent.
    counts: Vec<(&'static str, usize, f64)>,
    /// The names of the red ones.
    red: Vec<&'a str>,
}

/// Writes the index of these runs, the latest first.
///
/// # Errors
/// `out` takes no more.
pub fn write_index(entries: &[Entry<'_>], out: &mut dyn Write) -> io::Result<()> {
    let mut entries = entries.to_vec();
    let key = |entry: &Entry<'_>| (entry.result.started, entry.result.run.clone());
    entries.sort_by_cached_key(|entry| std::cmp::Reverse(key(entry)));
    let rows: Vec<Row<'_>> = entries.iter().map(row).collect();
    let environment = environment().map_err(io::Error::other)?;
    let template = environment.get_template("index.html").map_err(io::Error::other)?;
    let values = context! {
        generator => GENERATOR, style => STYLE, head_script => HEAD_SCRIPT, policy => policy(&[HEAD_SCRIPT]), rows => Serde(&rows),
    };
    out.write_all(template.render(values).map_err(io::Error::other)?.as_bytes())?;
    out.flush()
}

fn row<'a>(entry: &Entry<'a>) -> Row<'a> {
    let result = entry.result;
    let builders = result.builders.len();
    let counts = counts(result.builders.iter().map(|builder| builder.outcome));
    let share = |count: usize| super::words::rounded(count as f64 / builders.max(1) as f64 * 100.0);
    let red = result.builders.iter().filter(|builder| builder.outcome == Some(Outcome::Failure));
    Row {
        run: &result.run,
        page: entry.page.map(address),
        outcome: result.outcome,
        began: moment(result.started),
        machine: machine(result.started),
        took: took(result.seconds),
        builders,
        counts: counts.into_iter().map(|(word, count)| (word, count, share(count))).collect(),
        red: red.map(|builder| builder.builder.as_str()).collect(),
    }
}

/// A relative path as an address: nothing in it is taken for a scheme, a query or a fragment.
fn address(path: &str) -> String {
    let parts: Vec<String> = path.split('/').map(super::words::anchor).collect();
    format!("./{}", parts.join("/"))
}
