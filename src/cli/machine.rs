//! This machine as a slave, for the commands that take it as it is found.

use camino::{Utf8Path, Utf8PathBuf};

use super::farm::read;
use crate::Compilation;
use crate::diagnostic::Failure;
use crate::host::{Account, Machine, Search, detect, embedded, place};
use crate::resolve::{Layout, find_farm};

/// What the machine is called where the farm has no slave fragments.
pub(super) const LOCAL: &str = "local";

/// What messages call the fragment that says what was found.
pub(super) const THIS_MACHINE: &str = "<this machine>";

/// Where farmout keeps what it makes, if nothing else is said.
pub(super) fn state(named: Option<&Utf8PathBuf>, farm: Option<&Utf8Path>) -> Utf8PathBuf {
    let beside = || {
        let root = farm.map_or_else(|| find_farm(None), Utf8Path::to_owned);
        // It is the same directory from wherever in the farm farmout is called.
        let root = if root.starts_with("..") { root.canonicalize_utf8().unwrap_or(root) } else { root };
        Layout { root, ..Layout::default() }.path(".farmout")
    };
    named.cloned().unwrap_or_else(beside)
}

/// Which PostgreSQL is downloaded.
pub(super) struct Embedded<'a> {
    /// The major versions asked for.
    pub majors: &'a [String],
    /// Whether one is downloaded where none is installed and none was asked for.
    pub fallback: bool,
    /// Where downloads are kept.
    pub state: &'a Utf8Path,
}

/// Looks at the machine with the eyes of `account`, and downloads the PostgreSQL servers that are wanted. What there
/// is to know is told to `note`.
pub(super) fn look(
    embedded: &Embedded<'_>,
    account: Option<&Account>,
    note: &mut dyn FnMut(&str),
) -> Result<Machine, Failure> {
    look_at(&Search::of(account), embedded, account, note)
}

/// The same, where somebody says more of where to look.
pub(super) fn look_at(
    search: &Search,
    embedded: &Embedded<'_>,
    account: Option<&Account>,
    note: &mut dyn FnMut(&str),
) -> Result<Machine, Failure> {
    let mut machine = detect(search, account);
    let mut wanted: Vec<Option<&str>> = Vec::new();
    for major in embedded.majors {
        match machine.postgresql.iter().find(|install| install.major == *major) {
            Some(known) => {
                note(&format!("PostgreSQL {} is installed in {}: nothing to download", known.version, known.bin));
            }
            None => wanted.push(Some(major)),
        }
    }
    if machine.postgresql.is_empty() && wanted.is_empty() {
        if embedded.fallback {
            wanted.push(None);
        } else {
            note("no PostgreSQL server is installed here; `--embedded 17` adds a downloaded one");
        }
    }
    for major in wanted {
        let cache = place::cache(embedded.state, account)?;
        let provided = embedded::provide(major, &cache, &machine.pythons, account)?;
        note(&provided.announce);
        machine.add_postgresql(provided.install);
    }
    Ok(machine)
}

/// Compiles a farm with this machine as its only slave.
pub(super) fn local(layout: &Layout, machine: &Machine) -> Result<Compilation, Failure> {
    let fragment = machine.fragment(LOCAL, &detect::password()?);
    let layout = Layout { fragment: Some((THIS_MACHINE.to_owned(), fragment)), ..layout.clone() };
    read(&layout)
}

/// One line that says what a slave offers.
pub(super) fn offers(compilation: &Compilation, slave: &str) -> String {
    let Some((_, slave)) = compilation.graph.slave(slave) else { return String::new() };
    let capability = |(name, offers): (&String, &Vec<crate::model::Offer>)| {
        let versions: Vec<_> =
            offers.iter().filter_map(|offer| offer.version.as_ref()).map(ToString::to_string).collect();
        format!("{name} {}", versions.join(" "))
    };
    slave.capabilities.iter().map(capability).map(|text| text.trim_end().to_owned()).collect::<Vec<_>>().join(", ")
}

/// A path from wherever it is read. One that cannot be looked up stays as it is.
pub(super) fn absolute(path: &Utf8Path) -> Utf8PathBuf {
    path.canonicalize_utf8().or_else(|_| camino::absolute_utf8(path)).unwrap_or_else(|_| path.to_owned())
}
