//! Properties: what is known of a build by name, and how the values of options ask for one: `$(name)s` and
//! `$(name:-default)s`, the `%(name)s` of Buildbot with the `%` kept from the INI file's own interpolation.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// A reference: its name, and how and what else to take. Anything that only begins like one matches too, without a name.
static REFERENCE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\$\((?:([A-Za-z0-9._-]+)(?::([-~])([^)}]*))?\)s)?").expect("a constant that tests use")
});

/// What begins like a reference to a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference<'t> {
    /// Where it stands.
    pub range: Range<usize>,
    /// The property, and what to take where it has no value; none for what only begins like a reference.
    pub property: Option<(&'t str, Option<&'t str>)>,
}

/// The references in the value of an option.
pub fn references(text: &str) -> impl Iterator<Item = Reference<'_>> {
    REFERENCE.captures_iter(text).map(|found| {
        let property = found.get(1).map(|name| (name.as_str(), found.get(3).map(|default| default.as_str())));
        Reference { range: found.get(0).map_or(0..0, |whole| whole.range()), property }
    })
}

/// The first place in a value at which a reference begins and none is, as far as it seems to go.
pub fn no_reference(text: &str) -> Option<Range<usize>> {
    let Range { start, end } = references(text).find(|reference| reference.property.is_none())?.range;
    let rest = &text[end..];
    let closed = rest.find(')').map(|at| at + 1 + usize::from(rest[at + 1..].starts_with('s')));
    let blank = rest.find(char::is_whitespace).unwrap_or(rest.len());
    Some(start..end + closed.map_or(blank, |closed| closed.min(blank)))
}

/// Whether a property can have this name: plans ask for it as `${property.NAME}`, and placeholders take these characters only.
pub fn is_property(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_reference_is_found_as_far_as_it_goes() {
        for (text, place) in [
            ("$(a)s/$(b:-c d)s/$(e:~)s and 5 $ (f)", None),
            ("x/$(tag", Some("$(tag")),
            ("x/$(tag)/y z)", Some("$(tag)")),
            ("$(a)s $(b c)s", Some("$(b")),
            ("$()s", Some("$()s")),
            ("é$(a:+b)s", Some("$(a:+b)s")),
            ("$(a:-x}y)s", Some("$(a:-x}y)s")),
        ] {
            assert_eq!(no_reference(text).map(|place| &text[place]), place, "{text}");
        }
    }
}
