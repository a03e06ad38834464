//! `farmout demo-master`, with a real Buildbot: what it shows, and that nothing is left of it, however it ends.

#[path = "../common/buildbot.rs"]
mod buildbot;
#[path = "../common/mod.rs"]
mod common;
mod ended;
mod refused;
mod shown;
mod support;
