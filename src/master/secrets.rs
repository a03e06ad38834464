//! The files with a master's secrets. In: the names that the farm has for them, the directories that the configuration keeps them in,
//! and what is known of them here. Out: those that are missing, open to others, or another than the farm says. What is in them is
//! compared, and never told.

use std::collections::HashSet;
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;
use shell_words::quote;

use super::Master;
use super::copy::SECRETS;
use super::finding::{Finding, Place, count, some};
use super::loaded::{Folder, Keepers};
use crate::diagnostic::plain;
use crate::host::secret;
use crate::model::Secret;
use crate::render::buildbot::known_secrets;

/// How the finding of a directory that is not there begins.
const NO_FOLDER: &str = "there are no secrets";

/// A shorter text is found in any file, be it a secret's or not.
const SHORTEST: usize = 4;
/// A shorter one, or a word, may stand there for another reason.
const TELLING: usize = 8;

/// What `Farm.secret_providers` of farm.py has, which counts where the configuration was not loaded.
fn usual(master: &Master<'_>) -> Keepers {
    let directory = master.directory.join(SECRETS);
    let there = directory.is_dir();
    let folder = Folder { given: SECRETS.to_owned(), directory, suffixes: vec![String::new()], strip: true, there };
    Keepers { folders: vec![folder], others: Vec::new() }
}

/// The directories by the names that the user has for them, each once.
fn spelled<'k>(master: &Master<'_>, keepers: &'k Keepers) -> Vec<(&'k Folder, Utf8PathBuf)> {
    let real = master.directory.canonicalize_utf8().unwrap_or_else(|_| master.directory.to_owned());
    let spell = |folder: &'k Folder| {
        let inside = folder.directory.strip_prefix(&real);
        (folder, inside.map_or_else(|_| folder.directory.clone(), |inside| master.directory.join(inside)))
    };
    let mut seen = HashSet::new();
    keepers.folders.iter().filter(|folder| seen.insert((&folder.directory, &folder.suffixes))).map(spell).collect()
}

/// Looks at the files, and at the texts in which a secret has no place.
pub(super) fn check(master: &Master<'_>, stale: Option<&str>, keepers: Option<&Keepers>) -> (String, Vec<Finding>) {
    let usual = usual(master);
    let keepers = keepers.unwrap_or(&usual);
    let folders = spelled(master, keepers);
    let mut findings = Vec::new();
    let mut places: Vec<&str> = folders.iter().map(|(_, folder)| folder.as_str()).collect();
    places.extend(keepers.others.iter().map(String::as_str));
    let summary = format!("{} in {}", count(master.document.secrets.len(), "secret"), some(places));
    let there: Vec<_> = folders.iter().filter(|(_, folder)| is_there(master, folder, &mut findings)).collect();
    if !there.is_empty() || findings.is_empty() {
        let values = values(master, keepers, &there, &mut findings);
        there.iter().for_each(|(folder, path)| files(master, folder, path, &mut findings));
        in_plain(master, stale, &values, &mut findings);
    }
    (summary, findings)
}

/// Whether a directory is there, and whether nobody else can look into it.
fn is_there(master: &Master<'_>, folder: &Utf8Path, findings: &mut Vec<Finding>) -> bool {
    let why = match folder.metadata() {
        Ok(metadata) if metadata.is_dir() => {
            if let Some(open) = open(&metadata) {
                let what = format!("{folder} is open to others (mode {open:o})");
                findings
                    .push(Finding::error("secret-open", what).help(format!("chmod 700 {}", quote(folder.as_str()))));
            }
            return true;
        }
        Ok(_) => "it is no directory".to_owned(),
        Err(error) => plain(&error.to_string()),
    };
    let finding = Finding::error("secret-missing", format!("{NO_FOLDER}: {folder}: {why}"));
    let help = if folder == master.directory.join(SECRETS) {
        format!("`{}` makes it; a clean checkout, which has none, is checked with --without-secrets", master.render())
    } else {
        format!("install -d -m 700 {}", quote(folder.as_str()))
    };
    findings.push(finding.help(help));
    false
}

/// The farm's secrets, as far as they are to be had; those that are not as the farm says are told.
fn values(
    master: &Master<'_>,
    keepers: &Keepers,
    folders: &[&(&Folder, Utf8PathBuf)],
    findings: &mut Vec<Finding>,
) -> IndexMap<String, Secret> {
    let names = &master.document.secrets;
    let mut values: IndexMap<String, Secret> = IndexMap::new();
    let (mut elsewhere, mut unknown, mut why) = (Vec::new(), Vec::new(), String::new());
    if folders.is_empty() && keepers.others.is_empty() && !names.is_empty() {
        let what = format!("the farm has {}, and nothing keeps them", count(names.len(), "secret"));
        findings.push(
            Finding::error("secret-missing", what)
                .help("give them a provider: c[\"secretsProviders\"] = [secrets.SecretInAFile(\"secrets\")]"),
        );
        return values;
    }
    let known = known_secrets(master.compilation);
    for name in names {
        let paths = folders.iter().flat_map(|(folder, path)| {
            folder.suffixes.iter().map(move |suffix| (path.join(format!("{name}{suffix}")), folder.strip))
        });
        let mut paths = paths.peekable();
        let first = paths.peek().cloned();
        let there = paths.find(|(path, _)| path.symlink_metadata().is_ok());
        let Some((path, strip)) = there.or_else(|| first.filter(|_| keepers.others.is_empty())) else {
            elsewhere.push(name.as_str());
            continue;
        };
        let Some(found) = file(&path, strip, findings) else { continue };
        match known.get(name).map(secret::read) {
            Some(Ok(said)) if said.secret.expose() != found.expose() => {
                let what = format!("{path} holds another secret than the farm says");
                let correct = if path.starts_with(master.directory.join(SECRETS)) {
                    format!("remove the file and let `{}` make it anew", master.render())
                } else {
                    "write the farm's into the file".to_owned()
                };
                let help = format!("whichever is right: correct the farm, or {correct}");
                findings.push(Finding::error("secret-other", what).help(help));
            }
            Some(Err(missing)) => {
                unknown.push(name.as_str());
                why = missing.message;
            }
            Some(Ok(_)) | None => {}
        }
        values.insert(name.clone(), found);
    }
    if !unknown.is_empty() {
        let what = format!("not compared with what the farm says, as {why}: {}", some(unknown));
        findings.push(Finding::note("secret-unknown", what));
    }
    if !elsewhere.is_empty() {
        let others = some(keepers.others.iter().map(String::as_str));
        let what = format!("could not be looked at, as {others} keeps them: {}", some(elsewhere));
        findings.push(Finding::note("secret-elsewhere", what));
    }
    values
}

/// The mode, where more than the owner has rights.
fn open(metadata: &Metadata) -> Option<u32> {
    let mode = metadata.mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// What a file holds, if it is as it has to be.
fn file(path: &Utf8Path, strip: bool, findings: &mut Vec<Finding>) -> Option<Secret> {
    let write = format!(
        "write the secret into it, on one line, with the mode 600: `install -m 600 /dev/stdin {}`",
        quote(path.as_str())
    );
    let mut error = |name, what: String, help: &str| findings.push(Finding::error(name, what).help(help));
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => {
            error("secret-missing", format!("there is no {path}, which the farm needs"), &write);
            return None;
        }
        Err(problem) => {
            let what = format!("{path} cannot be read: {}", plain(&problem.to_string()));
            error("secret-unreadable", what, "the user who runs the master must be able to read it");
            return None;
        }
    };
    if !metadata.is_file() {
        error("secret-unreadable", format!("{path} is no file"), &write);
        return None;
    }
    if let Some(mode) = open(&metadata) {
        error(
            "secret-open",
            format!("{path} is open to others (mode {mode:o})"),
            &format!("chmod 600 {}", quote(path.as_str())),
        );
    }
    let text = match fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => text,
        Ok(Err(_)) => {
            error("secret-unreadable", format!("{path} is not UTF-8, and Buildbot reads no other"), &write);
            return None;
        }
        Err(problem) => {
            let what = format!("{path} cannot be read: {}", plain(&problem.to_string()));
            error("secret-unreadable", what, "the user who runs the master must be able to read it");
            return None;
        }
    };
    // As Buildbot reads it.
    let secret = if strip { text.trim_end_matches(['\r', '\n']) } else { &text };
    if secret.is_empty() {
        error("secret-empty", format!("{path} is empty"), &write);
        return None;
    }
    if secret.contains('\n') {
        error("secret-unreadable", format!("{path} has several lines, and a secret is one"), &write);
        return None;
    }
    Some(Secret::new(secret))
}

/// What lies about in the directory, all of which Buildbot reads.
fn files(master: &Master<'_>, folder: &Folder, path: &Utf8Path, findings: &mut Vec<Finding>) {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let is_read =
        |entry: &DirEntry| secret_of(folder, entry).is_none_or(|name| !master.document.secrets.contains(&name));
    let has_suffix = |entry: &DirEntry| {
        let name = entry.file_name();
        folder.suffixes.iter().any(|suffix| name.to_string_lossy().ends_with(suffix))
    };
    for entry in entries.filter(|entry| has_suffix(entry) && is_read(entry)) {
        let path = path.join(entry.file_name().to_string_lossy().as_ref());
        let Ok(metadata) = entry.path().metadata() else {
            let what = format!("{path} leads nowhere, and Buildbot reads every file there when it starts");
            findings.push(Finding::error("secret-stray", what).help(format!("remove it: rm {}", quote(path.as_str()))));
            continue;
        };
        if !metadata.is_file() {
            let what =
                format!("{path} is no file, and Buildbot reads everything there as a secret: it would not start");
            findings.push(Finding::error("secret-stray", what).help("move it elsewhere"));
        } else if let Some(mode) = open(&metadata) {
            let what = format!("{path} is open to others (mode {mode:o})");
            findings.push(Finding::error("secret-open", what).help(format!("chmod 600 {}", quote(path.as_str()))));
        }
    }
}

/// Whether what Buildbot has against a file of secrets is among the findings.
pub(super) fn is_told(message: &str, findings: &[Finding], keepers: Option<&Keepers>) -> bool {
    let folders = keepers.into_iter().flat_map(|keepers| &keepers.folders);
    let of_gone = folders.filter(|folder| !folder.there).any(|folder| message.contains(folder.given.as_str()));
    let is_gone = message.ends_with(" does not exists") || message.starts_with("FileNotFoundError: ");
    of_gone && is_gone && findings.iter().any(|finding| finding.what.starts_with(NO_FOLDER))
        || message.starts_with("Permissions 0o") && findings.iter().any(|finding| finding.name.starts_with("secret-"))
}

/// Says of files that nobody asks for, now that it is known what the admin's configuration asks for.
pub(super) fn unused(master: &Master<'_>, keepers: &Keepers, asked: &[String]) -> Vec<Finding> {
    let wanted = |name: &String| master.document.secrets.contains(name) || asked.contains(name);
    let folders = spelled(master, keepers).into_iter().filter_map(|(folder, path)| {
        let entries = fs::read_dir(&path).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter(|entry| entry.path().is_file())
            .filter_map(|entry| secret_of(folder, &entry))
            .filter(|name| !wanted(name))
            .collect();
        names.sort();
        let what = format!("nothing asks for these files in {path}: {}", some(names.iter().map(String::as_str)));
        (!names.is_empty()).then(|| Finding::note("secret-unused", what))
    });
    folders.collect()
}

/// The name of the secret that a file holds.
fn secret_of(folder: &Folder, file: &DirEntry) -> Option<String> {
    let name = file.file_name().into_string().ok()?;
    folder.suffixes.iter().find_map(|suffix| name.strip_suffix(suffix.as_str()).map(ToOwned::to_owned))
}

/// Whether a text may well stand in a configuration without being the secret: it is short, a number, or words that are written as
/// words are (`openerp`, `Farm`, `production-database`). What has a digit or a capital among its letters is nothing that one writes
/// by chance.
fn is_usual(secret: &str) -> bool {
    let is_word =
        |word: &str| word.chars().skip(1).all(char::is_lowercase) && word.chars().take(1).all(char::is_alphabetic);
    secret.chars().count() < TELLING
        || secret.chars().all(|c| c.is_ascii_digit())
        || secret.split(['-', '_', '.', ' ']).all(is_word)
}

/// Looks for secrets in files that others may read.
fn in_plain(master: &Master<'_>, stale: Option<&str>, values: &IndexMap<String, Secret>, findings: &mut Vec<Finding>) {
    let entries = fs::read_dir(master.directory).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    // What is in a current farm.py and farm.json is known: no secret.
    let mut names: Vec<String> =
        names.filter(|name| (name.ends_with(".cfg") || name.ends_with(".py")) && name != "farm.py").collect();
    names.sort();
    let mut texts: Vec<(String, String)> = names
        .into_iter()
        .filter_map(|name| Some((fs::read_to_string(master.directory.join(&name)).ok()?, name)))
        .map(|(text, name)| (name, text))
        .collect();
    texts.extend(stale.map(|text| ("farm.json".to_owned(), text.to_owned())));
    for (file, text) in &texts {
        for (name, secret) in values {
            let secret = secret.expose();
            let quoted = [format!("\"{secret}\""), format!("'{secret}'")];
            let has = |line: &str| quoted.iter().any(|quoted| line.contains(quoted));
            if secret.len() < SHORTEST || master.is_name(secret) {
                continue;
            }
            if let Some(line) = text.lines().position(has) {
                let finding = if is_usual(secret) {
                    let what = format!(
                        "what the secret {name} is stands there in plain, maybe by chance: it is short or a word"
                    );
                    Finding::warning("secret-in-plain", what)
                } else {
                    Finding::error("secret-in-plain", format!("the secret {name} stands there in plain"))
                };
                let finding = finding.at(Some(Place { file: file.clone(), line: line + 1 }));
                findings.push(finding.help(format!("write `util.Secret({name:?})` instead of it")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_numbers_and_what_is_short_are_usual() {
        for usual in ["openerp", "Production", "farm-database", "12345678", "a1b2c3", "not a secret"] {
            assert!(is_usual(usual), "{usual}");
        }
        for telling in ["not-a-secret-a81c", "openerp7", "kdHfgQlwp", "user:password", "-----------8"] {
            assert!(!is_usual(telling), "{telling}");
        }
    }
}
