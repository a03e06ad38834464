//! The hook of a Git mirror. It is `reference-transaction`: that one runs for fetches too, for which `post-receive` does not.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};

use super::{Hook, MARK, settle, text};

/// Makes the hook call `call`, or takes it away.
pub(super) fn hook(mirror: &Utf8Path, call: Option<&str>) -> io::Result<(Utf8PathBuf, Hook)> {
    let path = mirror.join("hooks/reference-transaction");
    let before = text(&path)?;
    let is_ours = before.as_deref().is_some_and(|text| text.lines().nth(1).is_some_and(|line| line.contains(MARK)));
    if before.is_some() && !is_ours {
        return Ok((path, Hook::Foreign));
    }
    let wanted = call.map(script);
    if wanted.is_some() {
        fs::create_dir_all(mirror.join("hooks"))?;
    }
    let mut hook = settle(&path, before.as_deref(), wanted.as_deref(), is_ours)?;
    match &wanted {
        None if is_ours => hook = Hook::Removed,
        Some(_) if fs::metadata(&path)?.permissions().mode() & 0o777 != 0o755 => {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
            hook = if hook == Hook::Right { Hook::Repaired } else { hook };
        }
        _ => {}
    }
    Ok((path, hook))
}

/// Git heeds what a hook says only before the references have changed.
fn script(call: &str) -> String {
    format!(
        "#!/bin/sh\n# Written by `{MARK}`, which writes it anew: what is changed here is lost.\n\
         test \"$1\" = committed || exit 0\n{call}\nexit 0\n"
    )
}
