//! The farmout program that steps call: carried, found or downloaded.

use std::fs;
use std::process::Command;

use farmout::plan::Plan;
use farmout::render::sh::Program;

use crate::common::FARMOUT;
use crate::executable::{install, script as executable};
use crate::plans::{StepExt as _, plan, step};
use crate::support::{Host, SHELLS, said};

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn calling(argument: &str) -> Plan {
    let call = step("call", "").with(|step| step.run = vec!["${farmout}".to_owned(), argument.to_owned()]);
    plan("b", vec![call])
}

/// A program that says that it is farmout, as small as programs are.
fn stand_in(version: &str) -> String {
    format!("#!/bin/sh\ncase $1 in --version) echo farmout {version} ;; *) echo \"called with $*\" ;; esac\n")
}

#[test]
fn a_script_carries_its_program() {
    let host = Host::new();
    // The real one, but for what debuggers want: to pack that takes a minute in a program that is not optimised.
    let own = host.path("own");
    assert!(Command::new("strip").args(["-o", own.as_str(), FARMOUT]).status().unwrap().success());
    host.write_script(&[calling("--version")], Some(&Program::pack(fs::File::open(&own).unwrap()).unwrap()));
    for shell in SHELLS {
        let (code, said) = host.run(shell, &[]);
        assert_eq!(code, 0, "{shell:?}: {said}");
        assert!(said.contains(&format!("unpacking farmout {VERSION} to {}/bin\n", host.path(shell[0]))), "{said}");
        assert_eq!(host.log(shell, "b/logs/latest/01-call.log"), format!("farmout {VERSION}\n"));
    }
    let bin = host.path("dash/bin");
    let names: Vec<_> = bin.read_dir_utf8().unwrap().map(|entry| entry.unwrap().file_name().to_owned()).collect();
    let [name] = names.as_slice() else { panic!("{names:?}") };
    assert!(Command::new("cmp").arg(&own).arg(bin.join(name)).status().unwrap().success());
}

#[test]
fn what_is_carried_is_unpacked_once_and_whole() {
    let host = Host::new();
    host.write_script(&[calling("hello")], Some(&Program::pack(stand_in(VERSION).as_bytes()).unwrap()));
    let script = host.read("script.sh");
    for shell in SHELLS {
        assert!(host.run(shell, &[]).1.contains("unpacking farmout"));
        let (code, said) = host.run(shell, &[]);
        assert!(code == 0 && said.contains("called with hello") && !said.contains("unpacking"), "{said}");
        // Somebody has changed it.
        let folder = host.path(shell[0]).join("bin");
        let name = folder.read_dir_utf8().unwrap().next().unwrap().unwrap().path().to_owned();
        fs::write(&name, stand_in("0")).unwrap();
        let (code, said) = host.run(shell, &[]);
        assert!(code == 0 && said.contains("unpacking") && said.contains("called with hello"), "{said}");
        // Another is named.
        executable(host.path("other"), "case $1 in --version) echo farmout 9.9 ;; *) echo other ;; esac");
        let mut other = host.script(shell, &[]);
        let (code, said_) = crate::support::said(&other.env("FARMOUT", "./other").output().unwrap());
        assert_eq!(code, 0, "{said_}");
        assert!(said_.contains("warning: FARMOUT is ./other, which is not farmout"), "{said_}");
        assert_eq!(host.log(shell, "b/logs/latest/01-call.log"), "other\n");
        // Part of the script is missing, or the disk has lost a bit of it.
        fs::remove_dir_all(&folder).unwrap();
        let begin = script.rfind("<<'FARMOUT_PROGRAM'").unwrap();
        for broken in [script[..begin + 60].to_owned(), script.replacen("H4sI", "H4sJ", 1)] {
            fs::write(host.path("script.sh"), &broken).unwrap();
            let (code, said) = host.run(shell, &[]);
            assert_eq!(code, 2, "{shell:?}: {said}");
            assert!(said.contains("the farmout that this script carries cannot be unpacked"), "{said}");
            assert!(fs::read_dir(&folder).unwrap().next().is_none());
        }
        fs::write(host.path("script.sh"), &script).unwrap();
    }
    // One that does not run here says so itself.
    host.write_script(&[calling("hello")], Some(&Program::pack("#!/no/such/interpreter\n".as_bytes()).unwrap()));
    let (code, said) = host.run(SHELLS[0], &[]);
    assert!(code == 2 && said.contains("the farmout that this script carries does not run here"), "{said}");
}

#[test]
fn a_bare_script_finds_or_downloads_its_program() {
    let host = Host::with(&[calling("hello")]);
    let folder = host.folder("served");
    fs::write(folder.join("farmout"), stand_in(VERSION)).unwrap();
    fs::write(folder.join("other"), stand_in("9.9")).unwrap();
    for shell in SHELLS {
        let run = |environment: &[(&str, &str)]| {
            let output = host.script(shell, &[]).envs(environment.iter().copied()).output().unwrap();
            said(&output)
        };
        let (code, said) = run(&[]);
        assert_eq!(code, 2);
        assert!(
            said.starts_with(&format!(
                "error: the steps call farmout {VERSION}, and there is none on PATH\n  help: put it there"
            )),
            "{said}"
        );

        executable(host.path("path/farmout"), "echo farmout 9.9");
        let path = format!("{}:/usr/bin:/bin", host.path("path"));
        let (code, said) = run(&[("PATH", &path)]);
        assert!(code == 2 && said.contains("/path/farmout is another: farmout 9.9"), "{said}");
        fs::write(host.path("path/new"), stand_in(VERSION)).unwrap();
        install(host.path("path/new"), host.path("path/farmout"));
        assert_eq!(run(&[("PATH", &path)]).0, 0);

        let url = |name: &str| format!("file://{folder}/{name}");
        for (name, words) in [("none", "cannot be downloaded from"), ("other", "is no farmout")] {
            let (code, said) = run(&[("FARMOUT_URL", &url(name))]);
            assert!(code == 2 && said.contains(words), "{said}");
        }
        let (code, said) = run(&[("FARMOUT_URL", &url("farmout")), ("FARMOUT_SHA256", "0")]);
        assert!(code == 2 && said.contains("has not the SHA-256"), "{said}");
        let (code, said) = run(&[("FARMOUT_URL", &url("farmout"))]);
        assert!(code == 0 && said.contains("called with hello"), "{said}");
        // It is there now.
        assert_eq!(run(&[]).0, 0);

        let (code, said) = run(&[("FARMOUT", "none")]);
        assert!(code == 2 && said.contains("FARMOUT is `none`, and there is no such program"), "{said}");
        let (code, said) = run(&[("FARMOUT", "/none")]);
        assert!(code == 2 && said.contains("FARMOUT is /none, which cannot be started"), "{said}");
    }
}

/// Where nothing calls it, it is neither carried nor sought.
#[test]
fn a_plan_that_calls_no_farmout_needs_none() {
    let host = Host::new();
    host.write_script(
        &[plan("b", vec![step("first", "true")])],
        Some(&Program::pack(stand_in(VERSION).as_bytes()).unwrap()),
    );
    assert!(!host.read("script.sh").contains("H4sI"));
    assert_eq!(host.run(SHELLS[0], &[]).0, 0);
}
