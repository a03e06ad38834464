//! The files of a plan, from a list in JSON to their places: what a `write` step of the runner does.

use camino::Utf8Path;

use super::Error;
use crate::plan::PlanFile;
use crate::tool::say;
use crate::workspace::builder::Workspace;
use crate::workspace::files::write;

/// Writes the files that `list` holds below `directory`, and removes those that an earlier call wrote there and this one has
/// not. Both are told, a line for each.
///
/// # Errors
/// The list cannot be read, the directory is not below a builder's, or something is in the way.
pub fn write_files(basedir: &Utf8Path, directory: &Utf8Path, list: &Utf8Path) -> Result<(), Error> {
    let text = std::fs::read(list).map_err(|error| Error::Unreadable { path: list.to_owned(), error })?;
    let files: Vec<PlanFile> =
        serde_json::from_slice(&text).map_err(|error| Error::List { path: list.to_owned(), error })?;
    let basedir = camino::absolute_utf8(basedir).map_err(Error::folders("the base directory cannot be used"))?;
    // What was written is noted in the builder's own folder.
    let builder = directory.strip_prefix(&basedir).ok().and_then(|below| below.components().next());
    let builder = builder.ok_or_else(|| Error::Outside(directory.to_owned()))?.as_str();
    super::check(builder)?;
    let workspace =
        Workspace::open(&basedir, builder, None).map_err(Error::folders("the base directory cannot be used"))?;
    let lines = write(&workspace, directory, &files).map_err(Error::folders("the files are not written"))?;
    lines.iter().for_each(say);
    Ok(())
}
