//! `farmout render --template`: templates of a user's own.

mod common {
    pub mod binary;
    pub mod snapshot;
}

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use common::binary::{farmout, text};
use common::snapshot::snapshot;
use serde_json::Value;
use tempfile::TempDir;

/// A directory with templates in it.
struct Templates(TempDir);

impl Templates {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(directory)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The exit code, standard output, and standard error with the directory taken out.
    fn render(&self, farm: &str, name: &str, more: &[&str]) -> (i32, String, String) {
        let path = self.path(name);
        let words = ["render", "--farm", farm, "--template", path.to_str().unwrap()];
        let output = farmout(&[&words[..], more].concat()).output().unwrap();
        let said = text(&output.stderr).replace(self.0.path().to_str().unwrap(), "DIR");
        (output.status.code().unwrap(), text(&output.stdout), said)
    }
}

#[track_caller]
fn fills_in(farm: &str, template: &str) -> String {
    let (code, out, err) = Templates::new(&[("t.j2", template)]).render(farm, "t.j2", &[]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    out
}

#[test]
fn the_context_is_the_farm() {
    let template = "{{ {'farmout_context': farmout_context, 'builds': builds, 'builders': builders, 'slaves': slaves} | tojson(indent=2) }}\n";
    snapshot!("render-template-context", fills_in("fixtures/own", template));
}

#[test]
fn the_context_has_the_form_that_its_schema_says() {
    let schema = farmout(&["schema", "context"]).output().unwrap();
    let schema: Value = serde_json::from_str(&text(&schema.stdout)).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let all = "{{ {'farmout_context': farmout_context, 'farmout': farmout, 'builds': builds, 'builders': builders, 'slaves': slaves} | tojson }}";
    for farm in ["fixtures/own", "fixtures/historic", "fixtures/templates"] {
        let mut context: Value = serde_json::from_str(&fills_in(farm, all)).unwrap();
        assert_eq!(schema.iter_errors(&context).map(|error| error.to_string()).collect::<Vec<_>>(), [""; 0], "{farm}");
        context["builders"][0].as_object_mut().unwrap().remove("slaves");
        assert!(!schema.is_valid(&context));
    }
    let described =
        "{% for name in ['farmout_context', 'farmout', 'builds', 'builders', 'slaves'] %}{{ name }} {% endfor %}";
    let names = fills_in("fixtures/own", described);
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/render.md")).unwrap();
    names
        .split_whitespace()
        .for_each(|name| assert!(page.contains(&format!("| `{name}` |")), "docs/render.md lacks {name}"));
}

#[test]
fn a_plan_is_what_farmout_plan_prints() {
    let plan = fills_in("fixtures/own", "{{ plan('till-rd7', 'quay') | tojson }}");
    let printed = farmout(&["plan", "--farm", "fixtures/own", "till-rd7", "--format", "json"]).output().unwrap();
    let printed: Value = serde_json::from_str(&text(&printed.stdout)).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&plan).unwrap(), printed);
}

#[test]
fn nothing_secret_is_in_it() {
    let all = "{{ [builds, builders, slaves] | tojson }}{% for b in builders %}{% for s in b.slaves %}{{ plan(b.name, s) | yaml }}{% endfor %}{% endfor %}";
    for (farm, secrets) in [
        ("fixtures/historic", passwords("fixtures/historic/slaves.cfg")),
        ("fixtures/templates", passwords("fixtures/templates/slaves.cfg")),
    ] {
        let filled = fills_in(farm, all);
        assert!(!secrets.is_empty(), "{farm}");
        secrets.iter().for_each(|secret| assert!(!filled.contains(secret.as_str()), "{farm}: {secret}"));
    }
}

/// What stands after the names of passwords in a fragment.
fn passwords(path: &str) -> Vec<String> {
    let text = fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let words =
        text.lines().filter(|line| !line.starts_with(['#', ';'])).flat_map(str::split_whitespace).collect::<Vec<_>>();
    let mut found: Vec<String> = words
        .windows(3)
        .filter(|words| words[0].contains("passw") && words[1] == "=")
        .map(|words| words[2].to_owned())
        .collect();
    found.extend(words.iter().filter_map(|word| word.strip_prefix("passwd=").map(str::to_owned)));
    found
}

#[test]
fn words_and_values_are_quoted_by_filters() {
    let filled = fills_in(
        "fixtures/own",
        "{{ \"it's\" | sh }} {{ ['a b', '$x', '', '-n', 'plain'] | sh }} {{ [5, 1.5, true, false] | sh }} {{ range(3) | sh }} {{ none | default('', true) | sh }}\n{{ {'a': [1, none, 'x']} | tojson }}\n{{ {'a': ['1']} | yaml }}",
    );
    assert_eq!(
        filled,
        "'it'\\''s' 'a b' '$x' '' -n plain 5 1.5 true false 0 1 2 ''\n{\"a\":[1,null,\"x\"]}\na:\n- '1'\n"
    );
    // A name that is not there can be asked for, and joined once it has something in its place.
    let asked = "{{ builds[0].nmae is defined }} {{ builds[0].nmae | default('-') | sh }} {{ builds | join(', ', attribute='name') }}{{ 'x' if false }}";
    assert_eq!(fills_in("fixtures/own", asked), "False - shop, till");
    assert_eq!(fills_in("fixtures/own", "{{ '<b>' }} {{ '<b>' | e }}\n\n"), "<b> &lt;b&gt;\n\n");
}

#[test]
fn mistakes_are_told_with_their_place() {
    let files = [
        ("undefined.j2", "one\n\t{% for builder in builders %}é{{ builder.nmae }}{% endfor %}\n"),
        ("unknown.j2", "{{ bilders }}"),
        ("syntax.j2", "{% for builder in builders %}\n  {{ builder.name }\n{% endfor %}\n"),
        ("unended.j2", "{% for builder in builders %}\n"),
        ("filter.j2", "{{ builders | shell }}"),
        ("builder.j2", "line\n{{ plan('nobody', 'quay') }}"),
        ("slave.j2", "{{ plan(builders[0].name, 'nobody') }}"),
        ("arguments.j2", "{{ plan(builders[0].name) }}"),
        ("includes.j2", "first\n{% include 'parts/part.j2' %}"),
        ("parts/part.j2", "{{ farmout }}\n{{ nothing.at.all }}"),
        ("absent.j2", "{% include 'parts/none.j2' %}"),
        ("above.j2", "{% include '../above.j2' %}"),
        ("endless.j2", "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}"),
        (
            "long.j2",
            "{% for a in range(100000) %}{% for b in range(100000) %}{{ a * 100000000000000 }}{% endfor %}{% endfor %}",
        ),
        ("itself.j2", "{% include 'itself.j2' %}"),
        ("nul.j2", "{{ \"\\u0000\" | sh }}"),
        ("undefined-sh.j2", "rm -rf {{ builders[0].nmae | sh }}/"),
        ("undefined-word.j2", "{{ ['rm', builders[0].nmae] | sh }}"),
        ("undefined-json.j2", "{{ {'a': [builders[0].nmae]} | tojson }}"),
        ("undefined-yaml.j2", "{{ builders[0].nmae | yaml }}"),
        ("undefined-e.j2", "{{ builders[0].nmae | e }}"),
        ("undefined-escape.j2", "{{ [builders[0].nmae] | escape }}"),
        ("undefined-join.j2", "{{ builders | map(attribute='nmae') | join(' ') }}"),
        ("undefined-attribute.j2", "{{ builders | join(' ', attribute='properties.nmae') }}"),
        ("undefined-item.j2", "{{ [1, builders[0].nmae] }}"),
        ("undefined-nothing.j2", "{{ ('a' if false) | sh }}"),
        ("none.j2", "{{ none | sh }}"),
        ("map.j2", "{{ builders[0].properties | sh }}"),
        ("lists.j2", "{{ [['a']] | sh }}"),
        (
            "deep.j2",
            "{% set n = namespace(x=[]) %}{% for i in range(1000) %}{% set n.x = [n.x] %}{% endfor %}{{ n.x | tojson }}",
        ),
    ];
    let templates = Templates::new(&files);
    let mut all = String::new();
    for (name, _) in files {
        if name.contains('/') {
            continue;
        }
        let (code, out, err) = templates.render("fixtures/own", name, &[]);
        assert_eq!((code, out.as_str()), (1, ""), "{name}: {err}");
        assert!(!err.contains("panicked"), "{err}");
        all += &err;
    }
    snapshot!("render-template-mistakes", all);
}

#[test]
fn what_cannot_be_read_is_wrong_use() {
    let templates = Templates::new(&[("good.j2", "x")]);
    fs::write(templates.path("bytes.j2"), b"a\xffb").unwrap();
    for (name, words) in [
        ("none.j2", "cannot read DIR/none.j2"),
        ("bytes.j2", "it is not UTF-8, from byte 1"),
        (".", "cannot read DIR/."),
    ] {
        let (code, _, err) = templates.render("fixtures/own", name, &[]);
        assert!(code == 2 && err.contains(words), "{err}");
    }
    let below_a_file = templates.path("good.j2/x");
    let (code, _, err) = templates.render("fixtures/own", "good.j2", &["-o", below_a_file.to_str().unwrap()]);
    assert!(code == 2 && err.contains("cannot make DIR/good.j2"), "{err}");
    // Neither a template nor a target; both.
    let neither = farmout(&["render"]).output().unwrap();
    assert_eq!(
        (neither.status.code(), text(&neither.stderr).as_str()),
        (
            Some(2),
            "error: neither a target nor a template is given\n\
             \x20 help: the targets are `buildbot`, `github-actions`, `gitlab-ci` and `sh`; a template of your own is named with \
             --template FILE\n"
        )
    );
    assert_eq!(farmout(&["render", "--template", "x", "sh"]).output().unwrap().status.code(), Some(2));
    let (code, _, _) = templates.render("fixtures/mistakes", "good.j2", &[]);
    assert_eq!(code, 1);
}

#[test]
fn the_output_is_whole_or_as_it_was() {
    let templates =
        Templates::new(&[("good.j2", "{{ builds | length }}\n"), ("bad.j2", "{{ builds | length }}{{ none_such }}")]);
    let output = templates.path("out.txt");
    let path = output.to_str().unwrap();
    assert_eq!(templates.render("fixtures/own", "good.j2", &["-o", path]), (0, String::new(), String::new()));
    assert_eq!(fs::read_to_string(&output).unwrap(), "2\n");
    assert_eq!(output.metadata().unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(templates.render("fixtures/own", "bad.j2", &["-o", path]).0, 1);
    assert_eq!(fs::read_to_string(&output).unwrap(), "2\n");
    let names = fs::read_dir(templates.0.path()).unwrap().count();
    assert_eq!(names, 3, "something is left beside it");
    assert_eq!(templates.render("fixtures/own", "good.j2", &["-o", "/dev/stdout"]).1, "2\n");
    let deep = templates.path("made/for/it");
    assert_eq!(templates.render("fixtures/own", "good.j2", &["-o", deep.to_str().unwrap()]).0, 0);
    assert_eq!(fs::read_to_string(&deep).unwrap(), "2\n");
}

/// The page's own.
#[test]
fn the_example_of_the_page_works() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/render.md")).unwrap();
    let (_, rest) = page.split_once("```jinja\n").unwrap();
    let (template, _) = rest.split_once("```").unwrap();
    snapshot!("render-template-example", fills_in("fixtures/own", template));
}
