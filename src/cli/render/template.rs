//! `farmout render --template`.

use std::sync::Arc;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::super::farm::{FarmArguments, read, right};
use super::super::plan::as_found;
use super::output::Output;
use crate::cli::Exit;
use crate::diagnostic::Failure;
use crate::render::own::{Mistake, fill_in};

/// More than this was not written by a person.
const LARGEST: u64 = 16 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct TemplateArguments {
    #[command(flatten)]
    farm: FarmArguments,
    /// A template of your own, in the language of Jinja: docs/render.md says what it is filled in with
    #[arg(long, value_name = "FILE")]
    template: Option<Utf8PathBuf>,
    /// What the template is filled in to [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<Utf8PathBuf>,
}

impl TemplateArguments {
    /// The template that was named.
    pub(super) fn template(&self) -> Option<&Utf8Path> {
        self.template.as_deref()
    }
}

/// Fills the template `path` in.
pub(super) fn main(path: &Utf8Path, arguments: &TemplateArguments) -> Result<Exit, Failure> {
    let text = text_of(path)?;
    let layout = arguments.farm.layout();
    let mut compilation = right(read(&layout)?)?;
    if !compilation.has_fragments {
        compilation = as_found(&layout)?;
    }
    let beside = path.parent().unwrap_or(Utf8Path::new("")).to_owned();
    let name = path.file_name().unwrap_or(path.as_str());
    let included = {
        let beside = beside.clone();
        move |name: &str| {
            // A template is a guest: it sees what is beside it.
            let below = Utf8Path::new(name).components().all(|part| matches!(part, Utf8Component::Normal(_)));
            if below { text_of(&beside.join(name)).ok() } else { None }
        }
    };
    let filled = fill_in(Arc::new(compilation), name, &text, included);
    let filled = filled.map_err(|mistake| failure(&beside, &mistake))?;
    let output = Output { path: arguments.output.as_deref(), mode: 0o644 };
    output.write(&mut |out| out.write_all(filled.as_bytes()))?;
    Ok(Exit::Fine)
}

fn text_of(path: &Utf8Path) -> Result<String, Failure> {
    let cannot = |why: String| Failure::misuse(format!("cannot read {path}: {why}"));
    let metadata = std::fs::metadata(path).map_err(|error| cannot(error.to_string()))?;
    if metadata.len() > LARGEST {
        return Err(cannot("it is larger than 16 MiB".to_owned()));
    }
    let bytes = std::fs::read(path).map_err(|error| cannot(error.to_string()))?;
    String::from_utf8(bytes)
        .map_err(|error| cannot(format!("it is not UTF-8, from byte {}", error.utf8_error().valid_up_to())))
}

fn failure(beside: &Utf8Path, mistake: &Mistake) -> Failure {
    let number = |number: Option<usize>| number.map(|number| format!(":{number}")).unwrap_or_default();
    let excerpt = mistake.excerpt.iter().map(|excerpt| format!("\n{excerpt}")).collect::<String>();
    let Mistake { file, line, column, message, .. } = mistake;
    let file = beside.join(file);
    Failure::error(format!("{file}{}{}: {message}{excerpt}", number(*line), number(*column)))
}
