//! `farmout render sh`: scripts, run for real in the shells that they are for, beside the runner with the same plans.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/executable.rs"]
mod executable;
#[path = "../common/plans.rs"]
mod plans;
mod support;

mod any_text;
mod behaviour;
mod farms;
mod locks;
mod program;
mod secrets;
mod stops;
