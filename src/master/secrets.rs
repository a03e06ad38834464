//! The files in a master's `secrets`. In: the names that the farm has for them, and what is known of them here. Out: those that
//! are missing, open to others, or another than the farm says. What is in them is compared, and never told.

use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;

use camino::Utf8Path;
use indexmap::IndexMap;

use super::Master;
use super::finding::{Finding, Place, count, some};
use crate::diagnostic::plain;
use crate::host::secret;
use crate::model::Secret;
use crate::render::buildbot::known_secrets;

/// A shorter text is found in any file, be it a secret's or not.
const SHORTEST: usize = 4;

/// Looks at the files, and at the texts in which a secret has no place.
pub(super) fn check(master: &Master<'_>, stale: Option<&str>) -> (String, Vec<Finding>) {
    let folder = master.directory.join("secrets");
    let names = &master.document.secrets;
    let summary = format!("{} in {folder}", count(names.len(), "secret"));
    let metadata = match folder.metadata() {
        Ok(metadata) if metadata.is_dir() => metadata,
        found => {
            let why = match found {
                Ok(_) => "it is no directory".to_owned(),
                Err(error) => plain(&error.to_string()),
            };
            let finding = Finding::error("secret-missing", format!("there are no secrets: {folder}: {why}"));
            let help = format!("farmout render buildbot -o {} makes it", master.directory);
            return (summary, vec![finding.help(help)]);
        }
    };
    let mut findings = Vec::new();
    if let Some(open) = open(&metadata) {
        let what = format!("{folder} is open to others (mode {open:o})");
        findings.push(Finding::error("secret-open", what).help(format!("chmod 700 {folder}")));
    }
    let mut values: IndexMap<String, Secret> = IndexMap::new();
    let (mut unknown, mut why) = (Vec::new(), String::new());
    let known = known_secrets(master.compilation);
    for name in names {
        let found = match file(&folder.join(name), &mut findings) {
            Some(found) => found,
            None => continue,
        };
        match known.get(name).map(secret::read) {
            Some(Ok(said)) if said.secret.expose() != found.expose() => {
                let what = format!("{folder}/{name} holds another secret than the farm says");
                findings.push(Finding::error("secret-other", what).help(format!(
                    "whichever is right: correct the farm, or remove the file and let `farmout render buildbot -o {}` make it anew",
                    master.directory
                )));
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
    files(master, &folder, &mut findings);
    in_plain(master, stale, &values, &mut findings);
    (summary, findings)
}

/// The mode, where more than the owner has rights.
fn open(metadata: &Metadata) -> Option<u32> {
    let mode = metadata.mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// What a file holds, if it is as it has to be.
fn file(path: &Utf8Path, findings: &mut Vec<Finding>) -> Option<Secret> {
    let write = format!("write the secret into it, on one line, with the mode 600: `install -m 600 /dev/stdin {path}`");
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
        error("secret-open", format!("{path} is open to others (mode {mode:o})"), &format!("chmod 600 {path}"));
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
    let secret = text.trim_end_matches(['\r', '\n']);
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
fn files(master: &Master<'_>, folder: &Utf8Path, findings: &mut Vec<Finding>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let of_farm = |entry: &DirEntry| {
        entry.file_name().to_str().is_some_and(|name| master.document.secrets.iter().any(|known| known == name))
    };
    for entry in entries.filter(|entry| !of_farm(entry)) {
        let path = folder.join(entry.file_name().to_string_lossy().as_ref());
        let Ok(metadata) = entry.path().metadata() else {
            let what = format!("{path} leads nowhere, and Buildbot reads every file there when it starts");
            findings.push(Finding::error("secret-stray", what).help(format!("remove it: rm {path}")));
            continue;
        };
        if !metadata.is_file() {
            let what =
                format!("{path} is no file, and Buildbot reads everything there as a secret: it would not start");
            findings.push(Finding::error("secret-stray", what).help("move it elsewhere"));
        } else if let Some(mode) = open(&metadata) {
            let what = format!("{path} is open to others (mode {mode:o})");
            findings.push(Finding::error("secret-open", what).help(format!("chmod 600 {path}")));
        }
    }
}

/// Whether what Buildbot has against a file of secrets is among the findings.
pub(super) fn is_told(message: &str, findings: &[Finding]) -> bool {
    message.starts_with("Permissions 0o") && findings.iter().any(|finding| finding.name.starts_with("secret-"))
}

/// Says of files that nobody asks for, now that it is known what the admin's configuration asks for.
pub(super) fn unused(master: &Master<'_>, asked: &[String]) -> Option<Finding> {
    let folder = master.directory.join("secrets");
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    let wanted = |name: &String| master.document.secrets.contains(name) || asked.contains(name);
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !wanted(name))
        .collect();
    names.sort();
    (!names.is_empty()).then(|| {
        let what = format!("nothing asks for these files in {folder}: {}", some(names.iter().map(String::as_str)));
        Finding::note("secret-unused", what)
    })
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
                let what = format!("the secret {name} stands there in plain");
                let finding = Finding::error("secret-in-plain", what);
                let finding = finding.at(Some(Place { file: file.clone(), line: line + 1 }));
                findings.push(finding.help(format!("write `util.Secret({name:?})` instead of it")));
            }
        }
    }
}
