//! Pins and a Python in, the versions to install out. The table is data: `versions.yaml`.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Error, Pins, Python};

const TABLE: &str = include_str!("versions.yaml");

/// What goes into the environment; each is a version, or a requirement like `>=2.2`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// zc.buildout's.
    pub buildout: String,
    /// setuptools'; none: pip's choice.
    pub setuptools: Option<String>,
    /// wheel's; none: pip's choice.
    pub wheel: Option<String>,
    /// pip's; none: the one that comes with the Python.
    pub pip: Option<String>,
    /// What the configuration should pin, and does not; zc.buildout 1 replaces itself and setuptools by the newest otherwise.
    #[serde(skip)]
    pub advice: Vec<String>,
    /// Where the version of zc.buildout comes from, for people.
    #[serde(skip)]
    pub reason: &'static str,
    /// The setuptools that was tried with that zc.buildout and that Python, where another is chosen.
    #[serde(skip)]
    pub tried: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    buildout: Vec<Newest>,
    setuptools: Vec<Companions>,
    impossible: Vec<Impossible>,
    unfit: Vec<Unfit>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Newest {
    python: [String; 2],
    version: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Companions {
    python: [String; 2],
    buildout: [String; 2],
    setuptools: String,
    wheel: String,
    pip: Option<String>,
    recipe: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Impossible {
    python: [String; 2],
    buildout: [String; 2],
    why: String,
    instead: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unfit {
    python: [String; 2],
    buildout: [String; 2],
    setuptools: [String; 2],
    why: String,
}

impl Table {
    fn read() -> Self {
        // The table is part of the program, and a test reads it.
        serde_yaml::from_str(TABLE).unwrap_or_default()
    }
}

impl Versions {
    /// Chooses: the versions that are asked for, else the pins, else what the table says for the Python.
    pub fn choose(python: &Python, buildout: Option<String>, setuptools: Option<String>, pins: &Pins) -> Self {
        let table = Table::read();
        let number = [python.version.0, python.version.1];
        let newest = || table.buildout.iter().find(|row| within(&number, &row.python)).map(|row| row.version.clone());
        let (buildout, reason) = match (buildout, &pins.buildout) {
            (Some(version), _) => (version, "asked for"),
            (None, Some(version)) => (version.clone(), "pinned by the configuration"),
            (None, None) => (newest().unwrap_or_default(), "the newest for this Python"),
        };
        let parts = numbers(&buildout);
        let row = table.setuptools.iter().find(|row| within(&number, &row.python) && within(&parts, &row.buildout));
        let setuptools =
            setuptools.or_else(|| pins.setuptools.clone()).or_else(|| row.map(|row| row.setuptools.clone()));
        let tried = row.map(|row| row.setuptools.clone()).filter(|tried| setuptools.as_ref() != Some(tried));
        let wheel = row.map(|row| row.wheel.clone());
        let pip = row.and_then(|row| row.pip.clone());
        let recipe = row.and_then(|row| row.recipe.clone());
        let pairs = [
            ("zc.buildout", &pins.buildout, Some(&buildout)),
            ("setuptools", &pins.setuptools, setuptools.as_ref()),
            ("zc.recipe.egg", &pins.recipe, recipe.as_ref()),
        ];
        let missing = pairs.into_iter().filter(|(_, pin, _)| pin.is_none());
        let advice = missing.filter_map(|(name, _, version)| Some(format!("{name} = {}", version?))).collect();
        Self { buildout, setuptools, wheel, pip, advice, reason, tried }
    }

    /// The zc.buildout that a Python gets where nothing else is said.
    ///
    /// # Errors
    /// It is too old for any.
    pub fn newest(python: &Python) -> Result<String, Error> {
        let chosen = Self::choose(python, None, None, &Pins::default());
        if chosen.buildout.is_empty() {
            let (python, version) = (python.executable.display().to_string(), python.version_text());
            return Err(Error::OldPython { python, version });
        }
        Ok(chosen.buildout)
    }

    /// Whether the versions can work at all, as far as is known.
    ///
    /// # Errors
    /// They are known not to.
    pub(super) fn check(&self, python: &Python) -> Result<(), Error> {
        let number = [python.version.0, python.version.1];
        // Of a requirement such as `>=2`, pip takes what fits.
        let exact = |version: &str| version.starts_with(|c: char| c.is_ascii_digit()).then(|| numbers(version));
        let Table { impossible, unfit, .. } = Table::read();
        let Some(parts) = exact(&self.buildout) else { return Ok(()) };
        let mut known = impossible.into_iter();
        if let Some(Impossible { why, instead, .. }) =
            known.find(|row| within(&number, &row.python) && within(&parts, &row.buildout))
        {
            let (buildout, python) = (self.buildout.clone(), python.version_text());
            return Err(Error::Impossible { buildout, python, why, instead });
        }
        let Some((setuptools, release)) = self.setuptools.as_ref().and_then(|text| Some((text, exact(text)?))) else {
            return Ok(());
        };
        let mut known = unfit.into_iter().filter(|row| within(&release, &row.setuptools));
        match known.find(|row| within(&number, &row.python) && within(&parts, &row.buildout)) {
            None => Ok(()),
            Some(Unfit { why, .. }) => Err(Error::Unfit {
                setuptools: setuptools.clone(),
                buildout: self.buildout.clone(),
                python: python.version_text(),
                why,
                fits: self.tried.clone(),
            }),
        }
    }

    /// Defaults for zc.buildout that keep it, and what it works with, at the versions that were chosen: a
    /// configuration that pins nothing would replace them by the newest. Its own pins count for more. `section` is where it
    /// pins versions.
    pub(super) fn defaults(&self, section: &str) -> String {
        let mut text = format!(
            "# Made by farmout tool bootstrap: what the configuration does not pin.\n[buildout]\nversions = {section}\n\n[{section}]\n"
        );
        // Requirements such as `>=2.2` are no pins.
        for pin in self.advice.iter().filter(|pin| !pin.contains(['<', '>', '!', '~'])) {
            text.push_str(&format!("{pin}\n"));
        }
        text
    }

    /// zc.buildout as pip wants it.
    pub(super) fn buildout_requirement(&self) -> String {
        requirement("zc.buildout", Some(&self.buildout).filter(|version| !version.is_empty()))
    }

    /// setuptools as pip wants it.
    pub(super) fn setuptools_requirement(&self) -> String {
        requirement("setuptools", self.setuptools.as_ref())
    }

    /// wheel, and pip itself where it must be newer, as pip wants them.
    pub(super) fn others(&self) -> Vec<String> {
        let pip = self.pip.as_ref().map(|version| requirement("pip", Some(version)));
        std::iter::once(requirement("wheel", self.wheel.as_ref())).chain(pip).collect()
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zc.buildout {} ({})", self.buildout, self.reason)?;
        match &self.setuptools {
            Some(version) => write!(f, ", setuptools {version}"),
            None => write!(f, ", the newest setuptools"),
        }
    }
}

fn requirement(name: &str, version: Option<&String>) -> String {
    match version {
        None => name.to_owned(),
        Some(version) if version.starts_with(|c: char| c.is_ascii_alphanumeric()) => format!("{name}=={version}"),
        Some(version) => format!("{name}{version}"),
    }
}

/// The numbers at the beginning of a version or requirement.
fn numbers(version: &str) -> Vec<u32> {
    let version = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

fn within(number: &[u32], [from, below]: &[String; 2]) -> bool {
    number >= &numbers(from)[..] && number < &numbers(below)[..]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(python: (u32, u32, u32), asked: Option<&str>, pins: Pins) -> String {
        let python = Python { version: python, ..Python::default() };
        let versions = Versions::choose(&python, asked.map(str::to_owned), None, &pins);
        format!("{} {}", versions.buildout_requirement(), versions.setuptools_requirement())
    }

    #[test]
    fn what_is_not_pinned_becomes_a_default() {
        let python = Python { version: (3, 11, 2), ..Python::default() };
        let pins = Pins { setuptools: Some("75.3.2".to_owned()), ..Pins::default() };
        let defaults = Versions::choose(&python, Some("4.1.12".to_owned()), None, &pins).defaults("pins");
        let lines: Vec<&str> = defaults.lines().skip(1).collect();
        assert_eq!(
            lines,
            ["[buildout]", "versions = pins", "", "[pins]", "zc.buildout = 4.1.12", "zc.recipe.egg = 3.0.0"]
        );
    }

    #[test]
    fn every_python_gets_what_fits() {
        let pinned = |version: &str| Pins { buildout: Some(version.to_owned()), ..Pins::default() };
        let none = Pins::default;
        assert_eq!(chosen((2, 7, 18), None, none()), "zc.buildout==2.13.8 setuptools==44.1.1");
        assert_eq!(chosen((3, 6, 0), None, none()), "zc.buildout==3.0.1 setuptools==59.6.0");
        assert_eq!(chosen((3, 11, 7), None, none()), "zc.buildout==4.1.12 setuptools==75.8.2");
        assert_eq!(chosen((3, 13, 0), None, none()), "zc.buildout==4.1.12 setuptools==75.8.2");
        assert_eq!(chosen((2, 7, 18), None, pinned("1.7.1")), "zc.buildout==1.7.1 setuptools==36.8.0");
        assert_eq!(chosen((2, 7, 18), None, pinned("1.4.4")), "zc.buildout==1.4.4 setuptools==5.8");
        assert_eq!(chosen((2, 7, 18), None, pinned("2.2.1")), "zc.buildout==2.2.1 setuptools==7.0");
        assert_eq!(chosen((2, 7, 18), None, pinned("2.2.5")), "zc.buildout==2.2.5 setuptools==33.1.1");
        assert_eq!(chosen((2, 7, 18), None, pinned("2.10.0")), "zc.buildout==2.10.0 setuptools==36.8.0");
        assert_eq!(chosen((2, 7, 18), Some("2.13.8"), pinned("1.7.1")), "zc.buildout==2.13.8 setuptools==44.1.1");
        assert_eq!(chosen((3, 11, 7), None, pinned(">=2.13")), "zc.buildout>=2.13 setuptools==44.1.1");
        let both = Pins { buildout: Some("4.1".into()), setuptools: Some("70.0".into()), ..Pins::default() };
        assert_eq!(chosen((3, 12, 1), None, both), "zc.buildout==4.1 setuptools==70.0");
    }

    #[test]
    fn a_setuptools_that_is_asked_for_must_fit() {
        let python = |minor| Python { version: (if minor == 7 { 2 } else { 3 }, minor, 1), ..Python::default() };
        let pins = Pins { buildout: Some("4.1.12".into()), setuptools: Some("75.8.2".into()), ..Pins::default() };
        let asked = |minor, buildout: &str, setuptools: &str| {
            Versions::choose(&python(minor), Some(buildout.to_owned()), Some(setuptools.to_owned()), &pins)
        };
        let versions = asked(11, "4.1.12", "70.0.0");
        assert_eq!((versions.setuptools.as_deref(), versions.tried.as_deref()), (Some("70.0.0"), Some("75.8.2")));
        for (minor, buildout, setuptools) in
            [(11, "4.1.12", "81.0.0"), (7, "2.13.8", "44.1.1"), (12, "4.1.12", "66.1.0"), (11, "6.0.1", "82.0.0")]
        {
            assert!(asked(minor, buildout, setuptools).check(&python(minor)).is_ok(), "{buildout} {setuptools}");
        }
        for (minor, buildout, setuptools, fits) in [
            (11, "4.1.12", "82.0.0", "75.8.2"),
            (7, "2.13.8", "45.0.0", "44.1.1"),
            (12, "4.1.12", "65.7.0", "75.8.2"),
            (6, "3.0.1", "59.7.0", "59.6.0"),
            (8, "4.1.12", "75.4.0", "75.3.2"),
        ] {
            let error = asked(minor, buildout, setuptools).check(&python(minor)).unwrap_err();
            assert!(matches!(&error, Error::Unfit { fits: Some(found), .. } if found == fits), "{error:?}");
        }
    }

    #[test]
    fn what_cannot_work_is_known() {
        let why = |version: (u32, u32, u32), buildout: &str| {
            let python = Python { version, ..Python::default() };
            let versions = Versions::choose(&python, Some(buildout.to_owned()), None, &Pins::default());
            versions.check(&python).err().map(|error| error.to_string())
        };
        for (python, buildout) in [
            ((2, 7, 18), "1.7.1"),
            ((2, 7, 18), "2.2.1"),
            ((3, 11, 2), "2.13.8"),
            ((3, 13, 0), "3.3"),
            ((3, 11, 2), ">=1.0"),
        ] {
            assert_eq!(why(python, buildout), None);
        }
        for (python, buildout, part) in [
            ((2, 7, 18), "2.1.1", "distribute"),
            ((2, 7, 18), "4.1.12", "Python 3"),
            ((3, 11, 2), "1.7.1", "Python 2"),
            ((3, 11, 2), "2.9.6", "collections"),
            ((3, 12, 1), "2.13.8", "setuptools below 52"),
        ] {
            let said = why(python, buildout).unwrap();
            assert!(said.contains(part) && said.contains(buildout), "{said}");
        }
    }
}
