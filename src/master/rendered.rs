//! Whether the rendered files are those that the farm compiles to. In: the master's directory, and what would be rendered. Out:
//! what is different, in the farm's words.

use std::fs;
use std::io;

use camino::Utf8Path;
use indexmap::IndexMap;
use serde_json::Value;

use super::Master;
use super::finding::{Finding, count, some};
use super::program::Buildbot;
use crate::diagnostic::{Failure, plain};
use crate::render::buildbot::{FORMAT, LOADER};

/// What came of it.
pub(super) struct Rendered {
    /// A line about it.
    pub(super) summary: String,
    /// What is different.
    pub(super) findings: Vec<Finding>,
    /// Whether the steps that Buildbot makes are to be those of the plans.
    pub(super) current: bool,
    /// The text of `farm.json`, where that is another than would be rendered.
    pub(super) stale: Option<String>,
}

/// Compares the files with what would be written.
pub(super) fn check(master: &Master<'_>, buildbot: Option<&Buildbot>) -> Result<Rendered, Failure> {
    let mut expected = Vec::new();
    let unwritten = |error: io::Error| Failure::error(format!("the farm cannot be written: {error}"));
    master.document.write(&mut expected).map_err(unwritten)?;
    let mut findings = Vec::new();
    let again = master.renew(buildbot, "reconfig");
    let mut stale = None;
    match read(&master.directory.join("farm.json"))? {
        None => findings.push(Finding::error("not-rendered", "there is no farm.json in it").help(again)),
        Some(text) if text == expected => {}
        Some(text) => {
            let text = String::from_utf8_lossy(&text).into_owned();
            findings.push(other(&text, &expected).help(again));
            stale = Some(text);
        }
    }
    let again = master.renew(buildbot, "restart");
    match read(&master.directory.join("farm.py"))? {
        None => findings.push(Finding::error("not-rendered", "there is no farm.py in it").help(again)),
        Some(text) if text == LOADER.as_bytes() => {}
        Some(_) => findings.push(
            Finding::error("other-loader", "farm.py is another than this farmout writes").help(format!(
                "{again}\na running master takes it when it is restarted; what was changed in it by hand belongs in master.cfg"
            )),
        ),
    }
    let document = master.document;
    let summary = format!(
        "farm.json and farm.py: {} of {} on {}",
        count(document.builders.len(), "builder"),
        count(document.builds.len(), "build"),
        count(document.workers.len(), "worker"),
    );
    Ok(Rendered { summary, current: findings.is_empty(), findings, stale })
}

/// A file's content, if there is such a file.
fn read(path: &Utf8Path) -> Result<Option<Vec<u8>>, Failure> {
    match fs::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::misuse(format!("{path} cannot be read: {}", plain(&error.to_string())))),
    }
}

fn other(text: &str, expected: &[u8]) -> Finding {
    let (Ok(old), Ok(new)) = (serde_json::from_str::<Value>(text), serde_json::from_slice::<Value>(expected)) else {
        return Finding::error("not-current", "farm.json is no JSON: it was cut off, or changed by hand");
    };
    let finding = Finding::error("not-current", "farm.json is not what the farm compiles to");
    let format = old.get("farmout_farm").and_then(Value::as_u64);
    if format != Some(u64::from(FORMAT)) {
        let is = format.map_or_else(|| "of no format that is known".to_owned(), |format| format!("of format {format}"));
        return Finding { details: vec![format!("it is {is}, and this farmout writes format {FORMAT}")], ..finding };
    }
    let mut details = Vec::new();
    let version = |root: &Value| root.get("farmout").and_then(Value::as_str).unwrap_or("unknown").to_owned();
    if version(&old) != version(&new) {
        details.push(format!("it was written by farmout {}, and this is {}", version(&old), version(&new)));
    }
    for kind in [Kind::Build, Kind::Builder, Kind::Worker, Kind::Secret] {
        kind.compare(&old, &new, &mut details);
    }
    if details.is_empty() && old.get("elsewhere") != new.get("elsewhere") {
        details.push("what the farm's other masters have is not what it says".to_owned());
    }
    if details.is_empty() {
        details.push(rest(&old, &new));
    }
    Finding { details, ..finding }
}

/// What is different where builds, builders, workers and secrets are the same.
fn rest(old: &Value, new: &Value) -> String {
    if old == new {
        return "what it says is the same, in another layout or another order: it was written by something else"
            .to_owned();
    }
    let (Some(before), Some(after)) = (old.as_object(), new.as_object()) else { return "it is no object".to_owned() };
    let foreign: Vec<&str> = before.keys().filter(|key| !after.contains_key(*key)).map(String::as_str).collect();
    if !foreign.is_empty() {
        return format!("it has what farmout does not write: {}", some(foreign));
    }
    let differing = after.keys().filter(|key| before.get(*key) != after.get(*key));
    format!("what builders and builds are made of is kept otherwise: {}", some(differing.map(String::as_str)))
}

/// The things that farm.json is about.
#[derive(Clone, Copy)]
enum Kind {
    Build,
    Builder,
    Worker,
    Secret,
}

/// Things by name, each with its parts as text.
type Things = IndexMap<String, IndexMap<String, String>>;

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Builder => "builder",
            Self::Worker => "worker",
            Self::Secret => "secret",
        }
    }

    fn compare(self, old: &Value, new: &Value, details: &mut Vec<String>) {
        let (before, after) = (self.things(old), self.things(new));
        let lacking = |these: &Things, those: &Things| -> Vec<String> {
            these.keys().filter(|name| !those.contains_key(*name)).cloned().collect()
        };
        let mut tell = |names: Vec<String>, what: &str| {
            if !names.is_empty() {
                let names = some(names.iter().map(String::as_str));
                details.push(format!("{}s that {what}: {names}", self.word()));
            }
        };
        tell(lacking(&after, &before), "are not in it");
        tell(lacking(&before, &after), "are gone from the farm");
        let changed = after.iter().filter_map(|(name, parts)| {
            let was = before.get(name)?;
            let keys = parts.keys().chain(was.keys().filter(|key| !parts.contains_key(*key)));
            let other: Vec<&str> = keys.filter(|key| was.get(*key) != parts.get(*key)).map(String::as_str).collect();
            (!other.is_empty()).then(|| format!("{name} ({})", other.join(", ")))
        });
        tell(changed.collect(), "are others now");
    }

    fn things(self, root: &Value) -> Things {
        let named = |key: &str| {
            let items = root.get(key).and_then(Value::as_array).into_iter().flatten();
            items.filter_map(|item| Some((item.get("name")?.as_str()?.to_owned(), item.as_object()?.clone())))
        };
        let text = |name: &String, value: &Value| (name.replace('_', " "), value.to_string());
        match self {
            Self::Secret => {
                let names = root.get("secrets").and_then(Value::as_array).into_iter().flatten();
                names.filter_map(|name| Some((name.as_str()?.to_owned(), IndexMap::new()))).collect()
            }
            Self::Worker => {
                let workers = root.get("workers").and_then(Value::as_object).into_iter().flatten();
                let parts = |value: &Value| {
                    value.as_object().into_iter().flatten().map(|(name, value)| text(name, value)).collect()
                };
                workers.map(|(name, value)| (name.clone(), parts(value))).collect()
            }
            Self::Build => {
                let branches = Pool::new(root, "branches", |branch| branch.to_string());
                let part = |(name, value): (&String, &Value)| match name.as_str() {
                    "watch" => (name.clone(), branches.all(value)),
                    _ => text(name, value),
                };
                named("builds").map(|(name, fields)| (name, fields.iter().map(part).collect())).collect()
            }
            Self::Builder => {
                let settings = Pool::new(root, "settings", |setting| setting.to_string());
                let offers = Pool::new(root, "offers", |offer| {
                    let workers = offer.as_object().into_iter().flatten();
                    workers.map(|(name, setting)| format!("{name} {}", settings.one(setting))).collect::<String>()
                });
                let steps = Pool::new(root, "steps", |step| step.to_string());
                let contents = root.get("files");
                let content = |file: &Value| {
                    let name = file.get("content").and_then(Value::as_str);
                    let content = name.and_then(|name| contents?.get(name)).map(Value::to_string);
                    file.to_string() + &content.unwrap_or_default()
                };
                let procedures = Pool::new(root, "procedures", |procedure| {
                    let files = procedure.get("files").and_then(Value::as_array).into_iter().flatten();
                    let files: String = files.map(content).collect();
                    procedure.get("steps").map(|list| steps.all(list)).unwrap_or_default() + &files
                });
                let part = |(name, value): (&String, &Value)| match name.as_str() {
                    "offers" => ("workers".to_owned(), offers.one(value)),
                    "procedure" => ("steps".to_owned(), procedures.one(value)),
                    _ => text(name, value),
                };
                named("builders").map(|(name, fields)| (name, fields.iter().map(part).collect())).collect()
            }
        }
    }
}

/// What things are called by their number, as text that two versions of a farm can be compared by.
struct Pool(Vec<String>);

impl Pool {
    fn new(root: &Value, key: &str, text: impl Fn(&Value) -> String) -> Self {
        let items = root.get(key).and_then(Value::as_array).into_iter().flatten();
        Self(items.map(text).collect())
    }

    fn one(&self, number: &Value) -> String {
        let number = number.as_u64().and_then(|number| usize::try_from(number).ok());
        number.and_then(|number| self.0.get(number)).cloned().unwrap_or_default()
    }

    fn all(&self, numbers: &Value) -> String {
        numbers.as_array().into_iter().flatten().map(|number| self.one(number)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_files_hold_is_a_part_of_the_builders_that_carry_them() {
        let farm = |content: &str| {
            json!({
                "farmout_farm": FORMAT, "farmout": "1", "files": {"0a": content}, "steps": [{"name": "test"}],
                "procedures": [{"steps": [0], "files": [{"path": "site.cfg", "content": "0a"}]}],
                "builders": [{"name": "shop", "procedure": 0}],
            })
            .to_string()
        };
        let told = other(&farm("old"), farm("new").as_bytes()).details;
        assert_eq!(told, ["builders that are others now: shop (steps)"]);
    }
}
