//! `farmout tool reserve-port`, `release-port` and `wait-port`: a range of ports and a directory of reservations in, a port that
//! nobody else gets out; a port and a time in, whether somebody answers there out. Writes in that directory only.

mod error;
mod reservation;
mod wait;

pub use error::Error;
pub use reservation::{Range, is_free, release, reserve};
pub use wait::Wait;
