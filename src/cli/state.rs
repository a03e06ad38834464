//! The arguments of the commands that look at runs: which state folder, which run.

use camino::Utf8PathBuf;

use super::farm::RootArgument;
use super::machine;
use crate::diagnostic::Failure;
use crate::runner::Recorded;

#[derive(Debug, clap::Args)]
pub(super) struct StateArguments {
    #[command(flatten)]
    root: RootArgument,
    /// Where runs are kept [default: .farmout in the farm's directory]
    #[arg(long, value_name = "DIR")]
    state: Option<Utf8PathBuf>,
}

impl StateArguments {
    /// The state folder.
    pub(super) fn folder(&self) -> Utf8PathBuf {
        machine::state(self.state.as_ref(), Some(&self.root.root()))
    }

    /// A run by its id, or the latest one. What of it is lost is said on standard error.
    pub(super) fn open(&self, run: &str) -> Result<Recorded, Failure> {
        let run = Recorded::open(&self.folder(), run)?;
        warn_of_damage(&run);
        Ok(run)
    }
}

/// Says how much of a journal cannot be read.
pub(super) fn warn_of_damage(run: &Recorded) {
    let lines = match run.damaged {
        0 => return,
        1 => "1 line is".to_owned(),
        count => format!("{count} lines are"),
    };
    let yellow = anstyle::AnsiColor::Yellow.on_default().bold();
    note!(
        "{yellow}warning{yellow:#}: {}/events.jsonl is damaged: {lines} not readable, and what happened there is not told",
        run.result.folder
    );
}
