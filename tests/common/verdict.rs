//! A farm whose builds take no time: each has one step, and ends as a file says.

use std::fs;
use std::ops::Deref;

use super::{Farm, Ran};

/// A farm with the builders `one` and `two`, and the slave `here`. Only their step `verdict` is worth performing.
pub struct Verdict(Farm);

const TEMPLATE: &str = "\
template: verdict
help: Ends as a file says.
place: post-buildout-steps
steps:
  - name: verdict
    help: End.
    run: [sh, -c, 'echo the password is $PGPASSWORD; . DIR/verdict-$(basename $0)', \"${builder-dir}\"]
    on-failure: flunk
";

impl Verdict {
    /// With this in farm.yaml.
    pub fn new(yaml: &str) -> Self {
        let farm = Farm::empty();
        farm.write(
            "buildouts/MANIFEST.cfg",
            "[DEFAULT]\nbuildout = standalone x.cfg\nbuild-for =\ndb-steps =\npost-buildout-steps = verdict\n\
             [one]\nbuild-requires = postgresql\n[two]\nbuild-requires = postgresql\n",
        );
        farm.write("buildouts/x.cfg", "[buildout]\nparts = openerp\n[openerp]\nrecipe = zc.recipe.egg\n");
        farm.write(
            "slaves.cfg",
            "[here]\npassword = kept-from-all\nnotify_on_missing = admin@host.example\n\
             capability = postgresql 15 passwd=hunter2hunter2\n",
        );
        farm.write("steps/verdict.yaml", &TEMPLATE.replace("DIR", farm.directory.path().to_str().unwrap()));
        farm.write("farm.yaml", &format!("templates: [steps]\n{yaml}"));
        let verdict = Self(farm);
        verdict.ends(0, 0);
        verdict
    }

    /// From now on the builders end with these exit codes.
    pub fn ends(&self, one: i32, two: i32) {
        self.does("one", &format!("exit {one}"));
        self.does("two", &format!("exit {two}"));
    }

    /// What a builder does from now on, as a shell script.
    pub fn does(&self, builder: &str, script: &str) {
        fs::write(self.directory.path().join(format!("verdict-{builder}")), format!("{script}\n")).unwrap();
    }

    /// Runs both builders.
    pub fn build(&self) -> Ran {
        self.run(&["run", "--only", "verdict"])
    }
}

impl Deref for Verdict {
    type Target = Farm;

    fn deref(&self) -> &Farm {
        &self.0
    }
}
