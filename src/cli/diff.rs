//! `farmout diff`: another version of a farm, and this one. In: what names the other version. Out: the difference, on
//! standard output. The comparing is done by [`crate::compare`].

mod git;

use camino::Utf8Path;
use serde_json::Value;

use super::Exit;
use super::compile::print;
use super::farm::{RootArgument, exit, last, read, right};
use super::machine::{Embedded, LOCAL, THIS_MACHINE, look};
use crate::Compilation;
use crate::compare::{Difference, Plans, Version, align_manifests, compare, rename_manifests};
use crate::diagnostic::Failure;
use crate::host::{account, detect};
use crate::render;
use crate::resolve::Layout;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The other version, which is taken for the older one
    #[arg(value_name = "REV|DIR|FILE", allow_hyphen_values = false)]
    other: String,
    #[command(flatten)]
    farm: RootArgument,
    /// Take the other version for a Git revision, whatever files there are
    #[arg(long)]
    git: bool,
    /// How the difference is written
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// Exit 1 if there is a difference
    #[arg(long)]
    exit_code: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    /// For a person
    Text,
    /// For a program
    Json,
    /// For a comment on a merge request
    Markdown,
}

pub(super) fn main(arguments: &Arguments) -> Result<Exit, Failure> {
    let root = arguments.farm.root();
    let (mut other, mut this) = versions(arguments, &root, None)?;
    if (other.has_fragments, this.has_fragments) == (Some(false), Some(false)) {
        // Without slaves there would be no builders: as for a dry run, this machine is the slave, of both versions.
        let mut note = |text: &str| note!("{text}");
        let embedded = Embedded { majors: &[], fallback: false, state: "".into() };
        let machine = look(&embedded, account::existing()?.as_ref(), &mut note)?;
        note(&format!("no slave fragments in these farms: this machine is the slave `{LOCAL}` of both"));
        (other, this) = versions(arguments, &root, Some(&machine.fragment(LOCAL, &detect::password()?)))?;
    }
    if other.plans.is_none() {
        align_manifests(&mut other.graph, &this.graph);
    }
    let difference = compare(&other, &this);
    print(&match arguments.format {
        Format::Text => render::difference(&difference),
        Format::Markdown => render::markdown(&difference),
        Format::Json => json(&difference)?,
    })?;
    Ok(exit(arguments.exit_code && !difference.is_empty()))
}

/// The two versions; with a fragment instead of their own, if one is given.
fn versions(arguments: &Arguments, root: &Utf8Path, fragment: Option<&str>) -> Result<(Version, Version), Failure> {
    let path = Utf8Path::new(&arguments.other);
    // The other version first: what is wrong with it is most probably a slip in the command.
    let other = if arguments.git || !path.exists() {
        revision(&arguments.other, root, fragment)?
    } else if path.is_dir() {
        folder(path, fragment)?
    } else {
        written(path)?
    };
    Ok((other, folder(root, fragment)?))
}

fn layout(root: &Utf8Path, fragment: Option<&str>) -> Layout {
    let fragment = fragment.map(|text| (THIS_MACHINE.to_owned(), text.to_owned()));
    Layout { root: root.to_owned(), fragment, ..Layout::default() }
}

fn json(difference: &Difference) -> Result<String, Failure> {
    let failed = |error| Failure::error(format!("the difference cannot be written: {error}"));
    let mut value = serde_json::to_value(difference).map_err(failed)?;
    if let Value::Object(fields) = &mut value {
        fields.insert("summary".to_owned(), render::difference_summary(difference).into());
    }
    Ok(serde_json::to_string_pretty(&value).map_err(failed)? + "\n")
}

/// A farm in a directory.
fn folder(root: &Utf8Path, fragment: Option<&str>) -> Result<Version, Failure> {
    let compilation = right(read(&layout(root, fragment))?)?;
    version(root.to_string(), &compilation, root)
}

/// A farm in a revision of the repository that this farm is in.
fn revision(name: &str, root: &Utf8Path, fragment: Option<&str>) -> Result<Version, Failure> {
    let checkout = git::check_out(name, root)?;
    let shown = format!("{name}:{}", checkout.prefix);
    // Files are called as Git calls them, since the directory that they are in is gone when the user reads of them.
    let rename = |text: &str| {
        text.replace(checkout.farm.as_str(), shown.trim_end_matches('/'))
            .replace(&format!("{name}:/"), &format!("{name}:"))
    };
    let mut compilation = crate::compile(&layout(&checkout.farm, fragment)).map_err(|mut failures| {
        failures.iter_mut().for_each(|failure| failure.message = rename(&failure.message));
        last(failures)
    })?;
    compilation.sources.rename(rename);
    let compilation = right(compilation).map_err(|mut failure| {
        failure.message = format!("{name}: {}", failure.message);
        failure
    })?;
    let mut version = version(name.to_owned(), &compilation, &checkout.farm)?;
    if let Some(plans) = &mut version.plans {
        plans.rename(rename);
    }
    Ok(version)
}

fn version(name: String, compilation: &Compilation, root: &Utf8Path) -> Result<Version, Failure> {
    let failed = |error| Failure::error(format!("the graph cannot be written: {error}"));
    let mut graph = serde_json::to_value(compilation.graph.emit()).map_err(failed)?;
    // Manifests carry the name that messages call them by, which leads through the directory of the farm.
    let root = root.strip_prefix(".").unwrap_or(root);
    rename_manifests(&mut graph, |manifest| Some(Utf8Path::new(manifest).strip_prefix(root).ok()?.to_string()));
    Ok(Version { name, graph, plans: Some(Plans::of(compilation)), has_fragments: Some(compilation.has_fragments) })
}

/// A graph that was written to a file.
fn written(path: &Utf8Path) -> Result<Version, Failure> {
    let unreadable = |error: std::io::Error| Failure::misuse(format!("cannot read {path}: {error}"));
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let graph: Option<Value> = serde_json::from_str(&text).ok();
    let lists = ["builds", "slaves", "builders", "schedulers"];
    let graph = graph.filter(|graph| lists.iter().all(|list| graph.get(list).is_some_and(Value::is_array)));
    let graph = graph.ok_or_else(|| {
        Failure::misuse(format!("{path} is no graph of a farm"))
            .help("`farmout compile --emit json` writes one; a farm is named by its directory")
    })?;
    Ok(Version { name: path.to_string(), graph, plans: None, has_fragments: None })
}
