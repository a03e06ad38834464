//! x
use super::Exit;
use crate::diagnostic::Failure;
/// x
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}
pub(super) fn main(_: &Arguments) -> Result<Exit, Failure> {
    Ok(Exit::Fine)
}
