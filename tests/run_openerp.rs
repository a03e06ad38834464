//! The genuine OpenERP 7.0 with the genuine recipe, on two real PostgreSQL servers: the one that is installed, on which its
//! tests pass, and 18, on which it cannot work. A short form of what the manual shows.
//!
//! It needs a Python 2.7 that builds can use; `tests/run` looks for one, and says so where there is none.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Farm, Ran, postgresql};
use serde_json::Value;

/// Tests that need Python 2.7, which machines of today do not have.
mod python27 {
    use super::*;

    /// The genuine farm, with fewer modules, on this machine with PostgreSQL 18 beside its own.
    fn genuine() -> Farm {
        let farm = Farm::empty();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("buildouts");
        assert!(Command::new("cp").arg("-r").arg(source).arg(&farm.root).status().unwrap().success());
        fs::rename(farm.root.join("buildouts/openerp.cfg"), farm.root.join("buildouts/MANIFEST.cfg")).unwrap();
        let manifest = "buildouts/MANIFEST.cfg";
        farm.edit(manifest, "openerp-addons = crm, sale, purchase, stock, account", "openerp-addons = crm");
        farm.edit(manifest, "build-for = postgresql < 18", "build-for = postgresql");
        let python = std::env::var("FARMOUT_PYTHON27").expect("these tests need a Python 2.7, as tests/run finds it");
        let (major, bin) = postgresql();
        farm.with_slave("here", &format!("postgresql {major} bin={bin} cluster=ephemeral\npython 2.7 bin={python}"))
    }

    /// The same on PostgreSQL 18 alone.
    fn with_18(farm: &Farm) {
        let ran: Ran = farm.run(&["slave", "detect", "--embedded", "18"]).exits(0);
        let line = ran.out.lines().find(|line| line.trim().starts_with("postgresql 18 ")).expect("no line for 18");
        let fragment = fs::read_to_string(farm.root.join("slaves.d/here.cfg")).unwrap();
        farm.write("slaves.d/here.cfg", &format!("{fragment}    {}\n", line.trim()));
    }

    fn inventory(farm: &Farm, builder: &str) -> Value {
        let path = farm.latest().join(builder).join("kept/inventory.json");
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    #[test]
    fn the_genuine_article() {
        let farm = genuine();
        let (major, _) = postgresql();
        let good = format!("openerp-7.0-pg{major}");
        farm.run(&["run"]).exits(0).says(&format!("{good}  success"));
        let log = fs::read_to_string(farm.slave_file(&format!("here/{good}/build/test.log"))).unwrap();
        assert!(log.lines().filter(|line| line.contains(" TEST ")).count() > 400, "crm has 420 lines of tests");
        let first = inventory(&farm, &good);
        assert!(first["python"].as_str().unwrap().starts_with("2.7."));
        assert_eq!(first["environment"]["zc.buildout"], "2.13.8");
        assert_eq!(first["eggs"]["anybox.recipe.openerp"], "1.9.1");
        assert_eq!(first["sources"][0]["path"], "addons");
        assert_eq!(first["sources"][1]["path"], "parts/openerp");
        farm.is_tidy();

        // Upstream moves on, and breaks everything.
        let shelf = farm.slave_file("here/buildout-caches/openerp");
        let made = fs::read_dir(shelf).unwrap().next().unwrap().unwrap().path();
        let script = "cd \"$1\" && printf '\\nraise RuntimeError(\"upstream moved\")\\n' >> crm/__init__.py \
            && git -c user.name=x -c user.email=x@example.com commit -qam 'Break it'";
        let mut upstream = common::as_step_user("sh");
        let moved = upstream.args(["-c", script, "sh"]).arg(made.join("addons")).status().unwrap();
        assert!(moved.success());
        let locked = fs::read_link(farm.state().join("latest")).unwrap();
        let locked = locked.file_name().unwrap().to_str().unwrap();
        farm.run(&["run", "--locked", locked]).exits(0).says(&format!("{good}  success"));
        assert_eq!(inventory(&farm, &good)["sources"], first["sources"]);
        farm.run(&["run"]).exits(1).says("upstream moved");
        let broken = inventory(&farm, &good);
        assert_ne!(broken["sources"][0]["revision"], first["sources"][0]["revision"]);
        assert_eq!(broken["sources"][1]["revision"], first["sources"][1]["revision"]);

        // On 18 it fails for a reason of its own, which is told.
        with_18(&farm);
        farm.run(&["run", "--locked", locked, "openerp-7.0-pg18"]).exits(2).says("had no builder `openerp-7.0-pg18`");
        farm.run(&["run", "openerp-7.0-pg18"]).exits(1).says("cannot drop inherited constraint");
        farm.is_tidy();
    }
}
