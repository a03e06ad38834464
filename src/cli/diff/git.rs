//! A revision of a Git repository as files. In: a revision, and a directory in a working tree. Out: the files of the
//! revision in a temporary directory. Neither the working tree nor its index is touched.

use std::process::{Command, Output};

use camino::{Utf8Path, Utf8PathBuf};

use crate::diagnostic::Failure;

/// The files of a revision. They are removed when this is dropped.
#[derive(Debug)]
pub(super) struct Checkout {
    _folder: tempfile::TempDir,
    /// The farm's directory in it.
    pub(super) farm: Utf8PathBuf,
    /// The farm's directory in the repository; empty at its top.
    pub(super) prefix: String,
}

/// Writes the files of a revision of the repository that `root` is in.
///
/// # Errors
/// No Git, no repository, no such revision, no farm at that place in it.
pub(super) fn check_out(revision: &str, root: &Utf8Path) -> Result<Checkout, Failure> {
    if !root.is_dir() {
        return Err(Failure::misuse(format!("{root} is no directory")));
    }
    let top = git(root, &["rev-parse", "--show-toplevel"], None)?;
    if !top.status.success() {
        return Err(no_repository(revision, root, &String::from_utf8_lossy(&top.stderr)));
    }
    let top = String::from_utf8_lossy(&top.stdout).trim_end_matches('\n').to_owned();
    let prefix = query(root, &["rev-parse", "--show-prefix"])?.unwrap_or_default();
    let prefix = prefix.trim_end_matches('/').to_owned();
    let commit = format!("{revision}^{{commit}}");
    let commit = query(root, &["rev-parse", "--verify", "--quiet", "--end-of-options", &commit])?
        .filter(|commit| !commit.is_empty())
        .ok_or_else(|| {
            Failure::misuse(format!("there is no revision `{revision}` in {top}"))
                .help("`git log --oneline` shows revisions; a shallow clone has only some. A file or directory is named by its path")
        })?;
    let failed = |error: std::io::Error| Failure::misuse(format!("cannot make a temporary directory: {error}"));
    // The farm's fragments are in it: nobody else may look.
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    let folder = tempfile::Builder::new().prefix("farmout-diff-").permissions(private).tempdir().map_err(failed)?;
    let path = Utf8Path::from_path(folder.path())
        .ok_or_else(|| Failure::misuse("the name of the temporary directory is no UTF-8"))?;
    // Through an index of its own: unlike an archive this needs no other program, and leaves nothing out.
    let index = path.join("index");
    let (top, files) = (Utf8Path::new(&top), path.join("files"));
    for arguments in [&["read-tree", &commit][..], &["checkout-index", "--all", &format!("--prefix={files}/")]] {
        let output = git(top, arguments, Some(&index))?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(Failure::misuse(format!("git cannot extract `{revision}`: {told}")));
        }
    }
    let farm = if prefix.is_empty() { files } else { files.join(&prefix) };
    if !farm.is_dir() {
        let place = if prefix.is_empty() { "." } else { &prefix };
        return Err(Failure::misuse(format!("there is no {place} in the revision `{revision}`")));
    }
    Ok(Checkout { _folder: folder, farm, prefix })
}

/// Why git shows no repository that `root` is in, from what it said.
fn no_repository(revision: &str, root: &Utf8Path, said: &str) -> Failure {
    let line = |words: &str| said.lines().map(str::trim).find(|line| line.contains(words));
    if line("dubious ownership").is_some() {
        let failure = Failure::misuse("git does not read the farm's repository: it belongs to another user");
        let help = line("safe.directory").map(|command| format!("`{command}` allows it, if you trust that user"));
        return failure.help(help.unwrap_or_else(|| "run it as that user".to_owned()));
    }
    match line("fatal:").filter(|line| !line.contains("not a git repository")) {
        Some(fatal) => {
            let why = fatal.trim_start_matches("fatal:").trim();
            Failure::misuse(format!("git cannot read the farm's repository: {why}"))
        }
        None => Failure::misuse(format!("`{revision}` is no file or directory, and {root} is not in a Git repository"))
            .help("name a revision of the farm's repository, another farm's directory, or a graph that `farmout compile --emit json` wrote"),
    }
}

/// What git prints; none if it says no.
fn query(directory: &Utf8Path, arguments: &[&str]) -> Result<Option<String>, Failure> {
    let output = git(directory, arguments, None)?;
    let printed = String::from_utf8_lossy(&output.stdout);
    Ok(output.status.success().then(|| printed.trim_end_matches('\n').to_owned()))
}

fn git(directory: &Utf8Path, arguments: &[&str], index: Option<&Utf8Path>) -> Result<Output, Failure> {
    let mut command = Command::new("git");
    command.arg("-C").arg(directory).args(arguments).env("LC_ALL", "C");
    // A hook sets these, for the repository that it runs in.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        command.env_remove(variable);
    }
    if let Some(index) = index {
        command.env("GIT_INDEX_FILE", index);
    }
    command.output().map_err(|error| {
        Failure::misuse(format!("cannot run git: {error}"))
            .help("comparing with a revision needs the program `git` on PATH")
    })
}
