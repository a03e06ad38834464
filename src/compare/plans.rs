//! The plans of two versions, compared; a change that hits many builders alike is told once.

use indexmap::{IndexMap, IndexSet};
use serde::Serialize;
use serde_json::Value;
use similar::{Algorithm, ChangeTag, DiffOp, TextDiff, capture_diff_slices};

use super::values::{Detail, Sign, compare_values};
use crate::Compilation;
use crate::plan::{Plan, PlanFile, Step, bind, lower};

/// Of a file with more different lines, the rest is counted only.
const MOST_LINES: usize = 24;

/// What stands for a builder's name in a change that hits several.
const BUILDER: &str = "<builder>";

/// A builder's name and a slave's.
type Key = (String, String);

/// The plans of a farm: of every builder on every slave that takes it.
#[derive(Debug, Default)]
pub struct Plans {
    plans: IndexMap<Key, Plan>,
    /// Builders that cannot be planned, and why not.
    failed: IndexMap<String, String>,
}

impl Plans {
    /// Lowers all builders of a farm and binds them to their slaves.
    pub fn of(compilation: &Compilation) -> Self {
        let graph = &compilation.graph;
        let mut plans = Self::default();
        for builder in &graph.builders {
            let bound = lower(compilation, builder, None).and_then(|procedure| {
                let bind = |slave: usize| bind(&procedure, &graph.farm.slaves[slave], &graph.farm.declarations);
                builder.slaves.iter().map(bind).collect::<Result<Vec<_>, _>>()
            });
            match bound {
                Ok(bound) => {
                    let named = bound.into_iter().map(|plan| ((plan.builder.clone(), plan.slave.clone()), plan));
                    plans.plans.extend(named);
                }
                Err(error) => {
                    plans.failed.insert(builder.name.clone(), error.to_string());
                }
            }
        }
        plans
    }

    /// Gives the files in messages other names, for a farm that is not where the user knows it.
    pub fn rename(&mut self, rename: impl Fn(&str) -> String) {
        self.failed.values_mut().for_each(|message| *message = rename(message));
    }

    /// What is to be said of the builders that cannot be planned.
    pub(super) fn note(&self, version: &str) -> Option<String> {
        let (name, error) = self.failed.first()?;
        let others = match self.failed.len() - 1 {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!("{version}: {name}{others} cannot be planned: {error}"))
    }
}

/// Changes that hit the same plans.
#[derive(Debug, Serialize)]
pub struct PlanGroup {
    /// The builds.
    pub builds: Vec<String>,
    /// The builders.
    pub builders: Vec<String>,
    /// The slaves on which the plans change.
    pub slaves: Vec<String>,
    /// How many plans change so.
    pub plans: usize,
    /// What changes.
    pub details: Vec<Detail>,
}

/// Compares the plans that both versions have.
pub(super) fn compare_plans(old: &Plans, new: &Plans) -> Vec<PlanGroup> {
    // By the change without the builder's name in it, so that changes are one that differ in nothing else.
    let mut hits: IndexMap<Detail, Hit<'_>> = IndexMap::new();
    for (key, after) in &new.plans {
        let Some(before) = old.plans.get(key) else { continue };
        for detail in compare(before, after) {
            let general = general(&detail, &key.0);
            let hit =
                hits.entry(general).or_insert_with(|| Hit { own: detail.clone(), alike: true, plans: Vec::new() });
            hit.alike &= hit.own == detail;
            if hit.plans.last() != Some(&key) {
                hit.plans.push(key);
            }
        }
    }
    let mut groups: IndexMap<Vec<&Key>, Vec<Detail>> = IndexMap::new();
    for (general, hit) in hits {
        groups.entry(hit.plans).or_default().push(if hit.alike { hit.own } else { general });
    }
    let distinct = |names: &mut dyn Iterator<Item = &String>| -> Vec<String> {
        names.collect::<IndexSet<_>>().into_iter().cloned().collect()
    };
    let group = |(keys, details): (Vec<&Key>, Vec<Detail>)| PlanGroup {
        builds: distinct(&mut keys.iter().filter_map(|key| new.plans.get(*key)).map(|plan| &plan.build)),
        builders: distinct(&mut keys.iter().map(|key| &key.0)),
        slaves: distinct(&mut keys.iter().map(|key| &key.1)),
        plans: keys.len(),
        details,
    };
    groups.into_iter().map(group).collect()
}

/// A change, and the plans that it hits.
struct Hit<'a> {
    /// The change as it was first found.
    own: Detail,
    /// Whether it is the same everywhere, builder's name included.
    alike: bool,
    plans: Vec<&'a Key>,
}

/// A change without the name of the builder that it was found in.
fn general(detail: &Detail, builder: &str) -> Detail {
    let general = |text: &String| without_name(text, builder);
    Detail { old: detail.old.as_ref().map(general), new: detail.new.as_ref().map(general), ..detail.clone() }
}

/// A text with [`BUILDER`] in place of a name, where that is not a part of a longer word.
fn without_name(text: &str, name: &str) -> String {
    let mut general = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(name).filter(|_| !name.is_empty()) {
        let (before, after) = (&rest[..at], &rest[at + name.len()..]);
        let inside = before.ends_with(char::is_alphanumeric) || after.starts_with(char::is_alphanumeric);
        general.push_str(before);
        general.push_str(if inside { name } else { BUILDER });
        rest = after;
    }
    general + rest
}

/// What is different between two plans of one builder on one slave.
pub fn compare(old: &Plan, new: &Plan) -> Vec<Detail> {
    let mut details = Vec::new();
    // What is compared elsewhere: the graph's part, and what has a comparison of its own.
    let rest = |plan: &Plan| without(plan, &["manifest", "category", "build", "files", "steps", "properties"]);
    compare_values("", &rest(old), &rest(new), &mut details);
    let property = |plan: &Plan| serde_json::json!({ "properties": plan.properties });
    compare_values("", &property(old), &property(new), &mut details);
    compare_files(&old.files, &new.files, &mut details);
    compare_steps(&old.steps, &new.steps, &mut details);
    details
}

/// A thing as JSON, but for some of its fields.
fn without(thing: &impl Serialize, fields: &[&str]) -> Value {
    let mut value = serde_json::to_value(thing).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.retain(|name, _| !fields.contains(&name.as_str()));
    }
    value
}

fn compare_steps(old: &[Step], new: &[Step], details: &mut Vec<Detail>) {
    let find = |steps: &'_ [Step], name: &str| steps.iter().position(|step| step.name == name);
    for step in old.iter().filter(|step| find(new, &step.name).is_none()) {
        details.push(Detail::one(Sign::Removed, &format!("step {}", step.name), command(&step.run)));
    }
    for step in new {
        let what = format!("step {}", step.name);
        let Some(before) = find(old, &step.name).map(|at| &old[at]) else {
            details.push(Detail::one(Sign::Added, &what, command(&step.run)));
            continue;
        };
        compare_commands(&what, &before.run, &step.run, details);
        let rest = |step: &Step| without(step, &["name", "run", "help", "named-by"]);
        compare_values(&what, &rest(before), &rest(step), details);
    }
    let common = |steps: &[Step], other: &[Step]| -> Vec<String> {
        steps.iter().filter(|step| find(other, &step.name).is_some()).map(|step| step.name.clone()).collect()
    };
    let (before, after) = (common(old, new), common(new, old));
    if before != after {
        details.push(Detail::changed("order of steps", before.join(", "), after.join(", ")));
    }
}

/// The arguments that are different, and not the whole command.
fn compare_commands(what: &str, old: &[String], new: &[String], details: &mut Vec<Detail>) {
    for op in capture_diff_slices(Algorithm::Myers, old, new) {
        let (before, after) = (command(&old[op.old_range()]), command(&new[op.new_range()]));
        let what = format!("{what} run");
        details.extend(match op {
            DiffOp::Equal { .. } => None,
            DiffOp::Delete { .. } => Some(Detail::one(Sign::Removed, &what, before)),
            DiffOp::Insert { .. } => Some(Detail::one(Sign::Added, &what, after)),
            DiffOp::Replace { .. } => Some(Detail::changed(&what, before, after)),
        });
    }
}

fn command(words: &[String]) -> String {
    let plain = |word: &str| word.chars().all(|c| c.is_alphanumeric() || "_-./:=,+@%${}".contains(c));
    let quoted = words.iter().map(|word| {
        if plain(word) && !word.is_empty() { word.clone() } else { shell_words::quote(word).replace('\n', "\\n") }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

fn compare_files(old: &[PlanFile], new: &[PlanFile], details: &mut Vec<Detail>) {
    let size = |file: &PlanFile| match file.content.lines().count() {
        1 => "1 line".to_owned(),
        lines => format!("{lines} lines"),
    };
    for file in old.iter().filter(|file| !new.iter().any(|other| other.path == file.path)) {
        details.push(Detail::one(Sign::Removed, "file", format!("{} ({})", file.path, size(file))));
    }
    for file in new {
        let Some(before) = old.iter().find(|other| other.path == file.path) else {
            details.push(Detail::one(Sign::Added, "file", format!("{} ({})", file.path, size(file))));
            continue;
        };
        if before.executable != file.executable {
            let mode = |file: &PlanFile| file.executable.to_string();
            details.push(Detail::changed(&format!("file {} executable", file.path), mode(before), mode(file)));
        }
        if before.content != file.content {
            let lines = different_lines(&before.content, &file.content);
            let what = format!("file {}", file.path);
            details.push(Detail { sign: Sign::Changed, what, old: None, new: None, lines });
        }
    }
}

fn different_lines(old: &str, new: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(old, new);
    let different = diff.iter_all_changes().filter_map(|change| {
        let sign = match change.tag() {
            ChangeTag::Equal => return None,
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
        };
        Some(format!("{sign} {}", change.value().trim_end()).trim_end().to_owned())
    });
    let mut lines: Vec<String> = different.collect();
    let more = lines.len().saturating_sub(MOST_LINES);
    if more > 0 {
        lines.truncate(MOST_LINES);
        lines.push(format!("… and {more} more lines"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_taken_out_of_a_text_as_a_word() {
        assert_eq!(without_name("ci-a-pg9 bar a", "a"), "ci-<builder>-pg9 bar <builder>");
        assert_eq!(without_name("x", ""), "x");
    }

    #[test]
    fn long_differences_are_cut() {
        let lines: String = (0..30).map(|number| format!("{number}\n")).collect();
        let different = different_lines("", &lines);
        assert_eq!(different.len(), MOST_LINES + 1);
        assert_eq!(different.last().map(String::as_str), Some("… and 6 more lines"));
    }
}
