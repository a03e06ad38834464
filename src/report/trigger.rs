//! Why a run was begun, in lines for a person: the wish of somebody, and the changes, the newest last.

use crate::model::{Change, Trigger};

/// Of a push with more changes than this the first ones are counted.
const SHOWN: usize = 20;
/// A summary is cut after as many characters.
const SUMMARY: usize = 80;

/// The lines.
pub(super) fn lines(trigger: &Trigger) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(wish) = &trigger.wish {
        let by = wish.by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
        let reason = wish.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        lines.push(format!("asked for{by}{reason}"));
    }
    let hidden = trigger.changes.len().saturating_sub(SHOWN);
    match hidden {
        0 => {}
        1 => lines.push("1 earlier change".to_owned()),
        more => lines.push(format!("{more} earlier changes")),
    }
    lines.extend(trigger.changes[hidden..].iter().map(line));
    // Hooks hand over what authors wrote, whatever a terminal would do with it.
    lines.into_iter().map(|line| line.replace(char::is_control, " ")).collect()
}

fn line(change: &Change) -> String {
    let at = change.branch.as_ref().map(|branch| format!(" {branch}")).unwrap_or_default();
    let author = change.author.as_ref().map(|author| format!(", {author}")).unwrap_or_default();
    let summary = match (change.summary(), change.summary().char_indices().nth(SUMMARY)) {
        ("", _) => String::new(),
        (summary, Some((end, _))) => format!(": {}…", &summary[..end]),
        (summary, None) => format!(": {summary}"),
    };
    format!("change {}{author}{summary} ({}{at})", short(&change.revision), change.url)
}

/// As much of a revision as people tell revisions apart by.
fn short(revision: &str) -> &str {
    let hash = revision.len() >= 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
    if hash { &revision[..12] } else { revision }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::{Vcs, Wish};

    fn change(revision: &str, comment: &str) -> Change {
        Change {
            vcs: Vcs::Git,
            url: "https://git.example/shop".to_owned(),
            other_urls: Vec::new(),
            branch: Some("main".to_owned()),
            revision: revision.to_owned(),
            author: Some("Ann <ann@shop.example>".to_owned()),
            comment: Some(comment.to_owned()),
            files: Vec::new(),
            time: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn a_wish_and_the_last_changes_are_told() {
        let mut trigger =
            Trigger { changes: (0..21).map(|n| change(&n.to_string(), "Fix\n\nmore")).collect(), ..Trigger::default() };
        trigger.changes.push(change(&"0123456789abcdef".repeat(3)[..40], &"wide\u{1b} ".repeat(40)));
        trigger.wish =
            Some(Wish { by: Some("Bob".to_owned()), reason: Some("why not".to_owned()), time: Timestamp::UNIX_EPOCH });
        let lines = lines(&trigger);
        assert_eq!(lines.len(), 22);
        assert_eq!(lines[0], "asked for by Bob: why not");
        assert_eq!(lines[1], "2 earlier changes");
        assert_eq!(lines[2], "change 2, Ann <ann@shop.example>: Fix (https://git.example/shop main)");
        assert!(lines[21].starts_with("change 0123456789ab, Ann <ann@shop.example>: wide"), "{}", lines[21]);
        assert!(
            lines[21].ends_with("… (https://git.example/shop main)") && !lines[21].contains('\u{1b}'),
            "{}",
            lines[21]
        );
    }
}
