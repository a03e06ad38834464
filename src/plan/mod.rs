//! A plan: everything that one builder does on one slave, in one file. Made by lowering, eaten by the runner.

mod model;
pub mod placeholder;

pub use model::{FORMAT, OnFailure, Phase, Plan, PlanFile, Step};
