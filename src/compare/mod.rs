//! Two versions of a farm, compared. Their graphs and plans come in; what appears, vanishes and changes goes out. Graphs
//! are compared in the form in which `farmout compile --emit json` writes them, so that a written one does as well.

mod plans;
mod values;

use indexmap::IndexSet;
use serde::Serialize;
use serde_json::Value;

pub use plans::{PlanGroup, Plans, compare as compare_plan};
pub use values::{Detail, Sign};
use values::{compare_values, text};

/// One version of a farm.
#[derive(Debug)]
pub struct Version {
    /// What the user calls it.
    pub name: String,
    /// Its graph, as it is emitted; manifests relative to the farm.
    pub graph: Value,
    /// Its plans, where there are any to be had.
    pub plans: Option<Plans>,
    /// Whether it has slave fragments, if that is known.
    pub has_fragments: Option<bool>,
}

/// What is different.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// The version before.
    pub old: String,
    /// The version after.
    pub new: String,
    /// Builds, schedulers, builders and slaves, in the order of the farm; those of a build together.
    pub changes: Vec<Change>,
    /// What is different in the plans of builders that both versions have, the same change told once.
    pub plans: Vec<PlanGroup>,
    /// What could not be compared.
    pub notes: Vec<String>,
}

/// A node of the graph that is different.
#[derive(Debug, Serialize)]
pub struct Change {
    /// Whether it appears, vanishes or changes.
    pub sign: Sign,
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// The build that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// What is different in it; of one that appears or vanishes, what is worth knowing.
    pub details: Vec<Detail>,
}

/// The kinds of nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A section of a manifest.
    Build,
    /// What schedules a build.
    Scheduler,
    /// A build at given versions.
    Builder,
    /// A host.
    Slave,
}

impl Kind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Scheduler => "scheduler",
            Self::Builder => "builder",
            Self::Slave => "slave",
        }
    }

    /// The nodes of this kind in an emitted graph.
    fn nodes(self, graph: &Value) -> Vec<(&str, &Value)> {
        let list = graph.get(format!("{}s", self.word())).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(|node| Some((node.get("name")?.as_str()?, node))).collect()
    }
}

impl Difference {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.plans.is_empty()
    }
}

/// Compares two versions of a farm.
pub fn compare(old: &Version, new: &Version) -> Difference {
    let mut changes = Vec::new();
    let builds = [&new.graph, &old.graph].into_iter().flat_map(|graph| Kind::Build.nodes(graph));
    let builds: IndexSet<&str> = builds.map(|(name, _)| name).collect();
    for build in builds {
        nodes(Kind::Build, &|name, _| name == build, old, new, &mut changes);
        nodes(Kind::Scheduler, &|name, _| name == build, old, new, &mut changes);
        let of_build = |_: &str, node: &Value| node.get("build").and_then(Value::as_str) == Some(build);
        nodes(Kind::Builder, &of_build, old, new, &mut changes);
    }
    nodes(Kind::Slave, &|_, _| true, old, new, &mut changes);
    let mut notes = Vec::new();
    for version in [old, new] {
        if version.has_fragments == Some(false) {
            notes.push(format!("{} has no slave fragments, so there are no builders in it", version.name));
        }
        match &version.plans {
            None => notes.push(format!("{} is a graph without plans: plans are not compared", version.name)),
            Some(plans) => notes.extend(plans.note(&version.name)),
        }
    }
    let plans = match (&old.plans, &new.plans) {
        (Some(old), Some(new)) => plans::compare_plans(old, new),
        _ => Vec::new(),
    };
    Difference { old: old.name.clone(), new: new.name.clone(), changes, plans, notes }
}

/// The differences among the nodes of one kind that `wanted` picks.
fn nodes(kind: Kind, wanted: &dyn Fn(&str, &Value) -> bool, old: &Version, new: &Version, changes: &mut Vec<Change>) {
    let pick = |graph| Kind::nodes(kind, graph).into_iter().filter(|(name, node)| wanted(name, node)).collect();
    let (before, after): (Vec<_>, Vec<_>) = (pick(&old.graph), pick(&new.graph));
    let find = |nodes: &[(&str, &Value)], wanted: &str| {
        nodes.iter().find(|(name, _)| *name == wanted).map(|(_, node)| (*node).clone())
    };
    let mut push = |sign, name: &str, details| {
        let build = (kind != Kind::Slave && kind != Kind::Build).then(|| {
            let nodes = if sign == Sign::Removed { &before } else { &after };
            let of = find(nodes, name).and_then(|node| node.get("build").and_then(Value::as_str).map(str::to_owned));
            of.unwrap_or_else(|| name.to_owned())
        });
        changes.push(Change { sign, kind, name: name.to_owned(), build, details });
    };
    for (name, node) in &after {
        match find(&before, name) {
            None => push(Sign::Added, name, known(kind, node, Sign::Added)),
            // Of a scheduler, everything else is its build's or its builders'.
            Some(_) if kind == Kind::Scheduler => {}
            Some(before) => {
                let mut details = Vec::new();
                compare_values("", &before, node, &mut details);
                // A builder's category is its build's.
                details.retain(|detail| kind != Kind::Builder || detail.what != "category");
                if !details.is_empty() {
                    push(Sign::Changed, name, details);
                }
            }
        }
    }
    for (name, node) in &before {
        if find(&after, name).is_none() {
            push(Sign::Removed, name, known(kind, node, Sign::Removed));
        }
    }
}

/// What is worth knowing of a node that appears or vanishes.
fn known(kind: Kind, node: &Value, sign: Sign) -> Vec<Detail> {
    let names: &[&str] = match kind {
        Kind::Build => &["buildout"],
        Kind::Scheduler => &["watch"],
        Kind::Builder => &["slaves"],
        Kind::Slave => &["capabilities"],
    };
    let detail = |name: &&str| {
        let value = text(node.get(*name)?);
        (!value.is_empty()).then(|| Detail::one(sign, name, value))
    };
    names.iter().filter_map(detail).collect()
}

/// Makes the manifests of a written graph, whose farm may have been anywhere, those of another graph where they end alike.
pub fn align_manifests(graph: &mut Value, other: &Value) {
    let manifest = |node: &Value| node.get("manifest").and_then(Value::as_str).map(str::to_owned);
    let known: Vec<String> = Kind::Build.nodes(other).into_iter().filter_map(|(_, node)| manifest(node)).collect();
    rename_manifests(graph, |name| {
        known.iter().find(|known| name.strip_suffix(known.as_str()).is_some_and(|rest| rest.ends_with('/'))).cloned()
    });
}

/// Gives the manifests of a graph other names.
pub fn rename_manifests(graph: &mut Value, rename: impl Fn(&str) -> Option<String>) {
    let builds = graph.get_mut("builds").and_then(Value::as_array_mut);
    for build in builds.into_iter().flatten() {
        if let Some(Value::String(manifest)) = build.get_mut("manifest")
            && let Some(other) = rename(manifest)
        {
            *manifest = other;
        }
    }
}
