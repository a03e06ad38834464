//! The files that pages are made of: templates, style, scripts, and the policy that a browser is given.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error};
use sha2::{Digest as _, Sha256};

/// What made the page, for programs that find one.
pub(super) const GENERATOR: &str = concat!("farmout ", env!("CARGO_PKG_VERSION"));
pub(super) const STYLE: &str = concat!(include_str!("style/page.css"), include_str!("style/run.css"));
/// Runs before anything is shown.
pub(super) const HEAD_SCRIPT: &str = include_str!("script/theme.js");
/// Runs once all is there.
pub(super) const SCRIPT: &str = concat!(
    "\"use strict\";\n(() => {\n",
    include_str!("script/text.js"),
    include_str!("script/log.js"),
    include_str!("script/viewer.js"),
    include_str!("script/search.js"),
    include_str!("script/page.js"),
    "})();\n"
);

/// The templates.
///
/// # Errors
/// A mistake in one of them, which would be farmout's.
pub(super) fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment
        .set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()?);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    for (name, template) in [
        ("macros.html", include_str!("templates/macros.html.j2")),
        ("head.html", include_str!("templates/head.html.j2")),
        ("builder.html", include_str!("templates/builder.html.j2")),
        ("foot.html", include_str!("templates/foot.html.j2")),
        ("index.html", include_str!("templates/index.html.j2")),
    ] {
        environment.add_template(name, template)?;
    }
    Ok(environment)
}

/// What the page may do: run these scripts, and fetch nothing from anywhere.
pub(super) fn policy(scripts: &[&str]) -> String {
    let hashes: Vec<String> =
        scripts.iter().map(|script| format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(script)))).collect();
    let scripts = hashes.join(" ");
    format!(
        "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )
}
