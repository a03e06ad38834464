//! The documentation is true: every check has a page whose example triggers it, every option is in a table, and what
//! commands print is what they print. With UPDATE_DOCS=1 what differs is written anew instead.

mod common {
    pub mod binary;
    pub mod copy;
}

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use common::binary::{farmout, text};
use common::copy::copy;
use farmout::diagnostic::Problem;
use farmout::doctor::kind;
use farmout::explain::{Prose, capability_table, option_table};
use farmout::host::needs::{Distribution, Need};
use farmout::steps::{CoreOptions, Templates, declarations};
use regex::Regex;
use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compares a file with what it should be, or writes it.
fn same(path: &Path, wanted: &str) {
    let found = fs::read_to_string(path).unwrap_or_default();
    if found != wanted && std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, wanted).unwrap();
        return;
    }
    let line = found.lines().zip(wanted.lines()).position(|(one, two)| one != two);
    let line = line.unwrap_or_else(|| found.lines().count().min(wanted.lines().count()));
    let at = |text: &str| text.lines().nth(line).unwrap_or("(nothing)").to_owned();
    assert!(
        found == wanted,
        "{} is out of date at line {}:\n  has    {}\n  should {}\nUPDATE_DOCS=1 cargo test --test docs writes it",
        path.display(),
        line + 1,
        at(&found),
        at(wanted)
    );
}

/// A check's page and its example.
struct Check {
    code: String,
    folder: PathBuf,
    prose: Prose,
}

fn checks() -> Vec<Check> {
    let folders = |path: &Path| {
        let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
        let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir() && !path.ends_with("common")).collect();
        folders.sort();
        folders
    };
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let all = folders(&root().join("fixtures/checks"));
    let all = all.iter().flat_map(|family| folders(family).into_iter().map(|folder| (name(family), folder)));
    all.map(|(family, folder)| {
        let page = fs::read_to_string(folder.join("page.yaml")).unwrap();
        let prose = serde_yaml::from_str(&page).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        Check { code: format!("{family}::{}", name(&folder)), folder, prose }
    })
    .collect()
}

impl Check {
    /// The example as a farm of its own, in a place without a repository; fixed or not.
    fn farm(&self, fixed: bool) -> TempDir {
        let farm = tempfile::tempdir().unwrap();
        copy(&self.folder.parent().unwrap().parent().unwrap().join("common"), farm.path());
        let has = |part: &str, name: &str| self.folder.join(part).join(name).exists();
        let arrange = self.prose.arrange.as_deref();
        if arrange == Some("bare") || has("farm", "slaves.d") {
            fs::remove_file(farm.path().join("slaves.cfg")).unwrap();
        }
        copy(&self.folder.join("farm"), farm.path());
        if fixed {
            if self.folder.join("fixed").exists() {
                copy(&self.folder.join("fixed"), farm.path());
            }
            return farm;
        }
        let fragment = farm.path().join("slaves.cfg");
        match arrange {
            Some("readable") => fs::set_permissions(fragment, fs::Permissions::from_mode(0o644)).unwrap(),
            Some("tracked") => {
                for arguments in [&["init", "-q"][..], &["add", "slaves.cfg"]] {
                    let git = std::process::Command::new("git").args(arguments).current_dir(farm.path()).status();
                    assert!(git.unwrap().success());
                }
            }
            Some("unchecked") => {
                let git = std::process::Command::new("git").args(["init", "-q"]).current_dir(farm.path()).status();
                assert!(git.unwrap().success());
                fs::write(farm.path().join(".git/config"), "[core\n").unwrap();
            }
            None | Some("bare") => {}
            Some(other) => panic!("{}: what is `{other}`?", self.code),
        }
        farm
    }

    /// What `farmout compile` says about it.
    fn said(&self, fixed: bool) -> String {
        let farm = self.farm(fixed);
        text(&farmout(&["compile"]).current_dir(farm.path()).output().unwrap().stderr)
    }
}

#[test]
fn every_code_has_a_page() {
    let known: BTreeSet<String> = Problem::CODES.iter().map(|code| code.name.to_owned()).collect();
    let pages: BTreeSet<String> = checks().into_iter().map(|check| check.code).collect();
    assert_eq!(known, pages, "codes on the left, pages in fixtures/checks on the right");
}

#[test]
fn every_example_triggers_its_check_and_the_fixed_one_does_not() {
    let code = Regex::new("(?m)^[a-z]+::[a-z-]+$").unwrap();
    let mut wrong = String::new();
    for check in checks() {
        let said = check.said(false);
        let codes: BTreeSet<&str> = code.find_iter(&said).map(|found| found.as_str()).collect();
        // One mistake is told once: an example that needs two messages is no good example.
        if codes != BTreeSet::from([check.code.as_str()]) {
            let _ = writeln!(wrong, "{} gives {codes:?}:\n{said}", check.code);
            continue;
        }
        same(&check.folder.join("output.txt"), &said);
        let fixed = check.said(true);
        if !fixed.starts_with("no errors") {
            let _ = writeln!(wrong, "{} is not fixed:\n{fixed}", check.code);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    page_of_checks();
}

/// Compares `docs/checks.md` with the examples and what was said about them.
fn page_of_checks() {
    let mut page = String::from(
        "# What `farmout compile` checks\n\n\
         <!-- Written by `UPDATE_DOCS=1 cargo test --test docs` from fixtures/checks: change it there. -->\n\n\
         Every check with a farm that triggers it and exactly what is said about it. `farmout explain CODE` shows the same.\n\
         A test compiles each farm, before and after the correction.\n\n\
         An error means that the farm does not compile; a warning, that something is most probably not what was meant; a\n\
         notice is something to know. Only errors change the exit code.\n\n\
         A comment `# farmout: allow CODE` silences warnings and notices of the line below it; `farmout compile --allow CODE`\n\
         silences them everywhere, and `--deny CODE` makes errors of them. `family::*` stands for all codes of a family.\n\n\
         Where a farm below shows no manifest or no fragment, it has these:\n\n",
    );
    let common = root().join("fixtures/checks/common");
    files(&common, &mut page);
    let mut family = String::new();
    for check in checks() {
        let own = check.code.split("::").next().unwrap();
        if own != family {
            family = own.to_owned();
            let _ = write!(page, "## {family}\n\n");
        }
        let Some(code) = Problem::CODES.iter().find(|code| code.name == check.code) else { continue };
        let severity = format!("{:?}", code.severity).to_lowercase();
        let text = check.prose.text.trim();
        let _ = write!(page, "### {}\n\n{}. ({severity})\n\n{text}\n\n", code.name, code.summary);
        files(&check.folder.join("farm"), &mut page);
        let output = fs::read_to_string(check.folder.join("output.txt")).unwrap_or_default();
        if !output.is_empty() {
            let around = match check.prose.arrange.as_deref() {
                Some("readable") => "With a slaves.cfg that everybody may read:\n\n",
                Some("tracked") => "With a slaves.cfg that git tracks:\n\n",
                Some("unchecked") => "With `[core` in .git/config:\n\n",
                Some("bare") => "Without any fragment:\n\n",
                _ => "",
            };
            let _ = write!(page, "{around}```text\n{output}```\n\n");
        }
        if check.folder.join("fixed").exists() {
            page.push_str("Right is:\n\n");
            files(&check.folder.join("fixed"), &mut page);
        }
    }
    same(&root().join("docs/checks.md"), &(page.trim_end().to_owned() + "\n"));
}

/// Appends the files below a folder, each under its name.
fn files(folder: &Path, page: &mut String) {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
            if entry.path().is_dir() { folders.push(entry.path()) } else { found.push(entry.path()) }
        }
    }
    found.sort();
    for path in found {
        let name = path.strip_prefix(folder).unwrap().display().to_string();
        let _ = write!(page, "`{name}`:\n\n{}\n", block(&path));
    }
}

/// A file as a block of code.
fn block(path: &Path) -> String {
    let bytes = fs::read(path).unwrap();
    let shown = String::from_utf8_lossy(&bytes).replace('\0', "\\0");
    let language = match path.extension().and_then(|extension| extension.to_str()) {
        // A master's configuration.
        Some("cfg") if path.starts_with(root().join("src/render/buildbot")) => "python",
        Some("cfg") => "ini",
        Some("json") => "json",
        Some("yaml") => "yaml",
        _ => "text",
    };
    format!("```{language}\n{}\n```\n", shown.trim_end_matches('\n'))
}

/// What belongs between `<!-- WHAT -->` and `<!-- end -->`.
fn generated(what: &str) -> String {
    let (kind, rest) = what.split_once(": ").unwrap();
    let templates = || Templates::builtin();
    match kind {
        "options of" => match rest {
            "manifests" => option_table(&CoreOptions::builtin().manifest),
            "slaves" => option_table(&CoreOptions::builtin().slave),
            template => option_table(&templates().find(template).unwrap().options),
        },
        "capability" => capability_table(declarations(&[]).get(rest).unwrap()),
        "findings of" => findings(rest),
        "needs" => needs(),
        "file" => block(&root().join(rest)),
        "run" => {
            let (folder, command) = rest.split_once(": ").unwrap();
            let farm = tempfile::tempdir().unwrap();
            copy(&root().join(folder), farm.path());
            let (call, filter) = command.split_once(" | grep ").unwrap_or((command, ""));
            let arguments = shell_words::split(call.strip_prefix("farmout ").unwrap()).unwrap();
            let output = farmout(&[]).args(arguments).current_dir(farm.path()).output().unwrap();
            let said = text(&output.stdout) + &text(&output.stderr);
            let said = said.lines().filter(|line| line.contains(filter)).collect::<Vec<_>>().join("\n");
            format!("```console\n$ {command}\n```\n\n```text\n{}\n```\n", said.trim_end())
        }
        other => panic!("what is `{other}`?"),
    }
}

/// The findings of a family of the doctor's.
fn findings(family: &str) -> String {
    let mut table = "| finding | | why it bites |\n| --- | --- | --- |\n".to_owned();
    for kind in kind::ALL.iter().filter(|kind| kind.family.name() == family) {
        let _ = writeln!(table, "| `{}` | {} | {} |", kind.name, kind.severity.name(), kind.why);
    }
    table
}

/// What builds need, and the packages of all distributions.
fn needs() -> String {
    let mut table = "| | what for | | Debian, Ubuntu | Fedora | Arch | Alpine |\n".to_owned();
    table.push_str("| --- | --- | --- | --- | --- | --- | --- |\n");
    for need in Need::all() {
        let packages = ["debian", "fedora", "arch", "alpine"].map(|id| {
            let packages = need.packages(&Distribution::read(&format!("ID={id}"))).join(" ");
            if packages.is_empty() { "(none)".to_owned() } else { format!("`{packages}`") }
        });
        let elsewhere = need.elsewhere.as_ref().map(|from| format!("; else from {from}")).unwrap_or_default();
        let weight = format!("{:?}", need.weight).to_lowercase();
        let packages = packages.join(" | ");
        let _ = writeln!(table, "| {} | {}{elsewhere} | {weight} | {packages} |", need.name, need.purpose);
    }
    table
}

#[test]
fn generated_parts_of_the_pages_are_up_to_date() {
    let marked =
        Regex::new(r"(?s)<!-- ((?:options of|capability|file|findings of|needs|run): [^\n]*?) -->\n.*?<!-- end -->")
            .unwrap();
    let mut parts = 0;
    for page in ["doctor.md", "manifest.md", "slaves.md", "farm.md", "templates.md", "buildbot-scale.md"] {
        let path = root().join("docs").join(page);
        let found = fs::read_to_string(&path).unwrap();
        let wanted = marked.replace_all(&found, |part: &regex::Captures<'_>| {
            parts += 1;
            format!("<!-- {} -->\n\n{}\n<!-- end -->", &part[1], generated(&part[1]))
        });
        same(&path, &wanted);
    }
    assert!(parts > 10, "the markers are not found");
}

/// Every finding and every need of the system's is in a table.
#[test]
fn no_finding_is_left_out() {
    let page = fs::read_to_string(root().join("docs/doctor.md")).unwrap();
    for kind in kind::ALL {
        assert!(page.contains(&format!("| `{}` | {} |", kind.name, kind.severity.name())), "{}", kind.name);
    }
    for need in Need::all() {
        assert!(page.contains(&format!("| {} | {}", need.name, need.purpose)), "{}", need.name);
    }
}

/// Every step template whose options are built in has its table.
#[test]
fn no_option_is_left_out_of_the_pages() {
    let page = fs::read_to_string(root().join("docs/manifest.md")).unwrap();
    for template in Templates::builtin().iter() {
        for option in template.options.keys() {
            assert!(page.contains(&format!("| `{option}`")), "`{option}` of {} is missing", template.name);
        }
    }
    let slaves = fs::read_to_string(root().join("docs/slaves.md")).unwrap();
    for declaration in declarations(&[]).iter() {
        let marker = format!("<!-- capability: {} -->", declaration.name);
        assert!(slaves.contains(&marker), "docs/slaves.md lacks {marker}");
    }
}
