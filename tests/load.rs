//! Farms that no person writes: whatever the size, `farmout compile` comes to its end, in bounded memory and on a small
//! stack, and says what is wrong.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Output};

/// Compiles a manifest in no more than `megabytes` of address space, on a stack of 1 MiB.
fn compile(manifest: &str, megabytes: usize) -> (String, Option<i32>) {
    let farm = tempfile::tempdir().unwrap();
    fs::create_dir(farm.path().join("buildouts")).unwrap();
    fs::write(farm.path().join("buildouts/MANIFEST.cfg"), manifest).unwrap();
    fs::write(farm.path().join("slaves.cfg"), "[s]\npassword = of-the-slave\ncapability = postgresql 15\n").unwrap();
    let limits = format!("ulimit -v {} && ulimit -s 1024 && exec \"$0\" compile --farm \"$1\"", megabytes * 1024);
    let Output { status, stderr, .. } =
        Command::new("sh").args(["-c", &limits, env!("CARGO_BIN_EXE_farmout")]).arg(farm.path()).output().unwrap();
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
    assert_eq!((code, told.matches("inherit::unknown").count()), (Some(1), 5_000));
}
