//! Secrets that an argument names and does not hold: lists of processes show arguments.

use camino::Utf8Path;

use super::hand_over::warn;
use crate::diagnostic::Failure;
use crate::host;
use crate::model::{Secret, SecretSource};

/// Reads what `@FILE` or `$NAME` stands for.
pub(super) fn secret(option: &str, text: &str) -> Result<Secret, Failure> {
    let source = SecretSource::parse(text, Utf8Path::new(""));
    if source.given().is_some() {
        return Err(Failure::misuse(format!("{option}: it holds the secret itself, which lists of processes show"))
            .help("put the secret into a file of mode 600 and name it as @FILE, or a variable as '$NAME'"));
    }
    let found = host::secret::read(&source).map_err(|missing| {
        Failure::misuse(format!("{option}: {}", missing.message))
            .help("@FILE names a file that holds nothing but the secret, on one line; '$NAME' a variable that is set")
    })?;
    if let Some((message, help)) = found.warning {
        warn(&format!("{message}: {help}"));
    }
    Ok(found.secret)
}
