//! `farmout` compiles the manifests and slave fragments of a buildout farm into a checked build graph, lowers it to
//! plans and runs them. The modules below are the passes, in the order in which text becomes a finished run.

#![cfg(unix)]

// What is written as it is made.
#[macro_use]
mod say;
mod each;

// The user's files, and what is said about them.
pub mod diagnostic;
pub mod source;

// Text → syntax tree with spans → resolved options → typed model → graph.
pub mod syntax;

pub mod model;
pub mod resolve;
pub mod steps;

pub mod check;
pub mod dispatch;

mod compile;

// What else is done with the farm's files: two versions compared, and their layout.
pub mod compare;
pub mod format;

// Graph → what it watches, and what changed there.
pub mod mirror;

// Graph and this machine → what is wrong with it.
pub mod doctor;

// Graph and a Buildbot master's directory → what is wrong with it.
pub mod master;

// Graph → plan → run.
mod demo;
pub mod host;
pub mod notify;
pub mod plan;
pub mod render;
pub mod report;
pub mod runner;
pub mod tool;
pub mod watch;

mod group;
mod interrupt;
mod offspring;
mod workspace;

// What all of it means, for a person who asks.
pub mod explain;
pub mod schema;

pub mod cli;

pub use compile::{Compilation, compile};
