//! A farm on a real Buildbot from PyPI: a master and two workers, each with another PostgreSQL, repositories of all systems. What
//! builds did is read over REST, and what they left on the workers' side.

#[path = "../common/buildbot.rs"]
mod buildbot;
#[path = "../common/caches.rs"]
mod caches;
#[path = "../common/mod.rs"]
mod common;
#[path = "../common/executable.rs"]
mod executable;
#[path = "../common/locked.rs"]
mod locked;

mod cut_off;
mod pushed;
#[path = "../common/buildbot_records.rs"]
mod records;
mod repository;
mod site;

use buildbot::{Master, fine, program, wait};

/// Waits until so many pollers have had their first look.
#[track_caller]
fn looked(master: &Master, count: usize) {
    let query = "import sqlite3; print(sqlite3.connect('state.sqlite').execute(\
                 \"select count(*) from object_state where name in ('lastRev', 'revision')\").fetchone()[0])";
    wait(
        "the pollers look",
        || master.log(),
        || {
            let mut python = program("python", master.directory());
            let found = fine(python.args(["-c", query]).current_dir(master.directory()));
            (found.trim() == count.to_string()).then_some(())
        },
    );
}
