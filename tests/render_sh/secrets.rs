//! Secrets: from outside, to the steps that are given them, and nowhere else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use farmout::plan::Plan;

use crate::plans::{StepExt as _, plan, step};
use crate::support::{Host, SHELLS, said};

const VALUE: &str = "p'w \"$x\\%s&";

fn with_secrets() -> Plan {
    let name = "sh -c 'tr \"\\0\" \" \" </proc/$PPID/cmdline'";
    let tells = step(
        "tells",
        &format!("echo \"it is $GIVEN, and $GIVEN.\"; printf %s \"$GIVEN\" >got; {name}; echo $GIVEN >kept; exit 0"),
    );
    let mut plan = plan(
        "b",
        vec![
            tells.with(|step| {
                step.environment.insert("GIVEN".to_owned(), "${secret.atlas-pg_15.passwd}".to_owned());
                step.keep = Some("kept".to_owned());
            }),
            step("sees-none", "env").with(|step| step.name = "sees-none".to_owned()),
        ],
    );
    plan.secrets = vec!["atlas-pg_15.passwd".to_owned()];
    plan
}

#[test]
fn a_secret_comes_from_the_environment_or_a_file() {
    let host = Host::with(&[with_secrets()]);
    assert!(!host.read("script.sh").contains(VALUE));
    host.folder("secrets");
    let file = host.path("secrets/atlas-pg_15.passwd");
    fs::write(&file, format!("{VALUE}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    host.give("secrets/atlas-pg_15.passwd");
    let directory = host.path("secrets").into_string();
    for shell in SHELLS {
        for file in [false, true] {
            let named = ["--secrets", &directory];
            let mut script = host.script(shell, if file { &named } else { &[] });
            if !file {
                script.env("FARMOUT_SECRET_ATLAS_PG_15_PASSWD", VALUE);
            }
            let (code, said) = said(&script.output().unwrap());
            assert_eq!(code, 0, "{shell:?}: {said}");
            assert_eq!(host.log(shell, "b/build/got"), VALUE);
            let log = host.log(shell, "b/logs/latest/01-tells.log");
            assert!(log.starts_with("it is ***, and ***.\n"), "{log}");
            assert_eq!(host.log(shell, "b/logs/latest/kept/kept"), "***\n");
            for text in [&said, &log, &host.log(shell, "b/logs/latest/02-sees-none.log")] {
                assert!(!text.contains(VALUE) && !text.contains("FARMOUT_SECRET"), "{shell:?}: {text}");
            }
            assert!(said.contains("it is ***, and ***."), "{said}");
        }
    }
}

#[test]
fn one_that_is_missing_is_named_before_anything_is_built() {
    let mut other = with_secrets();
    (other.builder, other.directory) = ("c".to_owned(), "c".to_owned());
    other.secrets.clear();
    other.steps.truncate(2);
    other.steps.remove(0);
    let host = Host::with(&[with_secrets(), other]);
    host.folder("secrets");
    let file = host.path("secrets/atlas-pg_15.passwd");
    fs::write(&file, "secret in the open").unwrap();
    let directory = host.path("secrets").into_string();
    for shell in SHELLS {
        let (code, said) = host.run(shell, &[]);
        let wanted = "error: these secrets are needed and missing: atlas-pg_15.passwd (FARMOUT_SECRET_ATLAS_PG_15_PASSWD)\n  help: set \
                      the variables in brackets, or put each into a file of its name and say where with --secrets DIR\n";
        assert_eq!((code, said.as_str()), (2, wanted), "{shell:?}");
        let (code, said) = host.run(shell, &["--secrets", &directory]);
        assert!(code == 2 && said.contains("others can read the secret in"), "{said}");
        assert!(!said.contains("in the open") && !host.path(shell[0]).exists());
        // A builder that has none needs none.
        assert_eq!(host.run(shell, &["c"]).0, 0);
        fs::remove_dir_all(host.path(shell[0])).unwrap();
    }
}
