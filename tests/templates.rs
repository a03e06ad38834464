//! The built-in step templates through the binary: the plans that they make, and mistakes in their options.

mod common {
    pub mod binary;
    pub mod snapshot;
}

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;

use common::binary::{farmout, text};
use common::snapshot::snapshot;
use tempfile::TempDir;

fn plan(arguments: &[&str]) -> String {
    let output = farmout(&["plan", "--farm", "fixtures/templates"]).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// A farm whose one build has these lines.
fn farm(lines: &str) -> TempDir {
    let farm = tempfile::tempdir().unwrap();
    fs::create_dir(farm.path().join("buildouts")).unwrap();
    let manifest = format!("[shop]\nbuildout = git https://git.example/shop main buildout.cfg\n{lines}");
    fs::write(farm.path().join("buildouts/MANIFEST.cfg"), manifest).unwrap();
    let fragment = farm.path().join("slaves.cfg");
    fs::write(&fragment, "[atlas]\npassword = not-a-secret-a81c\ncapability = postgresql 15\n").unwrap();
    fs::set_permissions(fragment, fs::Permissions::from_mode(0o600)).unwrap();
    farm
}

fn run(farm: &TempDir, command: &str) -> Output {
    farmout(&[command]).current_dir(farm.path()).output().unwrap()
}

#[test]
fn without_options_the_templates_do_what_they_always_did() {
    snapshot!("templates-defaults", plan(&["defaults-*"]));
}

#[test]
fn every_option_changes_the_plan() {
    snapshot!("templates-everything", plan(&["everything-*"]));
}

#[test]
fn options_that_are_set_empty_take_the_other_way() {
    snapshot!("templates-empty", plan(&["sphinx-script-*", "update-without-log-option-*"]));
}

/// What the manifests of the original's users look like reads back from a plan file.
#[test]
fn plans_with_these_steps_are_read_back() {
    for part in plan(&["--format", "yaml"]).split("---\n").filter(|part| !part.trim().is_empty()) {
        let plan: farmout::plan::Plan = serde_yaml::from_str(part).unwrap();
        assert_eq!(serde_yaml::to_string(&plan).unwrap(), part);
    }
}

#[test]
fn mistakes_in_options_are_told_when_the_farm_is_compiled() {
    let mistakes = farm(
        "openerp-addons = crm\nodoo.use-port = maybe\nodoo.http-port-min = 70000\nfunctional.wait = soon\n\
         functional.comands = bin/check\ndoc.sphinx-mode = fast\nnose.tests = 'tests\n\
         static-analysis.flake-directories =\nupgrade.script = bin/upgrade\n\
         post-buildout-steps = install-modules-test\n    functional\n    static-analysis\n    doc\n    nose-tests\n",
    );
    let output = run(&mistakes, "compile");
    assert_eq!(output.status.code(), Some(1));
    let mut said = text(&output.stderr);
    let output = run(
        &farm("functional.commands = bin/check\n    bin/other 'one two\npost-buildout-steps = functional\n"),
        "compile",
    );
    assert_eq!(output.status.code(), Some(1));
    said += &text(&output.stderr);
    // What the templates of this build do not read.
    let output = run(&farm("nose.coverage = true\nfunctional.wait = 5\npost-buildout-steps = doc\n"), "compile");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    said += &text(&output.stderr);
    snapshot!("templates-mistakes", said);
}

#[test]
fn properties_that_are_none_are_told_at_their_places() {
    let farm = farm(
        "post-buildout-steps = doc\n    nose\nproject = shop\ndoc.upload-dir = %(project)s/$(buildername\n\
         doc.version = $(buildout-tag:-current)s\nnose.upload-path = nose/$(buildername)s/$(buildout tag)s\n",
    );
    let output = run(&farm, "compile");
    assert_eq!(output.status.code(), Some(1));
    snapshot!("templates-property", text(&output.stderr));
}

/// A template of a farm's own may take properties in any text: what is none is told where it is filled in.
#[test]
fn a_property_in_a_plain_text_is_told_too() {
    let farm = farm("post-buildout-steps = say\nsay.text = $(buildout-tag\n");
    fs::create_dir(farm.path().join("steps")).unwrap();
    fs::write(farm.path().join("farm.yaml"), "templates: [steps]\n").unwrap();
    fs::write(
        farm.path().join("steps/say.yaml"),
        "template: say\nhelp: Say something.\nplace: post-buildout-steps\noptions: {say.text: {type: text, help: What.}}\n\
         steps: [{name: say, help: Say it., run: [echo, \"{{ option['say.text'] | properties }}\"]}]\n",
    )
    .unwrap();
    let output = run(&farm, "compile");
    assert_eq!(output.status.code(), Some(1));
    snapshot!("templates-property-filled-in", text(&output.stderr));
}

#[test]
fn numbers_that_are_too_small_are_told_at_their_places() {
    let mut said = String::new();
    for wrong in ["odoo.http-port-step = 0", "odoo.http-port-step = -5", "odoo.http-port-step = five"] {
        let output = run(&farm(&format!("{wrong}\n")), "compile");
        assert_eq!(output.status.code(), Some(1), "{wrong}");
        said += &text(&output.stderr);
    }
    let output =
        run(&farm("db-steps = pg_remote_copy\npg_remote_copy.arguments = x\npg_remote_copy.timeout = 0\n"), "compile");
    assert_eq!(output.status.code(), Some(1));
    snapshot!("templates-too-small", said + &text(&output.stderr));
    assert_eq!(run(&farm("odoo.http-port-step = 1\n"), "compile").status.code(), Some(0));
}

#[test]
fn a_step_is_not_without_the_one_that_it_needs() {
    let options = "packaging.prefix = shop\npackaging.root-dir = /srv\npackaging.upload-dir = shop\n";
    let output = run(&farm(&format!("post-buildout-steps = packaging\n{options}")), "compile");
    assert_eq!(output.status.code(), Some(1));
    snapshot!("templates-needs", text(&output.stderr));
    // An archive that is made and tested, but not published, is a check of what a release would be.
    let made = "post-dl-steps = packaging\npackaging.parts = openerp\n";
    let output = run(&farm(&format!("{made}packaging.prefix = shop\n")), "compile");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let output = run(&farm(&format!("{made}post-buildout-steps = packaging\n{options}")), "compile");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    // A template that does all that the other one does will do.
    let own = farm(&format!(
        "post-dl-steps = release\npackaging.parts = openerp\npost-buildout-steps = packaging\n{options}"
    ));
    fs::create_dir(own.path().join("steps")).unwrap();
    fs::write(own.path().join("farm.yaml"), "templates: [steps]\n").unwrap();
    let template = "template: release\nhelp: h\nplace: post-dl-steps\nsteps: [{use: packaging}]\n";
    fs::write(own.path().join("steps/release.yaml"), template).unwrap();
    let output = run(&own, "compile");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

/// What is set to nothing, and what nothing could be made of on the slave.
#[test]
fn options_that_name_nothing_are_told() {
    let mut said = String::new();
    for wrong in [
        "openerp-addons =",
        "test-command =",
        "test-command = '' x",
        "post-buildout-steps = install-modules\nstart-command =",
        "post-buildout-steps = update-openerp\nopenerp-addons =",
        "odoo.use-port = true\nodoo.http-port-min = 7000\nodoo.http-port-max = 6000",
        "odoo.use-port = true\nodoo.http-port-min = 7069",
        "buildout-part = open:erp x",
        "buildout-part =",
    ] {
        let output = run(&farm(&format!("{wrong}\n")), "compile");
        assert_eq!(output.status.code(), Some(1), "{wrong}");
        said += &text(&output.stderr);
    }
    snapshot!("templates-nothing", said);
    let fine =
        "odoo.use-port = true\nodoo.http-port-min = 7000\nodoo.http-port-max = 7000\nbuildout-part = odoo-8.0_x\n";
    let output = run(&farm(fine), "compile");
    assert_eq!(text(&output.stderr), "no errors: 1 build, 1 slave, 1 builder\n");
}

#[test]
fn options_that_count_for_nothing_are_told() {
    let idle = "post-buildout-steps = nose\n    doc\nnose.profile-restrict = 30\nnose.upload-url = https://x.example/\n\
        nose.cover-options = --cover-erase\ndoc.upload-root = docs\ndoc.base-url = https://x.example\n\
        doc.sphinx-builddir = build\ndoc.version = 1\nodoo.http-port-min = 6100\n";
    let output = run(&farm(&idle.replace("nose\n", "nose\n    install-modules-test\n")), "compile");
    assert_eq!(output.status.code(), Some(0));
    snapshot!("templates-idle", text(&output.stderr));
    let on = "nose.profile = true\nnose.upload-path = nose\nnose.coverage = yes\ndoc.upload-dir = shop\n\
        doc.sphinx-sourcedir = doc\n";
    let output = run(&farm(&format!("{}{on}", idle.replace("odoo.http-port-min = 6100\n", ""))), "compile");
    assert_eq!(text(&output.stderr), "no errors: 1 build, 1 slave, 1 builder\n");
    // A line that counts in one section is there for something, and so is one that says nothing.
    let inherited = "post-buildout-steps = nose\nnose.upload-url = https://x.example/\nnose.profile-restrict =\n\
        [more]\ninherit = shop\nnose.upload-path = nose\n";
    let output = run(&farm(inherited), "compile");
    assert_eq!(text(&output.stderr), "no errors: 2 builds, 1 slave, 2 builders\n");
}

/// Plugins that only `nose.tests` calls for write there too.
#[test]
fn what_any_plugin_of_nose_wrote_is_published() {
    let farm = farm(
        "post-buildout-steps = nose\nnose.tests = --with-xunit --xunit-file=nose_output/tests.xml\nnose.upload-path = nose\n",
    );
    let output = run(&farm, "plan");
    let plan = text(&output.stdout);
    assert!(plan.contains("mkdir -p nose_output") && plan.contains("tool upload nose_output"), "{plan}");
}
