//! Farms made by rule, for benches and tests: any number of builds and slaves, the same bytes for the same numbers.
//!
//! 1,000 builds × 1,000 slaves make 25,020 builders, about as many as the farm by which the original was measured
//! (25,888).

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// The text of a farm's files.
pub struct FarmText {
    /// `buildouts/MANIFEST.cfg`
    pub manifest: String,
    /// `slaves.d/NN.cfg`, a hundred slaves each
    pub fragments: Vec<String>,
}

const POSTGRESQL: [&str; 8] = ["9.6", "10", "11", "12", "13", "14", "15", "16"];
const PYTHON: [&str; 3] = ["2.7", "3.8", "3.11"];
const WKHTMLTOPDF: [&str; 2] = ["0.12.5", "0.12.6"];

/// What the builds are for, in turn: 8, 24, 28, 48 and 21 builders.
const BUILD_FOR: [&str; 5] = [
    "build-for = postgresql\n",
    "build-for =\n    postgresql\n    python\n",
    "build-for = postgresql >= 10\n    python >= 3\n    wkhtmltopdf\n",
    "build-for =\n    postgresql\n    python\n    wkhtmltopdf\n",
    "build-for =\n    postgresql < 15 OR == 16\n    python\n    wkhtmltopdf > 0.12.5\n",
];

/// The configuration that a quarter of the builds has beside the manifest.
const BUILDOUT: &str = "[buildout]\nparts = odoo\nversions = versions\n\n[odoo]\nrecipe = anybox.recipe.openerp:server\nversion = git https://git.example.org/server parts/server main\n\n[versions]\nzc.buildout = 2.13.8\n";

impl FarmText {
    /// A farm of so many builds and slaves.
    pub fn new(builds: usize, slaves: usize) -> Self {
        let fragments = (0..slaves.div_ceil(100)).map(|part| fragment(part * 100..slaves.min(part * 100 + 100)));
        Self { manifest: manifest(builds), fragments: fragments.collect() }
    }

    /// Writes it into a directory.
    pub fn write(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir_all(directory.join("buildouts"))?;
        fs::create_dir_all(directory.join("slaves.d"))?;
        fs::write(directory.join("buildouts/MANIFEST.cfg"), &self.manifest)?;
        fs::write(directory.join("buildouts/shared.cfg"), BUILDOUT)?;
        for (number, fragment) in self.fragments.iter().enumerate() {
            let file = directory.join(format!("slaves.d/{number:04}.cfg"));
            fs::write(&file, fragment)?;
            // Passwords that others can read would be warned of.
            fs::set_permissions(file, fs::Permissions::from_mode(0o600))?;
        }
        Ok(())
    }
}

fn manifest(builds: usize) -> String {
    let mut text = String::from(
        "# A manifest made by rule.\n[DEFAULT]\nforge = https://git.example.org\nbuildout-part = odoo\n\n\
         [common]\ntree-stable-timer = 300\ntest-command = bin/test_%(buildout-part)s --log-level=test\n\n",
    );
    for index in 0..builds {
        // Writing to a string does not fail.
        let _ = write!(text, "[project-{index:05}]\ninherit = common\nbuild-category = team-{}\n", index % 7);
        let _ = if index % 4 == 3 {
            writeln!(text, "buildout = standalone shared.cfg\nwatch = git %(forge)s/project-{index} main")
        } else {
            writeln!(text, "buildout = git %(forge)s/project-{index} main buildout.cfg ; the project's own")
        };
        let _ = writeln!(text, "openerp-addons = crm,sale,\n    project_{index}, project_{index}_reports");
        text.push_str(BUILD_FOR[index % BUILD_FOR.len()]);
        match index % 9 {
            4 => text.push_str("build-requires = private-code\n"),
            7 => text.push_str("build-requires = memory >= 4\n"),
            _ => {}
        }
        text.push('\n');
    }
    text
}

fn fragment(slaves: std::ops::Range<usize>) -> String {
    let mut text = String::from("[DEFAULT]\nmax_builds = 2\nnotify_on_missing = farm@example.org\n\n");
    for index in slaves {
        let _ = write!(text, "[slave-{index:05}]\npassword = generated-{index}\ncapability =\n");
        for step in 0..=(index % 3) {
            let version = POSTGRESQL[(index + step * 3) % POSTGRESQL.len()];
            let _ = writeln!(text, "    postgresql {version} port={} bin=/opt/pg{version}/bin", 5432 + step);
        }
        // Of the numbers by which two lists go round, none divides the other: every combination comes up.
        for step in 0..=(index / 5 % 2) {
            let version = PYTHON[(index / 8 + step) % PYTHON.len()];
            let _ = writeln!(text, "    python {version} bin=/opt/python{version}/bin/python");
        }
        if index % 11 != 0 {
            let _ = writeln!(text, "    wkhtmltopdf {}", WKHTMLTOPDF[index / 3 % WKHTMLTOPDF.len()]);
        }
        let _ = writeln!(text, "    memory {}", 2 << (index % 4));
        if index % 2 == 0 {
            text.push_str("    private-code\n");
        }
        if index % 50 == 0 {
            text.push_str("build-only-if-requires = private-code\n");
        }
        let _ = writeln!(text, "slave_priority = {}\nrack = r{}\n", index % 3, index % 40);
    }
    text
}
