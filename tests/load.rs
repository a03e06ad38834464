//! Farms that no person writes: whatever the size, `farmout compile` comes to its end, in bounded memory and on a small
//! stack, and says what is wrong.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};

/// A slave that takes everything.
const SLAVE: &str = "[s]\npassword = of-the-slave\ncapability = postgresql 15\n";

/// Compiles a farm in no more than `megabytes` of address space, on a stack of 1 MiB.
fn run(manifest: &str, slaves: &str, format: &str, megabytes: usize) -> Output {
    let farm = tempfile::tempdir().unwrap();
    fs::create_dir(farm.path().join("buildouts")).unwrap();
    fs::write(farm.path().join("buildouts/MANIFEST.cfg"), manifest).unwrap();
    fs::write(farm.path().join("slaves.cfg"), slaves).unwrap();
    fs::set_permissions(farm.path().join("slaves.cfg"), fs::Permissions::from_mode(0o600)).unwrap();
    let limits = format!("ulimit -v {} && ulimit -s 1024 && exec \"$@\"", megabytes * 1024);
    let mut command = Command::new("sh");
    command.args(["-c", &limits, "sh", env!("CARGO_BIN_EXE_farmout"), "compile", "--format", format, "--farm"]);
    command.arg(farm.path()).output().unwrap()
}

/// What is told a person of a farm with one slave.
fn compile(manifest: &str, megabytes: usize) -> (String, Option<i32>) {
    let Output { status, stderr, .. } = run(manifest, SLAVE, "human", megabytes);
    (String::from_utf8_lossy(&stderr).into_owned(), status.code())
}

const BUILDOUT: &str = "buildout = git https://x.example/a main b.cfg\n";

#[test]
fn a_chain_of_a_hundred_thousand_parents() {
    let mut manifest = format!("[p0]\n{BUILDOUT}watch =\n");
    for section in 1..100_000 {
        let _ = write!(manifest, "[p{section}]\ninherit = p{}\nwatch =\n", section - 1);
    }
    // Only the last ones have builders, so that the test is short.
    let manifest = manifest.replacen(BUILDOUT, "x-note = far\n", 1) + "[last]\ninherit = p99999\n" + BUILDOUT;
    let (told, code) = compile(&manifest, 1500);
    assert_eq!(code, Some(0), "{}", &told[..told.len().min(2000)]);
    assert!(told.contains("100001 builds, 1 slave, 1 builder"), "{}", &told[told.len().saturating_sub(300)..]);
}

#[test]
fn a_circle_of_ten_thousand_parents() {
    let mut manifest = String::new();
    for section in 0..10_000 {
        let _ = write!(manifest, "[p{section}]\ninherit = p{}\n", (section + 1) % 10_000);
    }
    let (told, code) = compile(&manifest, 1000);
    assert_eq!((code, told.matches("inherit::cycle").count()), (Some(1), 1));
}

#[test]
fn values_that_multiply() {
    for deepest in ["ten bytes!", ""] {
        let mut manifest = format!("[DEFAULT]\na9 = {deepest}\n");
        for level in 0..9 {
            let reference = format!("%(a{})s", level + 1);
            let _ = writeln!(manifest, "a{level} = {}", reference.repeat(50));
        }
        for build in 0..20 {
            let _ = write!(manifest, "[b{build}]\nbuild-category = %(a0)s\n{BUILDOUT}");
        }
        let (told, code) = compile(&manifest, 1000);
        assert_eq!(code, Some(1));
        assert!(told.contains("interpolation::length"), "{}", &told[..told.len().min(2000)]);
    }
}

#[test]
fn references_that_never_end() {
    let manifest = format!("[a]\n{BUILDOUT}build-category = {}\n", "%(".repeat(20_000));
    let (told, code) = compile(&manifest, 1000);
    assert_eq!(code, Some(1));
    assert!(told.contains("interpolation::percent"));
}

#[test]
fn a_value_of_ten_megabytes() {
    let manifest = format!("[a]\n{BUILDOUT}openerp-addons = {}\n", "crm,\n    ".repeat(1_250_000));
    let (told, code) = compile(&manifest, 2000);
    assert_eq!(code, Some(0), "{}", &told[..told.len().min(2000)]);
}

#[test]
fn one_line_of_a_hundred_megabytes() {
    for line in ["# ", "build-category = ", "no option "] {
        let manifest = format!("[a]\n{BUILDOUT}{line}{}\n", "x".repeat(100 << 20));
        let (told, code) = compile(&manifest, 2000);
        assert_eq!(code, Some(i32::from(line.starts_with("no"))), "{}", &told[..told.len().min(2000)]);
        assert!(told.len() < 10_000);
    }
}

#[test]
fn a_hundred_thousand_sections() {
    let mut manifest = String::new();
    for section in 0..100_000 {
        let _ = write!(manifest, "[p{section}]\nwatch = git https://x.example/{section} main\n");
    }
    let (told, code) = compile(&manifest, 3000);
    assert_eq!(code, Some(0), "{}", &told[..told.len().min(2000)]);
}

#[test]
fn very_many_mistakes() {
    let mut manifest = String::new();
    for section in 0..5_000 {
        let _ = write!(manifest, "[p{section}]\ninherit = none-such-{section}\nno option\n");
    }
    let (told, code) = compile(&manifest, 1000);
    // A person is shown the first thousand, and told of the others.
    assert_eq!(
        (code, told.matches("inherit::unknown").count() + told.matches("ini::syntax").count()),
        (Some(1), 1_000)
    );
    assert!(told.contains("… and 9000 errors more: `farmout compile --format short` lists them all"));
    assert!(told.contains("10000 errors: 5000 builds"));
}

#[test]
fn twenty_thousand_mistakes_in_every_format() {
    let manifest = "[a]\n".to_owned() + &"no option\n".repeat(20_000);
    let (told, code) = compile(&manifest, 500);
    assert_eq!((code, told.matches("ini::syntax").count()), (Some(1), 1_000));
    assert!(told.contains("… and 19000 errors more"));
    for (format, each) in [
        ("short", "error[ini::syntax]"),
        ("json", "\"code\":\"ini::syntax\""),
        ("github", "title=ini%3A%3Asyntax::"),
        ("gitlab", "\"check_name\": \"ini::syntax\""),
        ("sarif", "\"ruleId\": \"ini::syntax\""),
    ] {
        let Output { status, stdout, stderr } = run(&manifest, SLAVE, format, 500);
        let (listed, counted) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert_eq!((status.code(), listed.matches(each).count()), (Some(1), 20_000), "{format}");
        assert!(counted.starts_with("20000 errors: "), "{format}: {counted}");
    }
}

#[test]
fn very_many_broken_lines() {
    let (told, code) = compile(&("[a]\n".to_owned() + &"no option\n".repeat(300_000)), 1000);
    assert_eq!(code, Some(1));
    assert!(told.contains("… and 299000 errors more") && told.len() < 1_000_000);
}

#[test]
fn very_many_mistakes_on_one_line() {
    // A reference that is none, and one that makes the value one that has references.
    let manifest = format!("[a]\nx = 1\n{BUILDOUT}build-category = %(x)s {}\n", "% ".repeat(50_000));
    let (told, code) = compile(&manifest, 1000);
    assert_eq!(code, Some(1));
    assert!(told.contains("50000 errors: "), "{}", &told[told.len().saturating_sub(300)..]);
    let Output { stdout, .. } = run(&manifest, SLAVE, "short", 1000);
    assert_eq!(String::from_utf8_lossy(&stdout).lines().count(), 50_000);
}

#[test]
fn a_mistake_at_the_end_of_ten_megabytes() {
    let manifest = format!("[a]\n{BUILDOUT}build-category = {}%(none)s\n", "x".repeat(10 << 20));
    let (told, code) = compile(&manifest, 500);
    assert_eq!(code, Some(1));
    assert!(told.contains("xx%(none)s") && told.len() < 2_000, "{}", &told[..told.len().min(2000)]);
}

#[test]
fn a_million_sections() {
    let mut manifest = String::new();
    for section in 0..1_000_000 {
        let _ = write!(manifest, "[p{section}]\nwatch =\n");
    }
    let (told, code) = compile(&manifest, 1300);
    assert_eq!(code, Some(0), "{}", &told[..told.len().min(2000)]);
    assert!(told.contains("1000000 builds"));
}

#[test]
fn more_lines_than_any_farm_has() {
    // A blank line counts as any other; the last one ends the file.
    let lines = "\n".repeat(2_999_999);
    assert_eq!(compile(&(lines.clone() + "[a]\n"), 500).1, Some(0));
    let (told, code) = compile(&(lines + "[a]\n[b]\n"), 500);
    assert_eq!(code, Some(2));
    assert!(told.contains("MANIFEST.cfg:3000001: more than 3000000 lines"), "{told}");
}

#[test]
fn a_chain_of_three_thousand_builds() {
    let mut manifest = format!("[p0]\n{BUILDOUT}");
    for section in 1..3_000 {
        let _ = write!(manifest, "[p{section}]\ninherit = p{}\n", section - 1);
    }
    let (told, code) = compile(&manifest, 500);
    assert_eq!(code, Some(0), "{}", &told[..told.len().min(2000)]);
    assert!(told.contains("3000 builds, 1 slave, 3000 builders"));
}

#[test]
fn very_many_lines_of_watch() {
    for different in [false, true] {
        let line = |line: usize| format!("    git https://x.example/{} main\n", if different { line } else { 0 });
        let manifest = format!("[a]\n{BUILDOUT}watch =\n{}", (0..100_000).map(line).collect::<String>());
        let (told, code) = compile(&manifest, 500);
        assert_eq!(code, Some(0), "{}", &told[..told.len().min(2000)]);
    }
}

#[test]
fn words_of_a_hundred_megabytes() {
    for option in ["buildout = git", "build-for = postgresql", "build-requires = postgresql", "watch = git"] {
        let manifest = format!("[a]\n{option} {}\n", ">= 9 ".repeat(20 << 20));
        let (told, code) = compile(&manifest, 1000);
        assert_eq!((code, told.matches("option::length").count()), (Some(1), 1), "{}", &told[..told.len().min(2000)]);
        assert!(told.len() < 2_000);
    }
}

#[test]
fn a_value_of_megabytes_for_every_section() {
    let mut manifest = format!("[DEFAULT]\nbuild-category = {}\n", "x".repeat(1_000_000));
    for section in 0..1_000 {
        let _ = write!(manifest, "[p{section}]\n{BUILDOUT}");
    }
    let (told, code) = compile(&manifest, 1000);
    assert_eq!((code, told.matches("interpolation::length").count()), (Some(1), 1));
}

#[test]
fn versions_that_multiply() {
    let capabilities = ["a", "b", "c", "d", "e"];
    let offers = capabilities.iter().flat_map(|name| (1..=100).map(move |version| format!("    {name} {version}\n")));
    let slave = format!("[s]\npassword = of-the-slave\ncapability =\n{}", offers.collect::<String>());
    let build_for = capabilities.map(|name| format!("    {name}\n")).concat();
    let manifest = format!("[bomb]\n{BUILDOUT}build-for =\n{build_for}[good]\n{BUILDOUT}build-for = a\n");
    let Output { status, stderr, .. } = run(&manifest, &slave, "human", 500);
    let told = String::from_utf8_lossy(&stderr);
    assert_eq!((status.code(), told.matches("dispatch::").count()), (Some(1), 1), "{told}");
    assert!(told.contains("more than 10000 builders") && told.contains("2 builds, 1 slave, 100 builders"), "{told}");
}

#[test]
fn more_builders_than_any_farm_has() {
    let offers: String = (1..=5_000).map(|version| format!("    postgresql {version} port={version}\n")).collect();
    let slave = format!("[s]\npassword = of-the-slave\ncapability =\n{offers}");
    let manifest: String = (0..300).map(|build| format!("[p{build}]\n{BUILDOUT}")).collect();
    let Output { status, stderr, .. } = run(&manifest, &slave, "human", 1000);
    let told = String::from_utf8_lossy(&stderr);
    assert_eq!((status.code(), told.matches("dispatch::too-many").count()), (Some(1), 1), "{}", &told[..2000]);
    // The first builds have theirs.
    assert!(told.contains("300 builds, 1 slave, 1000000 builders"), "{}", &told[told.len().saturating_sub(300)..]);
}

#[test]
fn a_slave_with_very_many_versions() {
    let offers: String = (1..=50_000).map(|version| format!("    python {version}\n")).collect();
    let slave = format!("{SLAVE}[t]\npassword = of-the-other\ncapability =\n    postgresql 15\n{offers}");
    let manifest: String =
        (0..200).map(|build| format!("[p{build}]\n{BUILDOUT}build-requires = python < 1\n")).collect();
    let Output { status, stderr, .. } = run(&manifest, &slave, "human", 500);
    let told = String::from_utf8_lossy(&stderr);
    assert_eq!((status.code(), told.matches("dispatch::unmet").count()), (Some(0), 200));
    assert!(told.len() < 1_000_000);
}
