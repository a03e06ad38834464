//! `farmout tool pg`: databases on the server that the environment names, and throw-away clusters. Connects itself, so that no
//! psql is needed; of PostgreSQL's programs only initdb, pg_ctl and postgres are called.

mod check;
mod cluster;
mod connection;
mod database;
mod error;
mod look;
mod obstacle;
mod postmaster;
mod rights;

pub use check::check;
pub use cluster::{Cluster, stop};
pub use connection::{Connection, Server};
pub use database::{create_database, drop_database};
pub use error::Error;
pub use look::{Look, Trouble, TroubleKind, look};
pub use obstacle::Obstacle;
pub use rights::{Access, Rights};
