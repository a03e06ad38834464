//! The files in `secrets`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::binary::{farmout, text};
use super::buildbot::{environment, fine, program};
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

/// What is a word stands in files for other reasons too.
#[test]
fn a_usual_word_in_plain_is_no_error() {
    let case = Case::new();
    case.edit("farm/slaves.cfg", "not-a-secret-b92d", "openerp");
    fs::write(case.path("master/secrets/atlas-postgresql-14-passwd"), "openerp").unwrap();
    case.admin("c['title'] = 'openerp'\n");
    let said = case.right();
    assert!(said.contains("warning[secret-in-plain] at master.cfg:"), "{said}");
}

/// Secrets are in no repository; what is checked there is all the rest.
#[test]
fn a_clean_checkout_is_checked_without_secrets() {
    let case = Case::new();
    case.write(".gitignore", "secrets/\n");
    // The admin's own, too, and the directories that they may be in.
    case.admin(
        "c['secretsProviders'].append(secrets.SecretInAFile('/nowhere/secrets'))\n\
         c['services'] = [reporters.MailNotifier('bot@shop.example', smtpUser='bot', smtpPassword=util.Secret('mail'))]\n",
    );
    let git = |arguments: &[&str]| {
        let home = case.directory.path();
        let name = ["-c", "user.name=Ann", "-c", "user.email=ann@shop.example"];
        fine(program("git", home).args(name).args(arguments).current_dir(home));
    };
    git(&["init", "--quiet"]);
    git(&["add", "farm", "master", ".gitignore"]);
    git(&["commit", "--quiet", "-m", "The farm"]);
    git(&["clone", "--quiet", ".", "clone"]);
    let clone = case.path("clone");
    assert!(clone.join("master/farm.json").exists() && !clone.join("master/secrets").exists());
    let check = |arguments: &[&str]| {
        let mut check = farmout(&["check-master", "master", "--farm", "farm", "--require-buildbot", "--buildbot"]);
        let output = check.arg(environment()).args(arguments).current_dir(&clone).output().unwrap();
        (output.status.code(), text(&output.stdout))
    };
    let (exit, said) = check(&["--without-secrets"]);
    assert_eq!(exit, Some(0), "{said}");
    assert!(said.contains("  not checked  secrets        3 secrets left out: --without-secrets\n"), "{said}");
    assert!(said.contains("6 plans compared") && !said.contains("error["), "{said}");
    let (exit, said) = check(&[]);
    assert_eq!(exit, Some(1), "{said}");
    assert!(said.contains("a clean checkout, which has none, is checked with --without-secrets"), "{said}");
}

/// A master whose admin keeps the farm's secrets elsewhere.
fn kept(providers: &str) -> Case {
    let case = Case::new();
    case.edit(
        "master/master.cfg",
        "\nconfigure(c)\n",
        &format!(
            "
from buildbot.plugins import secrets
from buildbot.secrets.providers.base import SecretProviderBase
from farm import Farm

class Vault(SecretProviderBase):
    name = 'Vault'

    def get(self, entry):
        return 'from the vault'

class Mine(Farm):
    def secret_providers(self):
        return [{providers}]

configure(c, Mine)
"
        ),
    );
    case
}

#[test]
fn secrets_are_looked_for_where_the_configuration_keeps_them() {
    let case = kept("*[secrets.SecretInAFile('../passwords', suffixes=['.txt'], name=name) for name in 'ab']");
    let passwords = case.path("passwords");
    fs::rename(case.path("master/secrets"), &passwords).unwrap();
    let names: Vec<_> = fs::read_dir(&passwords).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.iter().for_each(|path| fs::rename(path, path.with_extension("txt")).unwrap());
    let said = case.right();
    // Two providers of one directory are looked at once.
    assert!(said.contains(&format!("3 secrets in {}\n", passwords.display())), "{said}");
    fs::write(passwords.join("zeus-worker-password.txt"), "another-one-d14f").unwrap();
    let said = case.wrong();
    assert!(said.contains("/passwords/zeus-worker-password.txt holds another secret than the farm says\n"), "{said}");
    fs::remove_file(passwords.join("zeus-worker-password.txt")).unwrap();
    let said = case.wrong();
    assert!(said.contains("/passwords/zeus-worker-password.txt, which the farm needs\n"), "{said}");
    fs::remove_dir_all(&passwords).unwrap();
    let said = case.wrong();
    assert_eq!(said.matches("error[").count(), 1, "{said}");
    assert!(said.contains("/passwords: No such file or directory\n"), "{said}");
}

#[test]
fn secrets_that_are_no_files_are_not_missed() {
    let case = kept("Vault()");
    fs::remove_dir_all(case.path("master/secrets")).unwrap();
    let said = case.right();
    assert!(said.contains("note[secret-elsewhere]: could not be looked at, as Vault keeps them: "), "{said}");
    let case = kept("");
    let said = case.wrong();
    assert!(said.contains("error[secret-missing]: the farm has 3 secrets, and nothing keeps them\n"), "{said}");
}
