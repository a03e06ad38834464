//! The difference between two versions of a farm, for a person: as text, or as Markdown for a code review.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use indexmap::IndexMap;

use crate::compare::{Change, Detail, Difference, Kind, PlanGroup, Sign};
use crate::diagnostic::suggest::list;

const HEAD: Style = AnsiColor::Cyan.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// More builders than these are counted, not named.
const MOST_NAMES: usize = 6;

/// The difference as text, grouped by build. Colours are always in it; the stream takes them out where they are not wanted.
pub fn text(difference: &Difference) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_text(&mut text, difference);
    text
}

fn write_text(text: &mut String, difference: &Difference) -> std::fmt::Result {
    writeln!(text, "{DIM}{} → {}{DIM:#}\n", difference.old, difference.new)?;
    for (title, changes) in groups(difference) {
        writeln!(text, "{HEAD}{title}{HEAD:#}")?;
        for change in changes {
            writeln!(text, "  {}", styled(change.sign, &headline(change)))?;
            if change.sign == Sign::Changed {
                write_details(text, &change.details)?;
            }
        }
        writeln!(text)?;
    }
    if !difference.plans.is_empty() {
        writeln!(text, "{HEAD}plans{HEAD:#}")?;
        for group in &difference.plans {
            writeln!(text, "  {}", styled(Sign::Changed, &whose(group)))?;
            write_details(text, &group.details)?;
        }
        writeln!(text)?;
    }
    for note in &difference.notes {
        writeln!(text, "{DIM}note: {note}{DIM:#}")?;
    }
    writeln!(text, "{}", summary(difference))
}

fn write_details(text: &mut String, details: &[Detail]) -> std::fmt::Result {
    for detail in details {
        writeln!(text, "      {}", styled(detail.sign, &words(detail)))?;
        for line in &detail.lines {
            let sign = if line.starts_with('-') { Sign::Removed } else { Sign::Added };
            let style = style(sign);
            writeln!(text, "          {style}{line}{style:#}")?;
        }
    }
    Ok(())
}

/// A detail in a line, with its sign.
pub fn line(detail: &Detail) -> String {
    format!("{} {}", mark(detail.sign), words(detail))
}

/// What a detail is about, and its value before and after.
fn words(detail: &Detail) -> String {
    let value = value(detail);
    let between = if value.is_empty() { "" } else { ": " };
    format!("{}{between}{value}", detail.what)
}

fn style(sign: Sign) -> Style {
    match sign {
        Sign::Added => AnsiColor::Green.on_default(),
        Sign::Removed => AnsiColor::Red.on_default(),
        Sign::Changed => AnsiColor::Yellow.on_default(),
    }
}

fn mark(sign: Sign) -> char {
    match sign {
        Sign::Added => '+',
        Sign::Removed => '-',
        Sign::Changed => '~',
    }
}

fn styled(sign: Sign, rest: &str) -> String {
    let style = style(sign);
    format!("{style}{}{style:#} {rest}", mark(sign))
}

fn value(detail: &Detail) -> String {
    // An empty value is there all the same.
    let shown = |value: &String| if value.is_empty() { "(empty)".to_owned() } else { value.clone() };
    match (&detail.old, &detail.new) {
        (Some(old), Some(new)) => format!("{} → {}", shown(old), shown(new)),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => String::new(),
    }
}

/// A change in a line: of what appears or vanishes, what is worth knowing.
fn headline(change: &Change) -> String {
    let known: Vec<_> =
        if change.sign == Sign::Changed { Vec::new() } else { change.details.iter().map(value).collect() };
    let known = known.join(", ");
    let between = match change.kind {
        _ if known.is_empty() => "",
        Kind::Build => ": ",
        Kind::Builder => " on ",
        Kind::Scheduler => " watching ",
        Kind::Slave => " with ",
    };
    match change.kind {
        // Its name is the group's title, and so is that of its scheduler.
        Kind::Build | Kind::Scheduler => format!("{}{between}{known}", change.kind.word()),
        kind => format!("{} {}{between}{known}", kind.word(), change.name),
    }
}

/// The changes by build, and those of slaves.
fn groups(difference: &Difference) -> IndexMap<String, Vec<&Change>> {
    let mut groups: IndexMap<String, Vec<&Change>> = IndexMap::new();
    for change in &difference.changes {
        let title = match (change.kind, &change.build) {
            (Kind::Slave, _) => "slaves".to_owned(),
            (_, Some(build)) => format!("[{build}]"),
            _ => format!("[{}]", change.name),
        };
        groups.entry(title).or_default().push(change);
    }
    groups
}

/// Whose plans a group is about.
fn whose(group: &PlanGroup) -> String {
    let builders = match group.builders.len() {
        most if most > MOST_NAMES => format!("{most} builders of {}", some(&group.builds)),
        _ => some(&group.builders),
    };
    format!("{builders} on {}", some(&group.slaves))
}

fn some(names: &[String]) -> String {
    let more = names.len().saturating_sub(MOST_NAMES);
    let first = names[..names.len() - more].join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}

/// The difference in a line.
pub fn summary(difference: &Difference) -> String {
    let mut parts = Vec::new();
    for kind in [Kind::Build, Kind::Scheduler, Kind::Builder, Kind::Slave] {
        let count =
            |sign| difference.changes.iter().filter(|change| change.kind == kind && change.sign == sign).count();
        let counts = [(count(Sign::Added), "new"), (count(Sign::Removed), "gone"), (count(Sign::Changed), "changed")];
        let counts: Vec<_> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        if !counts.is_empty() {
            parts.push(format!("{}s: {}", kind.word(), counts.join(", ")));
        }
    }
    let builders: std::collections::HashSet<_> = difference.plans.iter().flat_map(|group| &group.builders).collect();
    match builders.len() {
        0 => {}
        1 => parts.push("plans of 1 builder changed".to_owned()),
        count => parts.push(format!("plans of {count} builders changed")),
    }
    if parts.is_empty() { "no difference".to_owned() } else { parts.join("; ") }
}

/// The difference as Markdown.
pub fn markdown(difference: &Difference) -> String {
    let mut text = String::new();
    let _ = write_markdown(&mut text, difference);
    text
}

fn write_markdown(text: &mut String, difference: &Difference) -> std::fmt::Result {
    writeln!(text, "## Farm: {} → {}\n", code(&difference.old), code(&difference.new))?;
    writeln!(text, "**{}**\n", summary(difference))?;
    for (title, changes) in groups(difference) {
        writeln!(text, "### {}\n", if title == "slaves" { title } else { code(&title) })?;
        let mut lines = Vec::new();
        for change in changes {
            lines.push(format!("{} {}", mark(change.sign), headline(change)));
            if change.sign == Sign::Changed {
                lines.extend(detail_lines(&change.details));
            }
        }
        write_block(text, &lines)?;
    }
    if !difference.plans.is_empty() {
        writeln!(text, "### plans\n")?;
    }
    for group in &difference.plans {
        let names = list(group.slaves.iter().map(String::as_str));
        let few = group.builders.len() <= MOST_NAMES;
        let builders = list((if few { &group.builders } else { &group.builds }).iter().map(String::as_str));
        let builders = if few { builders } else { format!("{} builders of {builders}", group.builders.len()) };
        writeln!(text, "{builders} on {names}:\n")?;
        write_block(text, &detail_lines(&group.details))?;
    }
    for note in &difference.notes {
        writeln!(text, "> {}\n", note.replace('<', "&lt;"))?;
    }
    Ok(())
}

/// A block that forges colour line by line: `+`, `-`, and `!` for what changes, stand at the line's beginning.
fn write_block(text: &mut String, lines: &[String]) -> std::fmt::Result {
    // Longer than any run of backticks in it, so that nothing ends it early.
    let mut fence = "```".to_owned();
    while lines.iter().any(|line| line.contains(&fence)) {
        fence.push('`');
    }
    writeln!(text, "{fence}diff")?;
    for line in lines {
        match line.strip_prefix('~') {
            Some(rest) => writeln!(text, "!{rest}")?,
            None => writeln!(text, "{line}")?,
        }
    }
    writeln!(text, "{fence}\n")
}

fn detail_lines(details: &[Detail]) -> Vec<String> {
    let mut lines = Vec::new();
    for detail in details {
        lines.push(format!("{}   {}", mark(detail.sign), words(detail)));
        // The sign stays first, where forges look for it.
        let line = |line: &String| match line.split_at_checked(1) {
            Some((sign @ ("+" | "-"), rest)) => format!("{sign}      {}", rest.strip_prefix(' ').unwrap_or(rest)),
            _ => format!("       {line}"),
        };
        lines.extend(detail.lines.iter().map(line));
    }
    lines
}

fn code(text: &str) -> String {
    let fence = if text.contains('`') { "``" } else { "`" };
    format!("{fence}{text}{fence}")
}
