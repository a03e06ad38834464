//! Changes to builds: what hooks tell of changes in, the builds that are due out.

pub mod address;
mod book;
pub mod forward;
pub mod history;
mod kept;
mod scheduler;
#[cfg(test)]
mod simulation;
mod spool;

pub use book::{Book, Page, Taken, folder, spool};
pub use kept::{Kept, KeptBuild, KeptPending, KeptRunning, Last};
pub use scheduler::{End, Heads, Moment, Order, Scheduler, Terms};
pub use spool::{Delivery, Found, Spool, Waiting};
