//! The hook of a Mercurial mirror: lines of its own settings. Those of other people stay as they are.

use std::io;

use camino::{Utf8Path, Utf8PathBuf};

use super::{Hook, MARK, settle, text};

/// The last of our lines.
const END: &str = "# farmout: end";

/// Makes the hook call `call`, or takes it away.
pub(super) fn hook(mirror: &Utf8Path, call: Option<&str>) -> io::Result<(Utf8PathBuf, Hook)> {
    let path = mirror.join(".hg/hgrc");
    let before = text(&path)?;
    let settings = before.as_deref().unwrap_or_default();
    let begin = settings.find(&first());
    // Lines that lost their end go up to the next section.
    let end = begin.map(|begin| {
        let rest = &settings[begin..];
        rest.find(END).map_or_else(
            || rest.match_indices("\n[").nth(1).map_or(settings.len(), |(at, _)| begin + at + 1),
            |at| begin + at + END.len() + usize::from(rest[at + END.len()..].starts_with('\n')),
        )
    });
    let wanted = match (begin.zip(end), call) {
        (Some((begin, end)), call) => {
            let ours = call.map(lines).unwrap_or_default();
            format!("{}{ours}{}", &settings[..begin], &settings[end..])
        }
        (None, Some(call)) => {
            let gap = if settings.is_empty() || settings.ends_with('\n') { "" } else { "\n" };
            format!("{settings}{gap}{}", lines(call))
        }
        (None, None) => return Ok((path, Hook::Absent)),
    };
    let hook = settle(&path, before.as_deref(), Some(&wanted), begin.is_some())?;
    Ok((path, if call.is_none() { Hook::Removed } else { hook }))
}

fn first() -> String {
    format!("# farmout: begin, written by `{MARK}`")
}

fn lines(call: &str) -> String {
    format!("{}\n[hooks]\nchangegroup.farmout = {call}\n{END}\n", first())
}
