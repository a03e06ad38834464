//! `secret::`: passwords that are none, and files that show them.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use indexmap::IndexMap;

use crate::compile::{addresses, secrets};
use crate::diagnostic::{Diagnostics, Label, plain, problem};
use crate::host::environment::GIT;
use crate::model::{OfferValue, Secret, SecretSource, Slave};
use crate::source::{SourceId, Sources, Span};

/// A password shorter than this is guessed.
const SHORTEST: usize = 8;

/// Passwords that everybody tries first.
const COMMON: [&str; 12] = [
    "12345678",
    "123456789",
    "buildbot",
    "buildslave",
    "changeme",
    "odoo",
    "openerp",
    "passw0rd",
    "password",
    "postgres",
    "secret",
    "testtest",
];

/// Users whose names are no secret.
const EVERYBODY: [&str; 3] = ["anonymous", "git", "hg"];

/// Checks the slaves' passwords against each other and against what everybody tries.
pub(super) fn passwords(slaves: &[Slave], diagnostics: &mut Diagnostics) {
    let mut known: HashMap<&SecretSource, &Slave> = HashMap::new();
    for slave in slaves {
        // What is elsewhere is not looked at.
        let password = slave.password.given().map(Secret::expose);
        if password == Some("") {
            continue;
        }
        if password.is_some_and(|password| is_weak(password, &slave.name)) {
            diagnostics.push(problem::Secret::Weak { slave: slave.name.clone() }, slave.password_span);
        }
        if let Some(first) = known.insert(&slave.password, slave) {
            let problem = problem::Secret::Shared { slave: slave.name.clone(), other: first.name.clone() };
            let diagnostic = diagnostics.push(problem, slave.password_span);
            if first.password_span != slave.password_span {
                diagnostic.label(first.password_span, Label::FirstHere);
            }
        }
    }
}

fn is_weak(password: &str, slave: &str) -> bool {
    let lower = password.to_lowercase();
    password.chars().count() < SHORTEST || COMMON.contains(&lower.as_str()) || lower == slave.to_lowercase()
}

/// Checks who can read the fragments: the world through a repository, or every user of the machine.
pub(super) fn files(fragments: &[(SourceId, Option<Utf8PathBuf>)], sources: &Sources, diagnostics: &mut Diagnostics) {
    let fragments: Vec<_> = fragments.iter().filter(|(id, _)| holds_secrets(sources.get(*id).text(), *id)).collect();
    let (tracked, unknown) = tracked(fragments.iter().filter_map(|(_, path)| path.as_deref()));
    for (id, path) in fragments {
        let Some(path) = path else { continue };
        let span = Span::new(*id, 0..sources.get(*id).text().lines().next().map_or(0, str::len));
        let file = path.to_string();
        if tracked.contains(path) {
            diagnostics.push(problem::Secret::Tracked { file }, span);
            continue;
        }
        if let Some((_, why)) = unknown.iter().find(|(folder, _)| path.parent() == Some(folder)) {
            diagnostics.push(problem::Secret::Unchecked { file: file.clone(), why: why.clone() }, span);
        }
        if open_to_all(path) {
            diagnostics.push(problem::Secret::Readable { file }, span);
        }
    }
}

/// Whether a fragment has a secret itself: what is hidden of it is more than names of variables and files.
fn holds_secrets(text: &str, id: SourceId) -> bool {
    let mut hidden = secrets(text, id).into_iter().map(|span| text[span.range()].trim());
    hidden.any(|hidden| !hidden.is_empty() && SecretSource::parse(hidden, Utf8Path::new("")).given().is_some())
}

/// Checks the files that slaves name in place of passwords, as far as they are on this machine. None is read.
pub(super) fn named(slaves: &[Slave], diagnostics: &mut Diagnostics) {
    let mut places: IndexMap<&Utf8Path, Span> = IndexMap::new();
    for slave in slaves {
        let own = (&slave.password, slave.password_span);
        let options = slave.capabilities.values().flatten().flat_map(|offer| offer.options.values());
        let others = options.filter_map(|option| match &option.value {
            OfferValue::Secret(source) => Some((source, option.span)),
            OfferValue::Plain(_) => None,
        });
        for (source, span) in std::iter::once(own).chain(others) {
            if let SecretSource::File { path, .. } = source
                && path.is_file()
            {
                places.entry(path).or_insert(span);
            }
        }
    }
    let (tracked, _) = tracked(places.keys().copied());
    for (path, span) in &places {
        let file = path.to_string();
        if tracked.iter().any(|tracked| tracked == path) {
            diagnostics.push(problem::Secret::Tracked { file }, *span);
        } else if open_to_all(path) {
            diagnostics.push(problem::Secret::Readable { file }, *span);
        }
    }
}

/// Checks the addresses in configurations that plans carry.
pub(super) fn carried(configurations: &[SourceId], sources: &Sources, diagnostics: &mut Diagnostics) {
    for id in configurations {
        let text = sources.get(*id).text();
        for span in addresses(text, *id) {
            let (before, user) = (&text[..span.range().start], &text[span.range()]);
            // A user alone is a token on the web, but for those whom everybody is; elsewhere it is a name.
            let web = before.ends_with("http://") || before.ends_with("https://");
            let secret = user.contains(':') || (web && !EVERYBODY.contains(&user));
            if secret && without_references(user).contains(char::is_alphanumeric) {
                diagnostics.push(problem::Secret::Carried, span);
            }
        }
    }
}

/// A text without its `${section:option}`: the slave's own configuration can fill these in.
fn without_references(text: &str) -> String {
    let mut parts = text.split("${");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once('}').map_or("", |(_, rest)| rest))
}

/// Whether every user may read a file: the file itself, and the way to it.
fn open_to_all(path: &Utf8Path) -> bool {
    let has = |path: &Utf8Path, bit| std::fs::metadata(path).is_ok_and(|metadata| metadata.mode() & bit != 0);
    let Ok(whole) = path.canonicalize_utf8() else { return false };
    has(&whole, 0o004) && whole.ancestors().skip(1).all(|directory| has(directory, 0o001))
}

/// Those of the files that git tracks; and the folders of which it does not tell, with what it said. Where there is no
/// repository none is.
fn tracked<'a>(paths: impl Iterator<Item = &'a Utf8Path> + Clone) -> (Vec<Utf8PathBuf>, Vec<(&'a Utf8Path, String)>) {
    let (mut tracked, mut unknown) = (Vec::new(), Vec::new());
    let mut folders: Vec<&Utf8Path> = paths.clone().filter_map(Utf8Path::parent).collect();
    folders.sort();
    folders.dedup();
    for folder in folders {
        let here = if folder.as_str().is_empty() { Utf8Path::new(".") } else { folder };
        let Ok(whole) = here.canonicalize_utf8() else { continue };
        if !whole.ancestors().any(|ancestor| ancestor.join(".git").exists()) {
            continue;
        }
        let names = paths.clone().filter(|path| path.parent() == Some(folder)).filter_map(Utf8Path::file_name);
        match index(here, names) {
            Ok(found) => tracked.extend(found.iter().map(|name| folder.join(name))),
            Err(why) => unknown.push((folder, why)),
        }
    }
    (tracked, unknown)
}

/// The names among these that are in git's index. None is, where git finds no repository.
///
/// # Errors
/// git cannot be run or does not answer; why, in a clause.
fn index<'a>(folder: &Utf8Path, names: impl Iterator<Item = &'a str>) -> Result<Vec<String>, String> {
    let mut command = Command::new("git");
    // A hook sets these, for the repository that it runs in and from its top directory; the farm's own index has whatever
    // was added.
    for variable in GIT {
        command.env_remove(variable);
    }
    let output = command
        // Root compiles the farms of others, too, and a job of CI what somebody else checked out. Git refuses their
        // repositories because their settings can name programs to run: none of those can be run here. An old git
        // refuses all the same.
        .args(["-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"])
        .args(["--literal-pathspecs", "ls-files", "-z", "--"])
        .args(names)
        .current_dir(folder)
        .envs([("GIT_OPTIONAL_LOCKS", "0"), ("GIT_ALLOW_PROTOCOL", ""), ("GIT_NO_LAZY_FETCH", "1"), ("LC_ALL", "C")])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| plain(&format!("git cannot be run: {error}")))?;
    if output.status.success() {
        let names = String::from_utf8_lossy(&output.stdout);
        return Ok(names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().find_map(|line| line.strip_prefix("fatal: ")).unwrap_or("git failed");
    if said.contains("not a git repository") { Ok(Vec::new()) } else { Err(said.to_owned()) }
}
