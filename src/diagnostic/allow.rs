//! What the user says about codes in the files: `# farmout: allow CODE` in, fewer diagnostics out.
//!
//! Such a comment, alone or above others, is for the line below it: warnings and notices whose place begins on that line
//! are silenced. At the top of a file it is for what concerns the whole file, too, whose place is the first line. One that
//! silences nothing is reported, since it hides what comes next.

use std::ops::Range;

use super::code::Pattern;
use super::{Diagnostics, Severity, problem, suggest};
use crate::source::{Source, Sources, Span};

/// The word by which a comment speaks to farmout.
const NAME: &str = "farmout:";

/// What a comment allows: one code or family on one line.
struct Allowance {
    pattern: Pattern,
    written: String,
    span: Span,
    /// The line that it is for, from 1; the largest number where none follows.
    line: usize,
    /// Whether only comments stand above it.
    top: bool,
    used: bool,
}

/// Takes out the diagnostics that comments allow, and reports the comments that are wrong or allow nothing.
pub fn silence(diagnostics: &mut Diagnostics, sources: &Sources) {
    for (id, source) in sources.iter() {
        // Hardly any file has such a comment: the others cost one search.
        if !source.text().contains(NAME) {
            continue;
        }
        let mut allowances = read(source, diagnostics, |range| Span::new(id, range));
        diagnostics.retain(|diagnostic| {
            if diagnostic.span.source != id {
                return true;
            }
            let line = source.line(diagnostic.span.range().start);
            let mut silenced = false;
            // They are in the order of their lines; those that are for the whole file come first.
            let first = if line == 1 { 0 } else { allowances.partition_point(|allowance| allowance.line < line) };
            for allowance in &mut allowances[first..] {
                if allowance.line != line && !(allowance.top && line == 1) {
                    break;
                }
                if allowance.pattern.matches(diagnostic.code) {
                    silenced |= diagnostic.severity != Severity::Error;
                    // Of a family, an error may be what is there.
                    allowance.used = true;
                }
            }
            !silenced
        });
        for allowance in allowances.iter().filter(|allowance| !allowance.used) {
            diagnostics.push(problem::Allow::Unused { code: allowance.written.clone() }, allowance.span);
        }
    }
}

/// Reads the comments of a file, and reports those that are wrong.
fn read(source: &Source, diagnostics: &mut Diagnostics, span: impl Fn(Range<usize>) -> Span) -> Vec<Allowance> {
    let mut allowances: Vec<Allowance> = Vec::new();
    let (mut at, mut open, mut top) = (0, 0, true);
    // In the INI dialect an indented comment is none.
    let indented = source.name().ends_with(".yaml");
    for (number, line) in source.text().split('\n').enumerate() {
        let text = if number == 0 { line.trim_start_matches('\u{feff}') } else { line };
        let text = if indented { text.trim_start() } else { text };
        if text.starts_with(['#', ';']) || (!indented && is_remark(text)) {
            let words = text.trim_start_matches(['#', ';']).trim_start();
            if let Some(words) = words.strip_prefix(NAME) {
                let from = at + line.len() - words.len();
                comment(words, from, &span, diagnostics, &mut allowances);
            }
        } else {
            for allowance in &mut allowances[open..] {
                allowance.line = number + 1;
                allowance.top = top;
            }
            top = false;
            open = allowances.len();
        }
        at += line.len() + 1;
    }
    allowances
}

/// Reads what stands behind the name, from byte `from` on.
fn comment(
    words: &str,
    from: usize,
    span: &impl Fn(Range<usize>) -> Span,
    diagnostics: &mut Diagnostics,
    allowances: &mut Vec<Allowance>,
) {
    let mut parts = split(words, from);
    match parts.next() {
        Some((_, "allow")) => {}
        // Any other comment may begin like this; only a slip of the pen is reported.
        Some((at, word)) if suggest::nearest(word, ["allow"]).is_some() => {
            diagnostics.push(problem::Allow::Syntax, span(at..at + word.len()));
            return;
        }
        _ => return,
    }
    let mut any = false;
    for (at, written) in parts {
        any = true;
        let place = span(at..at + written.len());
        let spelled = |c: char| c.is_ascii_alphanumeric() || "-_:*".contains(c);
        let owned = written.to_owned();
        match Pattern::parse(written) {
            Some(pattern) if pattern.only_errors() => {
                diagnostics.push(problem::Allow::Error { code: owned }, place);
            }
            Some(pattern) => {
                allowances.push(Allowance {
                    pattern,
                    written: owned,
                    span: place,
                    line: usize::MAX,
                    top: false,
                    used: false,
                });
            }
            None if written.chars().all(spelled) => {
                diagnostics.push(problem::Allow::Unknown { code: owned }, place);
            }
            None => {
                diagnostics.push(problem::Allow::Syntax, place);
            }
        }
    }
    if !any {
        let end = from + words.trim_end().len();
        diagnostics.push(problem::Allow::Syntax, span(from + words.len() - words.trim_start().len()..end));
    }
}

/// The words of a comment, between blanks and commas, with the bytes at which they begin.
fn split(words: &str, from: usize) -> impl Iterator<Item = (usize, &str)> {
    let parts = words.split([' ', '\t', ',', '\r']).filter(|part| !part.is_empty());
    parts.map(move |part| (from + (part.as_ptr() as usize - words.as_ptr() as usize), part))
}

/// Whether a line is one of the dialect's oldest comments.
fn is_remark(line: &str) -> bool {
    let (word, rest) = line.split_at_checked(3).unwrap_or(("", ""));
    word.eq_ignore_ascii_case("rem") && (rest.is_empty() || rest.starts_with([' ', '\t', '\r']))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes that are left of an `option::unread` on the line `at` after the comments of `text`.
    fn left(text: &str, at: &str) -> Vec<&'static str> {
        let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
        let id = sources.add("a.cfg", text);
        let start = text.find(at).unwrap();
        let problem = problem::Setting::Unread { option: at.to_owned(), near: None };
        diagnostics.push(problem, Span::new(id, start..start + at.len()));
        silence(&mut diagnostics, &sources);
        diagnostics.sorted().iter().map(|diagnostic| diagnostic.code).collect()
    }

    #[test]
    fn a_comment_is_for_the_line_below() {
        assert!(left("[a]\n# farmout: allow option::unread\nx = 1\n", "x").is_empty());
        assert!(left("\u{feff}# farmout: allow option::*\r\nx = 1\r\n", "x").is_empty());
        assert!(left("; farmout:allow option::unread\n# why\nrem so\nx = 1\n", "x").is_empty());
        assert_eq!(left("# farmout: allow option::unread, steps::twice\nx\n", "x"), ["allow::unused"]);
        assert_eq!(left("# farmout: allow option::unread\n\nx\n", "x"), ["allow::unused", "option::unread"]);
        assert_eq!(left("  # farmout: allow option::unread\nx\n", "x\n"), ["option::unread"]);
        assert_eq!(left("x\n# farmout: allow option::unread", "x"), ["option::unread", "allow::unused"]);
    }

    #[test]
    fn a_comment_at_the_top_is_for_the_file() {
        assert!(left("# why\n# farmout: allow option::unread\nx\n", "# why").is_empty());
        assert_eq!(left("[a]\n# farmout: allow option::unread\nx\n", "[a]"), ["option::unread", "allow::unused"]);
    }

    #[test]
    fn slips_in_comments_are_reported() {
        assert_eq!(left("# farmout: allow option::unred\nx\n", "x"), ["allow::unknown", "option::unread"]);
        assert_eq!(left("# farmout: allow option::value\nx\n", "x"), ["allow::error", "option::unread"]);
        assert_eq!(left("# farmout: alow option::unread\nx\n", "x"), ["allow::syntax", "option::unread"]);
        assert_eq!(left("# farmout: allow\nx\n", "x"), ["allow::syntax", "option::unread"]);
        assert_eq!(left("# farmout: allow [é]\nx\n", "x"), ["allow::syntax", "option::unread"]);
        assert_eq!(left("# farmout: a tool\nx\n", "x\n"), ["option::unread"]);
    }
}
