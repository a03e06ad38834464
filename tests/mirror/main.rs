//! `farmout mirror` with the real clients: git, Mercurial and Breezy. As root, mirrors and what they mirror are of the account
//! that builds run as.

mod bazaar;
mod command;
mod gc;
mod git;
mod hooks;
#[path = "../common/locked.rs"]
mod locked;
mod mercurial;
mod served;
mod support;

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/loopback.rs"]
mod loopback;
