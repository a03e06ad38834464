//! What was found, as lines of `capability`. In: a machine. Out: the lines, and what of it cannot stand in one.

use camino::Utf8Path;

use super::{Buildout, Kind, Machine};
use crate::model::Version;

/// A line of `capability`, with what belongs below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    /// The capability: `python`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its options as they are written, with a blank before each.
    pub options: String,
    /// Lines that could stand in its place.
    pub alternatives: Vec<String>,
}

impl Offer {
    /// A line without alternatives.
    pub fn new(name: &str, version: &str, options: String) -> Self {
        Self { name: name.to_owned(), version: version.to_owned(), options, alternatives: Vec::new() }
    }

    /// The line, without its indentation.
    pub fn line(&self) -> String {
        format!("{} {}{}", self.name, self.version, self.options)
    }

    /// Whether a capability's version is this one's, however it is written.
    pub fn is(&self, name: &str, version: &str) -> bool {
        self.name == name && same_version(&self.version, version)
    }
}

/// Whether two texts are the same version.
pub(super) fn same_version(one: &str, other: &str) -> bool {
    match (Version::parse(one), Version::parse(other)) {
        (Some(one), Some(other)) => one.compare(&other).is_some_and(std::cmp::Ordering::is_eq),
        _ => one == other,
    }
}

impl Machine {
    /// The lines, in the order of a fragment; and those that a value cannot hold.
    pub(super) fn offers(&self) -> (Vec<Offer>, Vec<Offer>) {
        let (mut offers, mut others) = (Vec::new(), Vec::new());
        let mut add = |offer: Offer, path: &Utf8Path| {
            if is_writable(path) { &mut offers } else { &mut others }.push(offer);
        };
        for install in &self.postgresql {
            let options = format!(" bin={} cluster=ephemeral", install.bin);
            let mut offer = Offer::new("postgresql", &install.major, options);
            let usable = self.servers.iter().filter(|server| server.is_usable());
            let same = usable.filter(|server| server.major.as_ref() == Some(&install.major));
            offer.alternatives = same
                .filter(|server| is_writable(Utf8Path::new(&server.host)))
                .map(|server| {
                    let (major, bin) = (&install.major, &install.bin);
                    format!("postgresql {major} bin={bin} port={} host={}", server.port, server.host)
                })
                .collect();
            add(offer, &install.bin);
        }
        for python in &self.pythons {
            if let Buildout::Yes { .. } = python.buildout {
                let offer = Offer::new("python", &python.minor, format!(" bin={}", python.path));
                add(offer, &python.path);
            }
        }
        for kind in [Kind::Reports, Kind::Office, Kind::Browser] {
            for program in self.programs(kind).filter(|program| program.on_path) {
                add(Offer::new(&program.name, program.offered(), String::new()), Utf8Path::new(""));
            }
        }
        (offers, others)
    }
}

/// Whether a path can be the value of a capability's option: white space would end it, and `%` has a meaning of its own
/// where anything else in the value interpolates.
pub(super) fn is_writable(path: &Utf8Path) -> bool {
    !path.as_str().contains(|c: char| c.is_whitespace() || c.is_control() || c == '%')
}
