//! The passes from files to the graph, in order.

use camino::Utf8Path;
use indexmap::IndexMap;

use crate::check::{check, check_configurations, check_fragments, layout};
use crate::diagnostic::{Diagnostics, Failure, silence};
use crate::dispatch::{Graph, dispatch};
use crate::model::{
    DeclaredOptions, Farm, Notification, OfferValue, Retention, Secret, SecretSource, credentials, users,
};
use crate::resolve::{
    FarmFile, Files, Knowledge, Layout, Library, Manifest, Rewrite, Sheet, builds, names_a_password, slaves,
};
use crate::source::{SourceId, Sources, Span};
use crate::steps::{self, CoreOptions, Templates};
use crate::syntax::ini;

/// A farm, compiled.
#[derive(Debug)]
pub struct Compilation {
    /// Its texts.
    pub sources: Sources,
    /// What is to be said about them.
    pub diagnostics: Diagnostics,
    /// Its graph. Where there are errors, it lacks what they are about.
    pub graph: Graph,
    /// The step templates.
    pub templates: Templates,
    /// Whether there is a slave fragment at all.
    pub has_fragments: bool,
    /// Who is told of what happens in runs.
    pub notify: Vec<Notification>,
    /// How much of earlier runs is kept.
    pub keep: Retention,
    /// By which other addresses repositories are reached.
    pub rewrites: Vec<Rewrite>,
}

/// Compiles a farm: reads its files, and checks everything that they say.
///
/// # Errors
/// A failure for each file that is missing or unreadable. What is wrong inside files is among the diagnostics.
pub fn compile(layout: &Layout) -> Result<Compilation, Vec<Failure>> {
    let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
    let files = Files::read(layout, &mut sources, &mut diagnostics)?;
    let yaml: Vec<SourceId> =
        sources.iter().filter(|(_, source)| source.name().ends_with(".yaml")).map(|(id, _)| id).collect();
    for id in yaml {
        for span in addresses(sources.get(id).text(), id) {
            sources.hide(span);
        }
    }
    let options = CoreOptions::builtin();
    let declarations = steps::declarations(&files.farm.capabilities);
    let templates = Templates::load(&sources, &files.templates, files.lacks_templates, &mut diagnostics);
    templates.check_variants(&files.variants, &mut diagnostics);

    let names = options.manifest.keys().map(String::as_str).chain(templates.option_names()).collect();
    let fragments: Vec<Sheet> =
        files.fragments.iter().map(|(id, _)| fragment(&mut sources, *id, &options.slave, &mut diagnostics)).collect();
    check_fragments(&files.fragments, &sources, &mut diagnostics);
    let manifests: Vec<Manifest> = files
        .manifests
        .iter()
        .map(|(id, directory)| {
            let document = ini::parse(&sources, *id, &mut diagnostics);
            layout::check(&document, &names, false, &mut diagnostics);
            for span in addresses(sources.get(*id).text(), *id) {
                sources.hide(span);
            }
            let mut sheet = Sheet::new(document, &mut diagnostics);
            sheet.inherit(&mut diagnostics);
            Manifest { name: Utf8Path::new(sources.get(*id).name()).into(), directory: directory.clone(), sheet }
        })
        .collect();

    let slaves = slaves(&fragments, &files.fragments, &options.slave, &declarations, &mut diagnostics);
    let knowledge = Knowledge { root: &layout.root, farm: &files.farm, options: &options, templates: &templates };
    let mut library = Library::new(&layout.root);
    let builds = builds(&manifests, &knowledge, &mut library, &mut sources, &mut diagnostics);
    for id in library.sources() {
        hide(&mut sources, *id);
    }
    check_configurations(library.sources(), &sources, &mut diagnostics);
    let sections = manifests.iter().map(|manifest| manifest.sheet.sections().count()).sum::<usize>();
    let more_builds =
        files.incomplete || builds.len() < sections || manifests.iter().any(|manifest| manifest.sheet.lacks);
    let more_slaves = files.incomplete || fragments.iter().any(|fragment| fragment.lacks);
    let graph = dispatch(Farm { builds, slaves, declarations, more_builds, more_slaves });
    check(&graph, &templates, &mut diagnostics);
    silence(&mut diagnostics, &sources);
    let has_fragments = !fragments.is_empty();
    let FarmFile { notify, keep, rewrite_urls: rewrites, .. } = files.farm;
    Ok(Compilation { sources, diagnostics, graph, templates, has_fragments, notify, keep, rewrites })
}

/// Reads a slave fragment. What it keeps secret is never shown, not even in a message about its neighbour.
fn fragment(sources: &mut Sources, id: SourceId, options: &DeclaredOptions, diagnostics: &mut Diagnostics) -> Sheet {
    let document = ini::parse(sources, id, diagnostics);
    layout::check(&document, &options.keys().map(String::as_str).collect(), true, diagnostics);
    hide(sources, id);
    Sheet::new(document, diagnostics)
}

fn hide(sources: &mut Sources, id: SourceId) {
    for secret in secrets(sources.get(id).text(), id) {
        sources.hide(secret);
    }
}

/// Where secrets stand in a fragment or a buildout's configuration: what follows a name with `passw` in it, on its line and on those that continue it.
/// Read from the text and not from the tree, so that a line with a mistake hides its secret too.
pub(crate) fn secrets(text: &str, id: SourceId) -> Vec<Span> {
    const BETWEEN: [char; 4] = ['=', ':', ' ', '\t'];
    let mut secrets = Vec::new();
    let mut at = 0;
    let mut continues = false;
    for line in text.split_inclusive('\n') {
        let indented = line.starts_with([' ', '\t']);
        // In a comment, only what looks like an option: people comment passwords out.
        let separators: &[char] = if line.starts_with(['#', ';']) { &['=', ':'] } else { &BETWEEN };
        let mut hide = |from: usize, word: bool| {
            let skipped = line[from..].len() - line[from..].trim_start_matches(BETWEEN).len();
            let rest = line[from + skipped..].trim_end();
            let end = if word { rest.find([' ', '\t']).unwrap_or(rest.len()) } else { rest.len() };
            secrets.push(Span::new(id, at + from + skipped..at + from + skipped + end));
        };
        let windows = line.as_bytes().windows(5).enumerate();
        let named = windows.filter(|(_, part)| part.eq_ignore_ascii_case(b"passw")).map(|(name, _)| name);
        let named: Vec<_> = named.collect();
        // The value of an option goes to the line's end. In a capability line the secret ends with its word, and another
        // may follow.
        let option = line.find(['=', ':']).unwrap_or(line.len());
        let slip = named.is_empty()
            && option < line.len()
            && names_a_password(line[..option].trim_matches([' ', '\t', '#', ';']));
        if slip && !indented {
            hide(option + 1, false);
        }
        let names_it = (slip || named.first().is_some_and(|name| *name < option)) && !indented;
        if continues && indented {
            hide(0, false);
        }
        for name in named {
            if let Some(end) = line[name..].find(separators) {
                hide(name + end + 1, !names_it);
            }
        }
        secrets.extend(users(line).map(|range| Span::new(id, at + range.start..at + range.end)));
        continues = if indented { continues } else { names_it };
        at += line.len();
    }
    secrets
}

/// Where passwords stand in the addresses of a manifest or of a YAML file.
pub(crate) fn addresses(text: &str, id: SourceId) -> Vec<Span> {
    let mut at = 0;
    let mut found = Vec::new();
    for line in text.split_inclusive('\n') {
        found.extend(users(line).map(|range| Span::new(id, at + range.start..at + range.end)));
        at += line.len();
    }
    found
}

/// A secret of the farm, or where it is, and which option says so.
#[derive(Debug, Clone)]
pub struct NamedSecret {
    /// What the option says.
    pub source: SecretSource,
    /// The option.
    pub option: String,
    /// The slave that it is of; a password in an address is of none.
    pub slave: Option<String>,
    /// Where it is given.
    pub span: Span,
}

/// The secrets of the farm by the names that plans call them: passwords of database users, by slave. No file and no variable
/// is looked at.
pub fn secret_sources(graph: &Graph) -> IndexMap<String, NamedSecret> {
    let mut secrets = IndexMap::new();
    for slave in &graph.farm.slaves {
        for (capability, offers) in &slave.capabilities {
            for offer in offers {
                for (option, given) in &offer.options {
                    if let OfferValue::Secret(source) = &given.value {
                        let name = secret_name(&slave.name, capability, offer.version.as_ref(), option);
                        let named = NamedSecret {
                            source: source.clone(),
                            option: option.clone(),
                            slave: Some(slave.name.clone()),
                            span: given.span,
                        };
                        secrets.insert(name, named);
                    }
                }
            }
        }
    }
    for build in &graph.farm.builds {
        if let Some(user) = build.buildout.as_ref().and_then(|buildout| buildout.source.url()).and_then(credentials) {
            let source = SecretSource::Given(Secret::new(user));
            let named = NamedSecret { source, option: "buildout".to_owned(), slave: None, span: build.span };
            secrets.insert(address_secret(&build.name), named);
        }
    }
    secrets
}

/// What plans call the password in the address of a build's buildout.
pub fn address_secret(build: &str) -> String {
    secret_name(build, "buildout", None, "url")
}

/// What plans call a secret of a slave.
pub fn secret_name(slave: &str, capability: &str, version: Option<&crate::model::Version>, option: &str) -> String {
    let version = version.map_or("", crate::model::Version::as_str);
    let name = [slave, capability, version, option].join("-");
    // Placeholders take these characters only.
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
}
