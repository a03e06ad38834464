//! What a drawing of the graph shows: builds, the capabilities that they are dispatched over, builders, slaves. The graph
//! comes in; all three languages of drawings are written from what goes out.

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment};
use serde::Serialize;

use crate::dispatch::{Builder, Graph};
use crate::model::{Build, Offer, Requirement, Slave, Version};

/// The nodes of a drawing. Nodes refer to each other by index.
#[derive(Debug, Serialize)]
pub(super) struct Drawing {
    pub(super) builds: Vec<BuildNode>,
    pub(super) builders: Vec<BuilderNode>,
    pub(super) slaves: Vec<SlaveNode>,
    /// The capabilities that give builders their tags, in the order in which they turn up.
    pub(super) capabilities: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct BuildNode {
    pub(super) name: String,
    /// What it asks of slaves, in its own words.
    pub(super) asks: Vec<String>,
    pub(super) title: String,
    pub(super) builders: Vec<usize>,
}

#[derive(Debug, Serialize)]
pub(super) struct BuilderNode {
    pub(super) name: String,
    pub(super) tags: Vec<Tag>,
    pub(super) title: String,
    /// The best first.
    pub(super) slaves: Vec<usize>,
}

#[derive(Debug, Serialize)]
pub(super) struct SlaveNode {
    pub(super) name: String,
    /// One tag for each capability, with all of its versions.
    pub(super) tags: Vec<Tag>,
    pub(super) title: String,
}

/// A capability at a version.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Tag {
    /// The short form: `pg 9.1`.
    pub(super) text: String,
    /// The long form: `postgresql 9.1`.
    pub(super) long: String,
    /// The capability's number among [`Drawing::capabilities`]; colours go by it. None for those that are not dispatched
    /// over.
    pub(super) colour: Option<usize>,
}

impl Drawing {
    /// What is drawn of the picked builders. With all of them picked (`all`), builds without a builder are drawn too, and
    /// slaves without one.
    pub(super) fn new(graph: &Graph, picked: &[&Builder], all: bool) -> Self {
        let mut capabilities: Vec<String> = Vec::new();
        for name in picked.iter().flat_map(|builder| builder.chosen.keys()) {
            if !capabilities.contains(name) {
                capabilities.push(name.clone());
            }
        }
        let tags = Tags { graph, capabilities: &capabilities };
        let used = |slave: usize| all || picked.iter().any(|builder| builder.slaves.contains(slave));
        let shown: Vec<usize> = (0..graph.farm.slaves.len()).filter(|slave| used(*slave)).collect();
        let slaves = shown.iter().map(|slave| tags.slave(&graph.farm.slaves[*slave])).collect();
        let builders: Vec<_> = picked
            .iter()
            .map(|builder| {
                let slaves = builder.slaves.iter().filter_map(|slave| shown.iter().position(|shown| *shown == slave));
                tags.builder(builder, slaves.collect())
            })
            .collect();
        let builds = graph.farm.builds.iter().enumerate().filter_map(|(index, build)| {
            let of_build = |(_, builder): &(usize, &&Builder)| builder.build == index;
            let builders: Vec<_> = picked.iter().enumerate().filter(of_build).map(|(number, _)| number).collect();
            let drawn = !builders.is_empty() || all && build.buildout.is_some();
            drawn.then(|| build_node(build, builders))
        });
        Self { builds: builds.collect(), builders, slaves, capabilities }
    }
}

fn build_node(build: &Build, builders: Vec<usize>) -> BuildNode {
    let over = |dispatch: &crate::model::Dispatch| {
        let not_used = if dispatch.not_used { " not used" } else { "" };
        format!("over {}{not_used}", dispatch.requirement)
    };
    let mut asks: Vec<String> = build.dispatch.iter().map(over).collect();
    asks.extend(build.requires.iter().map(|requirement: &Requirement| format!("requires {requirement}")));
    let mut title = vec![build.name.clone()];
    title.extend(build.buildout.as_ref().map(|buildout| buildout.written.clone()));
    title.extend(build.category.as_ref().map(|category| format!("category {category}")));
    title.extend(asks.iter().cloned());
    BuildNode {
        name: clean(&build.name),
        asks: asks.iter().map(|ask| clean(ask)).collect(),
        title: titled(&title),
        builders,
    }
}

struct Tags<'a> {
    graph: &'a Graph,
    capabilities: &'a [String],
}

impl Tags<'_> {
    fn tag(&self, name: &str, versions: &str) -> Tag {
        let short = self.graph.farm.declarations.abbreviation(name);
        let join = |name: &str| clean(format!("{name} {versions}").trim_end());
        let colour = self.capabilities.iter().position(|capability| capability == name);
        Tag { text: join(short), long: join(name), colour }
    }

    fn builder(&self, builder: &Builder, slaves: Vec<usize>) -> BuilderNode {
        let version = |version: &Option<Version>| version.as_ref().map_or(String::new(), Version::to_string);
        let tags: Vec<_> = builder.chosen.iter().map(|(name, chosen)| self.tag(name, &version(chosen))).collect();
        let names: Vec<_> = builder.slaves.iter().map(|slave| self.graph.farm.slaves[slave].name.as_str()).collect();
        let mut title = vec![builder.name.clone()];
        title.extend(tags.iter().map(|tag| tag.long.clone()));
        title.push(format!("on {}", names.join(", ")));
        BuilderNode { name: clean(&builder.name), tags, title: titled(&title), slaves }
    }

    fn slave(&self, slave: &Slave) -> SlaveNode {
        let version = |offer: &Offer| offer.version.as_ref().map(Version::to_string);
        let offered = slave.capabilities.iter().map(|(name, offers)| {
            let versions: Vec<_> = offers.iter().filter_map(version).collect();
            self.tag(name, &versions.join(" "))
        });
        let tags: Vec<_> = offered.collect();
        let mut title = vec![slave.name.clone()];
        title.extend(tags.iter().map(|tag| format!("offers {}", tag.long)));
        title.extend(slave.max_builds.map(|most| format!("at most {most} builds at once")));
        if slave.priority.value != 0.0 {
            title.push(format!("priority {}", slave.priority.text));
        }
        if !slave.only_if_requires.is_empty() {
            title.push(format!("only builds that require {}", slave.only_if_requires.join(", ")));
        }
        SlaveNode { name: clean(&slave.name), tags, title: titled(&title) }
    }
}

/// Without characters that XML cannot hold.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') { '\u{FFFD}' } else { c }).collect()
}

fn titled(lines: &[String]) -> String {
    lines.iter().map(|line| clean(line)).collect::<Vec<_>>().join("\n")
}

/// The templates' environment: each drawing language quotes in its own way.
pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    // The configuration is constant; were it refused, only blank lines would be too many.
    if let Ok(syntax) =
        SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build()
    {
        environment.set_syntax(syntax);
    }
    environment.set_auto_escape_callback(|name| match name {
        "graph.svg" => AutoEscape::Html,
        _ => AutoEscape::None,
    });
    environment.add_filter("dot", |text: String| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
    environment.add_filter("xml", |text: String| {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
    });
    // Mermaid has entities of its own; everything that it could take for its syntax becomes one.
    environment.add_filter("mermaid", |text: String| {
        let entity = |c: char| match c {
            '"' | '#' | '<' | '>' | '&' | '`' | '\\' | '*' | '_' | '[' | ']' | '{' | '}' | '|' | ';' => {
                format!("#{};", u32::from(c))
            }
            c => c.to_string(),
        };
        text.chars().map(entity).collect::<String>()
    });
    environment
}
