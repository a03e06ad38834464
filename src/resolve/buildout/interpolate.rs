//! `${section:option}` in values, as far as the files tell. What recipes and zc.buildout itself fill in stays written as
//! it is: the checks say what can never be filled in.

use crate::model::Configuration;
use crate::source::Text;
use crate::syntax::buildout::{Fragment, fragments};

/// References lead no deeper here; a circle is reported by the checks.
const DEEPEST: usize = 20;
/// So many references are put into one value, and no more: a few lines can ask for gigabytes.
const MOST: usize = 1000;

/// A value with its references put in. Of options that have several values the one numbered `variant` is taken, or the
/// last.
pub(crate) fn interpolate(configuration: &Configuration, section: &str, value: &Text, variant: usize) -> Text {
    if !value.contains('$') {
        return value.clone();
    }
    let result = Text::empty(value.whole());
    let mut interpolation = Interpolation { configuration, variant, left: MOST, result };
    interpolation.append(section, value, 0);
    interpolation.result
}

struct Interpolation<'a> {
    configuration: &'a Configuration,
    variant: usize,
    /// How many references may still be put in.
    left: usize,
    result: Text,
}

impl Interpolation<'_> {
    fn append(&mut self, section: &str, value: &Text, depth: usize) {
        for fragment in fragments(value) {
            match fragment {
                Fragment::Literal(text) => self.result.push_text(&value.part(text)),
                Fragment::Dollar(text) => self.result.push_derived("$", value.span_of(text)),
                Fragment::Reference(reference) => {
                    let found = reference.target.and_then(|(named, option)| {
                        let section = if named.is_empty() { section } else { named };
                        let values = &self.configuration.option(section, option)?.values;
                        Some((section, values.get(self.variant).or(values.last())?))
                    });
                    match found.filter(|_| depth < DEEPEST && self.left > 0) {
                        Some((section, value)) => {
                            self.left -= 1;
                            self.append(section, value, depth + 1);
                        }
                        None => self.result.push_text(&value.part(reference.whole)),
                    }
                }
            }
        }
    }
}
