//! What builds need from the system: what of it is missing, and the packages that bring it; and wkhtmltopdf, where the slave
//! promises it.

use std::time::Duration;

use super::finding::{command, summary};
use super::kind::{NEEDS_OPTIONAL, NEEDS_REQUIRED, NEEDS_USUAL, WKHTMLTOPDF_MISSING, WKHTMLTOPDF_VERSION};
use super::{Finding, Mend, Patient, is_of, named};
use crate::host::needs::{Distribution, Need, Weight, install_command, packages, refresh_command};

/// What other families look at, for those Pythons, servers and repositories that the farm really uses.
const ELSEWHERE: [&str; 9] = [
    "Python headers",
    "venv",
    "PostgreSQL server",
    "wkhtmltopdf",
    "git",
    "Mercurial",
    "Breezy",
    "Subversion",
    "SSH client",
];

/// Families of distributions, and a distribution of each.
const FAMILIES: [(&str, &str); 4] =
    [("Debian, Ubuntu", "debian"), ("Fedora", "fedora"), ("Arch", "arch"), ("Alpine", "alpine")];

pub(super) fn check(patient: &Patient<'_>) -> (String, Vec<Finding>) {
    let mut needs = Need::all();
    needs.retain(|need| !ELSEWHERE.contains(&need.name.as_str()));
    let missing = patient.places.missing(&needs);
    let mut findings = Vec::new();
    for (weight, kind) in
        [(Weight::Required, &NEEDS_REQUIRED), (Weight::Usual, &NEEDS_USUAL), (Weight::Optional, &NEEDS_OPTIONAL)]
    {
        let lacking: Vec<&Need> = missing.iter().copied().filter(|need| need.weight == weight).collect();
        if !lacking.is_empty() {
            // Of what is only good to know, the names will do.
            let what = match weight {
                Weight::Optional => {
                    let names: Vec<_> = lacking.iter().map(|need| need.name.as_str()).collect();
                    format!("missing: {}", names.join(", "))
                }
                Weight::Required | Weight::Usual => {
                    let lines = lacking.iter().map(|need| format!("\n{}: {}", need.name, need.purpose));
                    format!("missing:{}", lines.collect::<String>())
                }
            };
            findings.push(Finding::new(kind, what, install(patient, &lacking)));
        }
    }
    findings.extend(wkhtmltopdf(patient));
    let told = vec![format!("{} of {} are there", needs.len() - missing.len(), needs.len())];
    (summary(&told, ""), findings)
}

/// What installs needs on this distribution; on one that is not known, on those that are.
pub(super) fn install(patient: &Patient<'_>, needs: &[&Need]) -> Mend {
    let distribution = &patient.distribution;
    let wanted = packages(needs.iter().copied(), distribution);
    let elsewhere: Vec<_> = needs
        .iter()
        .filter(|need| need.packages(distribution).is_empty())
        .filter_map(|need| need.elsewhere.as_ref().map(|elsewhere| format!("{}: {elsewhere}", need.name)))
        .collect();
    let mut mend = match install_command(distribution, &wanted).filter(|_| !wanted.is_empty()) {
        Some(install) => {
            let root = patient.is_root();
            let commands = stale(distribution).into_iter().chain([install]);
            let with_sudo = |words: Vec<String>| {
                let sudo = if root { Vec::new() } else { command(&["sudo"]) };
                sudo.into_iter().chain(words).collect()
            };
            Mend::commands(commands.map(with_sudo).collect()).safe(root)
        }
        None if distribution.family().is_none() => Mend::advice(everywhere(needs)),
        None => Mend::default(),
    };
    if !elsewhere.is_empty() {
        mend = mend.and(elsewhere.join("\n"));
    }
    mend
}

/// The packages of all distributions that farmout knows.
fn everywhere(needs: &[&Need]) -> String {
    let line = |(name, id): (&str, &str)| {
        let packages = packages(needs.iter().copied(), &Distribution::read(&format!("ID={id}")));
        format!("{name}: {}", packages.join(" "))
    };
    FAMILIES.map(line).join("\n")
}

/// The command that fetches the lists of packages, where there are none, as in a fresh container.
fn stale(distribution: &Distribution) -> Option<Vec<String>> {
    let lists = std::fs::read_dir("/var/lib/apt/lists");
    let some =
        lists.is_ok_and(|lists| lists.flatten().any(|entry| entry.file_name().to_string_lossy().contains("_Packages")));
    refresh_command(distribution).filter(|_| distribution.family() == Some("debian") && !some)
}

fn wkhtmltopdf(patient: &Patient<'_>) -> Vec<Finding> {
    let needs = Need::all();
    let need: Vec<&Need> = needs.iter().filter(|need| need.name == "wkhtmltopdf").collect();
    let sources = &patient.compilation.sources;
    let offers = patient.slave.capabilities.get("wkhtmltopdf").into_iter().flatten();
    offers
        .filter_map(|offer| {
            let name = named("wkhtmltopdf", offer);
            let Some(program) = patient.places.program("wkhtmltopdf") else {
                let what = format!("{name}: {} finds no wkhtmltopdf on PATH", patient.user());
                return Some(Finding::new(&WKHTMLTOPDF_MISSING, what, install(patient, &need)).at(offer.span, sources));
            };
            let answer = patient.workshop.probe(Duration::from_secs(15)).run(&program, &["--version"]);
            let output = match answer {
                Ok(output) => output.stdout,
                Err(problem) => {
                    let what = format!("{name}: {program} {problem}");
                    return Some(
                        Finding::new(&WKHTMLTOPDF_MISSING, what, install(patient, &need)).at(offer.span, sources),
                    );
                }
            };
            let real = output.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
            let version = offer.version.as_ref().filter(|version| !is_of(version, real))?;
            let what = format!("{name}: {program} is wkhtmltopdf {real}");
            let mend = Mend::advice(format!("write {real} instead of {version} in the fragment, or install {version}"));
            Some(Finding::new(&WKHTMLTOPDF_VERSION, what, mend).at(offer.span, sources))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_look_at_is_in_the_data() {
        let needs = Need::all();
        for name in ELSEWHERE {
            assert!(needs.iter().any(|need| need.name == name), "{name}");
        }
    }

    #[test]
    fn an_unknown_distribution_gets_the_packages_of_all() {
        let needs = Need::all();
        let libxslt: Vec<&Need> = needs.iter().filter(|need| need.name == "libxslt").collect();
        let expected = "Debian, Ubuntu: libxslt1-dev\nFedora: libxslt-devel\nArch: libxslt\nAlpine: libxslt-dev";
        assert_eq!(everywhere(&libxslt), expected);
    }
}
