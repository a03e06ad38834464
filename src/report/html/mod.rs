//! Pages for a browser: one for each run, and an index over runs. What a run kept and how builders ended before come
//! in; a page goes out that is complete in itself: it fetches nothing, and works from a file. The same input gives the
//! same bytes. Nothing here runs anything, or writes anywhere but to what it is given.
//!
//! The model ([`Run`], [`Builder`], [`Step`]) is made in `read.rs`; each builder's part of the page is made by itself, on
//! all processors at once, with its logs packed. Templates, style and scripts are files beside this one.

mod environment;
mod finding;
mod history;
mod index;
mod logs;
mod model;
mod page;
mod read;
mod section;
mod words;

use std::collections::HashSet;
use std::io::{self, Write};
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use minijinja::context;
use minijinja::value::Serde;

pub use index::{Entry, write_index};
pub use model::{Attempt, Builder, Past, Run, Step};

use crate::runner::{Ended, Outcome, RunResult};
use environment::{GENERATOR, HEAD_SCRIPT, SCRIPT, STYLE, environment, policy};
use page::Page;
use section::{Section, section};

/// How many red builders are open from the start: more would not be read through, but drawn.
const OPEN: usize = 20;

/// Writes the page of the run with this result, which [`crate::runner::read`] makes of a run's folder. Durations are
/// compared with those of `past`, which [`crate::runner::history`] reads, in any order.
///
/// # Errors
/// `out` takes no more.
pub fn write_run(result: &RunResult, past: &[Ended], out: &mut dyn Write) -> io::Result<()> {
    write(&Run::new(result, past), out)
}

/// Writes the page of a run.
///
/// # Errors
/// `out` takes no more. A log that cannot be read is no error: the page says so in its place.
pub fn write(run: &Run, out: &mut dyn Write) -> io::Result<()> {
    let environment = environment().map_err(io::Error::other)?;
    let fill = |name: &str, values: minijinja::Value| {
        environment.get_template(name).and_then(|template| template.render(values)).map_err(io::Error::other)
    };
    let share = logs::share(run);
    // What went wrong comes first; else the order of the run.
    let mut order: Vec<usize> = (0..run.builders.len()).collect();
    order.sort_by_key(|&number| urgency(&run.builders[number]));
    let red = order.iter().copied().filter(|&number| run.builders[number].is_red());
    let open: HashSet<usize> = red.take(OPEN).collect();
    let sections = in_parallel(order.len(), |number| {
        section(&environment, (number, &run.builders[number]), open.contains(&number), share)
    })?;
    let head = fill(
        "head.html",
        context! {
            generator => GENERATOR, style => STYLE, head_script => HEAD_SCRIPT, policy => policy(&[HEAD_SCRIPT, SCRIPT]),
            page => Serde(Page::new(run)),
        },
    )?;
    out.write_all(head.as_bytes())?;
    for &number in &order {
        out.write_all(sections[number].html.as_bytes())?;
    }
    out.write_all(b"</main>\n")?;
    for number in order {
        for (block, packed) in sections[number].blocks.iter().enumerate() {
            writeln!(out, "<script type=\"text/plain\" id=\"page:{number}.{block}\">{packed}</script>")?;
        }
    }
    out.write_all(fill("foot.html", context! { script => SCRIPT })?.as_bytes())?;
    out.flush()
}

fn urgency(builder: &Builder) -> u8 {
    match builder.outcome {
        Some(Outcome::Failure) => 0,
        Some(Outcome::Interrupted) => 1,
        None => 2,
        Some(Outcome::Warnings) => 3,
        Some(Outcome::Success) => 4,
        Some(Outcome::Skipped) => 5,
    }
}

/// Makes all sections on as many threads as there are processors. They come in their order, whichever is done first.
fn in_parallel(count: usize, make: impl Fn(usize) -> io::Result<Section> + Sync) -> io::Result<Vec<Section>> {
    let (next, made) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(count)));
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return;
            }
            let section = make(number);
            // Poisoned only after a panic, which the scope passes on.
            made.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((number, section));
        }
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(count);
    thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let mut made = made.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    made.sort_by_key(|(number, _)| *number);
    made.into_iter().map(|(_, section)| section).collect()
}
