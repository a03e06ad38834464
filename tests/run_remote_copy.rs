//! `db-steps = pg_remote_copy` with a real server: a program of the user's makes the testing database.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use common::{Farm, Server, postgresql};

/// A copier that is told the name with an option or without, and then a dump.
const COPY: &str = r#"#!/bin/sh
set -e
if [ "$1" = --copied_db_name ]; then shift; echo "with the option"; fi
echo "copying $2 and $3"
createdb "$1"
psql -X -q -v ON_ERROR_STOP=1 -d "$1" -c "CREATE TABLE remote AS SELECT 'from far away'::text AS note"
psql -X -A -t -d "$1" -c "SELECT note FROM remote"
"#;

/// Builds that do no more than making the database.
fn farm(server: &Server, manifest: &str) -> Farm {
    let farm = Farm::empty().with_slave("here", &server.capability());
    let buildout = "buildout = standalone b.cfg with=tools\ndb-steps = pg_remote_copy\npost-buildout-steps =\n";
    farm.write("buildouts/MANIFEST.cfg", &format!("[DEFAULT]\n{buildout}{manifest}"));
    farm.write(
        "buildouts/b.cfg",
        "[buildout]\nparts = openerp\n[openerp]\nrecipe = zc.recipe.egg\neggs = setuptools\n",
    );
    farm.write("buildouts/tools/copy", COPY);
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(farm.root.join("buildouts/tools/copy"), executable).unwrap();
    farm
}

#[test]
fn a_program_makes_the_database() {
    let server = Server::trusting();
    let manifest = "pg_remote_copy.executable = tools/copy\npg_remote_copy.arguments = 'far away' dump\n\
        [option]\npg_remote_copy.timeout = 30\n\
        [positional]\npg_remote_copy.db_option = None\n\
        [gone]\npg_remote_copy.executable = tools/nothing\n";
    let farm = farm(&server, manifest);
    let major = postgresql().0;
    // What an earlier copy left is no obstacle.
    server.query(&format!("CREATE DATABASE \"openerp-buildbot-option-pg{major}\""));
    farm.run(&["run"])
        .exits(1)
        .says("there is no program")
        .says("; [gone] has `pg_remote_copy.executable = tools/nothing`");
    for (build, told) in [("option", true), ("positional", false)] {
        let log = farm.log(&format!("{build}-pg{major}"), "copy-remote-database");
        assert_eq!(log.contains("with the option"), told, "{log}");
        assert!(log.contains("copying far away and dump\nfrom far away\n"), "{log}");
    }
    let plan = farm.run(&["plan", "--slave", "here", "--format", "json", &format!("option-pg{major}")]).exits(0);
    assert!(plan.out.contains("\"idle-timeout\": 30"), "{}", plan.out);
    assert_eq!(server.databases(), "");
    farm.is_tidy();
}

#[test]
fn what_it_is_to_copy_must_be_said() {
    let server = Server::trusting();
    let farm = farm(&server, "[demo]\npg_remote_copy.timeout = soon\n");
    let ran = farm.run(&["compile"]).exits(1);
    ran.says("pg_remote_copy.arguments").says("a number of seconds");
}
