//! `farmout` compiles the manifests and slave fragments of a buildout farm into a checked build graph, lowers it to
//! plans and runs them. The modules below are the passes, in the order in which text becomes a finished run.

pub mod diagnostic;
pub mod source;

pub mod model;
pub mod syntax;

pub mod host;
pub mod plan;
pub mod report;
pub mod runner;
pub mod tool;

pub mod cli;
