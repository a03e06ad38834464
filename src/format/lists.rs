//! Which options of a file are lists, whose entries stand one a line.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::model::{Declared, DeclaredOptions, OptionType};
use crate::steps::{CoreOptions, Templates};
use crate::syntax::ini::Line;

/// Only the options of a fragment make it one: a manifest reads none of these.
const OF_FRAGMENTS: [&str; 3] = ["capability", "passwd", "password"];

/// The lists of slaves. Whatever else a fragment sets is a property, and any text may be in it.
static OF_SLAVES: LazyLock<HashSet<String>> = LazyLock::new(|| lists(&CoreOptions::builtin().slave).collect());

/// The lists of builds, with those of the built-in step templates.
static OF_BUILDS: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let templates = Templates::builtin();
    let of_templates = templates.iter().flat_map(|template| lists(&template.options));
    lists(&CoreOptions::builtin().manifest).chain(of_templates).collect()
});

fn lists(options: &DeclaredOptions) -> impl Iterator<Item = String> {
    let is_list = |declared: &Declared| matches!(declared.kind, OptionType::Lines | OptionType::List);
    options.iter().filter(move |(_, declared)| is_list(declared)).map(|(name, _)| name.clone())
}

/// The names of the lists among the options of one file.
#[derive(Debug)]
pub(super) struct Lists(HashSet<String>);

impl Lists {
    /// The lists of a file. What any of its values takes in is none here: there, each byte counts.
    pub(super) fn of(text: &str, lines: &[Line<'_>]) -> Self {
        let is_fragment = lines.iter().any(
            |line| matches!(line, Line::Option { name, .. } if OF_FRAGMENTS.contains(&name.to_lowercase().as_str())),
        );
        let mut lists = if is_fragment { OF_SLAVES.clone() } else { OF_BUILDS.clone() };
        let text = text.to_lowercase();
        lists.retain(|name| !text.contains(&format!("%({name})s")));
        Self(lists)
    }

    /// Whether the option of this name, in any case, is a list.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.contains(&name.to_lowercase())
    }
}
