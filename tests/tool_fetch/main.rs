//! `farmout tool fetch` with the real clients: git, Mercurial and Breezy.

mod archive;
mod bazaar;
mod git;
#[path = "../common/locked.rs"]
mod locked;
mod mercurial;
#[path = "../common/snapshot.rs"]
mod snapshot;
#[path = "../common/streams.rs"]
mod streams;
mod support;
