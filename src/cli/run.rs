//! `farmout run`: build and test on this machine.

use super::Exit;
use super::farm::FarmArguments;
use crate::diagnostic::Failure;
use crate::resolve::Layout;

/// Which slave this machine is.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct SlaveArguments {
    /// The slave [default: the farm's only one; without slave fragments, this machine as it is found]
    #[arg(long, value_name = "NAME")]
    slave: Option<String>,
}

impl SlaveArguments {
    pub(super) fn name(&self) -> Option<&str> {
        self.slave.as_deref()
    }
    pub(super) fn layout(&self, layout: Layout) -> Result<Layout, Failure> {
        Ok(layout)
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    farm: FarmArguments,
}

pub(super) fn main(_arguments: &Arguments) -> Result<Exit, Failure> {
    Ok(Exit::Fine)
}
