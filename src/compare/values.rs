//! Two JSON values, compared: what is different in them, each difference with the way to it in words.

use indexmap::IndexSet;
use serde::Serialize;
use serde_json::Value;

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another.
    Changed,
}

/// A difference in a node or a plan.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Detail {
    /// What became of it.
    pub sign: Sign,
    /// What it is, such as `environment PGPORT`.
    pub what: String,
    /// Its value before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// Its value after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
    /// Of a text of many lines, those that are different, each with its sign.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<String>,
}

impl Detail {
    /// Something that is there in one version only.
    pub(super) fn one(sign: Sign, what: &str, value: String) -> Self {
        let what = what.to_owned();
        let (old, new) = if sign == Sign::Removed { (Some(value), None) } else { (None, Some(value)) };
        Self { sign, what, old, new, lines: Vec::new() }
    }

    /// Something that is another.
    pub(super) fn changed(what: &str, old: String, new: String) -> Self {
        Self { sign: Sign::Changed, what: what.to_owned(), old: Some(old), new: Some(new), lines: Vec::new() }
    }
}

/// Adds what is different between two values that are found at `path`.
pub(super) fn compare_values(path: &str, old: &Value, new: &Value, details: &mut Vec<Detail>) {
    match (old, new) {
        (old, new) if old == new => {}
        (Value::Object(old), Value::Object(new)) => {
            let keys: IndexSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let none = Value::Null;
                let (old, new) = (old.get(key).unwrap_or(&none), new.get(key).unwrap_or(&none));
                compare_values(&below(path, key), old, new, details);
            }
        }
        (Value::Array(old), Value::Array(new)) => compare_lists(path, old, new, details),
        (Value::Null, new) => details.push(Detail::one(Sign::Added, path, text(new))),
        (old, Value::Null) => details.push(Detail::one(Sign::Removed, path, text(old))),
        (old, new) => details.push(Detail::changed(path, text(old), text(new))),
    }
}

fn compare_lists(path: &str, old: &[Value], new: &[Value], details: &mut Vec<Detail>) {
    let before = details.len();
    let one = path.strip_suffix('s').unwrap_or(path);
    let gone = old.iter().filter(|item| !new.contains(item));
    details.extend(gone.map(|item| Detail::one(Sign::Removed, one, text(item))));
    let fresh = new.iter().filter(|item| !old.contains(item));
    details.extend(fresh.map(|item| Detail::one(Sign::Added, one, text(item))));
    if details.len() == before {
        let all = |list: &[Value]| list.iter().map(text).collect::<Vec<_>>().join(", ");
        details.push(Detail::changed(&format!("order of {path}"), all(old), all(new)));
    }
}

/// The way to something below `path`, in words.
fn below(path: &str, key: &str) -> String {
    match (path, key) {
        ("", "capabilities") => "capability".to_owned(),
        ("", "properties") => "property".to_owned(),
        // Names of the format; everything further down is the user's own.
        ("", key) => key.replace(['_', '-'], " "),
        (path, key) => format!("{path} {key}").trim_end().to_owned(),
    }
}

/// A value on one line.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.replace('\n', "\\n"),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(fields) if fields.contains_key("url") => {
            fields.values().map(text).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
        }
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| match value {
                Value::Object(inner) if inner.is_empty() => name.clone(),
                Value::Object(_) if name.is_empty() => format!("({})", text(value)),
                Value::Object(_) => format!("{name} ({})", text(value)),
                value => format!("{name}={}", text(value)),
            };
            let fields: Vec<_> = fields.iter().map(field).filter(|field| !field.is_empty()).collect();
            fields.join(", ")
        }
        other => other.to_string(),
    }
}
