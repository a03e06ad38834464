//! The rules of the farm language, one small farm each: `fixtures/compat/RULE` with its `expected.yaml`.
//!
//! What is expected was worked out by hand from the rules, before any program saw the farm. Where the two disagree, the
//! rule decides which is corrected. Builders and their slaves are compared in order, and so are the versions.

mod common {
    pub mod binary;
}

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use camino::Utf8PathBuf;
use common::binary::{farmout, text};
use farmout::diagnostic::Severity;
use farmout::resolve::Layout;
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::{Value, json};

/// The folder of the farms, as messages call it.
const FARMS: &str = "fixtures/compat";

/// Errors are compared whatever their code. Of the rest, only what the language's rules speak of is: other checks come
/// and go, and these farms are too small to please all of them.
const TOLD: [&str; 12] = [
    "dispatch::highest",
    "dispatch::no-builder",
    "dispatch::unmet",
    "ini::duplicate-option",
    "ini::duplicate-section",
    "ini::hash-in-value",
    "ini::indented-comment",
    "interpolation::unknown",
    "option::two-spellings",
    "option::unread",
    "slave::none",
    "steps::alias",
];

/// What a farm compiles to. What is left out is not compared, but for `says`: left out, nothing is said.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// The rule, in a sentence.
    #[allow(dead_code, reason = "for the reader, and required so that none is missing")]
    rule: String,
    /// Why this is not met yet. The test then fails as soon as it is.
    known: Option<String>,
    /// All builders in order. Required where there is no error.
    builders: Option<IndexMap<String, Builder>>,
    /// Categories of builds.
    #[serde(default)]
    categories: BTreeMap<String, Option<String>>,
    /// Timers of builds.
    #[serde(default)]
    timers: BTreeMap<String, u64>,
    /// What builds watch: `VCS URL BRANCH`.
    #[serde(default)]
    watches: BTreeMap<String, Vec<String>>,
    /// All schedulers in order, and their builders.
    schedulers: Option<IndexMap<String, String>>,
    /// What slaves offer: capability, version, option, value.
    #[serde(default)]
    capabilities: BTreeMap<String, Value>,
    /// The other properties of slaves, whole.
    #[serde(default)]
    properties: BTreeMap<String, Value>,
    /// Single fields of slaves.
    #[serde(default)]
    slaves: BTreeMap<String, BTreeMap<String, Value>>,
    /// Words of plans.
    #[serde(default)]
    plans: Vec<Plan>,
    /// A slave on which no two builders share a directory or a database.
    apart: Option<String>,
    /// Diagnostics in order: `SEVERITY CODE FILE:LINE[:COLUMN] [& PLACE OF THE OTHER] [WORDS OF THE MESSAGE | MORE WORDS]`.
    #[serde(default)]
    says: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Builder {
    slaves: String,
    /// All of its properties; `*` stands for any value.
    #[serde(flatten)]
    properties: IndexMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    builder: String,
    slave: String,
    #[serde(default)]
    has: Vec<String>,
    #[serde(default)]
    lacks: Vec<String>,
}

/// The differences between what is expected and what there is.
#[derive(Default)]
struct Differences(String);

impl Differences {
    fn compare(&mut self, what: &str, expected: &Value, found: &Value) {
        if expected != found {
            let _ = writeln!(self.0, "  {what}:\n    expected {expected}\n    found    {found}");
        }
    }
}

#[test]
fn every_rule_of_the_language_is_kept() {
    let mut rules: Vec<_> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(FARMS))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    rules.sort();
    let mut failed = String::new();
    for rule in &rules {
        let text = fs::read_to_string(format!("{}/{FARMS}/{rule}/expected.yaml", env!("CARGO_MANIFEST_DIR")));
        let expected: Expected = serde_yaml::from_str(&text.unwrap()).unwrap_or_else(|error| panic!("{rule}: {error}"));
        let differences = differences(rule, &expected);
        match (&expected.known, differences.is_empty()) {
            (None, false) => failed.push_str(&format!("{rule}\n{differences}")),
            (Some(why), true) => failed.push_str(&format!("{rule}\n  is met now: remove `known: {why}`\n")),
            _ => {}
        }
    }
    assert!(failed.is_empty(), "the language says otherwise:\n{failed}");
    assert!(rules.len() > 50);
}

fn differences(rule: &str, expected: &Expected) -> String {
    let farm = format!("{FARMS}/{rule}");
    let mut differences = Differences::default();
    says(&farm, expected, &mut differences);
    let output = farmout(&["compile", "--farm", &farm, "--emit", "json"]).output().unwrap();
    let errors = expected.says.iter().any(|line| line.starts_with("error "));
    differences.compare("exit code", &json!(i32::from(errors)), &json!(output.status.code()));
    if errors {
        differences.compare("the graph of a farm with errors", &json!(""), &json!(text(&output.stdout)));
    } else if let Ok(graph) = serde_json::from_slice(&output.stdout) {
        graph_differences(&graph, expected, &mut differences);
        plan_differences(&farm, &graph, expected, &mut differences);
    }
    differences.0
}

/// Compares what is said. The library is asked: places are exact there, whatever a terminal shows.
fn says(farm: &str, expected: &Expected, differences: &mut Differences) {
    let layout = Layout { root: Utf8PathBuf::from(farm), ..Layout::default() };
    let compilation = farmout::compile(&layout).unwrap_or_else(|failures| panic!("{farm}: {failures:?}"));
    let place = |span: farmout::source::Span| {
        let source = compilation.sources.get(span.source);
        let (line, column) = source.position(span.range().start);
        let file = source.name().strip_prefix(&format!("{farm}/")).unwrap_or(source.name());
        format!("{file}:{line}:{column}")
    };
    let mut wanted = expected.says.iter().peekable();
    for diagnostic in compilation.diagnostics.sorted() {
        let wording = diagnostic.problem.wording();
        let severity = match wording.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Notice => "notice",
        };
        let others: Vec<_> = diagnostic.related.iter().map(|(span, _)| place(*span)).collect();
        let said = format!("{severity} {} {}", wording.code, place(diagnostic.span));
        let words = format!("{}\n{}", wording.message, wording.help.unwrap_or_default());
        if wanted.next_if(|wanted| means(wanted, &said, &others, &words)).is_none()
            && (severity == "error" || TOLD.contains(&wording.code))
        {
            let wanted = wanted.next().map_or("nothing", String::as_str);
            differences.compare("said", &json!(wanted), &json!(format!("{said} & {} {words}", others.join(" "))));
            return;
        }
    }
    if let Some(missing) = wanted.next() {
        differences.compare("said", &json!(missing), &json!("nothing more"));
    }
}

/// Whether a line of `says` is what was said.
fn means(wanted: &str, said: &str, others: &[String], words: &str) -> bool {
    let mut parts = wanted.splitn(4, ' ');
    let head: Vec<_> = parts.by_ref().take(3).collect();
    let head = head.join(" ");
    let mut rest = parts.next().unwrap_or_default();
    if let Some(after) = rest.strip_prefix("& ") {
        let (place, after) = after.split_once(' ').unwrap_or((after, ""));
        if !others.iter().any(|other| other == place) {
            return false;
        }
        rest = after;
    }
    let same_place = said == head || said.rsplit_once(':').is_some_and(|(line, _)| line == head);
    same_place && rest.split(" | ").all(|word| words.contains(word))
}

fn graph_differences(graph: &Value, expected: &Expected, differences: &mut Differences) {
    let named = |list: &str| -> IndexMap<String, Value> {
        let items = graph[list].as_array().unwrap().iter();
        items.map(|item| (item["name"].as_str().unwrap().to_owned(), item.clone())).collect()
    };
    let (builds, slaves) = (named("builds"), named("slaves"));
    let builders = expected.builders.as_ref().expect("`builders` for a farm without errors");
    let shown: Vec<_> = builders
        .iter()
        .map(|(name, builder)| {
            let found = graph["builders"].as_array().unwrap().iter().find(|found| found["name"] == json!(name));
            let property = |(name, value): (&String, &String)| {
                let any = (value == "*").then(|| found.map(|found| found["properties"][name].clone())).flatten();
                (name.clone(), any.unwrap_or_else(|| json!(value)))
            };
            let properties: serde_json::Map<_, _> = builder.properties.iter().map(property).collect();
            let slaves: Vec<_> = builder.slaves.split(' ').collect();
            json!({"name": name, "slaves": slaves, "properties": properties})
        })
        .collect();
    let found: Vec<_> = graph["builders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| json!({"name": found["name"], "slaves": found["slaves"], "properties": found["properties"]}))
        .collect();
    for index in 0..shown.len().max(found.len()) {
        let at = |list: &[Value]| list.get(index).cloned().unwrap_or(Value::Null);
        differences.compare("builder", &at(&shown), &at(&found));
    }
    for (build, category) in &expected.categories {
        differences.compare(&format!("category of {build}"), &json!(category), &builds[build]["category"]);
    }
    for (build, timer) in &expected.timers {
        differences.compare(&format!("timer of {build}"), &json!(timer), &builds[build]["tree_stable_timer"]);
    }
    for (build, watch) in &expected.watches {
        let found = builds[build]["watch"].as_array().unwrap().iter();
        let word = |watch: &Value, field: &str| watch[field].as_str().unwrap_or_default().to_owned();
        let line = |watch: &Value| ["vcs", "url", "branch"].map(|field| word(watch, field)).join(" ");
        let mut found: Vec<_> = found.map(|watch| line(watch).trim_end().to_owned()).collect();
        found.sort();
        differences.compare(&format!("watches of {build}"), &json!(watch), &json!(found));
    }
    if let Some(schedulers) = &expected.schedulers {
        let shown: Vec<_> =
            schedulers.iter().map(|(name, builders)| json!([name, builders.split(' ').collect::<Vec<_>>()])).collect();
        let found = graph["schedulers"].as_array().unwrap().iter();
        let found: Vec<_> = found.map(|scheduler| json!([scheduler["name"], scheduler["builders"]])).collect();
        differences.compare("schedulers", &json!(shown), &json!(found));
    }
    for (slave, capabilities) in &expected.capabilities {
        differences.compare(&format!("capabilities of {slave}"), capabilities, &slaves[slave]["capabilities"]);
    }
    for (slave, properties) in &expected.properties {
        differences.compare(&format!("properties of {slave}"), properties, &slaves[slave]["properties"]);
    }
    for (slave, fields) in &expected.slaves {
        for (field, value) in fields {
            differences.compare(&format!("{field} of {slave}"), value, &slaves[slave][field]);
        }
    }
}

fn plan_differences(farm: &str, graph: &Value, expected: &Expected, differences: &mut Differences) {
    let plan = |builder: &str, slave: &str| -> Value {
        // A name is taken for a pattern: none of the fixtures has one with `*` or `[`.
        let output =
            farmout(&["plan", "--farm", farm, "--slave", slave, "--format", "json", builder]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{farm}: {}", text(&output.stderr)))
    };
    for Plan { builder, slave, has, lacks } in &expected.plans {
        let plan = plan(builder, slave);
        // Commands are given once more with spaces between their arguments: an option and its value read as written.
        let mut whole = serde_json::to_string_pretty(&plan).unwrap();
        for step in plan["steps"].as_array().into_iter().flatten() {
            let words = step["run"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let _ = writeln!(whole, "{}", words.collect::<Vec<_>>().join(" "));
        }
        let missing: Vec<_> = has.iter().filter(|words| !whole.contains(*words)).collect();
        let wrong: Vec<_> = lacks.iter().filter(|words| whole.contains(*words)).collect();
        let what = format!("plan of {builder} on {slave}");
        differences.compare(&format!("{what}: missing"), &json!([]), &json!(missing));
        differences.compare(&format!("{what}: too much"), &json!([]), &json!(wrong));
    }
    if let Some(slave) = &expected.apart {
        let builders = graph["builders"].as_array().unwrap().iter().filter_map(|builder| builder["name"].as_str());
        let plans: Vec<_> = builders.map(|builder| plan(builder, slave)).collect();
        for field in ["directory", "database"] {
            let mut values: Vec<_> = plans.iter().map(|plan| plan[field].as_str().unwrap_or_default()).collect();
            values.sort_unstable();
            let all = values.clone();
            values.dedup();
            differences.compare(&format!("{field} of each builder on {slave}"), &json!(all), &json!(values));
        }
    }
}
