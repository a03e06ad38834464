//! What a buildout's configuration says once its files are put together: zc.buildout's own model of it.

use std::sync::Arc;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;

use crate::source::{Span, Text};

/// A standalone configuration: its file and those that it extends, `<=` carried out, references not.
#[derive(Debug, Default)]
pub struct Configuration {
    /// The sections.
    pub sections: IndexMap<Arc<str>, ConfigurationSection>,
    /// Whether more may belong to it than was read: an address in `extends`, a file that is missing.
    pub open: bool,
    /// How many values the option with the most of them has: in so many ways conditions can turn out, as far as is kept.
    pub variants: usize,
    /// The directory that the configuration is in, which becomes the buildout's.
    pub directory: Utf8PathBuf,
    /// The configuration itself.
    pub file: Utf8PathBuf,
    /// The directory that is sent along.
    pub with: Option<Utf8PathBuf>,
}

/// A section of a configuration.
#[derive(Debug, Clone)]
pub struct ConfigurationSection {
    /// Where it begins.
    pub span: Span,
    /// Its options, inherited ones included.
    pub options: IndexMap<Arc<str>, ConfigurationOption>,
    /// Whether other sections take its options by `<=`: then it need not make sense by itself.
    pub is_macro: bool,
}

/// An option of a configuration.
#[derive(Debug, Clone)]
pub struct ConfigurationOption {
    /// Where its name stands.
    pub span: Span,
    /// Its value. There are several where the conditions of sections decide on the slave; the most conditional is the
    /// last.
    pub values: Vec<Arc<Text>>,
}

impl Configuration {
    /// The option of a section.
    pub fn option(&self, section: &str, option: &str) -> Option<&ConfigurationOption> {
        self.sections.get(section)?.options.get(option)
    }

    /// Whether extensions are loaded, which may add sections and options of any name.
    pub fn is_extended(&self) -> bool {
        self.option("buildout", "extensions")
            .is_some_and(|extensions| extensions.values.iter().any(|value| !value.trim().is_empty()))
    }

    /// A path as it is seen from the configuration's directory.
    pub fn relative(&self, path: &Utf8Path) -> Utf8PathBuf {
        path.strip_prefix(normal(&self.directory)).unwrap_or(path).to_owned()
    }

    /// Whether a plan takes a path of this machine to the slave.
    pub fn carries(&self, path: &Utf8Path) -> bool {
        let path = normal(path);
        path == normal(&self.file) || self.with.as_ref().is_some_and(|with| path.starts_with(normal(with)))
    }
}

impl ConfigurationSection {
    /// Whether it is a part: something that a recipe makes, with options of the recipe's own.
    pub fn has_recipe(&self) -> bool {
        self.options.contains_key("recipe")
    }
}

/// A path without `.` and, as far as the text tells, without `..`.
pub fn normal(path: &Utf8Path) -> Utf8PathBuf {
    let mut result = Utf8PathBuf::new();
    for part in path.components() {
        match part {
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir if matches!(result.components().next_back(), Some(Utf8Component::Normal(_))) => {
                result.pop();
            }
            part => result.push(part),
        }
    }
    result
}

/// Whether a relative path leads out of the directory that it is relative to; one from the root on does.
pub fn leads_out(path: &Utf8Path) -> bool {
    matches!(normal(path).components().next(), Some(Utf8Component::ParentDir | Utf8Component::RootDir))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_carried_is_the_file_and_what_is_below_the_directory() {
        let configuration = Configuration {
            directory: "./farm".into(),
            file: "./farm/a.cfg".into(),
            with: Some("./farm/a".into()),
            ..Configuration::default()
        };
        let carried = ["farm/a.cfg", "farm/x/../a/base.cfg", "./farm/a", "farm/./a/b/c.cfg"];
        assert!(carried.iter().all(|path| configuration.carries(Utf8Path::new(path))));
        let not = ["farm/b.cfg", "farm/ab/c.cfg", "farm/a/../b.cfg", "../farm/a.cfg", "/farm/a.cfg"];
        assert!(!not.iter().any(|path| configuration.carries(Utf8Path::new(path))));
    }
}
