//! The files in `secrets`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::snapshot::snapshot;
use super::support::Case;

#[test]
fn secrets_that_are_not_as_they_have_to_be_are_told() {
    let case = Case::new();
    let secrets = case.path("master/secrets");
    let mode = |name: &str, mode| fs::set_permissions(secrets.join(name), Permissions::from_mode(mode)).unwrap();
    mode("", 0o755);
    fs::remove_file(secrets.join("zeus-worker-password")).unwrap();
    fs::write(secrets.join("atlas-worker-password"), "another-one-d14f\n").unwrap();
    mode("atlas-postgresql-14-passwd", 0o640);
    fs::write(secrets.join("atlas-worker-password~"), "old").unwrap();
    mode("atlas-worker-password~", 0o600);
    fs::create_dir(secrets.join("more")).unwrap();
    mode("more", 0o755);
    let said = case.wrong();
    assert!(!said.contains("not-a-secret") && !said.contains("another-one"), "{said}");
    snapshot!("check-master-secrets", said);
}

#[test]
fn secrets_without_a_secret_in_them_are_told() {
    let case = Case::new();
    let secrets = case.path("master/secrets");
    fs::write(secrets.join("atlas-worker-password"), "\n").unwrap();
    fs::write(secrets.join("zeus-worker-password"), "one\ntwo\n").unwrap();
    fs::write(secrets.join("atlas-postgresql-14-passwd"), b"\xff\xfe").unwrap();
    let said = case.wrong();
    assert!(said.contains("master/secrets/atlas-worker-password is empty"), "{said}");
    assert!(said.contains("master/secrets/zeus-worker-password has several lines"), "{said}");
    assert!(said.contains("master/secrets/atlas-postgresql-14-passwd is not UTF-8"), "{said}");
    fs::remove_dir_all(&secrets).unwrap();
    let said = case.wrong();
    assert!(said.contains("there are no secrets: master/secrets: No such file or directory\n"), "{said}");
}

/// One line break at the end is no part of a secret, for Buildbot as for farmout.
#[test]
fn a_secret_may_end_its_line() {
    let case = Case::new();
    fs::write(case.path("master/secrets/atlas-worker-password"), "not-a-secret-a81c\n").unwrap();
    case.right();
}

#[test]
fn what_the_farm_cannot_say_is_not_compared() {
    let case = Case::new();
    case.edit("farm/slaves.cfg", "password = not-a-secret-c03e", "password = @/nowhere/zeus");
    fs::write(case.path("master/secrets/zeus-worker-password"), "only-there-e25a").unwrap();
    let said = case.right();
    assert!(said.contains("note[secret-unknown]: not compared with what the farm says"), "{said}");
    assert!(said.contains("zeus-worker-password"), "{said}");
}

#[test]
fn a_secret_in_plain_is_told_where_it_stands() {
    let case = Case::new();
    case.admin("c['workers'][0] = worker.Worker('atlas', 'not-a-secret-a81c')\n");
    let said = case.wrong();
    let line = fs::read_to_string(case.path("master/master.cfg")).unwrap().lines().count();
    let expected = format!(
        "error[secret-in-plain] at master.cfg:{line}: the secret atlas-worker-password stands there in plain\n"
    );
    assert!(said.contains(&expected), "{said}");
    assert!(said.contains("write `util.Secret(\"atlas-worker-password\")` instead of it"), "{said}");
    assert!(!said.contains("not-a-secret"), "{said}");
}

#[test]
fn files_that_the_admin_asks_for_are_not_told() {
    let case = Case::new();
    let secret = case.path("master/secrets/mail");
    fs::write(&secret, "not-a-secret-f361").unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    assert!(case.right().contains("note[secret-unused]: nothing asks for these files in master/secrets: mail\n"));
    case.admin("c['services'] = [reporters.MailNotifier('bot@example.org', smtpUser='bot', smtpPassword=util.Secret('mail'))]\n");
    assert!(!case.right().contains("note["));
}
