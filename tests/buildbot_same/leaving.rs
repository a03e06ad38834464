//! Steps that leave something: files that are kept, last lines that become properties, and what is published. Out: a template
//! with all of them, and what both the runner and Buildbot are to say of each.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::buildbot::fine;
use super::common::Farm;

/// Stands in an option of a capability. Whole, it may be part of a path.
pub const SECRET: &str = "nasturtium";
/// What is published of the folder `out`.
const PUBLISHED: &str = "deep/more.html index.html page.html";

/// A step, how it ends, what is said of it, and the files that it publishes.
pub struct Row {
    pub name: String,
    pub outcome: &'static str,
    pub reason: &'static str,
    pub published: Option<&'static str>,
    step: Value,
}

fn row(name: &str, outcome: &'static str, reason: &'static str, step: Value) -> Row {
    Row { name: name.to_owned(), outcome, reason, published: None, step }
}

fn shell(script: &str) -> Value {
    json!({"run": ["sh", "-c", script], "on-failure": "flunk"})
}

fn with(mut step: Value, more: &Value) -> Value {
    step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    step
}

fn keeps(name: &str, outcome: &'static str, reason: &'static str, script: &str, file: &str) -> Row {
    row(name, outcome, reason, with(shell(script), &json!({"keep": file})))
}

/// What makes a file. Of more lines Buildbot makes a log that takes its time.
fn of_size(size: u32, file: &str) -> String {
    format!("head -c {size} /dev/zero | tr '\\0' x | fold -w 1000 | head -c {size} > {file}")
}

fn uploads(name: &str, sources: &[&str], directory: &str, published: &'static str) -> Row {
    let to = ["--base", "${basedir}/uploads", "--to", name];
    let words: Vec<&str> =
        ["${farmout}", "tool", "upload"].into_iter().chain(sources.iter().copied()).chain(to).collect();
    let step = json!({"run": words, "directory": directory, "on-failure": "flunk"});
    Row { published: Some(published), ..row(name, "success", "", step) }
}

/// The table. `root` is where archives are.
pub fn rows(root: &Path) -> Vec<Row> {
    let archive = |name: &str| {
        let root = format!("--root={}", root.display());
        json!([
            "${farmout}",
            "tool",
            "fetch",
            "archive",
            root,
            "--directory",
            "shop",
            "--name",
            name,
            "--into",
            "${builder-dir}/unpacked"
        ])
    };
    let prepare = "rm -rf out wrong linked && mkdir -p out/deep wrong folder && echo one > out/page.html && \
                   ln -s page.html out/index.html && echo two > out/deep/more.html && ln -s out linked && \
                   echo three > wrong/page.html && ln -s /etc/hostname wrong/away && echo old > stale.txt";
    let tells = |script: &str, name: &str| {
        with(shell(script), &json!({"property": name, "environment": {"VAULT": "${vault.passwd}"}}))
    };
    let looks = "test \"$1\" = \"$(printf /srv/%s%s/build nastur tium)\"";
    vec![
        row("prepare", "success", "", shell(prepare)),
        keeps("keep-nothing", "warnings", "it left no missing.txt to keep", "true", "missing.txt"),
        keeps("keep-old", "warnings", "it left no stale.txt to keep", "test ! -e stale.txt", "stale.txt"),
        keeps("keep-large", "warnings", "is no file of at most 4194304 bytes", &of_size(4_194_305, "a.txt"), "a.txt"),
        keeps("keep-largest", "success", "", &of_size(4_194_304, "b.txt"), "b.txt"),
        keeps("keep-folder", "warnings", "folder is not kept: ", "true", "folder"),
        // Characters of several bytes, on both sides of each border between pieces.
        keeps("keep-wide", "success", "", "{ printf x; yes é | tr -d '\\n' | head -c 140000; } > c.txt", "c.txt"),
        keeps("keep-bytes", "success", "", "printf 'caf\\351\\000\\n' > d.txt", "d.txt"),
        keeps("keep-of-failed", "failure", "exit status 3", "echo x > e.txt; exit 3", "e.txt"),
        keeps("keep-nothing-of-failed", "failure", "exit status 3", "exit 3", "missing.txt"),
        row(
            "ignored",
            "warnings",
            "it left no missing.txt to keep",
            json!({"run": ["false"], "keep": "missing.txt", "on-failure": "ignore"}),
        ),
        row(
            "tell-nothing",
            "success",
            "the property `nothing` has no value: there was no output",
            tells("true", "nothing"),
        ),
        row("tell-bytes", "success", "the last line is not UTF-8", tells("printf '\\377\\n'", "nothing")),
        row("tell-path", "success", "", tells("echo /srv/$VAULT/build; echo", "path")),
        row(
            "look-at-path",
            "success",
            "",
            json!({"run": ["sh", "-c", looks, "sh", "${property.path}"], "on-failure": "flunk"}),
        ),
        uploads("upload-slash", &["out/"], "${build-dir}", PUBLISHED),
        uploads("upload-here", &["."], "${build-dir}/out", PUBLISHED),
        uploads("upload-link", &["linked"], "${build-dir}", PUBLISHED),
        uploads(
            "upload-several",
            &["out/page.html", "out/index.html", "linked/deep/"],
            "${build-dir}",
            "index.html more.html page.html",
        ),
        Row {
            outcome: "failure",
            reason: "exit status 1",
            ..uploads("upload-part", &["wrong"], "${build-dir}", "page.html")
        },
        Row {
            outcome: "failure",
            reason: "exit status 1",
            published: None,
            ..uploads("upload-none", &["missing"], "${build-dir}", "")
        },
        row("unpack", "success", "", json!({"run": archive("shop-1.0"), "directory": "${builder-dir}"})),
        // What cannot go from the master to a worker is no more than a step that failed.
        row(
            "unpack-nothing",
            "warnings",
            "",
            json!({"run": archive("shop-2.0"), "directory": "${builder-dir}", "infrastructure": true, "on-failure": "warn"}),
        ),
    ]
}

/// Adds the template with these steps, and a build of it.
pub fn add(farm: &Farm, rows: &[Row]) {
    let steps: Vec<Value> =
        rows.iter().map(|row| with(json!({"name": row.name, "help": "Leave something."}), &row.step)).collect();
    let template =
        json!({"template": "leaving", "help": "Leave something.", "place": "post-buildout-steps", "steps": steps});
    farm.write("steps/leaving.yaml", &template.to_string());
    let manifest = "stand-in/MANIFEST.cfg";
    let text = fs::read_to_string(farm.root.join(manifest)).unwrap();
    farm.write(manifest, &format!("{text}\n[leaves]\nbuild-requires = vault\npost-buildout-steps = leaving\n"));
}

/// The archive that is unpacked.
pub fn archive(root: &Path) {
    fs::create_dir_all(root.join("shop")).unwrap();
    fs::write(root.join("buildout.cfg"), "[buildout]\n").unwrap();
    let code = "import sys, tarfile; tarfile.open(sys.argv[1], 'w:bz2').add('buildout.cfg', 'shop-1.0/buildout.cfg')";
    let archive = root.join("shop/shop-1.0.tar.bz2");
    fine(Command::new("python3").args(["-c", code]).arg(&archive).current_dir(root));
    let sum = fine(Command::new("md5sum").arg(&archive));
    fs::write(root.join("shop/shop-1.0.tar.bz2.md5"), sum).unwrap();
}

/// The files below a directory, and the links in it: their paths, and what is in them.
pub fn below(directory: &Path) -> Vec<(String, String)> {
    let found =
        fine(Command::new("find").arg(directory).args(["(", "-type", "f", "-o", "-type", "l", ")", "-printf", "%P\n"]));
    let mut found: Vec<_> =
        found.lines().map(|path| (path.to_owned(), fs::read_to_string(directory.join(path)).unwrap())).collect();
    found.sort();
    found
}
