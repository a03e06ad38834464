//! Changes to builds: what hooks and hosting services tell of changes in, the builds that are due out. And the checkout that a
//! farm is in.

pub mod address;
mod book;
mod came;
pub mod checkout;
pub mod forward;
pub mod history;
mod kept;
pub mod listen;
pub mod payload;
mod scheduler;
#[cfg(test)]
mod simulation;
mod spool;
mod table;

pub use book::{Book, Page, Taken, folder, holder, spool};
pub use came::Came;
pub use kept::{Kept, KeptBuild, KeptPending, KeptRunning, Last};
pub use scheduler::{End, Heads, Moment, Order, Scheduler, Terms};
pub use spool::{Delivery, Found, Spool, Waiting};
pub use table::queue_table;
