//! `farmout check-master` through the binary, with a real Buildbot: a test for each finding, which a real `master.cfg` provokes,
//! and the steps of all farms of the fixtures beside their plans.

#[path = "../common/binary.rs"]
mod binary;
#[path = "../common/buildbot.rs"]
mod buildbot;
#[path = "../common/copy.rs"]
mod copy;
#[path = "../common/snapshot.rs"]
mod snapshot;

mod configuration;
mod overridden;
mod plans;
mod rendered;
mod secrets;
mod support;
mod trial;
mod without_buildbot;
