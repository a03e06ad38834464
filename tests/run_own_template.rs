//! A step template of a farm's own, the one that the manual teaches, in a real build: pytest from PyPI, with the testing
//! database in its environment.

mod common;

use common::{Farm, postgresql};

const TEMPLATE: &str = include_str!("../fixtures/own/steps/pytest.yaml");

const TESTS: &str = "
import os
import psycopg2

def test_of_the_project():
    assert psycopg2.connect('').get_dsn_parameters()['dbname'] == os.environ['PGDATABASE']
";

#[test]
fn the_project_s_own_tests_run() {
    let farm = Farm::demo();
    farm.write("farm.yaml", "templates: [steps]\n");
    farm.write("steps/pytest.yaml", TEMPLATE);
    farm.edit("buildouts/demo.cfg", "parts = openerp\n", "parts = openerp pytest\n");
    farm.edit("buildouts/demo.cfg", "allow-picked-versions = false\n", "");
    farm.edit(
        "buildouts/demo.cfg",
        "[versions]\n",
        "[pytest]\nrecipe = zc.recipe.egg\neggs = demo-server\n    pytest\n\n[versions]\n",
    );
    farm.write("buildouts/demo/checks/test_project.py", TESTS);
    let manifest = std::fs::read_to_string(farm.root.join("buildouts/MANIFEST.cfg")).unwrap();
    let steps = "post-buildout-steps = install-modules-test\n    pytest\npytest.maxfail = 2\n";
    farm.write("buildouts/MANIFEST.cfg", &format!("{manifest}\n{steps}"));
    farm.run(&["compile"]).exits(1).says("pytest.folders");
    farm.write("buildouts/MANIFEST.cfg", &format!("{manifest}\n{steps}pytest.folders = demo/checks\n"));
    farm.run(&["run"]).exits(0);
    let builder = format!("demo-pg{}", postgresql().0);
    let log = farm.log(&builder, "pytest");
    assert!(log.contains("1 passed"), "{log}");
    farm.is_tidy();

    farm.write("buildouts/demo/checks/test_project.py", "def test_that_fails():\n    assert 1 == 2\n");
    farm.run(&["run"]).exits(1).says("step `pytest`").says("assert 1 == 2");
    farm.is_tidy();
}
