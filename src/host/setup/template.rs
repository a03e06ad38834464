//! The files that setup writes, as templates. In: a template's name and its values. Out: text.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, Value};

use crate::diagnostic::Failure;

const TEMPLATES: [(&str, &str); 6] = [
    ("farmout-worker.service", include_str!("templates/farmout-worker.service.j2")),
    ("debian/changelog", include_str!("templates/changelog.j2")),
    ("debian/control", include_str!("templates/control.j2")),
    ("debian/rules", include_str!("templates/rules.j2")),
    ("DEBIAN/control", include_str!("templates/binary-control.j2")),
    ("relations", include_str!("templates/relations.j2")),
];

/// Fills in a template.
///
/// # Errors
/// A mistake in the template, which would be farmout's.
pub(super) fn fill(name: &str, values: Value) -> Result<String, Failure> {
    environment()
        .and_then(|environment| environment.get_template(name)?.render(values))
        .map_err(|error| Failure::error(format!("{name} cannot be written: {error}")))
}

fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment
        .set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?);
    for (name, template) in TEMPLATES {
        environment.add_template(name, template)?;
    }
    Ok(environment)
}
