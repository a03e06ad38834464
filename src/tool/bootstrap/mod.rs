//! x
use std::path::PathBuf;
/// x
pub struct Bootstrap {
    /// x
    pub python: String,
    /// x
    pub configuration: PathBuf,
    /// x
    pub environment: PathBuf,
    /// x
    pub version: Option<String>,
    /// x
    pub eggs_directory: Option<PathBuf>,
}
/// x
pub fn bootstrap(_: &Bootstrap) -> Result<(), crate::diagnostic::Failure> {
    Ok(())
}
