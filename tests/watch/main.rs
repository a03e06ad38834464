//! `farmout watch`, `queue` and `force`, with real repositories and real runs.
//!
//! The builds leave a mark and then fail where they would begin to download: what is looked at here is which builds are
//! begun, when, and for what. `tests/notify.rs` has the hooks that bring changes, `tests/run_git.rs` a build that goes on.

#[path = "../common/mod.rs"]
mod common;
mod crash;
mod farm;
#[path = "../common/loopback.rs"]
mod loopback;
mod polled;
mod pull;
mod support;
mod timing;
