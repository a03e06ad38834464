//! An existing fragment, brought up to date. In: its text, which parses; a slave's name; a machine. Out: the text with lines
//! for what is new and marks above lines for what is gone, and what was done. Nothing else changes, to the last byte; nothing
//! is read or written, but for a look at whether a path that the text names is still there.

mod place;
#[cfg(test)]
mod tests;

use camino::Utf8Path;

use super::fragment::{OFFERED, commented, offered};
use super::offer::{Offer, same_version};
use super::{Machine, executable, natural};
use crate::host::Account;
use crate::syntax::words::{self, Word};
use place::Place;
pub use place::sections;

/// Begins the comment above a line whose version is gone.
const MARK: &str = "# Not found by `farmout slave detect` any more: ";

/// A fragment that was brought up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Updated {
    /// The text.
    pub text: String,
    /// What is different, in the order of the text; nothing: it is the same text.
    pub changes: Vec<Change>,
}

/// Something that is different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This line is new.
    Added(String),
    /// This line has a mark above it that says why, or another one than before.
    Marked {
        /// The line.
        line: String,
        /// What is gone.
        reason: String,
    },
    /// This line has no mark any more.
    Unmarked(String),
}

/// Why a fragment cannot be brought up to date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The section has its capabilities from `[DEFAULT]`, and so have others: these.
    Shared(Vec<String>),
    /// The text would say something else than is meant; a mistake of farmout's.
    Meaning,
}

/// Brings the section of a slave up to date.
///
/// Comes in: the text of a fragment without errors, the slave's name, the machine, and the account that its paths must be good
/// for. Doing it twice changes nothing.
///
/// # Errors
/// See [`Refused`].
pub fn update(text: &str, slave: &str, machine: &Machine, account: Option<&Account>) -> Result<Updated, Refused> {
    let mut place = Place::find(text, slave)?;
    let (offers, _) = machine.offers();
    let judge = Judge { machine, offers: &offers, account };
    let mut changes = Vec::new();
    judge.mark(&mut place, &mut changes);
    let known = Known::of(&place);
    let new: Vec<&Offer> = offers.iter().filter(|offer| !known.has(offer)).collect();
    for offer in &new {
        add(&mut place, offer);
        changes.push(Change::Added(offer.line()));
    }
    if !new.is_empty() {
        record(&mut place, &offers);
    }
    let updated = place.text();
    if changes.is_empty() {
        return Ok(Updated { text: text.to_owned(), changes });
    }
    // Nothing is ever written that says something else than what was there, and the new lines.
    let lines: Vec<String> = new.iter().map(|offer| offer.line()).collect();
    if !place.says(text, &lines) {
        return Err(Refused::Meaning);
    }
    Ok(Updated { text: updated, changes })
}

/// Puts a line behind those of its capability with lower versions; else before, or behind, all others.
fn add(place: &mut Place, offer: &Offer) {
    let key = natural(&offer.version);
    let mut at = None;
    for (line, words) in place.value_lines() {
        if let Some((name, version)) = named(&words)
            && name == offer.name
            && (at.is_none() || natural(version) < key)
        {
            at = Some(line);
        }
    }
    // Comments of that capability behind the line are its alternatives, or others that were taken out.
    let mut at = at.unwrap_or_else(|| place.last_value());
    while place.comment(at + 1).and_then(taken_out).is_some_and(|(name, _)| name == offer.name) {
        at += 1;
    }
    let indentation = place.indentation();
    let mut lines = vec![format!("{indentation}{}", offer.line())];
    lines.extend(offer.alternatives.iter().map(|alternative| commented(alternative)));
    place.insert(at + 1, lines);
}

/// The capability and the version in a line of the value.
fn named(words: &str) -> Option<(&str, &str)> {
    let (name, words) = words::capability(words)?;
    match words.first() {
        Some(Word::Plain(version)) if !version.contains('%') => Some((name, version)),
        _ => None,
    }
}

/// The capability and the version in a comment that was such a line.
fn taken_out(comment: &str) -> Option<(&str, &str)> {
    named(comment.trim_start_matches(['#', ';']).trim())
}

/// The capabilities and versions in the list of what was offered.
fn recorded(list: &str) -> impl Iterator<Item = (&str, &str)> {
    list.split(',').flat_map(|entry| {
        let mut words = entry.split_whitespace();
        let name = words.next().unwrap_or_default();
        words.map(move |version| (name, version))
    })
}

/// Writes down what has been offered by now: what was before, and what is.
fn record(place: &mut Place, offers: &[Offer]) {
    let found =
        place.comments().into_iter().find_map(|(at, comment)| Some((at, comment.strip_prefix(OFFERED)?.to_owned())));
    let before = found.as_ref().map_or("", |(_, list)| list);
    let mut all: Vec<Offer> =
        recorded(before).map(|(name, version)| Offer::new(name, version, String::new())).collect();
    for offer in offers {
        if !all.iter().any(|known| known.is(&offer.name, &offer.version)) {
            all.push(offer.clone());
        }
    }
    all.sort_by_cached_key(|offer| (offers.iter().position(|one| one.name == offer.name), natural(&offer.version)));
    let line = offered(&all);
    match found {
        Some((at, _)) => place.replace(at, line),
        None => {
            let behind = place.last_value() + 1;
            place.insert(behind, vec![line]);
        }
    }
}

/// What a fragment offers, or has offered.
struct Known {
    versions: Vec<(String, String)>,
}

impl Known {
    fn of(place: &Place) -> Self {
        let mut versions = Vec::new();
        let mut add = |name: &str, version: &str| versions.push((name.to_owned(), version.to_owned()));
        for (_, words) in place.value_lines() {
            if let Some((name, version)) = named(&words) {
                add(name, version);
            }
        }
        for (_, comment) in place.comments() {
            if let Some(list) = comment.strip_prefix(OFFERED) {
                recorded(list).for_each(|(name, version)| add(name, version));
            } else if let Some((name, version)) = taken_out(&comment) {
                add(name, version);
            }
        }
        // The old form of a fragment names a single server so.
        if let Some(version) = place.setting("pg_version") {
            add("postgresql", version.trim());
        }
        Self { versions }
    }

    fn has(&self, offer: &Offer) -> bool {
        self.versions.iter().any(|(name, version)| offer.is(name, version))
    }
}

/// Tells which lines are for what is gone.
struct Judge<'a> {
    machine: &'a Machine,
    offers: &'a [Offer],
    account: Option<&'a Account>,
}

impl Judge<'_> {
    fn mark(&self, place: &mut Place, changes: &mut Vec<Change>) {
        // From the end, so that the numbers of lines that are still to come stay.
        let mut found = Vec::new();
        for (at, words) in place.value_lines().into_iter().rev() {
            let reason = self.gone(&words);
            // Where a line was taken out by hand, its mark may have stayed behind, above another.
            let is_mark = |above: &usize| place.comment(*above).is_some_and(|comment| comment.starts_with(MARK));
            let marks = (0..at).rev().take_while(is_mark).count();
            let mark = reason.as_ref().map(|reason| format!("{MARK}{reason}"));
            match (reason, mark) {
                (Some(_), Some(mark)) if marks == 1 && place.comment(at - 1) == Some(&mark) => {}
                (Some(reason), Some(mark)) => {
                    (0..marks).for_each(|_| place.remove(at - marks));
                    place.insert(at - marks, vec![mark]);
                    found.push(Change::Marked { line: words, reason });
                }
                _ if marks > 0 => {
                    (0..marks).for_each(|_| place.remove(at - marks));
                    found.push(Change::Unmarked(words));
                }
                _ => {}
            }
        }
        changes.extend(found.into_iter().rev());
    }

    /// What a line offers and is not there, without a full stop.
    fn gone(&self, words: &str) -> Option<String> {
        let (name, version) = named(words)?;
        let (_, words) = words::capability(words)?;
        let option = |wanted: &str| {
            words.iter().find_map(|word| match word {
                Word::Option(key, value) if *key == wanted => Some(*value),
                _ => None,
            })
        };
        let found = self.offers.iter().find(|offer| offer.is(name, version));
        let now = found.map(|offer| format!("; what is there now:{}", offer.options)).unwrap_or_default();
        let missing = |program: &Utf8Path| {
            let what = if program.exists() { "builds cannot execute" } else { "there is no" };
            (!executable(program, self.account)).then(|| format!("{what} {program}{now}"))
        };
        match (name, option("bin")) {
            ("postgresql" | "python", Some(bin)) if bin.contains('%') || !bin.starts_with('/') => None,
            ("postgresql", Some(bin)) => missing(&Utf8Path::new(bin).join("postgres")),
            ("python", Some(bin)) => missing(Utf8Path::new(bin)),
            ("postgresql", None) => {
                // A server on another machine is nobody's to judge from here.
                let elsewhere = option("host").is_some_and(|host| !host.starts_with('/') && host != "localhost");
                let servers = &self.machine.servers;
                let port = option("port").unwrap_or("5432");
                let same = |major: &Option<String>| major.as_ref().is_some_and(|major| same_version(major, version));
                let runs = servers.iter().any(|server| same(&server.major) || server.port.to_string() == port);
                (found.is_none() && !elsewhere && !runs).then(|| format!("PostgreSQL {version}"))
            }
            ("python", None) => {
                let there = self.machine.pythons.iter().any(|python| same_version(&python.minor, version));
                (!there).then(|| format!("Python {version}"))
            }
            _ => {
                let others: Vec<_> = self.offers.iter().filter(|offer| offer.name == name).collect();
                // Names that nothing is looked for by are the owner's own.
                let known = !others.is_empty() || matches!(name, "wkhtmltopdf" | "libreoffice" | "chromium");
                let versions: Vec<_> = others.iter().map(|other| other.version.as_str()).collect();
                let now = if versions.is_empty() {
                    String::new()
                } else {
                    format!("; what is there now: {}", versions.join(", "))
                };
                (known && found.is_none()).then(|| format!("{name} {version}{now}"))
            }
        }
    }
}
