//! The arguments of the commands that hand changes over: which spools they go to.

use camino::{Utf8Path, Utf8PathBuf};

use super::farm::RootArgument;
use super::machine;
use crate::watch;

#[derive(Debug, clap::Args)]
pub(super) struct SpoolArguments {
    #[command(flatten)]
    root: RootArgument,
    /// Where the farm keeps what it makes [default: .farmout in the farm's directory]
    #[arg(long, value_name = "DIR")]
    state: Option<Utf8PathBuf>,
    /// A folder of changes to hand over to (may be repeated, for several farms) [default: watch/spool in the state folder]
    #[arg(long, value_name = "DIR")]
    spool: Vec<Utf8PathBuf>,
}

impl SpoolArguments {
    fn state(&self) -> Utf8PathBuf {
        machine::state(self.state.as_ref(), Some(&self.root.root()))
    }

    /// The folders, at least one.
    pub(super) fn folders(&self) -> Vec<Utf8PathBuf> {
        if self.spool.is_empty() { vec![watch::spool(&self.state())] } else { self.spool.clone() }
    }

    /// Where changes for masters wait: beside the first spool, so that who may write to the one may write to the other.
    pub(super) fn outgoing(&self) -> Utf8PathBuf {
        match self.spool.first() {
            Some(spool) => outgoing(spool),
            None => outgoing(&watch::spool(&self.state())),
        }
    }
}

/// Where changes for masters wait, beside a spool.
pub(super) fn outgoing(spool: &Utf8Path) -> Utf8PathBuf {
    spool.with_file_name("outgoing")
}
