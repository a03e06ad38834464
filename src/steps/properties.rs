//! Properties in the values of options, as Buildbot's users write them (see [`references`]). A value comes in, a text with
//! placeholders goes out.

use minijinja::value::Value;
use minijinja::{Error, ErrorKind, State};

use crate::model::references;
use crate::plan::placeholder;

/// The filter `properties`. Its result is safe: the placeholders in it are meant as such, and nothing else is one.
pub(super) fn fill_in(state: &State<'_, '_>, text: &str) -> Result<Value, Error> {
    let mut result = String::new();
    let mut end = 0;
    for found in references(text) {
        result.push_str(&placeholder::escape(&text[end..found.range.start]));
        let Some((name, default)) = found.property else {
            let message = format!("`{text}`: write a property as `$(name)s`, or `$(name:-default)s`");
            return Err(Error::new(ErrorKind::InvalidOperation, message));
        };
        result.push_str(&property(state, name, default));
        end = found.range.end;
    }
    result.push_str(&placeholder::escape(&text[end..]));
    Ok(Value::from_safe_string(result))
}

fn property(state: &State<'_, '_>, name: &str, default: Option<&str>) -> String {
    // What Buildbot itself sets, by any of the names that it has had there.
    let name = match name {
        "buildername" => return placeholder::escape(&state.lookup("builder").unwrap_or_default().to_string()),
        "buildnumber" => "run",
        "slavename" | "workername" => "slave",
        "testing_db" => "database",
        "got_revision" => "property.revision",
        other => &format!("property.{other}"),
    };
    match default {
        Some(default) => format!("${{{name}:-{}}}", placeholder::escape(default)),
        None => format!("${{{name}}}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::expand;

    fn filled(text: &str) -> Result<String, minijinja::Error> {
        let context = minijinja::context! { text, builder => "shop-pg15" };
        expand::environment().render_str("{{ text | properties }}", context)
    }

    #[test]
    fn properties_become_placeholders_and_nothing_else_does() {
        for (written, expected) in [
            ("plain", "plain"),
            ("$(buildout-tag:-current)s", "${property.buildout-tag:-current}"),
            ("/srv/$(buildername)s/$(buildnumber)s/$(x)s.html", "/srv/shop-pg15/${run}/${property.x}.html"),
            ("$(x:~)s-$(workername)s", "${property.x:-}-${slave}"),
            ("${basedir}/$(x:-${y)s", "$${basedir}/${property.x:-$${y}"),
            ("5 $ and $x", "5 $ and $x"),
        ] {
            assert_eq!(filled(written).unwrap(), expected, "{written}");
        }
        for wrong in ["$(x)", "$(x:+y)s", "$()s", "$(x:-a}b)s"] {
            assert!(filled(wrong).unwrap_err().to_string().contains("write a property as"), "{wrong}");
        }
    }
}
