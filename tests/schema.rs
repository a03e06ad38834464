//! `farmout schema`: what editors check agrees with what farmout reads.

mod common {
    pub mod binary;
}

use std::fs;
use std::path::{Path, PathBuf};

use common::binary::{farmout, text};
use jsonschema::Validator;
use serde_json::Value;

fn said(arguments: &[&str]) -> String {
    let output = farmout(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn schema(file: &str) -> Validator {
    let schema: Value = serde_json::from_str(&said(&["schema", file])).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    jsonschema::validator_for(&schema).unwrap()
}

fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}

fn mistakes(schema: &Validator, text: &str) -> Vec<String> {
    schema.iter_errors(&yaml(text)).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// All YAML files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "yaml") {
            found.push(entry);
        }
    }
    found
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn what_farmout_reads_is_valid() {
    let (farm, template, rules) = (schema("farm"), schema("template"), schema("rules"));
    let mut count = 0;
    let builtin = ["src/steps/builtin", "src/tool/analyze/builtin"].map(|folder| files(&root(folder))).concat();
    for path in [builtin, files(&root("fixtures"))].concat() {
        let name = path.display().to_string();
        let schema = if path.ends_with("farm.yaml") {
            &farm
        } else if name.contains("/steps/builtin/") || (name.contains("/steps/") && name.contains("fixtures/own")) {
            &template
        } else if name.contains("/analyze/builtin/") || name.contains("fixtures/logs/") {
            &rules
        } else {
            continue;
        };
        // The examples of `farm::…` are wrong on purpose.
        if name.contains("fixtures/checks") && !name.contains("/fixed/") {
            continue;
        }
        assert_eq!(mistakes(schema, &fs::read_to_string(&path).unwrap()), [""; 0], "{name}");
        count += 1;
    }
    assert!(count > 10, "only {count} files are found");
}

#[test]
fn a_plan_is_valid() {
    let plan = said(&["plan", "--farm", "fixtures/own", "shop-rd6-pg15", "--format", "yaml"]);
    let schema = schema("plan");
    assert_eq!(mistakes(&schema, &plan), [""; 0]);
    assert_ne!(mistakes(&schema, &plan.replacen("steps:", "stepps:", 1)), [""; 0]);
}

#[test]
fn slips_in_the_form_are_found_as_farmout_finds_them() {
    let (farm, template) = (schema("farm"), schema("template"));
    for check in ["key", "missing-key", "value"] {
        let text = fs::read_to_string(root("fixtures/checks/farm").join(check).join("farm/farm.yaml")).unwrap();
        assert_eq!(mistakes(&farm, &text).len(), 1, "{check}");
    }
    let right = fs::read_to_string(root("fixtures/own/farm.yaml")).unwrap();
    for (from, to) in [
        ("on: [failure, fixed]\n", "on: [failed]\n"),
        ("on: [failure, fixed]\n", "on: []\n"),
        ("    command: [./tell.sh, \"#builds\"]", "    timeout: 5"),
        ("    command: [./tell.sh, \"#builds\"]", "    comand: [./tell.sh]"),
        (
            "    command: [./tell.sh, \"#builds\"]",
            "    command: [./tell.sh]\n    mail: {to: [a@b.example], from: c@d.example}",
        ),
        ("from: farm@shop.example", "form: farm@shop.example"),
        ("from: farm@shop.example", "from: farm@shop.example, via: smtp"),
        ("runs: 50", "runs: 0"),
        ("days: 30", "day: 30"),
    ] {
        assert!(right.contains(from));
        assert_ne!(mistakes(&farm, &right.replacen(from, to, 1)), [""; 0], "{to}");
    }
    let right = fs::read_to_string(root("fixtures/own/steps/pytest.yaml")).unwrap();
    for (from, to) in [
        ("place:", "palce:"),
        ("    run:", "    rnu:"),
        ("on-failure: flunk", "on-failure: explode"),
        ("type: list", "type: lists"),
        ("timeout: 1800", "timeout: 0"),
        ("- name: pytest", "- name: Py test"),
        ("each: option", "eahc: option"),
    ] {
        assert!(right.contains(from));
        assert_ne!(mistakes(&template, &right.replace(from, to)), [""; 0], "{to}");
    }
}

#[test]
fn slips_in_rules_are_found_as_farmout_finds_them() {
    let rules = schema("rules");
    let right = fs::read_to_string(root("fixtures/logs/own-rules.yaml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yaml");
    let takes = |text: &str| {
        fs::write(&file, text).unwrap();
        let arguments = ["tool", "analyze-log", "--rules", file.to_str().unwrap(), "fixtures/logs/odoo18_ok.log"];
        farmout(&arguments).output().unwrap().status.code() != Some(2)
    };
    assert!(takes(&right));
    for (from, to) in [
        ("extends: server", "extends: client"),
        ("rules:", "rulse:"),
        ("    regex: '^Failed", "    rgeex: '^Failed"),
        ("severity: ignore", "severity: none"),
        ("levels: [ERROR]", "levels: {ERROR: 1}"),
    ] {
        let wrong = right.replace(from, to);
        assert_ne!(right, wrong, "{from}");
        assert!(!takes(&wrong), "{to}");
        assert_ne!(mistakes(&rules, &wrong), [""; 0], "{to}");
    }
    for (text, fine) in [
        ("{}", false),
        ("{rules: []}", false),
        ("{entries: ['(?<level>A)(?<logger>B)(?<message>C)']}", false),
        ("{extends: server}", true),
        ("{required: [{label: 1, regex: 2, severity: error, block: line}]}", true),
        ("{ending: {label: It ends, severity: warning}}", true),
    ] {
        assert_eq!((takes(text), mistakes(&rules, text).is_empty()), (fine, fine), "{text}");
    }
}

/// An editor shows what a key is for: everything has a description.
#[test]
fn keys_are_described() {
    for file in ["farm", "template", "plan", "rules"] {
        let schema: Value = serde_json::from_str(&said(&["schema", file])).unwrap();
        let definitions = schema["$defs"].as_object().unwrap().values();
        for definition in definitions.chain([&schema]) {
            for (key, property) in definition["properties"].as_object().into_iter().flatten() {
                assert!(property["description"].is_string(), "{file}: {key}");
            }
        }
    }
}
