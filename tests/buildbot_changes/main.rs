//! What starts builds on a real Buildbot master: commits in real repositories, hooks, people; and what a reconfiguration
//! leaves of it.

#[path = "../common/buildbot.rs"]
mod buildbot;
#[path = "../common/locked.rs"]
mod locked;

mod codebases;
mod forced;
mod hooks;
mod polled;
mod support;
mod timers;
