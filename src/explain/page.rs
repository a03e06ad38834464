//! The pages of codes: prose, an example that has the problem, what is said about it, and the example without it. All of
//! it is in `fixtures/checks/<family>/<name>/`, where a test proves that the example is one.

use serde::Deserialize;

use super::Writer;
use crate::diagnostic::{Code, Problem, Severity};

/// All files of `fixtures/checks`, by path.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/checks.rs"));

/// A page.
#[derive(Debug, Clone)]
pub struct Page {
    /// The code.
    pub code: &'static Code,
    /// Its prose.
    pub prose: Prose,
}

/// The `page.yaml` of a code.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Prose {
    /// What it means and why it matters: paragraphs with an empty line between them.
    pub text: String,
    /// What has to be so around the farm, which a file cannot say: `tracked` by git, or `readable` by everybody.
    #[serde(default)]
    pub arrange: Option<String>,
}

impl Page {
    fn read(code: &'static Code) -> Option<Self> {
        let path = format!("{}/page.yaml", code.name.replace("::", "/"));
        let (_, contents) = FILES.iter().find(|(name, _)| *name == path)?;
        Some(Self { code, prose: serde_yaml::from_slice(contents).ok()? })
    }

    /// The family of its code.
    pub fn family(&self) -> &'static str {
        self.code.name.split("::").next().unwrap_or_default()
    }

    /// The folder of its code.
    pub fn folder(&self) -> String {
        self.code.name.replace("::", "/")
    }

    /// How bad it is, in a word.
    pub fn severity(&self) -> &'static str {
        match self.code.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Notice => "notice",
        }
    }

    /// The files of the example, or of what replaces some of them in the fixed one, with their paths in the farm.
    pub fn files(&self, part: &str) -> impl Iterator<Item = (&'static str, String)> {
        let beginning = format!("{}/{part}/", self.folder());
        FILES.iter().filter_map(move |(path, contents)| Some((path.strip_prefix(&beginning)?, shown(contents))))
    }

    /// What `farmout compile` says about the example.
    pub fn output(&self) -> String {
        let path = format!("{}/output.txt", self.folder());
        FILES.iter().find(|(name, _)| *name == path).map_or_else(String::new, |(_, contents)| shown(contents))
    }
}

/// All pages, in the order of their codes.
pub fn pages() -> impl Iterator<Item = Page> {
    Problem::CODES.iter().filter_map(Page::read)
}

/// A file as it can be shown: bytes that are no text are written as `\xe9`.
fn shown(contents: &[u8]) -> String {
    let escape = |text: &str| {
        let plain = |c: char| c == '\n' || c == '\t' || !c.is_control();
        text.chars()
            .map(|c| if plain(c) { c.to_string() } else { format!("\\x{:02x}", u32::from(c)) })
            .collect::<String>()
    };
    let chunks = contents.utf8_chunks().map(|chunk| {
        let bytes = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}"));
        escape(chunk.valid()) + &bytes.collect::<String>()
    });
    chunks.collect()
}

/// Writes the page of a code; of a family, its codes.
pub(super) fn explain(name: &str, writer: &mut Writer) {
    let family = name.trim_end_matches('*').trim_end_matches("::");
    let pages: Vec<Page> = pages().collect();
    if let Some(page) = pages.iter().find(|page| page.code.name == name) {
        write(page, writer);
    } else if pages.iter().any(|page| page.family() == family) {
        writer.head(&format!("{family}::"), "family of codes");
        writer.blank();
        for page in pages.iter().filter(|page| page.family() == family) {
            writer.fact(&format!("{:<28}", page.code.name), &format!("{} ({})", page.code.summary, page.severity()));
        }
    }
}

fn write(page: &Page, writer: &mut Writer) {
    writer.head(page.code.name, page.severity());
    writer.blank();
    writer.paragraph(&format!("{}.", page.code.summary));
    for paragraph in page.prose.text.trim().split("\n\n") {
        writer.blank();
        writer.paragraph(&paragraph.replace('\n', " "));
    }
    let output = page.output();
    if output.is_empty() {
        return;
    }
    let around = match page.prose.arrange.as_deref() {
        Some("tracked") => " (git tracks the file)",
        Some("readable") => " (everybody may read the file)",
        _ => "",
    };
    for (path, contents) in page.files("farm") {
        writer.blank();
        writer.paragraph(&format!("With this {path}{around}"));
        writer.blank();
        writer.verbatim(&contents);
    }
    writer.blank();
    writer.paragraph("`farmout compile` says");
    writer.blank();
    writer.verbatim(&output);
    for (path, contents) in page.files("fixed") {
        writer.blank();
        writer.paragraph(&format!("This {path} is right"));
        writer.blank();
        writer.verbatim(&contents);
    }
}
