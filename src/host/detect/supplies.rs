//! What eggs and parts of buildouts need from the system: compilers, headers, libraries. In: the data of [`crate::host::needs`],
//! and where to look. Out: which of it is there, and how the rest is installed.

use camino::Utf8Path;
use serde::Serialize;

use super::Search;
use crate::host::Account;
use crate::host::needs::{self, Distribution, Look, Need, Places, Weight};

/// Something that builds need from the system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Supply {
    /// What people call it: `libxml2`.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// What becomes of a build without it.
    pub weight: Weight,
    /// Whether it is a header, for the compiler.
    pub header: bool,
    /// Whether it is there.
    pub found: bool,
    /// The packages of this distribution that bring it.
    pub packages: Vec<String>,
}

/// The system, and what it has for builds.
pub(super) struct Supplies {
    /// The distribution's name.
    pub system: String,
    pub all: Vec<Supply>,
    /// The command that installs what is missing and not optional.
    pub install: Option<String>,
}

pub(super) fn find(search: &Search, account: Option<&Account>) -> Supplies {
    let distribution = Distribution::of_this_machine(&search.root);
    let places = if search.root == Utf8Path::new("/") {
        Places::of_this_machine(account)
    } else {
        Places::below(search.root.clone(), "/usr/local/bin:/usr/bin:/bin".as_ref())
    };
    let needs = Need::all();
    let missing = places.missing(&needs);
    let supply = |need: &Need| Supply {
        name: need.name.clone(),
        purpose: need.purpose.clone(),
        weight: need.weight,
        header: matches!(need.look, Look::Header(_)),
        found: !missing.contains(&need),
        packages: need.packages(&distribution).to_vec(),
    };
    let wanted = missing.iter().copied().filter(|need| need.weight != Weight::Optional);
    let packages = needs::packages(wanted, &distribution);
    let install = needs::install_command(&distribution, &packages).filter(|_| !packages.is_empty());
    Supplies {
        system: distribution.name.clone(),
        all: needs.iter().map(supply).collect(),
        install: install.map(|words| words.join(" ")),
    }
}
