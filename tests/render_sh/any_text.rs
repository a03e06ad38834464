//! Texts of any kind come out as they went in: arguments, environments, directories, names and files, in every shell.

use std::collections::BTreeMap;
use std::fs;

use farmout::plan::placeholder::escape;
use farmout::plan::{Plan, PlanFile};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::executable::script;
use crate::plans::{StepExt as _, plan, step, write_step};
use crate::support::{Host, SHELLS, variables};

/// Writes down what it was called with: arguments, directory, environment.
const RECORDER: &str =
    "printf '%s\\0' \"$@\" >\"$RECORD.arguments\"\npwd >\"$RECORD.directory\"\nenv -0 >\"$RECORD.environment\"\n";

/// What shells, printf, heredocs and templates may trip over.
pub const NASTY: [&str; 24] = [
    "",
    " ",
    "'",
    "\"",
    "it's",
    "$HOME",
    "${HOME}",
    "$(id)",
    "`id`",
    "\\",
    "a\\",
    "\\n",
    "a\nb\n",
    "\n",
    "*",
    "~",
    "-n",
    "--",
    "!x",
    "#",
    "%s%%",
    "\u{1}\u{7f}\u{81}\u{88}é\u{10fffd}",
    "{{ x }}{% y %}{#",
    "FARMOUT_FILE",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(NASTY.to_vec()).prop_map(str::to_owned),
        1 => "[ -~\\n\\t]{0,12}",
        1 => any::<String>().prop_map(|text| text.replace('\0', "")),
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

/// Also with bytes that no word can have.
fn content() -> impl Strategy<Value = String> {
    let line = prop_oneof![3 => text(), 1 => Just("FARMOUT_FILE\n".to_owned()), 1 => Just("\0\r\n".to_owned())];
    prop::collection::vec(line, 0..6).prop_map(|lines| lines.concat())
}

#[derive(Debug, Clone)]
struct Texts {
    arguments: Vec<String>,
    values: Vec<String>,
    /// Names of properties stand for themselves, and for a default.
    properties: Vec<String>,
    files: Vec<(String, String)>,
}

fn texts() -> impl Strategy<Value = Texts> {
    let name = text().prop_map(|text| text.replace('/', "_").chars().take(40).collect::<String>());
    let lists = (
        prop::collection::vec(text(), 0..12),
        prop::collection::vec(text(), 0..6),
        prop::collection::vec(text(), 3),
        prop::collection::btree_map(name, content(), 0..6),
    );
    lists.prop_map(|(arguments, values, properties, files)| {
        let number = |(index, (name, content)): (usize, (String, String))| (format!("d/{index}{name}"), content);
        Texts { arguments, values, properties, files: files.into_iter().enumerate().map(number).collect() }
    })
}

/// A step that is called with all of them, and the files in its plan.
fn made(texts: &Texts, record: &str, recorder: &str) -> Plan {
    let mut call = step("call", "");
    call.run = vec![recorder.to_owned()];
    call.run.extend(texts.arguments.iter().map(|text| escape(text)));
    // One that is known, one that is empty and has a default, one that nobody knows.
    call.run.push("<${property.known}>${property.known:-no}".to_owned());
    call.run.push(format!("<${{property.empty:-{}}}>", default(&texts.properties[1])));
    call.run.push(format!("${{property.none:-${{property.empty:-{}}}}}", default(&texts.properties[2])));
    call.environment.insert("RECORD".to_owned(), record.to_owned());
    for (index, value) in texts.values.iter().enumerate() {
        call.environment.insert(format!("VALUE_{index}"), escape(value));
    }
    call.environment.insert("UID".to_owned(), "a user's own $".to_owned());
    let mut plan =
        plan("any", vec![write_step("write", "${build-dir}"), call.with(|step| step.directory = "d e'f".to_owned())]);
    // An empty one would be asked for first.
    plan.properties.insert("known".to_owned(), format!("{}.", texts.properties[0]));
    plan.properties.insert("empty".to_owned(), String::new());
    plan.environment.insert("VALUE_0".to_owned(), "the step's own counts".to_owned());
    plan.environment.insert("LANG".to_owned(), String::new());
    plan.path = vec!["/a b".to_owned(), "${property.empty:-}".to_owned(), "/c$d".to_owned()];
    let file = |(path, content): &(String, String)| PlanFile {
        path: path.into(),
        executable: path.len() % 2 == 0,
        content: content.clone(),
    };
    plan.files = texts.files.iter().map(file).collect();
    plan.files.push(PlanFile { path: "d e'f/here".into(), executable: false, content: String::new() });
    plan
}

/// A default ends at a brace.
fn default(text: &str) -> String {
    escape(&text.replace('}', ""))
}

/// Arguments with a NUL after each, the directory, and the environment.
type Seen = (Vec<u8>, String, BTreeMap<String, String>);

#[test]
fn texts_of_any_kind_come_out_as_they_went_in() {
    let host = Host::new();
    let recorder = host.path("recorder");
    script(&recorder, RECORDER);
    let records = host.folder("records");
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let outcome = runner.run(&texts(), |texts| {
        let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
        let mut wanted: Vec<(String, &[&str])> = SHELLS.iter().map(|shell| (shell[0].to_owned(), *shell)).collect();
        wanted.push(("runner".to_owned(), &[]));
        for (name, shell) in wanted {
            let record = records.join(&name);
            let plan = made(&texts, record.as_str(), recorder.as_str());
            if shell.is_empty() {
                let result = host.runner(&[plan]);
                assert_eq!(result.exit() as i32, 0, "{:?}", result.builders[0].reason);
            } else {
                host.write_script(&[plan], None);
                let (code, said) = host.run(shell, &[]);
                assert_eq!(code, 0, "{shell:?}: {said}");
            }
            for (path, content) in &texts.files {
                let file = host.path(&name).join("any/build").join(path);
                assert_eq!(String::from_utf8(fs::read(&file).unwrap()).unwrap(), *content, "{shell:?} {file}");
            }
            let read = |kind: &str| fs::read(records.join(format!("{name}.{kind}"))).unwrap();
            let directory = String::from_utf8(read("directory")).unwrap().replace(host.path(&name).as_str(), "BASE");
            let mut environment = variables(&read("environment"));
            let ours = ["RECORD", "FARMOUT_STEP", "TMPDIR", "HOME", "USER", "LOGNAME", "PWD", "OLDPWD", "_", "SHLVL"];
            environment.retain(|name, _| !ours.contains(&name.as_str()));
            let arguments = read("arguments");
            seen.insert(name, (arguments, directory, environment));
        }
        let runner = seen["runner"].clone();
        assert_eq!(runner.1, "BASE/any/build/d e'f\n");
        let arguments: Vec<&[u8]> = runner.0.split(|byte| *byte == 0).collect();
        assert_eq!(
            arguments[..texts.arguments.len()],
            texts.arguments.iter().map(String::as_bytes).collect::<Vec<_>>()
        );
        for (shell, seen) in seen {
            prop_assert_eq!(seen, runner.clone(), "{}", shell);
        }
        Ok(())
    });
    outcome.unwrap();
}

#[test]
fn a_text_that_no_shell_can_hold_is_refused() {
    let mut plan = plan("any", vec![step("call", "true")]);
    plan.steps[0].run.push("a\0b".to_owned());
    let error = farmout::render::sh::Script::new(&[plan], None, &[]).unwrap_err().to_string();
    assert_eq!(
        error,
        "builder any: step `call` cannot be in a script: it has a NUL character in it, which no shell can hold"
    );
}

/// Names are the farm's, too.
#[test]
fn builders_are_called_by_names_of_any_kind() {
    let names = ["it's", "$(touch x)", "a\nb", "*", "-n", "ü \"`\\", "%s"];
    let plans: Vec<Plan> = names
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let mut plan = plan(
                &format!("dir-{index}"),
                vec![step("call", "printf '%s\\n' \"$0\"").with(|step| step.run.push(escape(name)))],
            );
            plan.builder = (*name).to_owned();
            plan.steps[0].help = format!("helps {name}");
            plan
        })
        .collect();
    let host = Host::with(&plans);
    for shell in SHELLS {
        let (code, said) = host.run(shell, &["--list"]);
        assert_eq!(code, 0, "{said}");
        assert_eq!(said.lines().filter(|line| line.starts_with("    call ")).count(), names.len(), "{said}");
        assert_eq!(host.run(shell, &["--help"]).0, 0);
        for (index, name) in names.iter().enumerate() {
            let (code, said) = host.run(shell, &["--", name]);
            assert_eq!(code, 0, "{shell:?} {name}: {said}");
            let (_, out) = (code, host.log(shell, &format!("dir-{index}/logs/latest/01-call.log")));
            assert_eq!(out, format!("{name}\n"), "{shell:?}");
        }
        let (code, said) = host.run(shell, &["its"]);
        assert!(
            code == 2 && said.contains("this script has no builder `its`\n  help: there are it's, $(touch x), a b,"),
            "{said}"
        );
    }
    assert!(!host.path("x").exists());
}
