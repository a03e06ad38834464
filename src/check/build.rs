//! `build::`: names of builds that cannot be names of builders, of directories and databases, or of what a command is about.

use crate::diagnostic::{Diagnostics, problem};
use crate::dispatch::Graph;
use crate::source::is_unseen;

/// Checks the names of the builds that can have builders.
pub(super) fn check(graph: &Graph, diagnostics: &mut Diagnostics) {
    for build in graph.farm.builds.iter().filter(|build| build.buildout.is_some()) {
        let name = build.name.as_str();
        let unseen = name.chars().find(|c| is_unseen(*c));
        let problem = if unseen.is_some() || name.trim().is_empty() {
            problem::Build::Unprintable { found: unseen }.into()
        } else if let Some(why) = odd(name) {
            problem::Problem::from(problem::Build::Name { build: name.to_owned(), why })
        } else {
            continue;
        };
        diagnostics.push(problem, build.span);
    }
}

/// For what a name would be taken.
fn odd(name: &str) -> Option<&'static str> {
    if name == "." || name == ".." {
        Some("the name of a directory")
    } else if name.starts_with('-') {
        Some("commands take it for a switch")
    } else if name.contains('/') {
        Some("a path, which no directory can be called")
    } else if name.trim() != name {
        Some("blanks at its ends are part of the name")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_are_not_odd() {
        for name in ["range", "range-9.0", "7.0 nightly", "café", "a_b", "ünï", "…", "1"] {
            assert_eq!(odd(name), None, "{name}");
        }
        for name in [".", "..", "-x", "a/b", " a", "a\t"] {
            assert!(odd(name).is_some(), "{name}");
        }
    }
}
