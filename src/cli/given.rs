//! Secrets that an argument names and does not hold: lists of processes show arguments.

use camino::Utf8Path;

use crate::diagnostic::Failure;
use crate::model::Secret;

/// Reads `@FILE` or `$NAME`; of a file, the first line.
pub(super) fn secret(option: &str, text: &str) -> Result<Secret, Failure> {
    let wrong = |why: String| Failure::misuse(format!("{option}: {why}"));
    let value = if let Some(path) = text.strip_prefix('@') {
        let text = std::fs::read_to_string(Utf8Path::new(path));
        let text = text.map_err(|error| wrong(format!("cannot read {path}: {error}")))?;
        text.lines().next().unwrap_or_default().to_owned()
    } else if let Some(name) = text.strip_prefix('$') {
        std::env::var(name).map_err(|_| wrong(format!("the variable {name} is not set")))?
    } else {
        return Err(wrong("it holds the secret itself, which lists of processes show".to_owned())
            .help("put the secret into a file of mode 600 and name it as @FILE, or a variable as '$NAME'"));
    };
    let value = value.trim();
    if value.is_empty() {
        return Err(wrong(format!("{text} is empty")));
    }
    Ok(Secret::new(value))
}
