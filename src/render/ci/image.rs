//! Which image a job runs in, and which one is its PostgreSQL. The slave that stands for the job comes in, and what the user has said
//! of images; two names of images go out, or what is missing.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::{SERVICE, Wanted};
use crate::diagnostic::suggest;
use crate::model::{Slave, Version};

/// Where builds say nothing of a Python.
const PLAIN: &str = "python:3.12";

/// For builds that want a certain Python. The image has git, Mercurial, a compiler and most of what eggs are linked with.
const PYTHON: &str = "python:{python.version}";

/// PostgreSQL itself.
const POSTGRESQL: &str = "postgres:{postgresql.version}";

/// Which builds an image is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRule {
    /// The capabilities that the builds want which it is for; none where it is for all builds.
    capabilities: Option<Vec<String>>,
    /// The image, with `{CAPABILITY.version}` in it.
    image: String,
}

impl std::str::FromStr for ImageRule {
    type Err = String;

    /// Reads `IMAGE`, or `CAPABILITY,…=IMAGE`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (capabilities, image) = match text.split_once('=') {
            None => (None, text),
            Some((names, image)) => (Some(names.split(',').map(|name| name.trim().to_owned()).collect()), image),
        };
        if image.is_empty() || image.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(
                "an image has a name without blanks, such as `registry.example/odoo:{python.version}`".to_owned()
            );
        }
        let rule = Self { capabilities, image: image.to_owned() };
        match &rule.capabilities {
            Some(names) if names.iter().enumerate().any(|(at, name)| name.is_empty() || names[..at].contains(name)) => {
                Err("before the `=` each capability is named once".to_owned())
            }
            Some(names) if names.iter().any(|name| name == SERVICE) => {
                Err(format!("{SERVICE} is a service beside the job, and its image is named with --{SERVICE}"))
            }
            _ => Ok(rule),
        }
    }
}

impl std::fmt::Display for ImageRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(names) = &self.capabilities {
            write!(f, "{}=", names.join(","))?;
        }
        f.write_str(&self.image)
    }
}

/// The images of a job.
pub(super) struct Images {
    pub image: String,
    pub postgresql: Option<String>,
}

/// Finds the images of the job that a slave stands for.
///
/// # Errors
/// Why there are none, and what to do about it.
pub(super) fn images(slave: &Slave, wanted: &Wanted<'_>) -> Result<Images, String> {
    Ok(Images { image: image(slave, wanted.images)?, postgresql: postgresql(slave, wanted.postgresql)? })
}

fn image(slave: &Slave, rules: &[ImageRule]) -> Result<String, String> {
    let needs: Vec<&str> = slave.capabilities.keys().map(String::as_str).filter(|name| *name != SERVICE).collect();
    let fits = |rule: &&ImageRule| {
        let has =
            |names: &Vec<String>| names.len() == needs.len() && names.iter().all(|name| needs.contains(&name.as_str()));
        rule.capabilities.as_ref().is_none_or(has)
    };
    if let Some(rule) = rules.iter().find(fits) {
        return fill(&rule.image, slave);
    }
    match needs.as_slice() {
        [] => Ok(PLAIN.to_owned()),
        ["python"] => match version(slave, "python") {
            Some(version) if !is_python(version) => Err(unpublished(&fill(PYTHON, slave)?, "--image python=IMAGE")),
            Some(_) => fill(PYTHON, slave),
            None => Ok(PLAIN.to_owned()),
        },
        _ => Err(format!(
            "no image is known to have {}: `--image {}=IMAGE` names one",
            suggest::list(needs.iter().copied()),
            needs.join(",")
        )),
    }
}

fn postgresql(slave: &Slave, named: Option<&str>) -> Result<Option<String>, String> {
    if !slave.capabilities.contains_key(SERVICE) {
        return Ok(None);
    }
    let image = named.unwrap_or(POSTGRESQL);
    let option = format!("--{SERVICE} IMAGE");
    match version(slave, SERVICE) {
        None if named.is_none() => {
            Err(format!("it takes any PostgreSQL, and a job's has a version: {option} names one"))
        }
        Some(version) if named.is_none() && !is_postgresql(version) => Err(unpublished(&fill(image, slave)?, &option)),
        _ => fill(image, slave).map(Some),
    }
}

fn version<'a>(slave: &'a Slave, capability: &str) -> Option<&'a Version> {
    slave.capabilities.get(capability)?.first()?.version.as_ref()
}

fn unpublished(image: &str, option: &str) -> String {
    format!("there is no image `{image}` that today's Docker takes: `{option}` names another")
}

/// Whether Docker Hub has an image of that PostgreSQL that can still be had. Those of 9.0 and before are of a format that is not
/// taken any more.
fn is_postgresql(version: &Version) -> bool {
    is_release(version) && Version::parse("9.1").is_some_and(|first| *version >= first)
}

/// The same of Python. The images of 3.4 and before are too old for the programs that services put into containers.
fn is_python(version: &Version) -> bool {
    let from = |text: &str| Version::parse(text).is_some_and(|first| *version >= first);
    is_release(version) && (from("3.5") || (from("2.7") && !from("3")))
}

/// Whether it is one that images are called by.
fn is_release(version: &Version) -> bool {
    let text = version.as_str();
    !text.starts_with('0') && text.chars().all(|c| c.is_ascii_digit() || c == '.')
}

/// Puts versions into the name of an image. What begins with a `$` is the service's own to fill in.
fn fill(image: &str, slave: &Slave) -> Result<String, String> {
    static VERSION: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(\$?)\{([^{}$]+)\.version\}").expect("a constant that a test uses"));
    let mut missing = None;
    let filled = VERSION.replace_all(image, |found: &Captures<'_>| {
        if !found[1].is_empty() {
            return found[0].to_owned();
        }
        version(slave, &found[2]).map_or_else(
            || {
                missing = Some(found[2].to_owned());
                String::new()
            },
            Version::to_string,
        )
    });
    match missing {
        Some(name) => Err(format!("its image `{image}` asks for a version of {name}, and it has none")),
        None => Ok(filled.into_owned()),
    }
}
