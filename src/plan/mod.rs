//! A plan: everything that one builder does on one slave, in one file. Made by lowering, eaten by the runner.
//!
//! Lowering has two halves. [`lower`] makes a builder's [`Procedure`], which is the same on every slave; [`bind`] makes
//! the [`Plan`] of a procedure on one slave.

mod bind;
mod carry;
mod lower;
mod model;
mod offered;
pub mod placeholder;
mod properties;

pub(crate) use bind::{AT_RUN_TIME, LONGEST_DATABASE, directory, short_hash};
pub use bind::{bind, database};
pub use lower::{Condition, LowerError, Procedure, ProcedureStep, alike, lower};
pub(crate) use lower::{files, outline};
pub use model::{FORMAT, NamedBy, OnFailure, Phase, Plan, PlanFile, Step};
pub(crate) use offered::{Offered, capability_option};
