//! What builds need from the machine besides a PostgreSQL and a Python: a compiler, headers, clients, fonts. In: data
//! (`needs.yaml`), the machine's distribution, and the places to look at. Out: what is missing, and the command that
//! installs it. Nothing is run or changed here, and nothing here knows a farm.

mod distribution;
mod places;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub use distribution::{Distribution, install_command, refresh_command};
pub use places::Places;

const NEEDS: &str = include_str!("needs.yaml");

/// What builds need, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// What people call it: `libxml2`.
    pub name: String,
    /// What it is for: `the egg lxml`.
    pub purpose: String,
    /// What becomes of a build without it.
    pub weight: Weight,
    /// How to see that it is there.
    #[serde(with = "serde_yaml::with::singleton_map")]
    pub look: Look,
    /// Its packages, by family, distribution, or distribution and version (see [`Need::packages`]).
    #[serde(default)]
    packages: IndexMap<String, Vec<String>>,
    /// Where it is to be had where the distribution has no package.
    pub elsewhere: Option<String>,
}

/// What becomes of a build without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// About every buildout fails.
    Required,
    /// The eggs of a stock OpenERP or Odoo fail.
    Usual,
    /// Some builds want it.
    Optional,
}

/// How to see that something is there; one of the names is enough. `*` stands for any part of one component.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Look {
    /// Programs on `PATH`.
    Program(Vec<String>),
    /// Headers, below the compiler's include directories.
    Header(Vec<String>),
    /// Shared libraries, where the dynamic linker looks.
    Library(Vec<String>),
    /// Fonts, anywhere below the font directories.
    Font(Vec<String>),
    /// Files, from the root.
    File(Vec<String>),
}

impl Need {
    /// All of them, in the order of the data.
    pub fn all() -> Vec<Self> {
        // The data is part of the program, and a test reads it.
        serde_yaml::from_str(NEEDS).unwrap_or_default()
    }

    /// The packages that bring it on a distribution; none where it has no such package.
    pub fn packages(&self, distribution: &Distribution) -> &[String] {
        let found = distribution.keys().into_iter().find_map(|key| self.packages.get(&key));
        found.map_or(&[], Vec::as_slice)
    }
}

/// The packages that bring several needs, each once, in the order of the needs.
pub fn packages<'a>(needs: impl IntoIterator<Item = &'a Need>, distribution: &Distribution) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for package in needs.into_iter().flat_map(|need| need.packages(distribution)) {
        if !all.contains(package) {
            all.push(package.clone());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_is_complete() {
        let needs: Vec<Need> = serde_yaml::from_str(NEEDS).unwrap();
        let mut names: Vec<_> = needs.iter().map(|need| &need.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), needs.len(), "a name stands twice");
        let families = ["debian", "fedora", "arch", "alpine"];
        let mut keys: Vec<_> = needs.iter().flat_map(|need| need.packages.keys()).map(String::as_str).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys, ["alpine", "arch", "debian", "debian-13", "fedora", "ubuntu"]);
        for need in &needs {
            let everywhere =
                families.iter().all(|family| need.packages.get(*family).is_some_and(|all| !all.is_empty()));
            assert!(everywhere || need.elsewhere.is_some(), "{}: neither packages for all nor `elsewhere`", need.name);
            assert!(need.weight == Weight::Optional || everywhere, "{}: not to be had everywhere", need.name);
            let (Look::Program(looks)
            | Look::Header(looks)
            | Look::Library(looks)
            | Look::Font(looks)
            | Look::File(looks)) = &need.look;
            assert!(!looks.is_empty(), "{}", need.name);
            for look in looks {
                assert!(!look.starts_with('/'), "{}: {look} is absolute", need.name);
                let most = look.split('/').map(|part| part.matches('*').count()).max();
                assert!(most <= Some(1), "{}: {look} has several * in a component", need.name);
            }
        }
    }

    #[test]
    fn a_release_comes_before_its_distribution_and_that_before_its_family() {
        let needs = Need::all();
        let of = |name: &str| needs.iter().find(|need| need.name == name).unwrap();
        let read = Distribution::read;
        let bookworm = read("ID=debian\nVERSION_ID=\"12\"\n");
        let trixie = read("ID=debian\nVERSION_ID=\"13\"\n");
        let noble = read("ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n");
        let mint = read("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n");
        assert_eq!(of("libmagic").packages(&bookworm), ["libmagic1"]);
        assert_eq!(of("libmagic").packages(&trixie), ["libmagic1t64"]);
        assert_eq!(of("wkhtmltopdf").packages(&trixie), [""; 0]);
        assert_eq!(of("wkhtmltopdf").packages(&noble), ["wkhtmltopdf"]);
        assert_eq!(of("wkhtmltopdf").packages(&mint), ["wkhtmltopdf"]);
        assert_eq!(of("libxslt").packages(&mint), ["libxslt1-dev"]);
        assert_eq!(of("libxslt").packages(&read("ID=rocky\nID_LIKE=\"rhel centos fedora\"")), ["libxslt-devel"]);
        assert_eq!(of("libxslt").packages(&read("ID=plan9")), [""; 0]);
    }

    #[test]
    fn packages_are_named_once() {
        let needs = Need::all();
        let libpq = needs.iter().filter(|need| need.purpose.contains("psycopg2"));
        assert_eq!(packages(libpq, &Distribution::read("ID=debian")), ["libpq-dev"]);
    }
}
