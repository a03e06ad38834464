//! A buildout configuration and the local files that it extends in, the pins that matter for the bootstrap out.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{Error, Python};
use crate::syntax::buildout;
use crate::tool::say;

/// The files of a configuration, those that are extended before those that extend them.
#[derive(Debug)]
pub struct Configuration {
    sections: Vec<Section>,
}

#[derive(Debug)]
struct Section {
    name: String,
    condition: Option<String>,
    options: Vec<(String, String)>,
}

/// The versions that a configuration asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pins {
    /// The section that they stand in.
    pub section: String,
    /// zc.buildout's.
    pub buildout: Option<String>,
    /// setuptools'.
    pub setuptools: Option<String>,
    /// zc.recipe.egg's, the recipe that nearly every configuration uses.
    pub recipe: Option<String>,
}

impl Configuration {
    /// Reads a configuration and what it extends. Addresses in `extends` are not followed: what they pin is not seen.
    ///
    /// # Errors
    /// A file that cannot be read or that zc.buildout would refuse, files that extend each other in a circle.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let mut sections = Vec::new();
        read(path, &mut Vec::new(), &mut sections)?;
        Ok(Self { sections })
    }

    /// The conditions of its sections, to be evaluated by a Python.
    pub fn conditions(&self) -> Vec<String> {
        self.sections.iter().filter_map(|section| section.condition.clone()).collect()
    }

    /// The pins, as they are for this Python.
    pub fn pins(&self, python: &Python) -> Pins {
        let mut options: HashMap<(&str, &str), &str> = HashMap::new();
        for section in &self.sections {
            let counts = section.condition.as_ref().is_none_or(|condition| python.holds(condition));
            if counts {
                let named = section.options.iter();
                options.extend(named.map(|(name, value)| ((&*section.name, &**name), &**value)));
            }
        }
        let section = options.get(&("buildout", "versions")).map_or("versions", |name| name).to_owned();
        let pin = |name: &str| {
            let value = options.get(&(&*section, name)).map(|value| value.trim());
            value.filter(|value| !value.is_empty() && !value.contains(['$', '\n'])).map(str::to_owned)
        };
        let (buildout, setuptools, recipe) = (pin("zc.buildout"), pin("setuptools"), pin("zc.recipe.egg"));
        Pins { section, buildout, setuptools, recipe }
    }
}

/// Adds the sections of a file after those of the files that it extends; `chain` are the files that led here.
fn read(path: &Path, chain: &mut Vec<PathBuf>, sections: &mut Vec<Section>) -> Result<(), Error> {
    let shown = path.display().to_string();
    let bytes = fs::read(path).map_err(|error| Error::Configuration { path: shown.clone(), error })?;
    let place = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if chain.contains(&place) {
        return Err(Error::Circle { path: shown });
    }
    let text = String::from_utf8_lossy(&bytes);
    let file = buildout::parse(&text);
    if let Some(junk) = file.junk.first() {
        let line = text[..junk.start].matches('\n').count() + 1;
        return Err(Error::Syntax { path: shown, line, text: junk.text.to_owned() });
    }
    chain.push(place);
    let extends = file.sections.iter().filter(|section| section.name.text == "buildout").flat_map(|section| {
        section.options.iter().filter(|option| option.name.text == "extends").map(buildout::Setting::value)
    });
    for name in extends.collect::<Vec<_>>().join("\n").split_whitespace() {
        if name.contains("://") {
            say(format_args!("{shown} extends {}: what that pins is not read", shown_address(name)));
            continue;
        }
        read(&path.parent().unwrap_or(Path::new("")).join(name), chain, sections)?;
    }
    chain.pop();
    sections.extend(file.sections.iter().map(|section| Section {
        name: section.name.text.to_owned(),
        condition: section.condition.map(|condition| condition.text.to_owned()),
        options: section.options.iter().map(|option| (option.name.text.to_owned(), option.value())).collect(),
    }));
    Ok(())
}

/// An address may hold a password.
fn shown_address(text: &str) -> String {
    crate::tool::fetch::Address::new(text).shown()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_found_where_the_configuration_puts_them() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
        fs::create_dir(directory.path().join("sub")).unwrap();
        write("base.cfg", "[buildout]\nversions = pins\n[pins]\nzc.buildout = 2.13.8\nsetuptools = 44.1.1\n");
        write("sub/more.cfg", "[buildout]\nextends = ../base.cfg\n[pins]\nzc.buildout = 2.13.3\n");
        write(
            "top.cfg",
            "[buildout]\nextends =\n    sub/more.cfg\n    https://x.example/y.cfg\n[pins:yes]\nsetuptools=40\n[pins:no]\nsetuptools=41\n",
        );
        let configuration = Configuration::read(&directory.path().join("top.cfg")).unwrap();
        assert_eq!(configuration.conditions(), ["yes", "no"]);
        let python = Python { conditions: vec![("yes".into(), true), ("no".into(), false)], ..Python::default() };
        let pins = configuration.pins(&python);
        assert_eq!(pins.section, "pins");
        assert_eq!((pins.buildout.as_deref(), pins.setuptools.as_deref()), (Some("2.13.3"), Some("40")));
    }

    #[test]
    fn mistakes_are_errors() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.cfg");
        assert!(matches!(Configuration::read(&path), Err(Error::Configuration { .. })));
        fs::write(&path, "[buildout]\nextends = a.cfg\n").unwrap();
        assert!(matches!(Configuration::read(&path), Err(Error::Circle { .. })));
        fs::write(&path, "[buildout]\n\nwhat\n").unwrap();
        assert!(matches!(Configuration::read(&path), Err(Error::Syntax { line: 3, .. })));
    }
}
