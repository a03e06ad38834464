//! The runner against real processes. Steps are `sh` scripts; as root they run as an unprivileged user, as they do in
//! earnest.

mod account;
mod choice;
mod faults;
mod follow;
mod killed;
mod limits;
mod locks;
mod output;
mod parallel;
#[path = "../common/plans.rs"]
mod plans;
mod report;
mod runs;
mod steps;
mod strays;
mod support;
