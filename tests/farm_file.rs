//! A farm with a `farm.yaml`: manifests, fragments, capabilities, step templates and rewrites of its own.

mod common {
    pub mod binary;
    pub mod copy;
    pub mod snapshot;
}

use std::fs;
use std::path::Path;

use common::binary::{farmout, text};
use common::copy::copy;
use common::snapshot::snapshot;

#[test]
fn everything_of_a_farms_own_is_read() {
    let output = farmout(&["compile", "--farm", "fixtures/own", "--emit", "json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    snapshot!("farm-file-json", text(&output.stdout));
}

#[test]
fn a_farms_own_template_makes_steps() {
    let output = farmout(&["plan", "--farm", "fixtures/own", "shop-rd6-pg15"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    snapshot!("farm-file-plan", text(&output.stdout));
}

/// Compiles a copy of the farm with some files written anew, and gives what is said about it.
fn with(files: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    copy(Path::new("fixtures/own"), folder.path());
    for (file, contents) in files {
        fs::write(folder.path().join(file), contents).unwrap();
    }
    let output = farmout(&["compile"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    text(&output.stderr)
}

fn template(from: &str, to: &str) -> String {
    let template = fs::read_to_string("fixtures/own/steps/pytest.yaml").unwrap();
    assert!(template.contains(from), "{from}");
    template.replace(from, to)
}

#[test]
fn mistakes_in_a_farms_own_files_are_told_at_their_places() {
    let manifest = fs::read_to_string("fixtures/own/buildouts/MANIFEST.cfg").unwrap();
    let said = [
        with(&[("farm.yaml", "manifest: [buildouts/MANIFEST.cfg]\n")]),
        with(&[("steps/pytest.yaml", &template("on-failure: flunk", "on-failure: explode"))]),
        with(&[("steps/pytest.yaml", &template("option['pytest.maxfail'] > 0", "option['pytest.maxfail' > 0"))]),
        with(&[("buildouts/MANIFEST.cfg", &manifest.replace("pytest.folders", "pytest.folder"))]),
    ];
    snapshot!("farm-file-mistakes", said.join("\n"));
}

#[test]
fn mistakes_in_notifications_are_told_at_their_places() {
    let yaml = "\
notify:
  - command: [./tell.sh]
  - on: [failed, fixed]
    command: []
  - on: []
    command: ['', x]
  - on: failure
    command: ./tell.sh
  - on: [success]
  - on: [success]
    each: step
    timeout: 0
    command: [./gone.sh]
    mail: {to: [a@b.example], from: c@d.example}
  - on: [failure]
    mail: {from: somebody, via: 'smtp://me:pw@mail.example'}
  - on: [missing]
    mail: {via: smtp, cc: [x]}
  - on: [failure]
    mail: {to: [], from: c@d.example}
  - on: [failure]
    command: [./farm.yaml]
keep: {runs: 0, days: many, size: 10 apples, age: 3}
";
    snapshot!("farm-file-notify-mistakes", with(&[("farm.yaml", yaml)]));
}

/// One run tells all mistakes of all files.
#[test]
fn all_mistakes_of_all_files_are_told_in_one_run() {
    let farm = "\
manifests: buildouts/MANIFEST.cfg
slaves: [\"conf/[*.cfg\", \"*/hosts.cfg\"]
templates: [steps]
tree-stable-timer: -5
timer: 5
rewrite-urls: [{from: \"https://admin:hunter2@git.example/\"}]
capabilities:
  - capability: red is
    help:
    abbreviation: [r]
    options:
      port: {type: prot, help: Its port., secret: maybe}
      mode: {choices: [fast, safe], help: How.}
    environment:
      REDIS-URL: \"redis://localhost:${red.port\"
    path: [\"${redis.bin\"]
    variants:
      - {option: mode, is: slow, template: ephemeral-clutser}
";
    let steps = "\
template: pytest
help: Run the project's own tests with pytest.
place: post-buildout-step
aliases: [tests]
options:
  pytest.folders: {type: list, help: The folders with tests.}
  pytest.Workers: {type: integer, default: many, help: How many.}
steps:
  - name: Run the tests
    run: [bin/pytest, \"{{ option['pytest.folder'] }}\", {each: \"option[\"}, {when: \"true\"}]
    environment:
      2ND: \"${databse}\"
    timeout: 0
  - name: report
    help: |
      Write the report.
    run:
      - sh
      - -c
      - |
        echo {{ subdir }} |
          tee {{ option['a' }}
    write: true
    timeout: soon
    directory: &place \"é\\t${build-dri}\"
  - name: report
    <<: {}
    directory: *place
clean-up: {name: x}
";
    snapshot!("farm-file-all", with(&[("farm.yaml", farm), ("steps/pytest.yaml", steps)]));
}

/// Of templates, the names and what they use are looked at together.
#[test]
fn templates_that_do_not_fit_each_other_are_told() {
    let one = "template: one\nhelp: One.\nplace: post-buildout-steps\naliases: [pytest]\nsteps: [{use: tow}, {use: git}, {use: pytset}]\n";
    let two = "template: two\nhelp: Two.\nplace: part\nsteps: [{use: three}]\n";
    let three = "template: three\nhelp: Three.\nplace: part\nsteps: [{use: four}]\n";
    let four = "template: four\nhelp: Four.\nplace: part\nsteps: [{use: two}]\n";
    let builtin = "template: bootstrap\nhelp: Do it differently.\nplace: post-dl-steps\n";
    let files = [
        ("steps/one.yaml", one),
        ("steps/two.yaml", two),
        ("steps/three.yaml", three),
        ("steps/four.yaml", four),
        ("steps/bootstrap.yaml", builtin),
    ];
    snapshot!("farm-file-templates", with(&files));
}

/// What stands before a syntax error is read, and the rest of the farm is compiled.
#[test]
fn bad_yaml_is_told_in_words() {
    let said: Vec<String> = [
        "slaves: [conf/*.cfg]\ntemplates: [steps\ncapabilities: []\n",
        "slaves: [\"conf/*.cfg]\n",
        "slaves: [conf/*.cfg]\n\ttemplates: []\n",
        "slaves: [conf/*.cfg]\ntemplates: *folders\n",
        "slaves: [conf/*.cfg]\n---\ntemplates: []\n",
        "slaves: !!seq [\"a\\q\"]\n",
        "slaves: [conf/*.cfg]\ntemplates: @steps\n",
        "- slaves\n",
        "slaves: &all [*all]\n",
    ]
    .iter()
    .map(|farm| with(&[("farm.yaml", farm)]))
    .collect();
    snapshot!("farm-file-yaml", said.join("\n"));
}

#[test]
fn a_template_can_use_another() {
    let folder = tempfile::tempdir().unwrap();
    copy(Path::new("fixtures/own"), folder.path());
    let twice = "template: checked\nhelp: Prepare, test, report.\nplace: post-buildout-steps\noptions:\n  \
        pytest.maxfail: {type: integer, default: 4, help: Four at once.}\nsteps:\n  - {name: first, help: First., run: [date]}\n  \
        - use: pytest\n";
    fs::write(folder.path().join("steps/checked.yaml"), twice).unwrap();
    let manifest = "[shop]\nbuildout = git https://git.example/shop main buildout.cfg\npost-buildout-steps = checked\n\
        pytest.folders = tests\n";
    fs::write(folder.path().join("buildouts/MANIFEST.cfg"), manifest).unwrap();
    let run = |arguments: &[&str]| {
        let output = farmout(arguments).current_dir(folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let plan = run(&["plan", "shop-pg15"]);
    let plan = &plan[plan.find("after the buildout").unwrap()..];
    let explained = run(&["explain", "checked", "pytest.folders", "pytest.maxfail"]);
    snapshot!("farm-file-use", format!("{plan}\n{explained}"));
}

#[test]
fn manifests_that_are_missing_are_all_told() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("farm.yaml"), "manifests: [one.cfg, two.cfg]\n").unwrap();
    let output = farmout(&["compile"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    snapshot!("farm-file-missing", text(&output.stderr));
}

/// What the folders should have had is not known: neither are the steps that they may have, nor these steps' options.
#[test]
fn folders_of_templates_that_are_missing_are_told_at_their_places() {
    let folder = tempfile::tempdir().unwrap();
    copy(Path::new("fixtures/own"), folder.path());
    let farm = fs::read_to_string(folder.path().join("farm.yaml")).unwrap();
    assert!(farm.contains("templates: [steps]"));
    let farm = farm.replace("templates: [steps]", "templates: [stpes, buildouts/MANIFEST.cfg]");
    fs::write(folder.path().join("farm.yaml"), farm).unwrap();
    let output = farmout(&["compile"]).current_dir(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    snapshot!("farm-file-folders", text(&output.stderr));
}

/// The keys of a template's file that are about other templates and about numbers.
#[test]
fn what_a_template_needs_and_the_least_of_its_options_are_checked() {
    let steps = "template: publish
help: Publish.
place: post-buildout-steps
needs: [packagin, git]
options:
  publish.copies: {type: integer, minimum: 2, default: 1, help: How many.}
  publish.name: {type: text, minimum: 1, help: Under which name.}
  publish.path: {type: text-with-properties, default: x/$(tag, help: Where.}
steps:
  - name: publish
    help: Publish.
    run: [echo, \"{{ option['publish.copies'] }}{{ option['publish.name'] }}{{ option['publish.path'] }}\"]
";
    let needs = "template: publish\nhelp: h\nplace: post-buildout-steps\nneeds: [packagin, git]\n";
    let told = [steps, needs].map(|steps| with(&[("steps/publish.yaml", steps)]));
    snapshot!("farm-file-needs", told.join("\n"));
}
