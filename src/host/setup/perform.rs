//! Making and undoing, a thing at a time. In: things, the record. Out: what is done, as events, and a summary; the record says
//! at any moment what was made.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Setup;
use super::call::Call;
use super::record::{DIRECTORY, Record};
use super::thing::{Look, Sight, Thing, Undo};
use crate::cli::Exit;
use crate::diagnostic::Failure;

/// What is told while setup works.
#[derive(Debug)]
pub enum Event<'a> {
    /// From now on it is about this thing.
    Thing(&'a Thing),
    /// It is there; the words tell what is odd about it.
    There(Option<&'a str>),
    /// This is done now, or would be.
    Call(&'a Call),
    /// It is not made, and why.
    Left(&'a str),
    /// There is nothing to undo.
    Gone,
    /// It stays, and why.
    Kept(&'a str),
    /// What is left to people.
    Hint(&'a str),
}

/// How it goes about it.
#[derive(Debug, Clone, Copy)]
pub struct Manner<'a> {
    /// Only tell what would be done.
    pub dry: bool,
    /// Whether root does it.
    pub root: bool,
    /// Remove what builds left, too.
    pub purge: bool,
    /// Set by whoever wants it to stop.
    pub stop: &'a AtomicBool,
}

/// How many things.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Were made or undone, or would be.
    pub done: usize,
    /// Were as they should be.
    pub there: usize,
    /// Were not made, or stay.
    pub left: usize,
}

/// Makes what a slave is made of and lacks.
///
/// # Errors
/// Something cannot be made, and the rest was left; or it was stopped. The record tells what is there.
pub fn make(
    setup: &Setup,
    record: &mut Record,
    manner: Manner<'_>,
    tell: &mut dyn FnMut(Event<'_>),
) -> Result<Summary, Failure> {
    let mut summary = Summary::default();
    for stage in Setup::STAGES {
        // What there is to do in a stage depends on what earlier ones brought: clusters come with a package.
        for thing in stage(setup, record, manner.dry) {
            go_on(manner)?;
            tell(Event::Thing(&thing));
            let sight = Sight { record, root: manner.root, purge: false, gone: &[] };
            match thing.look(sight)? {
                Look::There(remark) => {
                    tell(Event::There(remark.as_deref()));
                    summary.there += 1;
                    if !manner.dry && record.find(&thing).is_some_and(|entry| !entry.done) {
                        record.finish(&thing)?;
                    }
                }
                Look::Left(why) => {
                    tell(Event::Left(&why));
                    summary.left += 1;
                }
                Look::Missing { made, calls } => {
                    if !manner.dry {
                        record.begin(&made)?;
                    }
                    perform(&thing, &calls, manner, tell)?;
                    if !manner.dry {
                        record.finish(&made)?;
                    }
                    summary.done += 1;
                }
            }
        }
    }
    Ok(summary)
}

/// Undoes what setup made, the last thing first.
///
/// # Errors
/// As of [`make`].
pub fn remove(record: &mut Record, manner: Manner<'_>, tell: &mut dyn FnMut(Event<'_>)) -> Result<Summary, Failure> {
    let mut summary = Summary::default();
    let mut gone: Vec<Thing> = Vec::new();
    let things: Vec<Thing> = record.things().rev().cloned().collect();
    for thing in things {
        go_on(manner)?;
        tell(Event::Thing(&thing));
        let undo = thing.undo(Sight { record, root: manner.root, purge: manner.purge, gone: &gone })?;
        match undo {
            Undo::Gone => {
                tell(Event::Gone);
                summary.there += 1;
            }
            Undo::Kept(why) => {
                tell(Event::Kept(&why));
                summary.left += 1;
                continue;
            }
            Undo::Calls(calls, hint) => {
                // The record is in the first directory that was made, which is the last to go.
                if !manner.dry && thing.path().is_some_and(|path| path == DIRECTORY) {
                    record.close()?;
                }
                perform(&thing, &calls, manner, tell)?;
                if let Some(hint) = hint {
                    tell(Event::Hint(&hint));
                }
                summary.done += 1;
            }
        }
        if !manner.dry {
            record.forget(&thing)?;
        }
        gone.push(thing);
    }
    Ok(summary)
}

fn perform(thing: &Thing, calls: &[Call], manner: Manner<'_>, tell: &mut dyn FnMut(Event<'_>)) -> Result<(), Failure> {
    for call in calls {
        go_on(manner)?;
        tell(Event::Call(call));
        if manner.dry {
            continue;
        }
        if let Err(why) = call.perform() {
            // A Ctrl-C ends the program, too.
            go_on(manner)?;
            let what = call.brief();
            return Err(Failure::error(format!("{}: `{what}` {why}", thing.title()))
                .help("what was done before that is kept in mind: call it again to go on from here"));
        }
    }
    Ok(())
}

fn go_on(manner: Manner<'_>) -> Result<(), Failure> {
    if !manner.stop.load(Ordering::Acquire) {
        return Ok(());
    }
    let mut failure = Failure::error("stopped").help("what was done is kept in mind: call it again to go on from here");
    failure.exit = Exit::Interrupted;
    Err(failure)
}
