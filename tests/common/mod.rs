//! What the tests of `farmout run` share: farms in directories of their own, the program started as a user would start it,
//! and PostgreSQL servers that are none of farmout's.
//!
//! Everything is real: the Python, the PostgreSQL, the packages that a buildout downloads. What a test needs and the
//! machine lacks is a failure; `tests/run` installs it.
//!
//! `binary`, `copy`, `snapshot` and `streams` are for other tests too, which name those that they use, without this file:
//! `mod common { pub mod snapshot; }`.

// Each test program uses its own part of this.
#![allow(dead_code, unused_imports, unused_macros)]

pub mod ci;
pub mod cluster;
mod farm;
mod process;
mod server;
pub mod snapshot;
mod verdict;

pub use farm::{Farm, log, open_directory, result};
pub use process::{FARMOUT, Ran, Runner, as_step_user, command, eventually, plain, running};
pub use server::Server;
pub use verdict::Verdict;

use std::path::Path;

/// The search path of a machine where nobody changed anything.
pub const SYSTEM: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Whether root runs the tests. Steps then run as the account `farmout`.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// For a test that switches users: those are in modules called `root`, which `tests/run` leaves out for anybody else.
pub fn need_root() {
    assert!(is_root(), "this test switches users: run it as root");
}

/// Whom steps run as.
pub fn step_user() -> String {
    if is_root() {
        return "farmout".to_owned();
    }
    nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().expect("the user who runs the tests has no name").name
}

/// The newest PostgreSQL that is installed: its major version and its programs.
pub fn postgresql() -> (u32, String) {
    let directory = "/usr/lib/postgresql";
    let entries = std::fs::read_dir(directory).expect("these tests need PostgreSQL's server in /usr/lib/postgresql");
    let majors = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<u32>().ok());
    let major = majors.filter(|major| Path::new(&format!("{directory}/{major}/bin/initdb")).exists()).max();
    let major = major.expect("these tests need PostgreSQL's server: apt-get install postgresql");
    (major, format!("{directory}/{major}/bin"))
}

/// A version that farmout can download, and that is not the installed one.
pub fn other_postgresql() -> u32 {
    if postgresql().0 == 17 { 16 } else { 17 }
}
